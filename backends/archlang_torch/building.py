"""From a graph to a module with weights."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from copy import deepcopy
from itertools import pairwise
from typing import Any

import attrs
import torch
from torch import nn

from archlang.ir.graph import Graph, Node, Operation, WeightSpec
from archlang.ir.raising import BlockInstance, raise_blocks
from archlang.lowering.children import Child, weight_paths
from archlang.lowering.children import children as children_of
from archlang.lowering.declared import Function, Layer
from archlang.lowering.initial import Drawing
from archlang.lowering.names import camel
from archlang.lowering.registers import Registers
from archlang.lowering.running import is_batched
from archlang_torch.lowering import LOWERINGS
from archlang_torch.module import Block, Network, Step
from archlang_torch.prototypes import Prototype, prototype

DTYPES = {
    "f16": torch.float16,
    "bf16": torch.bfloat16,
    "f32": torch.float32,
    "f64": torch.float64,
    "i8": torch.int8,
    "i16": torch.int16,
    "i32": torch.int32,
    "i64": torch.int64,
    "u8": torch.uint8,
    "bool": torch.bool,
}


# A child of one of these names would hide an attribute of the module.
RESERVED = frozenset({"externs", *dir(nn.Module), *dir(nn.ModuleDict), *vars(nn.Module())})


def children(instance: BlockInstance) -> tuple[Child | None, ...]:
    """The child of a block's module that each step applies."""
    return children_of(instance, LOWERINGS, RESERVED)


def build(graph: Graph, seed: int = 0, externs: Mapping[str, nn.Module] | None = None) -> Network:
    """The graph as a module with weights drawn from `seed` and their addresses.

    `externs` are the modules that stand for the ops of these names; the network has copies of them.
    Raises ArchError (E0803) that names every op that cannot be lowered.
    """
    own = deepcopy(dict(externs or {}))
    LOWERINGS.check(graph, own)
    top = raise_blocks(graph)
    names = tuple(given.name for given in graph.inputs)
    network = Network(camel(graph.name), names, tuple(output.name for output in graph.outputs), is_batched(graph))
    if own:
        network.add_module("externs", nn.ModuleDict(own))
    with torch.no_grad():
        _Builder(seed, own).fill(network, top)
    return network


def parameter_names(graph: Graph) -> dict[str, str]:
    """The name in the module's `state_dict` of every weight and state, by address."""
    return {address: ".".join(path) for address, path in weight_paths(graph, LOWERINGS, RESERVED).items()}


@attrs.frozen(eq=False)
class _Plan:
    """What blocks of one structure have in common: the children with the positions of the steps
    that first use them, and how to run."""

    children: tuple[tuple[Child, int], ...]
    state: dict[str, Any]


# A layer to copy, the op's weights by their names in it, and their type.
_LayerKind = tuple[Prototype, tuple[tuple[str, WeightSpec], ...], torch.dtype]


