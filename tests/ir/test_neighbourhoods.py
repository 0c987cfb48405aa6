"""The labels that Weisfeiler-Lehman kernels count."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any

import attrs
import pytest

import archlang as al
from archlang.ir.graph import Graph
from archlang.ir.neighbourhoods import neighbourhoods

TEXTS = [
    "x |> relu |> tanh",
    "(x |> relu) + (x |> tanh) + x",
    "concat([x |> relu, x |> tanh])",
    "concat([x |> tanh, x |> relu])",
    "y = x |> conv2d(4, kernel=3)\n(y |> relu) + (y |> relu |> relu)",
    "(x |> conv2d(4, kernel=3)) * (x |> conv2d(4, kernel=1))",
]


def graph(body: str) -> Graph:
    return al.loads(f"use std.nn\nspace net(x: f32[n, 4, 6, 6]) {{\n{body}\n}}").program().graph


def tree(graph: Graph, value: int, depth: int) -> Any:
    """What a label stands for, written out: the operations that lead to a value, so many steps back."""
    if value < len(graph.inputs):
        return ("input", value)
    node = graph.nodes[value - len(graph.inputs)]
    if depth == 0:
        return node.operation.signature
    operands = [tree(graph, operand, depth - 1) for operand in node.inputs]
    if "commutative" in node.operation.traits:
        operands.sort(key=repr)
    return (tree(graph, value, depth - 1), *operands)


@pytest.mark.parametrize("rounds", [0, 1, 2, 3])
def test_labels_are_as_often_as_the_trees_they_stand_for(rounds: int) -> None:
    trees: Counter[Any] = Counter()
    labels: Counter[str] = Counter()
    for body in TEXTS:
        one = graph(body)
        mine = Counter(tree(one, value, 0) for value in range(len(one.inputs)))
        values = range(len(one.inputs), len(one.inputs) + len(one.nodes))
        mine.update((depth, tree(one, value, depth)) for depth in range(rounds + 1) for value in values)
        found = neighbourhoods(one, rounds)
        assert sorted(found.values()) == sorted(mine.values())
        trees.update(mine)
        labels.update(found)
    assert sorted(labels.values()) == sorted(trees.values())  # equal over graphs, too


@pytest.mark.parametrize("body", TEXTS)
def test_neither_order_nor_addresses_of_nodes_play_a_part(body: str) -> None:
    one = graph(body)
    first, random = len(one.inputs), Random(0)
    for _ in range(5):
        left, order = list(range(len(one.nodes))), []
        while left:
            ready = [at for at in left if not any(value - first in left for value in one.nodes[at].inputs)]
            order.append(random.choice(ready))
            left.remove(order[-1])
        at = {**{value: value for value in range(first)}, **{first + old: first + new for new, old in enumerate(order)}}
        nodes = tuple(
            attrs.evolve(
                one.nodes[old], address=f"other#{old}", inputs=tuple(at[value] for value in one.nodes[old].inputs)
            )
            for old in order
        )
        assert neighbourhoods(attrs.evolve(one, nodes=nodes, outputs=())) == neighbourhoods(one)


def test_order_of_operands_counts_where_it_says_something() -> None:
    assert neighbourhoods(graph(TEXTS[2])) != neighbourhoods(graph(TEXTS[3]))
    assert neighbourhoods(graph(TEXTS[2]), 0) == neighbourhoods(graph(TEXTS[3]), 0)
    assert neighbourhoods(graph("(x |> relu) + x")) == neighbourhoods(graph("x + (x |> relu)"))
