"""Costs of varied tensors: sums of one term per op, under the condition that the op is used.

Inside the language, `macs(x)` and its like are such sums. While a sum takes few values it is added
up into one diagram, an ordinary number; else it stays a `Sum`, which can be scaled and compared.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from archlang.cost import cost
from archlang.cost.analytic import ADDITIVE, OF_WEIGHTS, alpha_flops, amounts, bits_of_product, weight_width
from archlang.ir.graph import Graph, Input, Operation
from archlang.ir.types import BYTES, TensorType
from archlang.semantics.diagram import Diagram, Value, leaf_key, leaves, support
from archlang.semantics.fault import Entangled, Fault, FaultSignal
from archlang.semantics.graphs import PLAIN
from archlang.semantics.operations import Prices, prices
from archlang.semantics.sums import sum_of
from archlang.semantics.values import InputNode, List, OpNode, Record, SelectNode, Tensor

if TYPE_CHECKING:
    from archlang.semantics.evaluator import Evaluator

MAX_SUMS = 256  # distinct values of a cost that is still added up into one number,
MAX_SUM_STEPS = 20_000  # and steps on diagrams that this takes


class Amounts(tuple[int, ...]):
    """What an op adds to each of the `ADDITIVE` costs: equal ones are one leaf of a diagram."""

    @property
    def leaf_identity(self) -> tuple[int, ...]:
        return tuple(self)

    def __add__(self, other: object) -> Amounts:
        assert isinstance(other, tuple)
        return Amounts([a + b for a, b in zip(self, other, strict=True)])


_MACS = ADDITIVE.index("macs")
NOTHING = Amounts([0] * len(ADDITIVE))


Wanted = list[tuple[Tensor, Value]]  # tensors, each with the condition under which it is wanted


def cost_of(ev: Evaluator, name: str, tensors: Wanted) -> Value:
    """A cost of what computes the tensors; raises Entangled where it cannot be worked out over all
    choices."""
    if ev.varying is None:
        return int(getattr(cost(plain_graph(tensors)), name))
    if name == "depth":
        return depth(ev, tensors)
    if name not in ADDITIVE:
        raise Entangled("is not worked out over a whole space")
    which = ADDITIVE.index(name)
    return total_of(ev, [ev.diagrams.map_leaves(t, operator.itemgetter(which)) for t in terms_of(ev, tensors)])


def plain_graph(tensors: Wanted) -> Graph:
    """The graph that computes tensors where all choices are made."""
    named = [(str(number), tensor) for number, (tensor, _) in enumerate(tensors)]
    return PLAIN.graph("", _inputs(tensors), named, {})


def total_of(ev: Evaluator, terms: list[Value]) -> Value:
    """The sum of int terms: one diagram, or a `Sum` where that takes too many values."""
    total = added_up(ev, terms)
    if total is not None:
        return total
    assert ev.varying is not None
    ev.sums = True
    variables = ev.varying.variables
    names = frozenset(variables[var].decision.address for var in support(*terms) if var in variables)
    return sum_of([(term, 1) for term in terms], 0, names)


def added_up(ev: Evaluator, terms: Iterable[Value]) -> Value:
    """The sum of int terms as one diagram; None where it takes too many values."""
    total: Value = 0
    started = ev.diagrams.steps
    for term in terms:
        total = ev.diagrams.lift(operator.add, total, term)
        if len(leaves(total)) > MAX_SUMS or ev.diagrams.steps > started + MAX_SUM_STEPS:
            return None
    return total


# ---------------------------------------------------------------------- terms


def outputs(ev: Evaluator, value: Value, condition: Value = True) -> Wanted:
    """Every tensor in the value of a space, with the condition under which it is in it."""
    found: Wanted = []
    for leaf in leaves(value):
        here = condition
        if type(value) is Diagram:
            here = ev.diagrams.both(condition, ev.diagrams.equals_leaf(value, leaf))
        if type(leaf) is Tensor:
            found.append((leaf, here))
        elif type(leaf) is Record:
            for field in leaf.fields.values():
                found += outputs(ev, ev.force(field), here)
        elif type(leaf) is List:
            for item in leaf.items:
                found += outputs(ev, ev.force(item), here)
    return found


def terms_of(ev: Evaluator, tensors: Wanted) -> list[Value]:
    """The additive costs of what computes the tensors (each with the condition under which it is
    wanted): diagrams with `Amounts`, no two of which depend on the same decisions. Where tensors do
    not exist, any number will do."""
    diagrams = ev.diagrams
    terms: list[Value] = []
    weights: dict[str, Value] = {}
    prices: dict[Any, tuple[Value, Any]] = {}
    for node, condition in used(ev, tensors):
        price = _price(ev, node, prices)
        if type(price) is Amounts and price == NOTHING:
            continue
        fresh: Value = True
        if any(leaf[which] for leaf in leaves(price) for which in OF_WEIGHTS):
            # Tied weights count once, wherever they are used first.
            known = weights.get(node.weights_at, False)
            weights[node.weights_at] = diagrams.either(known, condition)
            fresh = diagrams.lift(operator.not_, known)
        terms.append(diagrams.lift(_counted, condition, fresh, price))
    return joined(ev, terms, NOTHING)


def joined(ev: Evaluator, terms: Iterable[Value], nothing: Value) -> list[Value]:
    """The terms, those that depend on the same decisions added up."""
    found: dict[frozenset[int], Value] = {}
    for term in terms:
        where = frozenset(support(term))
        found[where] = ev.diagrams.lift(operator.add, found.get(where, nothing), term)
    return list(found.values())


def _counted(used: bool, fresh: bool, price: Amounts) -> Amounts:
    if not used:
        return NOTHING
    return price if fresh else Amounts([0 if n in OF_WEIGHTS else amount for n, amount in enumerate(price)])


def used(ev: Evaluator, tensors: Wanted) -> list[tuple[OpNode, Value]]:
    """Every op that the tensors may need, and the condition under which they do; consumers first."""
    conditions: dict[int, Value] = {}
    for tensor, wanted in tensors:
        conditions[id(tensor.node)] = ev.diagrams.either(conditions.get(id(tensor.node), False), wanted)
    found = []
    for here in reversed(in_order([tensor for tensor, _ in tensors])):
        node = here.node
        condition = conditions[id(node)]
        for position, kid in enumerate(_kids(here, faults=True)):
            if isinstance(kid, Fault):
                continue
            reach = condition
            if isinstance(node, SelectNode):
                reach = ev.diagrams.both(condition, ev.diagrams.literal(node.var, position))
            conditions[id(kid.node)] = ev.diagrams.either(conditions.get(id(kid.node), False), reach)
        if isinstance(node, OpNode):
            found.append((node, condition))
    return found


def in_order(tensors: list[Tensor]) -> list[Tensor]:
    """Every tensor that the given ones may need, each after those that it is made of."""
    order: list[Tensor] = []
    seen: set[int] = set()
    for root in tensors:
        stack: list[tuple[Tensor, bool]] = [(root, False)]
        while stack:
            here, ready = stack.pop()
            if ready:
                order.append(here)
            elif id(here.node) not in seen:
                seen.add(id(here.node))
                stack.append((here, True))
                stack.extend((kid, False) for kid in _kids(here))
    return order


def _kids(tensor: Tensor, faults: bool = False) -> list[Any]:
    node = tensor.node
    if isinstance(node, OpNode):
        return list(node.inputs)
    if isinstance(node, SelectNode):
        return [kid for kid in node.kids if faults or type(kid) is not Fault]
    return []


def _inputs(tensors: Wanted) -> tuple[Input, ...]:
    nodes = [(here.node, here) for here in in_order([tensor for tensor, _ in tensors])]
    return tuple(Input(node.name, TensorType(t.dtype, t.shape)) for node, t in nodes if isinstance(node, InputNode))


def _price(ev: Evaluator, node: OpNode, known: dict[Any, tuple[Value, Any]]) -> Value:
    """The op's own costs, a diagram where its attributes or shapes depend on decisions."""
    shapes = tuple((given.dtype, tuple(map(leaf_key, given.shape))) for given in node.inputs)
    key = id(node.op.declaration), tuple(map(leaf_key, node.config)), shapes
    if key not in known:
        try:
            found = prices(ev, node)
        except FaultSignal:  # where the op is broken the tensor does not exist
            return NOTHING
        term: Value = Amounts(amounts(found)) if isinstance(found, Operation) else _varied_amounts(ev, found)
        known[key] = term, node  # the identities in the key stay taken
    return known[key][0]


