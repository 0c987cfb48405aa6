"""A searcher as text: its name, its settings, and the searchers that it is composed of.

evolution                                   then(random, 50, evolution)
evolution(population=50, sample=10)         retry(tpe, times=2)
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import attrs

from archlang.diagnostics import ArchError, did_you_mean, error
from archlang.searchers.base import Searcher
from archlang.searchers.objectives import NO_CONSTRAINTS, Constraints, Objective
from archlang.searchers.registry import SEARCHERS, searcher_class
from archlang.syntax import ast
from archlang.syntax.parser import parse_expression

if TYPE_CHECKING:
    from archlang.space import SearchSpace


@attrs.frozen
class Recipe:
    """What it takes to make a searcher: a class and settings, among which there may be recipes."""

    kind: type[Searcher]
    settings: Mapping[str, Any] = attrs.field(factory=dict)

    @classmethod
    def of(cls, given: str | type[Searcher] | Recipe, settings: Mapping[str, Any] | None = None) -> Recipe:
        """The recipe that a text or a class stands for, with more settings. ArchError: E0901 there is no
        such searcher, E0902 and E0903 for its settings, E0918 the text is none."""
        if isinstance(given, str):
            given = _read(given)
        if isinstance(given, type):
            given = cls(given)
        if not isinstance(given, Recipe):
            raise TypeError(given)
        return cls(given.kind, {**given.settings, **(settings or {})})

    read_setting = of  # settings of this type are read so
    setting_kind: ClassVar[str] = "a searcher"

    def make(
        self,
        space: SearchSpace,
        objectives: Sequence[Objective],
        seed: int = 0,
        constraints: Constraints = NO_CONSTRAINTS,
    ) -> Searcher:
        """A searcher that has not asked yet."""
        return self.kind(space, objectives, seed, constraints, **self.settings)

    def __str__(self) -> str:
        """The text that makes the recipe again: for searchers of the registry, and settings that are
        no functions."""
        rest = _rest(self.kind)
        inner: list[str] = []
        for name, value in self.settings.items():
            if name == rest and isinstance(value, tuple | list):
                inner = [*map(_written, value), *inner]
            else:
                inner.append(f"{name}={_written(value)}")
        return f"{self.kind.name}({', '.join(inner)})" if inner else self.kind.name


def _written(value: Any) -> str:
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(_written, value))}]"
    if isinstance(value, Recipe):
        return str(value)
    if isinstance(value, str) and value in SEARCHERS:
        return value
    if isinstance(value, type) and issubclass(value, Searcher):
        return value.name
    if callable(value):
        return "…"
    return "none" if value is None else json.dumps(value, ensure_ascii=False)


def _rest(kind: type[Searcher]) -> str:
    """The setting that takes all values without a name: one of a type such as `tuple[Recipe, ...]` that
    is marked so; without one, each goes to the setting at its place."""
    return next((field.name for field in attrs.fields(kind.Settings) if field.metadata.get("rest")), "")


def _read(text: str) -> Recipe:
    if text.strip() in SEARCHERS:
        return Recipe(searcher_class(text.strip()))
    shown = text
    try:
        expression = parse_expression(_without_hyphens(text), "searcher")
    except ArchError as problem:
        raise _no_recipe(shown, [found.message for found in problem.diagnostics]) from None
    return _recipe(expression, shown)


def _without_hyphens(text: str) -> str:
    """The text with the names of searchers as the language can have them; what is in quotes is none."""
    names = [re.escape(name) for name in SEARCHERS if "-" in name]
    return re.sub("|".join(['"[^"]*"', *names]), lambda f: f[0] if f[0][0] == '"' else f[0].replace("-", "_"), text)


def _recipe(expr: ast.Expr, text: str) -> Recipe:
    match expr:
        case ast.Name(name):
            return Recipe(searcher_class(_registered(name)))
        case ast.Call(ast.Name(name), arguments):
            kind = searcher_class(_registered(name))
            fields = [field.name for field in attrs.fields(kind.Settings)]
            settings: dict[str, Any] = {}
            rest = _rest(kind)
            for place, argument in enumerate(arguments):
                value = _value(argument.value, text)
                if argument.name is None and rest:
                    settings[rest] = (*settings.get(rest, ()), value)
                elif argument.name is None and place >= len(fields):
                    raise _no_recipe(text, [f"`{kind.name}` takes at most {len(fields)} settings"])
                else:
                    settings[argument.name or fields[place]] = value
            return Recipe(kind, settings)
    raise _no_recipe(text, ())


def _registered(name: str) -> str:
    return next((known for known in SEARCHERS if known.replace("-", "_") == name), name)


def _value(expr: ast.Expr, text: str) -> Any:
    """A setting: a constant, a list, or a searcher (a bare word is left as text: it may be either)."""
    from archlang.space.values import literal

    match expr:
        case ast.Call():
            return _recipe(expr, text)
        case ast.ListLiteral(items) | ast.TupleLiteral(items):
            return tuple(_value(item, text) for item in items)
        case ast.Name(name):
            return _registered(name)
    return literal(expr, text)


def _no_recipe(text: str, notes: Sequence[str]) -> ArchError:
    hints = did_you_mean(text, SEARCHERS) or (
        "write a name, with settings in parentheses: `evolution`, `evolution(population=50)`",
    )
    return ArchError(error("E0918", f"`{text}` is not a searcher", notes=notes, hints=hints))
