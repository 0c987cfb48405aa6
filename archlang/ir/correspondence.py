"""Which weights are which in two graphs that are the same network at other addresses."""

from __future__ import annotations

from archlang.ir.canonical import canonicalise, fingerprint
from archlang.ir.graph import Graph


def corresponding_weights(graph: Graph, other: Graph) -> dict[str, str]:
    """For each weight of `graph` that its outputs need, by address, the address in `other`.

    The graphs must have one canonical hash (a program, and what its `source()` loads to). Where a
    network is symmetric, one of the ways to lay it on the other is taken, which computes the same.
    ValueError when they differ.
    """
    ours, theirs = canonicalise(graph), canonicalise(other)
    if fingerprint(ours) != fingerprint(theirs):
        raise ValueError("the graphs are not the same network")
    return {
        f"{node.weights_at}.{weight.name}": f"{like.weights_at}.{weight.name}"
        for node, like in zip(ours.nodes, theirs.nodes, strict=True)
        for weight in node.operation.weights
    }