def _varied_amounts(ev: Evaluator, found: Prices) -> Value:
    """`amounts` of an op whose attributes or shapes depend on decisions."""
    width, declares_bops = weight_width(found.dtype), found.declares("bops")
    product = bits_of_product(found.dtypes[0], found.dtype) if found.dtypes else 0
    parts = [found.declared("macs"), found.declared("matmul_macs"), found.trained, found.weights, found.elements]
    parts += [found.kernel, found.declared("bops")]

    def together(
        macs: int,
        matmul_macs: int,
        trained: int,
        weights: int,
        elements: int,
        kernel: tuple[int, ...],
        bops: int,
        *read: int,
    ) -> Amounts:
        bytes_ = width * weights
        traffic = bytes_ + BYTES[found.dtype] * elements
        traffic += sum([BYTES[dtype] * size for dtype, size in zip(found.dtypes, read, strict=True)])
        bits = bops if declares_bops else macs * product
        return Amounts([trained, macs, matmul_macs, elements, bytes_, traffic, alpha_flops(macs, kernel), bits])

    term = ev.diagrams.lift(together, *parts, *found.read)
    return ev.diagrams.map_leaves(term, lambda leaf: NOTHING if type(leaf) is Fault else leaf)


# ---------------------------------------------------------------------- depth


