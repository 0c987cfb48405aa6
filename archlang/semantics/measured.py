"""Costs from a table of measurements, over all choices: the operations of a varied network, and the
sum of what each takes."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from archlang.cost.table import SCALE, CostTable
from archlang.diagnostics import Span
from archlang.ir.graph import Operation
from archlang.ir.types import TensorType
from archlang.semantics.arithmetic import binary
from archlang.semantics.costs import Wanted, joined, plain_graph, total_of, used
from archlang.semantics.diagram import Value, leaf_key, leaves
from archlang.semantics.fault import Fault, broken
from archlang.semantics.operations import operation
from archlang.semantics.values import OpNode

if TYPE_CHECKING:
    from archlang.semantics.evaluator import Evaluator


def measured(ev: Evaluator, table: CostTable, tensors: Wanted, span: Span) -> Value:
    """What computing the tensors takes by a table, in its unit; raises Entangled where that cannot be
    worked out over all choices."""
    if ev.varying is not None:
        total = total_of(ev, terms_by(ev, table, tensors, span))
        return ev.calculate(partial(binary, "/", span), total, SCALE)
    graph = plain_graph(tensors)
    missing = [node.operation for node in graph.nodes if node.operation not in table]
    if missing:
        raise broken(table.lacks(missing, span))
    return table.predict(graph)


def terms_by(ev: Evaluator, table: CostTable, tensors: Wanted, span: Span | None = None) -> list[Value]:
    """The terms (ints, or diagrams with int leaves) of what computing the tensors takes by a table, the
    intercept among them; faulty where the table lacks an operation that some program uses."""
    terms: list[Value] = []
    missing: list[Operation] = []
    for made in _used_operations(ev, tensors):
        missing += [leaf for leaf in leaves(made) if leaf is not None and leaf not in table]
        terms.append(ev.diagrams.map_leaves(made, lambda leaf: 0 if leaf is None else table.get(leaf)))
    if missing:
        raise broken(table.lacks(missing, span))
    return [table.intercept, *joined(ev, terms, 0)]


def operations_in(ev: Evaluator, tensors: Wanted) -> list[Operation]:
    """Every operation that some program needs for the tensors, each once; raises Entangled."""
    found: dict[Operation, None] = {}
    for made in _used_operations(ev, tensors):
        found |= dict.fromkeys(leaf for leaf in leaves(made) if leaf is not None)
    return list(found)


def _used_operations(ev: Evaluator, tensors: Wanted) -> list[Value]:
    """For each op of the varied graph the operation that it is, None where it is not used."""
    known: dict[Any, tuple[Value, OpNode]] = {}
    found = []
    for node, condition in used(ev, tensors):
        shapes = tuple((given.dtype, tuple(map(leaf_key, given.shape))) for given in node.inputs)
        key = id(node.op.declaration), tuple(map(leaf_key, node.config)), shapes
        if key not in known:
            known[key] = _operations(ev, node), node  # the identities in the key stay taken
        found.append(ev.diagrams.lift(lambda used, made: made if used else None, condition, known[key][0]))
    return found


def _operations(ev: Evaluator, node: OpNode) -> Value:
    """The operation of an op, None where it is broken: a diagram when it depends on decisions."""

    def made(*plain: Any) -> Operation:
        config, sizes = plain[: len(node.config)], iter(plain[len(node.config) :])
        types = tuple(TensorType(given.dtype, tuple(next(sizes) for _ in given.shape)) for given in node.inputs)
        return operation(node.op, config, types)

    sizes = [size for given in node.inputs for size in given.shape]
    found = ev.diagrams.lift(made, *node.config, *sizes)
    return ev.diagrams.map_leaves(found, lambda leaf: None if type(leaf) is Fault else leaf)
