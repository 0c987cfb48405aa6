"""The canonical form of a graph, and its hash: equal for graphs that are the same network."""

from __future__ import annotations

from hashlib import blake2b
from heapq import heapify, heappop, heappush

import attrs

from archlang.ir.graph import Graph, Node
from archlang.ir.labelling import canonical_order
from archlang.ir.passes import select, without_dead_code, without_duplicates, without_identities
from archlang.ir.types import SymbolicDim, TensorType


def canonicalise(graph: Graph) -> Graph:
    """The same network in canonical form: simplified, nodes and commutative inputs in an order
    that depends on the network alone.

    Nodes keep their addresses (of several merged ones, the first), which are not canonical.
    """
    for run in PASSES:
        graph = run(graph)
    return graph


def canonical_hash(graph: Graph) -> str:
    """The network's fingerprint, 32 hexadecimal digits, the same in every process and version of Python.

    It says nothing of addresses, of the graph's and its inputs' names, of dead code, identities,
    repeated computations and the order of nodes and of commutative operands. Operations with
    weights count one by one unless their weights are tied.
    """
    return fingerprint(canonicalise(graph))


def fingerprint(graph: Graph) -> str:
    """The hash of a graph that is in canonical order, without its addresses."""
    return blake2b(_text(graph).encode(), digest_size=16).hexdigest()


def in_canonical_order(graph: Graph) -> Graph:
    """The graph with nodes in canonical topological order, operands of commutative operations in
    theirs, and outputs by name."""
    first = len(graph.inputs)
    labels, edges = _as_coloured_graph(graph)
    rank = [0] * len(labels)
    for place, vertex in enumerate(canonical_order(labels, edges)):
        rank[vertex] = place
    graph = select(graph, _topological(graph, rank[first:]))
    nodes = tuple(_sorted_operands(node) if "commutative" in node.operation.traits else node for node in graph.nodes)
    return attrs.evolve(graph, nodes=nodes, outputs=tuple(sorted(graph.outputs, key=lambda output: output.name)))


PASSES = (without_identities, without_duplicates, without_dead_code, in_canonical_order)


def _sorted_operands(node: Node) -> Node:
    order = sorted(range(len(node.inputs)), key=node.inputs.__getitem__)
    if order == list(range(len(order))):
        return node
    types = tuple(node.operation.inputs[position] for position in order)
    operation = node.operation if types == node.operation.inputs else attrs.evolve(node.operation, inputs=types)
    return attrs.evolve(node, operation=operation, inputs=tuple(node.inputs[position] for position in order))


def _as_coloured_graph(graph: Graph) -> tuple[list[int], list[list[tuple[int, int]]]]:
    """Values, then one vertex for each set of nodes that have weights in common, as labels and edges."""
    roles: list[list[str]] = [[] for _ in range(len(graph.inputs) + len(graph.nodes))]
    for output in graph.outputs:
        roles[output.value].append(output.name)
    descriptions: list[tuple[object, ...]] = [
        (0, f"{position:09}", *sorted(roles[position])) for position in range(len(graph.inputs))
    ]
    edges: list[list[tuple[int, int]]] = [[] for _ in roles]
    for number, node in enumerate(graph.nodes, len(graph.inputs)):
        descriptions.append((1, node.operation.signature, *sorted(roles[number])))
        ordered = "commutative" not in node.operation.traits
        around = edges[number]
        for position, value in enumerate(node.inputs):
            label = 2 * position + 2 if ordered else 0
            around.append((label, value))
            edges[value].append((label + 1, number))
    for names, members in _ties(graph):
        descriptions.append((2, *names))
        edges.append([(-1, number) for number in members])
        for number in members:
            edges[number].append((-2, len(edges) - 1))
    ranks = {description: rank for rank, description in enumerate(sorted(set(descriptions)))}
    return [ranks[description] for description in descriptions], edges


def _ties(graph: Graph) -> list[tuple[tuple[str, ...], tuple[int, ...]]]:
    """The weights that several nodes have in common: their names, and the nodes' values."""
    holders: dict[str, list[int]] = {}
    for number, node in enumerate(graph.nodes, len(graph.inputs)):
        if node.operation.weights:
            holders.setdefault(node.weights_at, []).append(number)
    ties: list[tuple[tuple[str, ...], tuple[int, ...]]] = []
    for numbers in holders.values():
        if len(numbers) > 1:
            users: dict[str, list[int]] = {}
            for number in numbers:
                for weight in graph.nodes[number - len(graph.inputs)].operation.weights:
                    users.setdefault(weight.name, []).append(number)
            groups: dict[tuple[int, ...], list[str]] = {}
            for name, members in users.items():
                groups.setdefault(tuple(members), []).append(name)
            ties += [(tuple(sorted(names)), members) for members, names in groups.items() if len(members) > 1]
    return ties


def _topological(graph: Graph, rank: list[int]) -> list[int]:
    """The nodes in topological order, of several ready ones the least ranked first."""
    first = len(graph.inputs)
    users: list[list[int]] = [[] for _ in graph.nodes]
    waiting = [0] * len(graph.nodes)
    for number, node in enumerate(graph.nodes):
        for value in node.inputs:
            if value >= first:
                users[value - first].append(number)
                waiting[number] += 1
    ready = [(rank[number], number) for number, missing in enumerate(waiting) if not missing]
    heapify(ready)
    order = []
    while ready:
        _, number = heappop(ready)
        order.append(number)
        for user in users[number]:
            waiting[user] -= 1
            if not waiting[user]:
                heappush(ready, (rank[user], user))
    return order


def _text(graph: Graph) -> str:
    """A canonical graph written out without addresses."""
    symbols: dict[str, int] = {}
    lines = [_type_text(given.type, symbols) for given in graph.inputs]
    lines += [f"{list(node.inputs)} {node.operation.signature}" for node in graph.nodes]
    lines += [f"tie {names!r} {members!r}" for names, members in sorted(_ties(graph))]
    lines += [f"{output.name}: {output.value}" for output in graph.outputs]
    return "\n".join(lines)


def _type_text(type_: TensorType, symbols: dict[str, int]) -> str:
    dims = [
        f"s{symbols.setdefault(dim.name, len(symbols))}*{dim.factor}" if isinstance(dim, SymbolicDim) else str(dim)
        for dim in type_.shape
    ]
    return f"{type_.dtype}[{', '.join(dims)}]"
