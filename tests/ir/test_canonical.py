"""Canonical form and hash: what they ignore, what they tell apart, and the oracle of networkx."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Callable
from itertools import product

import attrs
import networkx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archlang.ir.canonical import canonical_hash, canonicalise
from archlang.ir.graph import Graph, Node
from archlang.ir.verify import verify
from tests.ir.handmade import Sketch, nasbench201, nasbench201_cell


def sketched(build: Callable[[Sketch, int], int]) -> Graph:
    """The graph of what `build` makes of one image input."""
    sketch = Sketch()
    image = sketch.input(4, 8, 8)
    return verify(sketch.graph(build(sketch, image)))


def same(first: Callable[[Sketch, int], int], second: Callable[[Sketch, int], int]) -> bool:
    return canonical_hash(sketched(first)) == canonical_hash(sketched(second))


# ------------------------------------------------------------------ ignored


def test_ignores_identities() -> None:
    assert same(lambda s, x: s.relu(x), lambda s, x: s.identity(s.relu(s.identity(x))))
    assert same(lambda s, x: x, lambda s, x: s.dropout(x, rate=0.0))


def test_ignores_dead_code() -> None:
    def with_dead_branch(s: Sketch, x: int) -> int:
        y = s.relu(x)
        s.conv2d(y, 8)
        return y

    assert same(lambda s, x: s.relu(x), with_dead_branch)


def test_ignores_the_order_of_commutative_operands() -> None:
    assert same(lambda s, x: s.add(x, s.relu(x)), lambda s, x: s.add(s.relu(x), x))
    assert not same(lambda s, x: s.sub(x, s.relu(x)), lambda s, x: s.sub(s.relu(x), x))
    assert not same(lambda s, x: s.concat(x, s.relu(x)), lambda s, x: s.concat(s.relu(x), x))


def test_ignores_repeated_computations() -> None:
    def once(s: Sketch, x: int) -> int:
        y = s.relu(x)
        return s.add(y, y)

    assert same(once, lambda s, x: s.add(s.relu(x), s.relu(x)))


def test_merges_tied_nodes_on_the_same_value_only() -> None:
    def twice(s: Sketch, x: int) -> int:
        return s.add(s.conv2d(x, 4, address="a"), s.conv2d(x, 4, address="b", weights_at="a"))

    def once(s: Sketch, x: int) -> int:
        y = s.conv2d(x, 4)
        return s.add(y, y)

    def two_weights(s: Sketch, x: int) -> int:
        return s.add(s.conv2d(x, 4), s.conv2d(x, 4))

    assert same(twice, once)
    assert not same(twice, two_weights)


def test_stochastic_operations_stay_apart() -> None:
    def once(s: Sketch, x: int) -> int:
        y = s.dropout(x)
        return s.add(y, y)

    assert not same(once, lambda s, x: s.add(s.dropout(x), s.dropout(x)))


def test_ignores_names_and_the_order_of_nodes() -> None:
    def forward(s: Sketch, x: int) -> int:
        left = s.conv2d(x, 4, address="left")
        right = s.relu(s.conv2d(x, 4, address="right"))
        return s.sub(left, right)

    def backward(s: Sketch, x: int) -> int:
        right = s.relu(s.conv2d(x, 4, address="stage[0]/conv2d"))
        return s.sub(s.conv2d(x, 4, address="other"), right)

    assert same(forward, backward)
    first, second = Sketch("one"), Sketch("two")
    graphs = [sketch.graph(sketch.relu(sketch.input(4, name=name))) for sketch, name in ((first, "x"), (second, "y"))]
    assert canonical_hash(graphs[0]) == canonical_hash(graphs[1])


# --------------------------------------------------------------- told apart


def test_attributes_shapes_and_initial_values_count() -> None:
    graphs = [
        sketched(lambda s, x: s.conv2d(x, 4, kernel=3)),
        sketched(lambda s, x: s.conv2d(x, 4, kernel=1)),
        sketched(lambda s, x: s.conv2d(x, 8, kernel=3)),
        sketched(lambda s, x: s.conv2d(x, 4, kernel=3, stride=2)),
        sketched(lambda s, x: s.relu(x)),
        sketched(lambda s, x: s.dropout(x, 0.1)),
        sketched(lambda s, x: s.dropout(x, 0.2)),
        sketched(lambda s, x: x),
    ]
    conv = graphs[0].nodes[0]
    zeros = attrs.evolve(conv.operation, weights=(attrs.evolve(conv.operation.weights[0], init=("zeros",)),))
    graphs.append(attrs.evolve(graphs[0], nodes=(attrs.evolve(conv, operation=zeros),)))
    assert len({canonical_hash(graph) for graph in graphs}) == len(graphs)


def test_which_weights_are_tied_counts() -> None:
    def chain(ties: str) -> Graph:
        """Four convolutions in a row; equal letters are tied."""

        def build(s: Sketch, x: int) -> int:
            for place, letter in enumerate(ties):
                x = s.conv2d(x, 4, address=f"c{place}", weights_at=f"c{ties.index(letter)}")
            return x

        return sketched(build)

    patterns = ["abcd", "aabc", "abac", "abca", "abcc", "aabb", "abab", "abba", "aaab", "aaba", "abaa", "abbb", "aaaa"]
    assert len({canonical_hash(chain(ties)) for ties in patterns}) == len(patterns)
    assert canonical_hash(chain("aabb")) == canonical_hash(chain("bbaa"))


def test_the_position_of_inputs_counts() -> None:
    def difference(swap: bool) -> Graph:
        sketch = Sketch()
        x, y = sketch.input(4), sketch.input(4)
        return sketch.graph(sketch.sub(y, x) if swap else sketch.sub(x, y))

    assert canonical_hash(difference(True)) != canonical_hash(difference(False))


def test_outputs_count_by_name() -> None:
    def named(**outputs: str) -> Graph:
        sketch = Sketch()
        values = {"x": sketch.input(4)}
        values["relu"] = sketch.relu(values["x"])
        return sketch.graph({name: values[value] for name, value in outputs.items()})

    assert canonical_hash(named(a="x", b="relu")) == canonical_hash(named(b="relu", a="x"))
    assert canonical_hash(named(a="x", b="relu")) != canonical_hash(named(b="x", a="relu"))


# ---------------------------------------------------------------- invariance


def test_canonical_form_of_a_shuffled_network() -> None:
    graph = nasbench201("334432")
    form = canonicalise(graph)
    for seed in range(3):
        again = canonicalise(verify(shuffled(graph, seed)))
        assert nameless(again) == nameless(form)
    assert nameless(canonicalise(verify(form))) == nameless(form)


def test_equal_in_another_process() -> None:
    """The hash does not depend on Python's own, which is salted anew for each process."""
    program = (
        "from tests.ir.handmade import nasbench201; from archlang.ir.canonical import canonical_hash;"
        "print(canonical_hash(nasbench201('334432')))"
    )
    hashes = set()
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)}
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment
        )
        hashes.add(done.stdout.strip())
    assert hashes == {canonical_hash(nasbench201("334432"))}


