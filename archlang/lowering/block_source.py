"""The source of one block's class."""

from __future__ import annotations

import ast
import keyword
from collections.abc import Callable, Collection, Mapping
from typing import Any

from archlang.ir.block_classes import BlockClass, CallStep, OpStep, Parameter
from archlang.ir.graph import Graph
from archlang.lowering.children import Child, children
from archlang.lowering.declared import Layer
from archlang.lowering.dialect import Dialect, special_inits
from archlang.lowering.forward_source import Forward
from archlang.lowering.layer_source import construction
from archlang.lowering.names import free_name, plain
from archlang.lowering.source import WIDTH, laid_out, literal, unparse


class _Container(dict[str, "_Container | Child"]):
    """Children by name on the way to a child."""

    @property
    def is_list(self) -> bool:
        return list(self) == [str(position) for position in range(len(self))]


def python_parameters(block: BlockClass, taken: Collection[str] = ("self",)) -> dict[str, str]:
    """The names of a class's parameters in Python, none of which is taken."""
    found: dict[str, str] = {}
    for name in block.parameters:
        found[name] = free_name(plain(name), {*found.values(), *keyword.kwlist, *taken})
    return found


def summary(graph: Graph, block: BlockClass, fixed: bool) -> str:
    """A line that says what a class is: the block, and the shapes of its first instance, which all
    have when they are `fixed`."""

    def shape(value: int) -> str:
        return str(graph.type_of(value)).removeprefix("f32")

    example = block.example
    given = ", ".join(shape(example.values[i]) for i in range(example.inputs))
    results = ", ".join(shape(example.values[i]) for i in example.outputs)
    name = plain(block.block)
    text = f"Block `{name}`" if example.address else f"The whole network `{name}`"
    shapes = f"{given} -> {results}"
    full = f"{text}: {shapes}." if fixed else f"{text}, e.g. {shapes}."
    return full if len(full) + 10 <= WIDTH else f"{text}."


