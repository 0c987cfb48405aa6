"""How a framework's source code is written: what its classes, containers and imports look like."""

from __future__ import annotations

import ast
from collections.abc import Collection, Sequence
from typing import ClassVar

from archlang.ir.block_classes import BlockClass
from archlang.ir.graph import Graph, Operation, WeightSpec
from archlang.lowering.declared import Layer, Lowerings
from archlang.lowering.names import camel


class Dialect:
    """The parts of an emitted file in which frameworks differ; each backend has one of its own.

    `framework` is the framework's name in text, `base` and `method` the class that blocks derive
    from and the method that runs them, `annotation` the type of their inputs and results (none
    where empty). `standard` are the names that every emitted file may use, with what stands for
    them in an import line; `reserved` are names that children must not have, `called` further
    names that a file defines or uses.
    """

    framework: ClassVar[str]
    base: ClassVar[str]
    method: ClassVar[str]
    annotation: ClassVar[str] = ""
    standard: ClassVar[frozenset[str]]
    called: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, lowerings: Lowerings, reserved: Collection[str] = ()) -> None:
        self.lowerings = lowerings
        self.reserved = frozenset(reserved)

    def prepared(self, graph: Graph) -> str:
        """The first statement of a block's constructor."""
        return "super().__init__()"

    def imports(self, used: Collection[str]) -> list[list[str]]:
        """The import lines for the names used: first the standard library's, then others."""
        raise NotImplementedError

    def list_of(self, items: str) -> str:
        """The container for children in a list; `items` is the list's text."""
        return items

    def dict_of(self, items: str) -> str:
        """The container for children by name; `items` is the dictionary's text."""
        return items

    def add_child(self, name: str, made: str) -> str:
        """The statement that gives a block a child; the name may be no identifier."""
        return f"self.{name} = {made}" if name.isidentifier() else f'setattr(self, "{name}", {made})'

    def child(self, name: str) -> str:
        """The expression for a child in a method."""
        return f"self.{name}" if name.isidentifier() else f'getattr(self, "{name}")'

    def keywords(self, lowered: Layer, operation: Operation, inits: Sequence[WeightSpec]) -> dict[str, ast.expr]:
        """Further arguments of a layer's constructor; `inits` are the weights that start otherwise
        than it leaves them."""
        return {}

    def statements(self, lowered: Layer, place: str, inits: Sequence[WeightSpec]) -> list[str]:
        """What is said after the construction of the layer at `place` for the same weights."""
        return []

    def cast(self, made: str, operation: Operation) -> str:
        """The layer's construction for the type of the operation's result."""
        return made

    def class_name(self, block: BlockClass) -> str:
        """The name for a block's class, before it gets a number where it is taken."""
        return camel(block.name)

    def kind(self, operation: Operation) -> str | None:
        """What operations must agree in to be written by one class, besides their attributes."""
        return None

    def builder(self, top: str, graph: Graph) -> list[tuple[int, str]]:
        """The function `build` that makes the network of class `top`, as `main`."""
        raise NotImplementedError

    def main(self, graph: Graph, reserved: frozenset[str]) -> list[tuple[int, str]]:
        """The statements that run the network once when the file is run, with their indents."""
        raise NotImplementedError


def special_inits(lowered: Layer, operation: Operation) -> tuple[WeightSpec, ...]:
    """The weights that start otherwise than the layer's constructor leaves them."""
    return tuple(weight for weight in operation.weights if weight.init != lowered.start(operation, weight.name))
