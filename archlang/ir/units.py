"""What a written block is made of before its numbers become parameters: operations, calls, library
blocks and loops, each with a key (what it is) and values (the numbers it is given)."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

import attrs

from archlang.ir.graph import Graph, Node, Operation
from archlang.ir.raising import BlockInstance
from archlang.ir.types import TensorType

Values = tuple[Any, ...]


@attrs.frozen
class Default:
    """What an attribute is when it is left out; `derived` when that depends on other attributes.

    One that is `required` has to be given, which needs no name.
    """

    value: object
    derived: bool = False
    required: bool = False


Defaults = Callable[[Operation], Mapping[str, Default]]


@attrs.frozen
class Recognised:
    """A block of the library that computes a graph: its module, name and configuration.

    `config` are values in the order of the declaration, without those that are worked out from
    others; `defaults` those that need not be written; `blocks` the texts of configuration that is
    blocks; `required` counts the leading parameters without a default.
    """

    module: str
    name: str
    config: tuple[tuple[str, Any], ...]
    defaults: tuple[tuple[str, Any], ...] = ()
    blocks: tuple[tuple[str, str], ...] = ()
    required: int = 0


# The library block that a graph is, if any; for a part of a block's body, `whole` is False.
Recognise = Callable[[Graph, bool], Recognised | None]


@attrs.frozen(eq=False)
class OpUnit:
    """An operation; `home` is where its weights are, None without any."""

    node: Node
    slots: tuple[tuple[str, Any], ...]
    defaults: Mapping[str, Default]
    key: Hashable
    home: str | None

    @property
    def nodes(self) -> tuple[Node, ...]:
        return (self.node,)

    @property
    def address(self) -> str:
        return self.node.address

    @property
    def values(self) -> Values:
        return tuple([value for _, value in self.slots])

    @property
    def outputs(self) -> tuple[TensorType, ...]:
        return (self.node.operation.output,)


@attrs.frozen(eq=False)
class LibraryUnit:
    """A block of the library that some nodes are."""

    recognised: Recognised
    nodes: tuple[Node, ...]
    address: str
    home: str | None
    outputs: tuple[TensorType, ...]

    @property
    def key(self) -> Hashable:
        found = self.recognised
        return "library", found.module, found.name, tuple([name for name, _ in found.config]), found.blocks

    @property
    def values(self) -> Values:
        return tuple([value for _, value in self.recognised.config])


@attrs.frozen(eq=False)
class CallUnit:
    """A block of the program's own."""

    form: Form
    address: str
    home: str | None
    nodes: tuple[Node, ...]
    outputs: tuple[TensorType, ...]

    @property
    def key(self) -> Hashable:
        return "call", self.form.key

    @property
    def values(self) -> Values:
        return self.form.values


@attrs.frozen(eq=False)
class Link:
    """A unit in a chain: `carried` is the position among its inputs of what the link before gives,
    `others` are the further inputs in order."""

    unit: Unit
    carried: int
    others: tuple[int, ...]
    inputs_type: TensorType

    @property
    def key(self) -> Hashable:
        return self.unit.key, self.carried, self.others

    @property
    def changes(self) -> bool:
        """Whether it gives another type than it is given."""
        return self.unit.outputs[0] != self.inputs_type


@attrs.frozen(eq=False)
class LoopUnit:
    """A chain of links several times in a row. There may be no iteration at all where the same loop
    elsewhere has some: `pattern` says what would be repeated."""

    pattern: tuple[Link, ...]
    iterations: tuple[tuple[Link, ...], ...]
    outputs: tuple[TensorType, ...]
    home: None = None

    @property
    def key(self) -> Hashable:
        return "loop", tuple([link.key for link in self.pattern])

    @property
    def values(self) -> Values:
        return tuple([tuple([link.unit.values for link in iteration]) for iteration in self.iterations])

    @property
    def nodes(self) -> tuple[Node, ...]:
        return tuple([node for iteration in self.iterations for link in iteration for node in link.unit.nodes])

    @property
    def address(self) -> str:
        return self.pattern[0].unit.address

    @property
    def others(self) -> tuple[int, ...]:
        """The values from outside the chain that it needs, each once."""
        return tuple(dict.fromkeys(value for link in self.pattern for value in _others(link)))


def _others(link: Link) -> tuple[int, ...]:
    return (*link.others, *(link.unit.others if isinstance(link.unit, LoopUnit) else ()))


Unit = OpUnit | LibraryUnit | CallUnit | LoopUnit


@attrs.frozen(eq=False)
class Placed:
    """A unit applied in a body; values are local numbers, and `results` those that it makes."""

    unit: Unit
    inputs: tuple[int, ...]
    results: tuple[int, ...]


@attrs.frozen(eq=False)
class Form:
    """One block instance as it is to be written. `key` is the same for instances of one class."""

    instance: BlockInstance
    name: str
    inputs: tuple[int, ...]
    steps: tuple[Placed, ...]
    outputs: tuple[int, ...]
    types: Mapping[int, TensorType]
    key: int
    values: Values
    tied: frozenset[str]

    def calls(self) -> list[Form]:
        """The forms of the blocks that it calls directly, those in loops too."""
        return [unit.form for unit in units_in(placed.unit for placed in self.steps) if isinstance(unit, CallUnit)]


def units_in(units: Sequence[Unit] | Any) -> list[Unit]:
    """The units and, for loops, what they repeat (and what they would)."""
    found: list[Unit] = []
    for unit in units:
        found.append(unit)
        if isinstance(unit, LoopUnit):
            for iteration in (*unit.iterations, unit.pattern):
                found += units_in(link.unit for link in iteration)
    return found
