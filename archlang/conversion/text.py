"""A captured model as `.arch` text, and the weights for the program that the text is."""

from __future__ import annotations

from collections.abc import Mapping

from archlang.conversion.captured import Array, Captured
from archlang.ir.graph import Graph
from archlang.ir.source import program_source
from archlang.semantics.defaults import op_defaults
from archlang.semantics.modules import Loader
from archlang.syntax.format import format_module
from archlang.syntax.parser import parse_text


def captured_text(captured: Captured, notes: tuple[str, ...] = ()) -> str:
    """The model as a space without choices, with a block for each kind of module."""
    text = program_source(
        captured.graph,
        notes,
        items=[opaque.declaration for opaque in captured.opaque],
        defaults=op_defaults(Loader().load_library("std.nn")),
    )
    return format_module(parse_text(text))


class NotAlike(ValueError):
    """Two graphs that are not the same network."""


def moved_weights(weights: Mapping[str, Array], graph: Graph, other: Graph) -> dict[str, Array]:
    """The weights of a graph at the addresses that they have in another graph of the same network."""
    found: dict[str, Array] = {}
    for mine, theirs in paired(graph, other):
        node, twin = graph.nodes[mine - len(graph.inputs)], other.nodes[theirs - len(other.inputs)]
        for weight in node.operation.weights:
            found[f"{twin.weights_at}.{weight.name}"] = weights[f"{node.weights_at}.{weight.name}"]
    return found


def paired(graph: Graph, other: Graph) -> list[tuple[int, int]]:
    """The nodes of two graphs of one network, as values, each with that which does the same in the other;
    NotAlike where they differ."""
    pairs: dict[int, int] = {}
    if len(graph.outputs) != len(other.outputs) or len(graph.inputs) != len(other.inputs):
        raise NotAlike("they have other inputs or outputs")
    pending = [(a.value, b.value) for a, b in zip(graph.outputs, other.outputs, strict=True)]
    while pending:
        mine, theirs = pending.pop()
        if mine in pairs:
            if pairs[mine] != theirs:
                raise NotAlike(f"value {mine} is {pairs[mine]} and {theirs}")
            continue
        pairs[mine] = theirs
        if mine < len(graph.inputs) or theirs < len(other.inputs):
            if mine != theirs:
                raise NotAlike(f"input {mine} is value {theirs}")
            continue
        node, twin = graph.nodes[mine - len(graph.inputs)], other.nodes[theirs - len(other.inputs)]
        if node.operation.signature != twin.operation.signature or len(node.inputs) != len(twin.inputs):
            raise NotAlike(f"`{node.address}` is {node.operation.name}, and `{twin.address}` {twin.operation.name}")
        pending += zip(node.inputs, twin.inputs, strict=True)
    if len(set(pairs.values())) != len(pairs):
        raise NotAlike("a value of one is two of the other")
    return [(mine, theirs) for mine, theirs in pairs.items() if mine >= len(graph.inputs)]
