"""Tied weights: what is tied has the same weights wherever it is applied, of the same shapes."""

from __future__ import annotations

from functools import partial
from itertools import combinations
from typing import TYPE_CHECKING, Any

from archlang.diagnostics import Span, error
from archlang.semantics.costs import outputs, used
from archlang.semantics.diagram import Value
from archlang.semantics.fault import FaultSignal, broken
from archlang.semantics.operations import AttributeTuple, weight_shapes
from archlang.semantics.values import OpNode

if TYPE_CHECKING:
    from archlang.semantics.evaluator import Evaluator

Shapes = tuple[tuple[Any, ...], ...]  # of weights, each with its name


def agreement(ev: Evaluator, result: Value) -> Value:
    """True where all ops with the same weights agree in their shapes; faults elsewhere."""
    holders: dict[str, list[tuple[OpNode, Value]]] = {}
    for node, condition in used(ev, outputs(ev, result)):
        holders.setdefault(node.weights_at, []).append((node, condition))
    ok: Value = True
    for weights_at, members in holders.items():
        shapes = [(_shapes(ev, node), condition) for node, condition in members] if len(members) > 1 else []
        for (one, when), (other, also) in combinations(dict.fromkeys(shapes), 2):
            same = partial(_same, weights_at, _tied_at(ev, weights_at))
            ok = ev.both_ok(ok, ev.diagrams.lift(same, ev.diagrams.both(when, also), one, other))
    return ok


def _shapes(ev: Evaluator, node: OpNode) -> Value:
    """The shapes of an op's weights; where the op is broken, which is told elsewhere, any."""
    try:
        return ev.diagrams.without_faults(weight_shapes(ev, node))
    except FaultSignal:
        return AttributeTuple()


def _tied_at(ev: Evaluator, weights_at: str) -> Span:
    """Where weights are tied."""
    return next((span for path, span in ev.ties.items() if weights_at.startswith(path)), next(iter(ev.ties.values())))


def _same(weights_at: str, span: Span, both: bool, one: Shapes, other: Shapes) -> bool:
    if both and one != other:
        shown = " and ".join(", ".join(f"`{name}` {list(shape)}" for name, *shape in shapes) for shapes in (one, other))
        message = f"the weights tied at `{weights_at}` would have different shapes: {shown}"
        raise broken(error("E0318", message, span, hints=["tie what is applied to inputs of one type only"]))
    return True
