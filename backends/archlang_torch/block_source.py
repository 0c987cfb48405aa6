"""The source of one block's class."""

from __future__ import annotations

import ast
import keyword
from collections.abc import Callable, Mapping
from typing import Any

from archlang.ir.block_classes import BlockClass, CallStep, OpStep, Parameter
from archlang.ir.graph import Graph, Operation, WeightSpec
from archlang_torch.children import Child, children
from archlang_torch.forward_source import Forward
from archlang_torch.initial import INITIALISERS
from archlang_torch.layer_source import construction
from archlang_torch.lowering import Layer, lowering
from archlang_torch.names import free_name, plain
from archlang_torch.source import WIDTH, laid_out, literal, unparse

# Layers are made in single precision; those that are not are converted.
CASTS = {"f16": "float16", "bf16": "bfloat16", "f64": "float64"}


class _Container(dict[str, "_Container | Child"]):
    """Children by name on the way to a child."""

    @property
    def is_list(self) -> bool:
        return list(self) == [str(position) for position in range(len(self))]


def special_inits(operation: Operation) -> tuple[WeightSpec, ...]:
    """The weights that start otherwise than the layer's constructor leaves them."""
    lowered = lowering(operation.name)
    if not isinstance(lowered, Layer):
        return ()
    return tuple(weight for weight in operation.weights if weight.init != lowered.start(operation, weight.name))


def python_parameters(block: BlockClass) -> dict[str, str]:
    """The names of a class's parameters in Python."""
    found: dict[str, str] = {}
    for name in block.parameters:
        found[name] = free_name(plain(name), {*found.values(), *keyword.kwlist, "self"})
    return found


class BlockSource:
    """Writes a block class.

    `names` gives the Python names of the classes by `BlockClass.name`; `reserved` are names that
    variables must not take. `needed` collects the functions and layers that the source uses.
    """

    def __init__(self, graph: Graph, block: BlockClass, names: Mapping[str, str], reserved: frozenset[str]) -> None:
        self.needed: list[Callable[..., Any]] = []
        self._graph = graph
        self._block = block
        self._names = names
        self._reserved = reserved
        self._steps: dict[Child, OpStep | CallStep] = {}
        self._children = children(block.example)
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
        forward = Forward(self._graph, self._block, paths, set(self._tree), self._reserved, self._whole_lists())
        method = forward.lines()
        self.needed += forward.needed
        lines = [f"class {self._names[self._block.name]}(nn.Module):", f'    """{self._summary()}"""']
        constructor = self._constructor(forward.kept)
        if constructor:
            lines += ["", *constructor]
        return "\n".join([*lines, "", *method])

    def _summary(self) -> str:
        example = self._block.example
        given = ", ".join(self._shape(example.values[i]) for i in range(example.inputs))
        results = ", ".join(self._shape(example.values[i]) for i in example.outputs)
        name = plain(self._block.block)
        text = f"Block `{name}`" if example.address else f"The whole network `{name}`"
        shapes = f"{given} -> {results}"
        full = f"{text}, e.g. {shapes}." if self._block.parameters else f"{text}: {shapes}."
        return full if len(full) + 10 <= WIDTH else f"{text}."

    def _shape(self, value: int) -> str:
        return str(self._graph.type_of(value)).removeprefix("f32")

    def _constructor(self, kept: Mapping[str, str]) -> list[str]:
        """`__init__`, nothing where it has nothing to do; `kept` are the parameters that `forward`
        reads, with the attributes that it finds them in."""
        body = [f"self.{attribute} = {self._parameters[name]}" for name, attribute in kept.items()]
        for name, inner in self._tree.items():
            made = self._made(inner)
            body.append(f"self.{name} = {made}" if name.isidentifier() else f'self.add_module("{name}", {made})')
        for child, step in self._steps.items():
            if isinstance(step, CallStep):
                continue
            place = self._access(child.path)
            lowered = lowering(step.operation.name)
            assert isinstance(lowered, Layer)
            if child.twin is not None:
                twin = self._access(child.twin.path)
                names = [lowered.name(weight.name) for weight in step.operation.weights]
                body += [f"{place}.{name} = {twin}.{name}" for name in names]
                continue
            for weight in special_inits(step.operation):
                text = INITIALISERS[weight.init[0]].text(weight)
                body.append(text.format(f"{place}.{lowered.name(weight.name)}"))
        if not body:
            return []
        given = "".join(
            f", {self._parameters[name]}: {_annotation(values)}" for name, values in self._block.parameters.items()
        )
        lines = [*laid_out(f"def __init__(self{given}) -> None:", 4), "        super().__init__()"]
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
            return f"nn.ModuleDict({{{', '.join(pairs)}}})"
        if len(items) > 1 and len(set(items)) == 1:
            return f"nn.ModuleList([{items[0]} for _ in range({len(items)})])"
        return f"nn.ModuleList([{', '.join(items)}])"

    def _made_block(self, step: CallStep) -> str:
        inner = python_parameters(step.block)
        given = [(inner[name], self._value(value)) for name, value in step.arguments]
        one = len(given) == 1
        return f"{self._names[step.block.name]}({', '.join(v if one else f'{n}={v}' for n, v in given)})"

    def _made_layer(self, step: OpStep) -> str:
        lowered = lowering(step.operation.name)
        assert isinstance(lowered, Layer)
        given = {name: self._expression(value) for name, value in step.slots}
        made, needed = construction(lowered, lowered.rank(step.operation), given)
        self.needed += needed
        dtype = CASTS.get(step.operation.output.dtype)
        return f"{made}.to(torch.{dtype})" if dtype else made

    def _value(self, value: Any) -> str:
        return unparse(self._expression(value))

    def _expression(self, value: Any) -> ast.expr:
        return ast.Name(self._parameters[value.name]) if isinstance(value, Parameter) else literal(value)

    def _access(self, path: tuple[str, ...]) -> str:
        """The expression for a child in a method."""
        text = f"self.{path[0]}" if path[0].isidentifier() else f'self.get_submodule("{path[0]}")'
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


def _annotation(values: tuple[Any, ...]) -> str:
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