def depth(ev: Evaluator, tensors: Wanted) -> Value:
    """The largest number of ops with `macs` on one path to the tensors, as a diagram."""
    diagrams = ev.diagrams

    def after(own: Value, below: list[Value]) -> Value:
        deepest: Value = 0
        for depth in below:
            deepest = diagrams.lift(max, deepest, depth)
        return diagrams.lift(operator.add, deepest, own)

    depths = _depths(ev, tensors, after, lambda var, kids: diagrams.combine(var, tuple(kids)))
    deepest: Value = 0
    for tensor, wanted in tensors:
        deepest = diagrams.lift(_deeper, deepest, wanted, depths[id(tensor.node)])
    return deepest


def _deeper(so_far: int, wanted: bool, more: int) -> int:
    return max(so_far, more) if wanted else so_far


def depth_beyond(ev: Evaluator, tensors: Wanted, greatest: bool) -> tuple[int, dict[int, int]]:
    """A depth that no choices go beyond, every decision taken for the best at each place by itself;
    and the positions of these picks by variable."""
    picked: dict[int, int] = {}
    best = max if greatest else min

    def select(var: int, kids: list[int]) -> int:
        found = best(kids)
        picked[var] = kids.index(found)
        return found

    def after(own: Value, below: list[int]) -> int:
        return int(max(below, default=0) + best(leaves(own)))

    depths = _depths(ev, tensors, after, select)
    certain = [depths[id(tensor.node)] for tensor, wanted in tensors if greatest or wanted is True]
    return max(certain, default=0), picked


def _depths(
    ev: Evaluator,
    tensors: Wanted,
    after: Callable[[Value, list[Any]], Any],
    select: Callable[[int, list[Any]], Any],
) -> dict[int, Any]:
    """The depth of every node by identity, from its own (0 or 1) and its inputs' depths."""
    prices: dict[Any, tuple[Value, Any]] = {}
    depths: dict[int, Any] = {}
    for here in in_order([tensor for tensor, _ in tensors]):
        node = here.node
        if isinstance(node, OpNode):
            own = ev.diagrams.map_leaves(_price(ev, node, prices), lambda amounts: int(amounts[_MACS] > 0))
            depths[id(node)] = after(own, [depths[id(given.node)] for given in node.inputs])
        elif isinstance(node, SelectNode):
            kids = [depths[id(kid.node)] for kid in node.kids if type(kid) is not Fault]
            # Where the tensor does not exist any number will do.
            full = [kids[0] if type(kid) is Fault else depths[id(kid.node)] for kid in node.kids]
            depths[id(node)] = select(node.var, full)
        else:
            depths[id(node)] = 0
    return depths