class BlockSource:
    """Writes a block class.

    `names` gives the Python names of the classes by `BlockClass.name`; `reserved` are names that
    variables must not take. `needed` collects the functions and layers that the source uses.
    """

    def __init__(
        self, dialect: Dialect, graph: Graph, block: BlockClass, names: Mapping[str, str], reserved: frozenset[str]
    ) -> None:
        self._dialect = dialect
        self.needed: list[Callable[..., Any]] = []
        self._graph = graph
        self._block = block
        self._names = names
        self._reserved = reserved
        self._steps: dict[Child, OpStep | CallStep] = {}
        self._children = children(block.example, dialect.lowerings, dialect.reserved)
        self._tree = _Container()
        for child, step in zip(self._children, block.body, strict=True):
            if child is None or child in self._steps:
                continue
            self._steps[child] = step
            container = self._tree
            for name in child.path[:-1]:
                inner = container.setdefault(name, _Container())
                assert isinstance(inner, _Container)
                container = inner
            container[child.path[-1]] = child
        self._parameters = python_parameters(block)

    def text(self) -> str:
        """The class definition."""
        paths = [None if child is None else self._access(child.path) for child in self._children]
        forward = Forward(
            self._dialect, self._graph, self._block, paths, set(self._tree), self._reserved, self._whole_lists()
        )
        method = forward.lines()
        self.needed += forward.needed
        lines = [
            f"class {self._names[self._block.name]}({self._dialect.base}):",
            f'    """{summary(self._graph, self._block, not self._block.parameters)}"""',
        ]
        constructor = self._constructor(forward.kept)
        if constructor:
            lines += ["", *constructor]
        return "\n".join([*lines, "", *method])

    def _constructor(self, kept: Mapping[str, str]) -> list[str]:
        """`__init__`, nothing where it has nothing to do; `kept` are the parameters that `forward`
        reads, with the attributes that it finds them in."""
        body = [f"self.{attribute} = {self._parameters[name]}" for name, attribute in kept.items()]
        for name, inner in self._tree.items():
            made = self._made(inner)
            body.append(self._dialect.add_child(name, made))
        for child, step in self._steps.items():
            if isinstance(step, CallStep):
                continue
            place = self._access(child.path)
            lowered = self._lowered(step)
            if child.twin is not None:
                twin = self._access(child.twin.path)
                names = [lowered.name(weight.name) for weight in step.operation.weights]
                body += [f"{place}.{name} = {twin}.{name}" for name in names]
                continue
            body += self._dialect.statements(lowered, place, special_inits(lowered, step.operation))
        first = self._dialect.prepared(self._graph)
        if not body and first == "super().__init__()":
            return []
        given = "".join(
            f", {self._parameters[name]}: {annotation(values)}" for name, values in self._block.parameters.items()
        )
        lines = [*laid_out(f"def __init__(self{given}) -> None:", 4), f"        {first}"]
        for statement in body:
            lines += laid_out(statement, 8)
        return lines

    def _made(self, inner: _Container | Child) -> str:
        """The expression that constructs a child or a container of children."""
        if isinstance(inner, Child):
            step = self._steps[inner]
            return self._made_block(step) if isinstance(step, CallStep) else self._made_layer(step)
        items = [self._made(item) for item in inner.values()]
        if not inner.is_list:
            pairs = [f'"{name}": {item}' for name, item in zip(inner, items, strict=True)]
            return self._dialect.dict_of(f"{{{', '.join(pairs)}}}")
        if len(items) > 1 and len(set(items)) == 1:
            return self._dialect.list_of(f"[{items[0]} for _ in range({len(items)})]")
        return self._dialect.list_of(f"[{', '.join(items)}]")

    def _made_block(self, step: CallStep) -> str:
        inner = python_parameters(step.block)
        given = [(inner[name], self._value(value)) for name, value in step.arguments]
        one = len(given) == 1
        return f"{self._names[step.block.name]}({', '.join(v if one else f'{n}={v}' for n, v in given)})"

    def _made_layer(self, step: OpStep) -> str:
        lowered, operation = self._lowered(step), step.operation
        given = {name: self._expression(value) for name, value in step.slots}
        more = self._dialect.keywords(lowered, operation, special_inits(lowered, operation))
        made, needed = construction(lowered, lowered.rank(operation), given, more, self._dialect.standard)
        self.needed += needed
        return self._dialect.cast(made, operation)

    def _lowered(self, step: OpStep) -> Layer:
        lowered = self._dialect.lowerings.get(step.operation.name)
        assert isinstance(lowered, Layer)
        return lowered

    def _value(self, value: Any) -> str:
        return unparse(self._expression(value))

    def _expression(self, value: Any) -> ast.expr:
        return ast.Name(self._parameters[value.name]) if isinstance(value, Parameter) else literal(value)

    def _access(self, path: tuple[str, ...]) -> str:
        """The expression for a child in a method."""
        text = self._dialect.child(path[0])
        inner = self._tree[path[0]]
        for name in path[1:]:
            assert isinstance(inner, _Container)
            text += f"[{name}]" if inner.is_list else f'["{name}"]'
            inner = inner[name]
        return text

    def _whole_lists(self) -> dict[str, tuple[str, ...]]:
        """The lists of children as expressions, with the expressions of all of their items."""
        found: dict[str, tuple[str, ...]] = {}

        def visit(container: _Container, path: tuple[str, ...]) -> None:
            for name, inner in container.items():
                if isinstance(inner, _Container):
                    place = (*path, name)
                    if inner.is_list and all(isinstance(item, Child) for item in inner.values()):
                        found[self._access(place)] = tuple(self._access((*place, item)) for item in inner)
                    visit(inner, place)

        visit(self._tree, ())
        return found


def annotation(values: tuple[Any, ...]) -> str:
    """The type of a parameter that takes the values."""
    found: dict[str, None] = {}
    for value in values:
        found["None" if value is None else _type_name(value)] = None
    if len(found) > 1 and "int" in found and "float" in found:
        del found["int"]
    return " | ".join(sorted(found, key=lambda name: name == "None"))


def _type_name(value: Any) -> str:
    if isinstance(value, tuple):
        inner = {_type_name(item) for item in value}
        return f"tuple[{inner.pop()}, ...]" if len(inner) == 1 else "tuple"
    return type(value).__name__
