"""How often each neighbourhood occurs in a graph: what Weisfeiler-Lehman kernels compare."""

from __future__ import annotations

from collections import Counter
from hashlib import blake2b
from sys import intern

from archlang.ir.graph import Graph

ROUNDS = 2


def neighbourhoods(graph: Graph, rounds: int = ROUNDS) -> Counter[str]:
    """The labels of a graph's values and how often each occurs, the same in every process.

    After round 0 a label is the operation (or that it is an input); each round adds the labels of the
    operands, sorted where their order says nothing (Shervashidze et al. 2011, "Weisfeiler-Lehman graph
    kernels", on directed graphs). Labels of all rounds are counted.
    """
    labels = [f"input {position}" for position in range(len(graph.inputs))]
    labels += [node.operation.signature for node in graph.nodes]
    labels = [_short(label) for label in labels]
    found = Counter(labels)
    first = len(graph.inputs)
    for _ in range(rounds):
        after = labels[:first]
        for number, node in enumerate(graph.nodes, first):
            operands = [labels[value] for value in node.inputs]
            if "commutative" in node.operation.traits:
                operands.sort()
            after.append(_short(" ".join([labels[number], *operands])))
        labels = after
        found.update(labels[first:])
    return found


def _short(label: str) -> str:
    # Many graphs have the same labels, and are kept.
    return intern(blake2b(label.encode(), digest_size=8).hexdigest())
