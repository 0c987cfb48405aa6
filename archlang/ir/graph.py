"""The typed graph of one program: frozen operations and nodes in SSA form."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, Any

import attrs

from archlang.ir.types import TensorType

if TYPE_CHECKING:
    import networkx

Attribute = int | float | bool | str | None | tuple["Attribute", ...]


@attrs.frozen
class WeightSpec:
    """A weight (or, when not `trained`, a state such as running statistics) of an operation.

    `init` names the initialiser and its numbers, e.g. `("normal", 0.0, 0.02)`; `fan_in` is the
    number of inputs that one output of the operation sums over; `centred` marks the dimensions
    whose smaller versions are centred slices (the others take leading entries).
    """

    name: str
    shape: tuple[int, ...]
    init: tuple[Any, ...] = ("zeros",)
    trained: bool = True
    fan_in: int = 1
    centred: tuple[bool, ...] = ()

    @cached_property
    def elements(self) -> int:
        return prod(self.shape)


@attrs.frozen(cache_hash=True)
class Operation:
    """An op with everything that its declaration says for given attributes and input types.

    Equal operations are one object where they come from one evaluation, so that costs and
    lowerings can be cached by operation. `costs` are for one sample: `macs` (multiply-adds with
    weights), `matmul_macs` (multiply-adds between activations), and what else the op declares.
    """

    name: str
    attributes: tuple[tuple[str, Attribute], ...]
    inputs: tuple[TensorType, ...]
    output: TensorType
    weights: tuple[WeightSpec, ...] = ()
    costs: tuple[tuple[str, int], ...] = ()
    traits: frozenset[str] = frozenset()

    def attribute(self, name: str) -> Any:
        """The value of an attribute; KeyError when the op has none of that name."""
        return dict(self.attributes)[name]

    @cached_property
    def params(self) -> int:
        """The number of trained weight elements."""
        return sum(weight.elements for weight in self.weights if weight.trained)

    def cost(self, name: str) -> int:
        """A declared cost for one sample; 0 when the op declares none of that name."""
        return next((cost for known, cost in self.costs if known == name), 0)

    @cached_property
    def signature(self) -> str:
        """A text that two operations have in common when they compute the same: name, attributes,
        output type and weights. Symbolic dimensions count without their names."""
        attributes = ", ".join(f"{name}={value!r}" for name, value in sorted(self.attributes))
        weights = ", ".join(
            f"{weight.name}{list(weight.shape)}{weight.init!r}{'' if weight.trained else ' state'}"
            for weight in sorted(self.weights, key=lambda weight: weight.name)
        )
        dims = ", ".join(str(dim) if isinstance(dim, int) else f"?*{dim.factor}" for dim in self.output.shape)
        return f"{self.name}({attributes}) -> {self.output.dtype}[{dims}] {{{weights}}}"


@attrs.frozen
class Node:
    """One application of an operation.

    `inputs` index the graph's values: first its inputs, then its nodes in order. Weights live at
    `weights_at + "." + name`; nodes with the same `weights_at` (under `tie`) have them in common.
    """

    address: str
    operation: Operation
    inputs: tuple[int, ...]
    weights_at: str


@attrs.frozen
class Input:
    name: str
    type: TensorType


@attrs.frozen
class Output:
    """A result: `name` is the path of record fields that leads to it, "" for a bare tensor."""

    name: str
    value: int


@attrs.frozen(slots=False)
class Graph:
    """Inputs, nodes in topological order, outputs.

    Values are numbered: `inputs` come first, then `nodes`. `blocks` names the block that was
    applied at each enclosing address (`"cell[0]/edge#2": "edge"`).
    """

    name: str
    inputs: tuple[Input, ...]
    nodes: tuple[Node, ...]
    outputs: tuple[Output, ...]
    blocks: Mapping[str, str] = attrs.field(factory=dict, eq=False, repr=False)

    def type_of(self, value: int) -> TensorType:
        """The type of a value by its number."""
        count = len(self.inputs)
        return self.inputs[value].type if value < count else self.nodes[value - count].operation.output

    @cached_property
    def weights(self) -> dict[str, WeightSpec]:
        """Every weight and state by its address, in order of first use."""
        found: dict[str, WeightSpec] = {}
        for node in self.nodes:
            for weight in node.operation.weights:
                found.setdefault(f"{node.weights_at}.{weight.name}", weight)
        return found

    def networkx(self) -> networkx.DiGraph:
        """The graph for analysis: nodes keyed by address (inputs by name) with `type` and, for
        nodes, `operation`; edges carry the `position` among the user's inputs in a list."""
        import networkx

        view = networkx.DiGraph(name=self.name)
        names = [given.name for given in self.inputs] + [node.address for node in self.nodes]
        for given in self.inputs:
            view.add_node(given.name, type=given.type)
        for node in self.nodes:
            view.add_node(node.address, type=node.operation.output, operation=node.operation)
            for position, value in enumerate(node.inputs):
                if view.has_edge(names[value], node.address):
                    view.edges[names[value], node.address]["position"].append(position)
                else:
                    view.add_edge(names[value], node.address, position=[position])
        return view
