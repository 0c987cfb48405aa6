"""The labelling against networkx's isomorphism test (VF2) and on graphs that fool colour refinement."""

from __future__ import annotations

import random
from itertools import combinations

import networkx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archlang.ir.labelling import canonical_order

Coloured = tuple[list[int], list[list[tuple[int, int]]]]


def form(labels: list[int], edges: list[list[tuple[int, int]]]) -> object:
    """The graph written out in canonical order: equal exactly for isomorphic graphs."""
    order = canonical_order(labels, edges)
    assert sorted(order) == list(range(len(labels)))
    place = {vertex: number for number, vertex in enumerate(order)}
    return [(labels[v], sorted((label, place[other]) for label, other in edges[v])) for v in order]


def undirected(graph: networkx.Graph) -> Coloured:
    number = {node: place for place, node in enumerate(graph)}
    return [0] * len(number), [[(0, number[other]) for other in graph[node]] for node in graph]


def shuffled(coloured: Coloured, seed: int) -> Coloured:
    labels, edges = coloured
    place = list(range(len(labels)))
    rng = random.Random(seed)
    rng.shuffle(place)
    new_labels = [0] * len(labels)
    new_edges: list[list[tuple[int, int]]] = [[] for _ in labels]
    for vertex, target in enumerate(place):
        new_labels[target] = labels[vertex]
        new_edges[target] = [(label, place[other]) for label, other in edges[vertex]]
        rng.shuffle(new_edges[target])
    return new_labels, new_edges


@st.composite
def multigraphs(draw: st.DrawFn) -> Coloured:
    """Directed multigraphs with two vertex labels and two edge labels."""
    size = draw(st.integers(1, 6))
    labels = draw(st.lists(st.integers(0, 1), min_size=size, max_size=size))
    vertex = st.integers(0, size - 1)
    arcs = draw(st.lists(st.tuples(vertex, vertex, st.integers(0, 1)), max_size=9))
    edges: list[list[tuple[int, int]]] = [[] for _ in labels]
    for start, end, label in arcs:
        edges[start].append((2 * label, end))
        edges[end].append((2 * label + 1, start))
    return labels, edges


def as_networkx(coloured: Coloured) -> networkx.DiGraph:
    view = networkx.DiGraph()
    for vertex, label in enumerate(coloured[0]):
        view.add_node(vertex, label=label)
    for vertex, around in enumerate(coloured[1]):
        for label, other in around:
            if label % 2 == 0:
                kinds = view.edges[vertex, other]["kinds"] if view.has_edge(vertex, other) else []
                view.add_edge(vertex, other, kinds=sorted([*kinds, label]))
    return view


def isomorphic(first: Coloured, second: Coloured) -> bool:
    same = networkx.is_isomorphic(
        as_networkx(first),
        as_networkx(second),
        node_match=lambda a, b: a["label"] == b["label"],
        edge_match=lambda a, b: a["kinds"] == b["kinds"],
    )
    return bool(same)


@given(multigraphs(), st.integers(0, 999))
def test_renaming_vertices_changes_nothing(coloured: Coloured, seed: int) -> None:
    assert form(*coloured) == form(*shuffled(coloured, seed))


@given(multigraphs(), multigraphs())
def test_agrees_with_vf2(first: Coloured, second: Coloured) -> None:
    assert (form(*first) == form(*second)) == isomorphic(first, second)


@pytest.mark.parametrize(("size", "classes"), [(1, 1), (2, 2), (3, 4), (4, 11), (5, 34)])
def test_counts_the_graphs_on_few_vertices(size: int, classes: int) -> None:
    """OEIS A000088: the number of graphs on n unlabelled vertices."""
    pairs = list(combinations(range(size), 2))
    forms = set()
    for bits in range(2 ** len(pairs)):
        graph = networkx.empty_graph(size)
        graph.add_edges_from(pair for place, pair in enumerate(pairs) if bits >> place & 1)
        forms.add(repr(form(*undirected(graph))))
    assert len(forms) == classes


def shrikhande() -> networkx.Graph:
    graph = networkx.Graph()
    for a in range(4):
        for b in range(4):
            for da, db in ((0, 1), (1, 0), (1, 1)):
                graph.add_edge((a, b), ((a + da) % 4, (b + db) % 4))
    return graph


TRICKY = {
    "two triangles": networkx.disjoint_union(networkx.cycle_graph(3), networkx.cycle_graph(3)),
    "hexagon": networkx.cycle_graph(6),
    "petersen": networkx.petersen_graph(),
    "two pentagons": networkx.circular_ladder_graph(5),
    "rook": networkx.line_graph(networkx.complete_bipartite_graph(4, 4)),
    "shrikhande": shrikhande(),
    "cube": networkx.hypercube_graph(3),
    "wagner": networkx.circulant_graph(8, [1, 4]),
}


@pytest.mark.parametrize("name", TRICKY)
def test_regular_graphs(name: str) -> None:
    """Colour refinement alone tells no vertex of these from another."""
    coloured = undirected(TRICKY[name])
    assert form(*coloured) == form(*shuffled(coloured, 1)) == form(*shuffled(coloured, 2))
    for other, graph in TRICKY.items():
        assert (form(*undirected(graph)) == form(*coloured)) == (other == name)


def test_many_twins_are_quick() -> None:
    """A star of 200 leaves and 60 separate pairs have astronomically many automorphisms."""
    star = undirected(networkx.star_graph(200))
    assert form(*star) == form(*shuffled(star, 3))
    pairs = undirected(networkx.disjoint_union_all([networkx.path_graph(2)] * 60))
    assert form(*pairs) == form(*shuffled(pairs, 3))
