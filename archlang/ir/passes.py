"""Simplifications that leave what a graph computes, and its weights, as they are. One function a pass."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import attrs

from archlang.ir.graph import Graph, Node


def without_identities(graph: Graph) -> Graph:
    """The graph without nodes that return their first input unchanged (trait `identity`)."""
    merged: dict[int, int] = {}
    for number, node in enumerate(graph.nodes, len(graph.inputs)):
        operation = node.operation
        if "identity" in operation.traits and operation.inputs and operation.output == operation.inputs[0]:
            merged[number] = merged.get(node.inputs[0], node.inputs[0])
    return merged_into(graph, merged)


def without_duplicates(graph: Graph) -> Graph:
    """The graph with one node for all that compute the same from the same values.

    Nodes with weights are the same only when their weights are; `stochastic` ones (dropout) never are.
    """
    first = len(graph.inputs)
    merged: dict[int, int] = {}
    known: dict[object, int] = {}
    for number, node in enumerate(graph.nodes, first):
        operation = node.operation
        if "stochastic" in operation.traits:
            continue
        inputs: Iterable[int] = [merged.get(value, value) for value in node.inputs]
        if "commutative" in operation.traits:
            inputs = sorted(inputs)
        key = (operation.signature, tuple(inputs), node.weights_at if operation.weights else None)
        other = known.setdefault(key, number)
        if other != number:
            merged[number] = other
    return merged_into(graph, merged)


def without_dead_code(graph: Graph) -> Graph:
    """The graph without nodes that no output needs. Inputs all stay: they are the signature."""
    needed = needed_values(graph, [output.value for output in graph.outputs])
    first = len(graph.inputs)
    if len(needed) == len(graph.nodes):
        return graph
    return select(graph, [value - first for value in sorted(needed)])


def needed_values(graph: Graph, values: Iterable[int]) -> set[int]:
    """The values of nodes (not inputs) that the given values are computed from, these included."""
    first = len(graph.inputs)
    needed: set[int] = set()
    stack = list(values)
    while stack:
        value = stack.pop()
        if value >= first and value not in needed:
            needed.add(value)
            stack.extend(graph.nodes[value - first].inputs)
    return needed


def select(graph: Graph, order: Sequence[int]) -> Graph:
    """The graph of the given nodes (indices into `graph.nodes`) in a given topological order."""
    first = len(graph.inputs)
    number = {value: value for value in range(first)}
    number.update((node + first, place) for place, node in enumerate(order, first))
    nodes = tuple(rewired(graph.nodes[node], tuple([number[v] for v in graph.nodes[node].inputs])) for node in order)
    outputs = tuple(attrs.evolve(output, value=number[output.value]) for output in graph.outputs)
    return attrs.evolve(graph, nodes=nodes, outputs=outputs)


def merged_into(graph: Graph, merged: dict[int, int]) -> Graph:
    """The graph with some values replaced by earlier ones; the nodes that made them go."""
    if not merged:
        return graph
    first = len(graph.inputs)
    number = list(range(first))
    nodes: list[Node] = []
    for value, node in enumerate(graph.nodes, first):
        if value in merged:
            number.append(number[merged[value]])
        else:
            number.append(first + len(nodes))
            nodes.append(rewired(node, tuple([number[given] for given in node.inputs])))
    outputs = tuple(attrs.evolve(output, value=number[output.value]) for output in graph.outputs)
    return attrs.evolve(graph, nodes=tuple(nodes), outputs=outputs)


def rewired(node: Node, inputs: tuple[int, ...]) -> Node:
    """The node applied to other values of the same types."""
    if inputs == node.inputs:
        return node
    return Node(node.address, node.operation, inputs, node.weights_at)
