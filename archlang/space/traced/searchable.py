"""Searchable functions and classes: their arguments may be choices."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable
from typing import Any, TypeVar

from archlang.diagnostics import ArchError, error
from archlang.space.traced.addresses import Mark, bound_to
from archlang.space.traced.asking import Later
from archlang.space.traced.run import Run, running

Called = TypeVar("Called", bound=Callable[..., Any])


Call = Callable[[Run, tuple[Any, ...], dict[str, Any], str | None], Any]


class Deferred(Later):
    """A call of something searchable, with choices among its arguments, that is made in a run: once in each."""

    def __init__(self, call: Call, given: tuple[Any, ...], named: dict[str, Any], label: str):
        self._call, self._given, self._named = call, given, named
        self._label = self.__name__ = label

    def __repr__(self) -> str:
        return f"Later({self._label}(…))"

    def resolve(self, run: Run) -> Any:
        """The value in a run."""
        if id(self) not in run.shared:
            run.claim(self._label, self)
            run.shared[id(self)] = self._call(run, self._given, self._named, self._label)
        return run.shared[id(self)]

    def resolve_of_call(self, run: Run, parameter: str, frame: Any) -> Any:
        """The value as the default of a parameter in a call: made anew."""
        return self._call(run, self._given, self._named, None)

    def __call__(self) -> Any:
        """The value in the run that is going on."""
        run = running()
        if run is None:
            raise ArchError(error("E0416", f"`{self._label}` has choices that are open", hints=["`al.space_of(…)`"]))
        return self.resolve(run)


def searchable(called: Called) -> Called:
    """A function or class whose arguments may be choices, alone or in lists, tuples and dictionaries: those made in
    the run, and those that were made before it (a `Later`), also as defaults of parameters.

    A class of the calling module stays the class that it is: its `__init__` is exchanged. Of a class from
    elsewhere it is a function that makes the instances, so that nothing is changed in the library. Called
    outside of a run with an open choice, a function gives something that is made in a run, which
    `space_of` takes too; a class of one's own is an ArchError (E0416) there.
    """
    own: Any = called
    if isinstance(called, type) and called.__module__ == sys._getframe(1).f_globals.get("__name__"):
        own.__init__ = _resolving(own.__init__, called, skipped=1)
        return own  # type: ignore[no-any-return]
    return _resolving(called, called)  # type: ignore[return-value]


def _resolving(inner: Callable[..., Any], called: Callable[..., Any], skipped: int = 0) -> Callable[..., Any]:
    """The function with its choices resolved; the first `skipped` arguments are left alone."""
    try:
        parameters = list(inspect.signature(inner).parameters.values())[skipped:]
    except (TypeError, ValueError):  # some built-in callables have none
        parameters = []
    defaults = {each.name: each.default for each in parameters if isinstance(each.default, Later)}
    places = [each.name for each in parameters if each.kind is not inspect.Parameter.KEYWORD_ONLY]

    def call(run: Run, given: tuple[Any, ...], named: dict[str, Any], address: str | None) -> Any:
        frame = sys._getframe()
        with run.marked(frame, Mark(called if skipped else resolving, address)):
            for name in lacking(given, named):
                named = {**named, name: defaults[name].resolve_of_call(run, name, frame)}
            given = (*given[:skipped], *(_resolved(run, value) for value in given[skipped:]))
            return inner(*given, **{name: _resolved(run, value) for name, value in named.items()})

    def lacking(given: tuple[Any, ...], named: dict[str, Any]) -> list[str]:
        return [name for name in defaults if name not in named and name not in places[: len(given) - skipped]]

    @functools.wraps(inner, updated=())
    def resolving(*given: Any, **named: Any) -> Any:
        run = running()
        if run is not None:
            return call(run, given, named, None)
        if not lacking(given, named) and not any(map(_is_open, (*given, *named.values()))):
            return inner(*given, **named)
        if skipped:
            what = f"`{called.__name__}` is given choices that are open"
            hints = [f"make it in a run: `al.space_of(lambda: {called.__name__}(…))`"]
            raise ArchError(error("E0416", what, hints=hints))
        return Deferred(call, given, named, bound_to(sys._getframe(1)) or called.__name__)

    return resolving


def _is_open(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return any(map(_is_open, value))
    return isinstance(value, Later) or (type(value) is dict and any(map(_is_open, value.values())))


def _resolved(run: Run, value: Any) -> Any:
    """A value with the choices in it made."""
    if isinstance(value, Later):
        return value.resolve(run)
    if not _is_open(value):
        return value
    if isinstance(value, dict):
        return {key: _resolved(run, item) for key, item in value.items()}
    return type(value)(_resolved(run, item) for item in value)