class _Builder:
    """Builds modules for blocks, with what is shared between them."""

    def __init__(self, seed: int, externs: Mapping[str, nn.Module]) -> None:
        self._externs = externs
        self._drawing = Drawing(seed)
        self._numbers: dict[Operation, int] = {}
        self._number_of: dict[int, int] = {}
        self._calls: dict[int, tuple[Callable[..., Any], bool]] = {}
        self._layers: dict[int, _LayerKind] = {}
        self._kinds: dict[str, str] = {}
        self._plans: dict[Hashable, _Plan] = {}

    def fill(self, block: Block, instance: BlockInstance) -> None:
        """Give a block its children and steps."""
        plan = self._plan(instance)
        block.__dict__.update(plan.state)
        made: dict[int, nn.Module] = {}
        for child, position in plan.children:
            item = instance.body[position].item
            if isinstance(item, BlockInstance):
                module: nn.Module = Block(self._kind(item.name))
                self.fill(module, item)  # type: ignore[arg-type]  # a Block
            else:
                module = self._layer(item, None if child.twin is None else made[id(child.twin)])
            made[id(child)] = module
            _place(block, child.path, module)

    def _plan(self, instance: BlockInstance) -> _Plan:
        """The plan for an instance; those that differ in addresses only have one in common."""
        home = len(instance.home)
        steps: list[Hashable] = []
        for step in instance.body:
            item = step.item
            if isinstance(item, BlockInstance):
                steps.append((item.home[home:], step.inputs, step.results))
            else:
                operation = item.operation
                at = item.weights_at[home:] if operation.weights else None
                steps.append((at, step.inputs, -1 - self._number(operation)))
        key = (instance.inputs, instance.outputs, tuple(steps))
        plan = self._plans.get(key)
        if plan is None:
            plan = self._plans[key] = self._planned(instance)
        return plan

    def _planned(self, instance: BlockInstance) -> _Plan:
        first_uses: dict[Child, int] = {}
        registers = Registers(instance)
        steps: list[Step] = []
        for position, (step, child) in enumerate(zip(instance.body, children(instance), strict=True)):
            sources = registers.take(position)
            target = registers.give(position)
            if child is not None:
                first_uses.setdefault(child, position)
                steps.append((child.path, None, False, sources, target))
            else:
                assert isinstance(step.item, Node)
                steps.append(((), *self._call(step.item.operation), sources, target))
        state = {
            "_steps": tuple(steps),
            "_spare": (None,) * (registers.size - instance.inputs),
            "_results": registers.results,
        }
        return _Plan(tuple(first_uses.items()), state)

    def _number(self, operation: Operation) -> int:
        """A number for an operation, one for equal ones."""
        number = self._number_of.get(id(operation))
        if number is None:
            number = self._number_of[id(operation)] = self._numbers.setdefault(operation, len(self._numbers))
        return number

    def _kind(self, name: str) -> str:
        return self._kinds.get(name) or self._kinds.setdefault(name, camel(name))

    def _layer(self, node: Node, twin: nn.Module | None) -> nn.Module:
        """The module for an operation with weights: new ones, or those of its twin."""
        operation = node.operation
        known = self._layers.get(id(operation))
        if known is None:
            known = self._layers[id(operation)] = self._kind_of_layer(operation)
        like, weights, dtype = known
        module = like.make()
        # Straight into the dictionaries: the checks of `register_parameter` cost as much as all else.
        parameters, buffers = module._parameters, module._buffers
        for name, weight in weights:
            if twin is not None:
                parameters[name] = twin.get_parameter(name)
                continue
            tensor = torch.from_numpy(self._drawing.draw(f"{node.weights_at}.{weight.name}", weight))
            if dtype is not torch.float32:
                tensor = tensor.to(dtype)
            if weight.trained:
                parameters[name] = nn.Parameter(tensor)
            else:
                buffers[name] = tensor
        return module

    def _kind_of_layer(self, operation: Operation) -> _LayerKind:
        lowered = LOWERINGS.get(operation.name)
        if not isinstance(lowered, Layer):
            raise TypeError(f"op `{operation.name}` has weights: its lowering must be a layer")
        dtype = DTYPES[operation.output.dtype]
        dtype = dtype if dtype.is_floating_point else torch.float32
        weights = tuple([(lowered.name(weight.name), weight) for weight in operation.weights])
        return prototype(lowered, operation, dtype), weights, dtype

    def _call(self, operation: Operation) -> tuple[Callable[..., Any], bool]:
        found = self._calls.get(id(operation))
        if found is None:
            lowered = LOWERINGS.get(operation.name)
            if operation.name in self._externs:
                return self._calls.setdefault(id(operation), (self._externs[operation.name], False))
            if lowered is None or isinstance(lowered, Layer):
                raise TypeError(f"op `{operation.name}` has no weights: its lowering must not be a layer")
            training = isinstance(lowered, Function) and lowered.training
            found = self._calls[id(operation)] = (lowered.call(operation), training)
        return found


def _place(block: nn.Module, path: tuple[str, ...], module: nn.Module) -> None:
    """Register a module below a block, with containers on the way to it.

    Names are known to be free and no attributes of a module's: see `names`.
    """
    for name, below in pairwise(path):
        inner = block._modules.get(name)
        if inner is None:
            inner = nn.ModuleList() if below.isdigit() else nn.ModuleDict()
            block._modules[name] = inner
        block = inner
    block._modules[path[-1]] = module
