"""How numbers that differ between the uses of a block are written: as sizes of its input, from each
other, as variables of a loop, or as parameters; the fewer of these the better."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

import attrs

from archlang.ir.text import literal

FREE = object()  # the value of a slot that nothing reads: any would do
MISSING = object()
ROWS = "rows"  # the slot of what a loop goes over

# Slots that say how wide something is.
SIZES = frozenset({"out", "hidden", "width", "dim", "features"})
# Slots of small numbers that agree with sizes by chance only.
UNRELATED = frozenset({"kernel", "stride", "padding", "dilation", "axis", "order", "multiplier", "output_padding"})
# Slots of numbers that are parts of widths, and of places within them.
SHARES = frozenset({"groups", "heads", "kv_heads"})
PLACES = frozenset({"start", "stop"})
LEAST_SIZE = 8
TIMES = (2, 3, 4)
PARTS = (2, 4, 8)


@attrs.frozen
class Slot:
    """A place for a value: its name, whether that is a width, what it is when left out, and what a
    variable for it may be called. One that is `required` needs no name when it is given."""

    name: str
    size: bool = False
    default: object = MISSING
    called: str = ""
    required: bool = False

    @property
    def related(self) -> bool:
        return self.name not in UNRELATED


@attrs.frozen
class Expression:
    """An argument as text; `value` is what it is everywhere, if it is a literal."""

    text: str
    value: object = MISSING


@attrs.define(eq=False)
class Variable:
    """A parameter or loop variable: its values in all contexts."""

    name: str
    slot: Slot
    values: list[Any]

    @property
    def default(self) -> object:
        """What it is when left out: the slot's default, where some context has that and no size is meant."""
        if self.slot.size or self.slot.default is MISSING or all(value != self.slot.default for value in self.values):
            return MISSING
        return self.slot.default

    @property
    def type(self) -> str:
        return _type_name(next((value for value in self.values if value is not FREE), None))


def _type_name(value: object) -> str:
    match value:
        case bool() | int() | float() | str():
            return type(value).__name__
        case tuple() if any(isinstance(item, tuple) for item in value):
            return "list"
        case tuple():
            kinds = {_type_name(item) for item in value}
            return f"list[{kinds.pop()}]" if len(kinds) == 1 and "" not in kinds else "list"
    return ""


def relation(values: Sequence[Any], name: str, base: Sequence[Any], factors: bool = True) -> str | None:
    """The values as the base, a multiple or a part of it: `c`, `2 * c`, `c // 4`; None when neither."""
    pairs = [(value, other) for value, other in zip(values, base, strict=True) if FREE not in (value, other)]
    if not pairs:
        return None
    if all(type(value) is type(other) and value == other for value, other in pairs):
        return name
    if not factors or not all(
        type(value) is int and type(other) is int and value > 0 < other for value, other in pairs
    ):
        return None
    value, other = pairs[0]
    times, part = value // other, other // value
    if times > 1 and all(value == times * other for value, other in pairs):
        return f"{times} * {name}"
    if part > 1 and all(other == part * value for value, other in pairs):
        return f"{name} // {part}"
    return None


def different(values: Sequence[Any]) -> list[Any]:
    """The different values, in order; those that are free don't count."""
    found: dict[str, Any] = {}
    for value in values:
        if value is not FREE:
            found.setdefault(repr(value), value)
    return list(found.values())


class Scope:
    """Names for values that differ between contexts."""

    def __init__(self, taken: set[str], parent: Scope | None = None):
        self.variables: list[Variable] = []
        self.taken = taken  # here and in what is around
        self._below: set[str] = set()  # in the loops within, so far
        self._around = parent

    def resolve(self, slot: Slot, values: Sequence[Any]) -> Expression:
        """How a slot with these values, one a context, is written."""
        raise NotImplementedError

    def _named(self, slot: Slot, values: Sequence[Any]) -> Expression:
        """The values by a variable that there is, or a new one."""
        for variable in self.variables:
            alike = slot.name == variable.slot.name or (slot.size and variable.slot.size)
            if alike and (text := relation(values, variable.name, variable.values, slot.size)) is not None:
                if text == variable.name:
                    variable.values = [b if a is FREE else a for a, b in zip(variable.values, values, strict=True)]
                return Expression(text)
        least = 1 if slot.name in SHARES else LEAST_SIZE
        if slot.related and all(value is FREE or (type(value) is int and value >= least) for value in values):
            for variable in self.variables:
                if variable.slot.size and (text := relation(values, variable.name, variable.values)) is not None:
                    return Expression(text)
        return Expression(self.variable(slot, values).name)

    def variable(self, slot: Slot, values: Sequence[Any]) -> Variable:
        """A new variable."""
        names = chain(self._names(slot), numbered(slot.called or slot.name))
        name = next(name for name in names if name not in self.taken | self._below)
        self.taken.add(name)
        around = self._around
        while around is not None:
            around._below.add(name)
            around = around._around
        made = Variable(name, slot, list(values))
        self.variables.append(made)
        return made

    def _names(self, slot: Slot) -> list[str]:
        """The names that a variable for the slot has if they are free."""
        return [slot.called] if slot.called else []

    def _elements(self, slot: Slot, values: Sequence[Any]) -> Expression | None:
        """A list whose elements are written one by one, where only some of them differ."""
        known = [value for value in values if value is not FREE]
        if slot.name == ROWS or not all(isinstance(value, tuple) and len(value) == len(known[0]) for value in known):
            return None
        if not all(type(item) in (int, float) for value in known for item in value):
            return None
        columns = [[FREE if value is FREE else value[place] for value in values] for place in range(len(known[0]))]
        varied = {repr(column) for column in columns if len(different(column)) > 1}
        if len(varied) == len(columns) > 1:
            return None
        inner = attrs.evolve(slot, default=MISSING, size=slot.related)
        texts: list[str] = []
        for column in columns:
            text = self.resolve(inner, column).text
            texts.append("w" if text == "h" and texts[-1:] == ["h"] and self._square() else text)
        return Expression(f"[{', '.join(texts)}]")

    def _square(self) -> bool:
        """Whether height and width are the same everywhere."""
        return False


