"""Costs of a program's graph, exact, for one sample, from what the ops declare."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any

import attrs

from archlang.cost.analytic import ADDITIVE, amounts, weight_bytes
from archlang.cost.liveness import peak_live
from archlang.ir.addresses import frames
from archlang.ir.graph import Graph, Node, Operation, WeightSpec


@attrs.frozen
class Totals:
    """The additive costs of some nodes: `params` trained weight elements (a tied weight once),
    `macs` multiply-adds with weights, `matmul_macs` multiply-adds between activations,
    `activations` elements of all results. `weight_bytes` are those of all weights and states (running
    statistics), as wide as the op's result when that is a float, else 4 an element.
    `memory_traffic` are the bytes of what each op reads (inputs, all its weights, also those that are
    tied) and writes; `alpha_flops` are those of `cost.analytic`; `bit_operations` are the `bops` that an
    op declares, else its macs times the bits of a weight and of an input. All but those of weights
    for one sample."""

    nodes: int = 0
    params: int = 0
    macs: int = 0
    matmul_macs: int = 0
    activations: int = 0
    weight_bytes: int = 0
    memory_traffic: int = 0
    alpha_flops: int = 0
    bit_operations: int = 0


@attrs.frozen
class Row:
    """The costs of one node. Tied weights count at their first use, so that rows add up."""

    address: str
    op: str
    params: int
    macs: int
    matmul_macs: int
    activations: int
    weight_bytes: int
    memory_traffic: int
    alpha_flops: int
    bit_operations: int


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
    memory_traffic: int
    alpha_flops: int
    bit_operations: int
    graph: Graph = attrs.field(eq=False, repr=False)

    @property
    def arithmetic_intensity(self) -> float:
        """Floating-point operations (two a multiply-add) for each byte of `memory_traffic`: what the
        roofline model sets against a machine's peak and bandwidth (Williams et al. 2009)."""
        return 2 * (self.macs + self.matmul_macs) / max(self.memory_traffic, 1)

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """The costs node by node, in the graph's order."""
        return tuple(
            Row(node.address, node.operation.name, *_amounts(node.operation, fresh))
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
            "arithmetic_intensity": self.arithmetic_intensity,
            "nodes": [attrs.asdict(row) for row in self.rows],
            "blocks": _plain(self.blocks),
            "ops": _plain(self.ops),
        }


METRICS = (*ADDITIVE[:4], "peak_memory", "depth", *ADDITIVE[4:])


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
        **{name: getattr(totals, name) for name in ADDITIVE},
        peak_memory=peak_live(sizes, [node.inputs for node in graph.nodes], [out.value for out in graph.outputs]),
        depth=max(depths, default=0),
        graph=graph,
    )


def price(nodes: Iterable[Node]) -> Totals:
    """The additive costs of a set of nodes; a weight that several of them have in common counts once."""
    found = [_amounts(node.operation, fresh) for node, fresh in _with_fresh_weights(nodes)]
    return Totals(len(found), *map(sum, zip(*found, strict=True)))


def _amounts(operation: Operation, fresh: tuple[WeightSpec, ...]) -> tuple[int, ...]:
    """The `ADDITIVE` costs of an operation of whose weights only some are not counted yet."""
    all_its_own = amounts(operation)
    if fresh is operation.weights:
        return all_its_own
    params = sum([weight.elements for weight in fresh if weight.trained])
    known = {"params": params, "weight_bytes": weight_bytes(fresh, operation)}
    return tuple([known.get(name, amount) for name, amount in zip(ADDITIVE, all_its_own, strict=True)])


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


def _plain(totals: Mapping[str, Totals]) -> dict[str, dict[str, int]]:
    return {name: attrs.asdict(total) for name, total in totals.items()}