def shuffled(graph: Graph, seed: int) -> Graph:
    """The same network with nodes in another topological order, renamed, commutative operands swapped."""
    rng = random.Random(seed)
    first = len(graph.inputs)
    number = {value: value for value in range(first)}
    nodes: list[Node] = []
    waiting = list(range(len(graph.nodes)))
    home: dict[str, str] = {}
    while waiting:
        ready = [place for place in waiting if all(value in number for value in graph.nodes[place].inputs)]
        place = rng.choice(ready[:6])
        waiting.remove(place)
        node = graph.nodes[place]
        inputs = [number[value] for value in node.inputs]
        if "commutative" in node.operation.traits:
            rng.shuffle(inputs)
        address = f"m{rng.random()}"
        nodes.append(Node(address, node.operation, tuple(inputs), home.setdefault(node.weights_at, address)))
        number[first + place] = first + len(nodes) - 1
    outputs = tuple(attrs.evolve(output, value=number[output.value]) for output in graph.outputs)
    return Graph("shuffled", graph.inputs, tuple(nodes), outputs)


def nameless(graph: Graph) -> Graph:
    """The graph with addresses that say only which nodes have weights in common."""
    homes: dict[str, str] = {}
    nodes = [
        attrs.evolve(
            node,
            address=str(place),
            weights_at=homes.setdefault(node.weights_at, str(place)) if node.operation.weights else "",
        )
        for place, node in enumerate(graph.nodes)
    ]
    return attrs.evolve(graph, name="", nodes=tuple(nodes))


# -------------------------------------------------------------------- oracle


