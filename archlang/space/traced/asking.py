"""`choose`, `integer`, `real` and `require`: what Python code asks.

In a run of a space's function they give what is picked. Anywhere else they give a `Later`: a choice that is
made when a searchable function or class is given it in a run.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from types import FrameType, FunctionType
from typing import Any

import attrs

from archlang.diagnostics import ArchError, error
from archlang.semantics.decision import Domain, Integers, OneOf, Pick, Reals, Subsets
from archlang.semantics.fault import Fault
from archlang.space.traced.addresses import Mark, outside_label
from archlang.space.traced.run import Run, running

MAX_LISTED = 1_000  # elements of a choice of subsets


@attrs.frozen(eq=False)
class Question:
    """What is to be picked, and the value of each pick (given the run and the address); `name` is what the user
    calls it."""

    domain: Domain
    name: str | None
    value: Callable[[Run, str, tuple[str, ...], Pick], Any]

    def answered(self, run: Run, found: tuple[Any, Pick]) -> Any:
        """The value of what is picked."""
        decision, pick = found
        return self.value(run, decision.address, decision.parents, pick)


class Later:
    """A choice made outside of a run: what it is turns out in a run, where a searchable function or class is given
    it. However often that is, it is one decision; as the default of a parameter, it is one for each call."""

    def __init__(self, question: Question, label: str):
        self._question = question
        self._label = label

    def __repr__(self) -> str:
        return f"Later({self._label}: {self._question.domain})"

    def resolve(self, run: Run) -> Any:
        """The value in a run."""
        if id(self) not in run.shared:
            found = run.ask_shared(self._question.domain, self._question.name or self._label, self)
            run.shared[id(self)] = self._question.answered(run, found)
        return run.shared[id(self)]

    def resolve_of_call(self, run: Run, parameter: str, frame: FrameType) -> Any:
        """The value as the default of a parameter in a call."""
        found = run.ask_of_call(self._question.domain, self._question.name or parameter, frame)
        return self._question.answered(run, found)

    def __bool__(self) -> bool:
        raise _unmade(f"`{self._label}` has no value yet")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise _unmade(f"`{self._label}` has no value yet, and so no `{name}`")


def _unmade(what: str) -> ArchError:
    hints = [
        "ask in a function, and make a space of it: `al.space_of(function)`",
        "or mark what is given the choice: `al.searchable(…)`",
    ]
    notes = ["a choice that is made outside of such a function is left open"]
    return ArchError(error("E0416", what, notes=notes, hints=hints))


def choose(
    candidates: Sequence[Any] | Mapping[str, Any],
    k: int | tuple[int, int] | None = None,
    /,
    *,
    ordered: bool = False,
    repeated: bool = False,
    name: str | None = None,
) -> Any:
    """One of some candidates: of a list or range, or of a dictionary by labels; with `k` so many of them as a list
    (a pair: at least and at most so many), in their order, or `ordered` in any, or `repeated`.

    A lambda without parameters is called when it is picked; what it asks belongs to that alternative.
    Candidates that are constants or have names are labelled by these, others by their positions.
    ArchError: E0401 and E0402 for what cannot be chosen from.
    """
    if isinstance(candidates, range) and k is None and candidates:
        low, high = sorted((candidates[0], candidates[-1]))
        return _asked(Question(Integers(low, high, abs(candidates.step)), name, _itself))
    if isinstance(candidates, str) or not isinstance(candidates, Sequence | Mapping):
        what = f"`choose` takes a list, a range or a dictionary, and this is {type(candidates).__name__}"
        raise ArchError(error("E0401", what, hints=["list the candidates: `al.choose([3, 5])`"]))
    values = list(candidates.values() if isinstance(candidates, Mapping) else candidates)
    if not values and k is None:
        raise ArchError(error("E0402", "there is nothing to choose from"))
    labels = tuple(map(str, candidates)) if isinstance(candidates, Mapping) else _labels(values)
    if k is not None:
        return _subset(values, labels, k, ordered, repeated, name)
    domain = OneOf(labels)

    def value(run: Run, address: str, parents: tuple[str, ...], pick: Pick) -> Any:
        return _taken(run, values[domain.index(pick)], address, f"{address}:{pick}", parents)

    return _asked(Question(domain, name, value))


def integer(low: int, high: int, *, step: int = 1, name: str | None = None) -> Any:
    """An integer from `low` to `high`, both included, in steps. ArchError (E0402) where there is none."""
    if step < 1 or high < low:
        raise ArchError(error("E0402", f"there is nothing to choose from: {low} to {high} by {step}"))
    return _asked(Question(Integers(low, high - (high - low) % step, step), name, _itself))


def real(low: float, high: float, *, log: bool = False, name: str | None = None) -> Any:
    """A float from `low` to `high`; with `log` its logarithm is what varies evenly. ArchError: E0402 where
    there is none, E0403 for `log` of a range that does not lie above 0."""
    if not low <= high:
        raise ArchError(error("E0402", f"there is nothing to choose from: {low} to {high}"))
    if log and low <= 0:
        raise ArchError(error("E0403", "a `log` range must lie above 0"))
    return _asked(Question(Reals(float(low), float(high), log), name, _itself))


def require(condition: Any, why: str = "a requirement") -> None:
    """Leave out the choices that break a condition. Outside of a run it has to hold: ArchError (E0501)."""
    if condition:
        return
    fault = Fault(error("E0501", f"the choices break a requirement: {why}"), excluded=True)
    run = running()
    raise ArchError(fault.diagnostic) if run is None else run.excluded(fault)


def _asked(question: Question) -> Any:
    """The value in the run that is going on; else something that has its value later."""
    caller = sys._getframe(1)
    while caller.f_globals.get("__name__") == __name__ and caller.f_back is not None:
        caller = caller.f_back
    run = running()
    if run is None:
        return Later(question, question.name or outside_label(caller))
    return question.answered(run, run.ask(question.domain, question.name, caller))


def _itself(run: Run, address: str, parents: tuple[str, ...], pick: Pick) -> Any:
    return pick


def _labels(values: Sequence[Any]) -> tuple[Any, ...]:
    """What listed candidates are called: as in the language, see `archlang.semantics.choosing.list_labels`."""
    if all(isinstance(value, int | float | str) for value in values) and len(set(map(str, values))) == len(values):
        return tuple(values)
    names = [getattr(value, "__name__", "<none>") for value in values]
    if len(set(names)) == len(names) and not any(name.startswith("<") for name in names):
        return tuple(names)
    return tuple(range(len(values)))


def _taken(run: Run, candidate: Any, address: str, inside: str, parents: tuple[str, ...]) -> Any:
    """The value of a candidate: lambdas are called."""
    if not _is_thunk(candidate):
        return candidate
    with run.marked(sys._getframe(), Mark(candidate, inside, (*parents, address))):
        return candidate()


def _is_thunk(candidate: Any) -> bool:
    if not isinstance(candidate, FunctionType) or candidate.__name__ != "<lambda>":
        return False
    code = candidate.__code__
    open_parameters = code.co_argcount - len(candidate.__defaults__ or ())
    return (
        open_parameters == 0
        and code.co_kwonlyargcount == len(candidate.__kwdefaults__ or ())
        and not (
            code.co_flags & 0x0C  # *args or **kwargs
        )
    )


def _subset(
    values: Sequence[Any],
    labels: Sequence[Any],
    k: int | tuple[int, int],
    ordered: bool,
    repeated: bool,
    name: str | None,
) -> Any:
    low, high = (k, k) if isinstance(k, int) else k
    if not 0 <= low <= high or (high > len(values) and not repeated) or (high and not values):
        raise ArchError(error("E0402", f"{k} of {len(values)} candidates cannot be chosen"))
    if len(values) > MAX_LISTED:
        raise ArchError(error("E0401", f"subsets are chosen from at most {MAX_LISTED:,} candidates"))

    def value(run: Run, address: str, parents: tuple[str, ...], pick: Any) -> list[Any]:
        found = []
        for place, position in enumerate(pick):
            again = f"[{pick[:place].count(position)}]" if repeated else ""
            inside = f"{address}:{labels[position]}{again}"
            found.append(_taken(run, values[position], address, inside, parents))
        return found

    return _asked(Question(Subsets(len(values), low, high, ordered, repeated), name, value))