class BlockScope(Scope):
    """The scope of a block's body: `dims` are the sizes of its first input by name, a list each, the
    one that counts channels first."""

    def __init__(self, taken: set[str], dims: Mapping[str, Sequence[Any]]):
        super().__init__(taken)
        self.dims = dims
        self.seen: list[tuple[Slot, list[Any]]] = []

    def resolve(self, slot: Slot, values: Sequence[Any]) -> Expression:
        known = different(values)
        if not known:
            return Expression("", None)
        if len(known) == 1:
            return self._constant(slot, known[0], len(values))
        self.seen.append((slot, list(values)))
        return self.by_sizes(slot, values) or self._elements(slot, values) or self._named(slot, values)

    def _square(self) -> bool:
        return "h" in self.dims and self.dims["h"] == self.dims.get("w")

    def by_sizes(self, slot: Slot, values: Sequence[Any]) -> Expression | None:
        """The values from the sizes of the input, if they are so everywhere."""
        if not slot.related or not all(value is FREE or type(value) is int for value in values):
            return None
        for place, (name, sizes) in enumerate(self.dims.items()):
            if (text := relation(values, name, sizes, factors=not place)) is not None:
                return Expression(text)
        return None

    def _constant(self, slot: Slot, value: Any, count: int) -> Expression:
        sized = slot.size or slot.name in PLACES
        if sized and type(value) is int and value >= LEAST_SIZE and slot.default is MISSING:
            for name, sizes in list(self.dims.items())[:1]:
                text = relation([value] * count, name, sizes)
                if text in (name, *(f"{k} * {name}" for k in TIMES), *(f"{name} // {k}" for k in PARTS)):
                    return Expression(str(text))
        return Expression(_written(value), value)


class LoopScope(Scope):
    """The scope of a loop's body: a context is one iteration, and belongs to one of the parent's."""

    def __init__(self, parent: Scope, owners: Sequence[int], count: int):
        super().__init__(set(parent.taken), parent)
        self._parent = parent
        self._owners = owners
        self._count = count

    def resolve(self, slot: Slot, values: Sequence[Any]) -> Expression:
        groups: list[list[Any]] = [[] for _ in range(self._count)]
        for owner, value in zip(self._owners, values, strict=True):
            groups[owner].append(value)
        kinds = [different(group) for group in groups]
        if all(len(kind) <= 1 for kind in kinds):
            return self._parent.resolve(slot, [kind[0] if kind else FREE for kind in kinds])
        return self._elements(slot, values) or self._named(slot, values)

    def _names(self, slot: Slot) -> list[str]:
        return [slot.called if slot.name == ROWS else slot.name]

    def rows(self) -> list[tuple[Any, ...]]:
        """The values of the variables for each of the parent's contexts: a value (or a tuple) an iteration."""
        found: list[list[Any]] = [[] for _ in range(self._count)]
        columns = [_filled(variable.values) for variable in self.variables]
        for owner, row in zip(self._owners, zip(*columns, strict=True), strict=True):
            found[owner].append(row[0] if len(row) == 1 else Row(row))
        return [tuple(rows) for rows in found]


class Row(tuple[Any, ...]):
    """One iteration's values: written in round brackets."""

    __slots__ = ()


def _written(value: Any) -> str:
    if isinstance(value, Row):
        return f"({', '.join(map(_written, value))})"
    if isinstance(value, tuple):
        return f"[{', '.join(map(_written, value))}]"
    return literal(value).replace("e-0", "e-") if isinstance(value, float) else literal(value)


def _filled(values: Sequence[Any]) -> list[Any]:
    """The values with those of neighbours where any would do."""
    found = list(values)
    for order in (range(len(found)), range(len(found) - 1, -1, -1)):
        last: Any = FREE
        for place in order:
            if found[place] is FREE:
                found[place] = last
            last = found[place]
    return found


def numbered(base: str) -> Iterator[str]:
    """The name, then the name with numbers from 2 on."""
    yield base
    number = 2
    while True:
        yield f"{base}_{number}"
        number += 1
