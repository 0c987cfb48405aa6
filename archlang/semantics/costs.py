"""Costs of tensors inside the language: `macs(x)` and its like in a `require`.

Additive costs of a varied tensor are sums of one term per op under the condition that the op is
used. Here they are added up into one diagram, which is exact and affordable while few decisions
meet in the sum.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archlang.cost import cost
from archlang.ir.graph import Input, Operation
from archlang.ir.types import TensorType
from archlang.semantics.diagram import leaves
from archlang.semantics.fault import Entangled, Fault
from archlang.semantics.graphs import PLAIN
from archlang.semantics.handlers import Varying
from archlang.semantics.operations import operation
from archlang.semantics.values import InputNode, OpNode, SelectNode, Symbolic, Tensor, Value

if TYPE_CHECKING:
    from archlang.semantics.evaluator import Evaluator

MAX_SUMS = 4_000  # distinct values of a cost over a space


def cost_of(ev: Evaluator, name: str, tensor: Tensor) -> Value:
    """A cost of what computes the tensor; raises Entangled where it cannot be added up."""
    if not isinstance(ev.handler, Varying):
        return int(getattr(cost(PLAIN.graph("", _inputs(tensor), [("", tensor)], {})), name))
    if name not in ("params", "macs", "activations"):
        raise Entangled("is not worked out over a whole space yet")
    total: Value = 0
    weights: dict[str, Value] = {}
    for node, condition, dims in _used(ev, tensor):
        price = _term(ev, name, node, dims)
        if name == "params" and price != 0:
            # Tied weights count once, wherever they are used first.
            known = weights.get(node.weights_at, False)
            weights[node.weights_at] = ev.diagrams.either(known, condition)
            condition = ev.lift(lambda new, old: new and not old, condition, known)
        total = ev.lift(lambda so_far, used, more: so_far + more if used else so_far, total, condition, price)
        if len(leaves(total)) > MAX_SUMS:
            raise Entangled(f"the sum takes more than {MAX_SUMS:,} values over the space")
    return total


def _inputs(tensor: Tensor) -> tuple[Input, ...]:
    found: dict[str, Input] = {}
    seen: set[int] = set()
    stack = [tensor]
    while stack:
        here = stack.pop()
        if id(here.node) in seen:
            continue
        seen.add(id(here.node))
        if isinstance(here.node, InputNode):
            found[here.node.name] = Input(here.node.name, TensorType(here.dtype, here.shape))
        elif isinstance(here.node, OpNode):
            stack.extend(here.node.inputs)
    return tuple(found.values())


def _used(ev: Evaluator, tensor: Tensor) -> list[tuple[OpNode, Value, tuple[Tensor, ...]]]:
    """Every op that the tensor may need, the condition under which it does, and its inputs."""
    order: list[Tensor] = []
    seen: set[int] = set()
    stack: list[tuple[Tensor, bool]] = [(tensor, False)]
    while stack:
        here, ready = stack.pop()
        if ready:
            order.append(here)
        elif id(here.node) not in seen:
            seen.add(id(here.node))
            stack.append((here, True))
            stack.extend((kid, False) for kid in _kids(here))
    conditions: dict[int, Value] = {id(tensor.node): True}
    found = []
    for here in reversed(order):
        condition = conditions[id(here.node)]
        node = here.node
        for position, kid in enumerate(_kids(here, faults=True)):
            if isinstance(kid, Fault):
                continue
            reach = condition
            if isinstance(node, SelectNode):
                reach = ev.diagrams.both(condition, ev.diagrams.literal(node.var, position))
            conditions[id(kid.node)] = ev.diagrams.either(conditions.get(id(kid.node), False), reach)
        if isinstance(node, OpNode):
            found.append((node, condition, node.inputs))
    return found


def _kids(tensor: Tensor, faults: bool = False) -> list[Any]:
    node = tensor.node
    if isinstance(node, OpNode):
        return list(node.inputs)
    if isinstance(node, SelectNode):
        return [kid for kid in node.kids if faults or type(kid) is not Fault]
    return []


def _term(ev: Evaluator, name: str, node: OpNode, inputs: tuple[Tensor, ...]) -> Value:
    """The op's own cost, a diagram where its attributes or shapes depend on decisions."""
    count = len(node.config)
    if any(isinstance(value, Symbolic) for value in node.config):
        raise Entangled("a float decision reaches a priced op")
    ranks = [len(given.shape) for given in inputs]
    dtypes = [given.dtype for given in inputs]

    def price(*values: Value) -> int:
        types, start = [], count
        for rank, dtype in zip(ranks, dtypes, strict=True):
            types.append(TensorType(dtype, values[start : start + rank]))
            start += rank
        return _priced(name, operation(node.op, values[:count], tuple(types)))

    term = ev.diagrams.lift(price, *node.config, *(dim for given in inputs for dim in given.shape))
    # Where the op is broken the tensor does not exist: any number will do.
    return ev.diagrams.map_leaves(term, lambda leaf: 0 if type(leaf) is Fault else leaf)


def _priced(name: str, work: Operation) -> int:
    if name == "params":
        return work.params
    if name == "activations":
        return work.output.elements
    return work.cost(name)
