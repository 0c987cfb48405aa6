"""Costs of a program's graph, exact, for one sample, from what the ops declare."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any

import attrs

from archlang.cost.liveness import peak_live
from archlang.ir.addresses import frames
from archlang.ir.graph import Graph, Node, Operation, WeightSpec
from archlang.ir.types import BYTES


@attrs.frozen
class Totals:
    """The additive costs of some nodes: `params` trained weight elements (a tied weight once),
    `macs` multiply-adds with weights, `matmul_macs` multiply-adds between activations,
    `activations` elements of all results; the last three for one sample. `weight_bytes` are those
    of all weights and states (running statistics), as wide as the op's result when that is a
    float, else 4 an element."""

    nodes: int = 0
    params: int = 0
    macs: int = 0
    matmul_macs: int = 0
    activations: int = 0
    weight_bytes: int = 0


@attrs.frozen
class Row:
    """The costs of one node. Tied weights count at their first use, so that rows add up."""

    address: str
    op: str
    params: int
    macs: int
    matmul_macs: int
    activations: int


@attrs.frozen(slots=False)
class Cost:
    """What a graph costs: for one sample, parameters for the whole.

    `peak_memory` is the most bytes of activations alive at one time when the nodes run in order,
    nothing is computed in place and the inputs count (see `peak_live`). `depth` is the largest
    number of nodes with `macs` (convolutions, linear layers) on one path, 18 for ResNet-18.
    The others are the `Totals` of all nodes.
    """

    params: int
    macs: int
    matmul_macs: int
    activations: int
    peak_memory: int
    depth: int
    weight_bytes: int
    graph: Graph = attrs.field(eq=False, repr=False)

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """The costs node by node, in the graph's order."""
        return tuple(
            Row(
                node.address,
                node.operation.name,
                _trained(fresh),
                node.operation.cost("macs"),
                node.operation.cost("matmul_macs"),
                node.operation.output.elements,
            )
            for node, fresh in _with_fresh_weights(self.graph.nodes)
        )

    @cached_property
    def blocks(self) -> dict[str, Totals]:
        """The totals of every block, at any depth, by its address; in order of first use.

        A weight tied between blocks counts in each of them.
        """
        members: dict[str, list[Node]] = {}
        for node in self.graph.nodes:
            for frame in frames(node.address):
                if frame in self.graph.blocks:
                    members.setdefault(frame, []).append(node)
        return {address: price(nodes) for address, nodes in members.items()}

    @cached_property
    def ops(self) -> dict[str, Totals]:
        """The totals of every kind of op, by its name. A weight tied between kinds counts in each."""
        members: dict[str, list[Node]] = {}
        for node in self.graph.nodes:
            members.setdefault(node.operation.name, []).append(node)
        return {name: price(nodes) for name, nodes in members.items()}

    def totals(self) -> dict[str, int]:
        """The figures of the whole graph by name."""
        return {name: getattr(self, name) for name in METRICS}

    def as_dict(self) -> dict[str, Any]:
        """Everything as plain data: the totals, then `nodes`, `blocks` and `ops`."""
        return {
            **self.totals(),
            "nodes": [attrs.asdict(row) for row in self.rows],
            "blocks": _plain(self.blocks),
            "ops": _plain(self.ops),
        }


METRICS = ("params", "macs", "matmul_macs", "activations", "peak_memory", "depth", "weight_bytes")


def cost(graph: Graph) -> Cost:
    """The costs of a graph. All its nodes count, also those that no output needs."""
    given = len(graph.inputs)
    totals = price(graph.nodes)
    sizes = [given.type.bytes for given in graph.inputs]
    sizes += [node.operation.output.bytes for node in graph.nodes]
    depths = [0] * given
    for node in graph.nodes:
        below = max([depths[value] for value in node.inputs], default=0)
        depths.append(below + 1 if node.operation.cost("macs") else below)
    return Cost(
        params=totals.params,
        macs=totals.macs,
        matmul_macs=totals.matmul_macs,
        activations=totals.activations,
        peak_memory=peak_live(sizes, [node.inputs for node in graph.nodes], [out.value for out in graph.outputs]),
        depth=max(depths, default=0),
        weight_bytes=totals.weight_bytes,
        graph=graph,
    )


def price(nodes: Iterable[Node]) -> Totals:
    """The additive costs of a set of nodes; a weight that several of them have in common counts once."""
    count = params = macs = matmul_macs = activations = total_bytes = 0
    for node, fresh in _with_fresh_weights(nodes):
        operation = node.operation
        count += 1
        activations += operation.output.elements
        if fresh:
            params += operation.params if fresh is operation.weights else _trained(fresh)
            total_bytes += weight_bytes(fresh, operation)
        for name, amount in operation.costs:
            if name == "macs":
                macs += amount
            elif name == "matmul_macs":
                matmul_macs += amount
    return Totals(count, params, macs, matmul_macs, activations, total_bytes)


def weight_bytes(weights: Iterable[WeightSpec], operation: Operation) -> int:
    """The bytes of some weights of an operation."""
    return sum([weight.elements for weight in weights]) * weight_width(operation.output.dtype)


def weight_width(dtype: str) -> int:
    """The bytes of an element of a weight, where results have a dtype."""
    return BYTES[dtype] if "f" in dtype else 4


def _with_fresh_weights(nodes: Iterable[Node]) -> Iterator[tuple[Node, tuple[WeightSpec, ...]]]:
    """The nodes, each with those of its weights that no node before it has."""
    seen: dict[str, frozenset[str]] = {}
    for node in nodes:
        weights = node.operation.weights
        if weights:
            known = seen.get(node.weights_at, frozenset())
            if known:
                weights = tuple(weight for weight in weights if weight.name not in known)
            seen[node.weights_at] = known.union([weight.name for weight in weights])
        yield node, weights


def _trained(weights: tuple[WeightSpec, ...]) -> int:
    return sum(weight.elements for weight in weights if weight.trained)


def _plain(totals: Mapping[str, Totals]) -> dict[str, dict[str, int]]:
    return {name: attrs.asdict(total) for name, total in totals.items()}