@st.composite
def networks(draw: st.DrawFn) -> Graph:
    """Small networks over a few ops, with tied and repeated parts."""
    sketch = Sketch()
    values = [sketch.input(4, 8, 8) for _ in range(draw(st.integers(1, 2)))]
    homes: list[str] = []
    for place in range(draw(st.integers(0, 6))):
        op = draw(st.sampled_from(["conv", "conv", "tied", "relu", "identity", "add", "add", "sub", "dropout"]))
        x, y = draw(st.sampled_from(values)), draw(st.sampled_from(values))
        match op:
            case "conv" | "tied":
                home = draw(st.sampled_from(homes)) if op == "tied" and homes else None
                homes.append(home or f"conv{place}")
                value = sketch.conv2d(x, 4, 1, address=f"conv{place}", weights_at=home)
            case "add" | "sub":
                value = getattr(sketch, op)(x, y)
            case _:
                value = getattr(sketch, op)(x)
        values.append(value)
    return verify(sketch.graph(draw(st.sampled_from(values[-2:]))))


def oracle_view(graph: Graph) -> networkx.DiGraph:
    """The network as a term graph: built by recursion from the output, another way than by passes."""
    view = networkx.DiGraph()
    terms: dict[object, int] = {}
    homes: dict[int, str] = {}

    def term(value: int) -> int:
        first = len(graph.inputs)
        if value < first:
            return known(("input", value), f"input {value}", [])
        node = graph.nodes[value - first]
        operation = node.operation
        given = [term(other) for other in node.inputs]
        if operation.name == "identity":
            return given[0]
        apart = node.address if operation.name == "dropout" else node.weights_at if operation.weights else ""
        commutes = operation.name == "add"
        key = (operation.name, operation.attributes, apart, *(sorted(given) if commutes else given))
        found = known(key, f"{operation.name} {operation.attributes}", [] if commutes else given)
        if commutes:
            for other in set(given):
                view.add_edge(other, found, at=str(given.count(other)))
        if operation.weights:
            homes[found] = node.weights_at
        return found

    def known(key: object, label: str, given: list[int]) -> int:
        found = terms.setdefault(key, len(terms))
        view.add_node(found, label=label)
        for other in set(given):
            view.add_edge(other, found, at=str([place for place, value in enumerate(given) if value == other]))
        return found

    values = [term(value) for value in (*range(len(graph.inputs)), graph.outputs[0].value)]
    view.nodes[values[-1]]["label"] += " output"
    for found, home in homes.items():
        view.add_node(home, label="weights")
        view.add_edge(home, found, at="weights")
    return view


def isomorphic(first: networkx.DiGraph, second: networkx.DiGraph) -> bool:
    return bool(
        networkx.is_isomorphic(first, second, lambda a, b: a["label"] == b["label"], lambda a, b: a["at"] == b["at"])
    )


@given(networks(), networks())
def test_equal_exactly_when_isomorphic(first: Graph, second: Graph) -> None:
    assert (canonical_hash(first) == canonical_hash(second)) == isomorphic(oracle_view(first), oracle_view(second))


@given(networks(), st.integers(0, 99))
def test_equal_after_shuffling(graph: Graph, seed: int) -> None:
    other = shuffled(graph, seed)
    assert canonical_hash(other) == canonical_hash(graph)
    assert nameless(canonicalise(other)) == nameless(canonicalise(graph))
    assert nameless(canonicalise(verify(canonicalise(graph)))) == nameless(canonicalise(graph))


def cell(ops: str) -> Graph:
    sketch = Sketch()
    return sketch.graph(nasbench201_cell(sketch, sketch.input(4, 8, 8), ops, 4))


def check_against_oracle(cells: list[str]) -> int:
    """Assert that hashes and isomorphism part the cells alike; the number of classes."""
    buckets: dict[str, list[tuple[str, networkx.DiGraph]]] = {}
    classes: dict[str, networkx.DiGraph] = {}
    for ops in cells:
        graph = cell(ops)
        view = oracle_view(graph)
        digest = canonical_hash(graph)
        if digest in classes:
            assert isomorphic(view, classes[digest]), ops
            continue
        classes[digest] = view
        invariant = networkx.weisfeiler_lehman_graph_hash(view.to_undirected(), "at", "label", iterations=2)
        bucket = buckets.setdefault(invariant, [])
        assert not any(isomorphic(view, other) for _, other in bucket), ops
        bucket.append((ops, view))
    return len(classes)


def test_cells_of_nasbench201() -> None:
    cells = ["".join(ops) for ops in product("01234", repeat=6)]
    check_against_oracle(random.Random(0).sample(cells, 300))


@pytest.mark.exhaustive
def test_all_cells_of_nasbench201() -> None:
    assert check_against_oracle(["".join(ops) for ops in product("01234", repeat=6)]) == 12_090
