"""Each rule of the verifier finds its breach, and all breaches are told at once."""

from __future__ import annotations

import attrs
import pytest

from archlang.ir.graph import Graph, Output, WeightSpec
from archlang.ir.types import TensorType
from archlang.ir.verify import InvalidGraph, verify
from tests.ir.handmade import BATCH, Sketch, nasbench201


def violations(graph: Graph) -> tuple[str, ...]:
    with pytest.raises(InvalidGraph) as caught:
        verify(graph)
    assert isinstance(caught.value, ValueError)
    assert str(caught.value).splitlines()[1:] == list(caught.value.violations)
    return caught.value.violations


def test_a_good_graph_is_given_back() -> None:
    graph = nasbench201("012343")
    assert verify(graph) is graph


def test_addresses_are_unique() -> None:
    sketch = Sketch()
    value = sketch.conv2d(sketch.input(3, 8, 8), 4, address="a")
    graph = sketch.graph(sketch.conv2d(value, 4, address="a", weights_at="b"))
    assert violations(graph) == ("address `a` occurs more than once",)


def test_names_of_inputs_and_outputs_are_unique() -> None:
    sketch = Sketch()
    first, second = sketch.input(3, name="x"), sketch.input(3, name="x")
    graph = sketch.graph(first)
    graph = attrs.evolve(graph, outputs=(Output("a", first), Output("a", second)))
    assert violations(graph) == ("input `x` occurs more than once", "output `a` occurs more than once")


def test_a_node_has_an_address_that_is_no_block() -> None:
    sketch = Sketch()
    value = sketch.apply("relu", sketch.input(3), address="unit")
    graph = sketch.graph(value, blocks={"unit": "residual"})
    assert violations(graph) == ("`unit` is the address of a node and of the block `residual`",)
    nameless = attrs.evolve(graph, nodes=(attrs.evolve(graph.nodes[0], address=""),), blocks={"": "top"})
    assert violations(nameless) == ("a block has no address", "a node (relu) has no address", *violations(nameless)[2:])


def test_values_precede_uses() -> None:
    sketch = Sketch()
    graph = sketch.graph(sketch.relu(sketch.input(3)))
    node = attrs.evolve(graph.nodes[0], inputs=(1,))
    assert violations(attrs.evolve(graph, nodes=(node,))) == (
        "`relu#1` uses value 1, but only values before 1 exist there",
    )
    assert violations(attrs.evolve(graph, outputs=(Output("", 7),))) == ("output `` is value 7, which does not exist",)


def test_types_agree() -> None:
    sketch = Sketch()
    x, y = sketch.input(3), sketch.input(4)
    graph = sketch.graph(sketch.relu(x))
    wrong = attrs.evolve(graph, nodes=(attrs.evolve(graph.nodes[0], inputs=(y,)),))
    assert violations(wrong) == ("`relu#1`: input 0 is f32[n, 4], the operation is for f32[n, 3]",)
    missing = attrs.evolve(graph, nodes=(attrs.evolve(graph.nodes[0], inputs=()),))
    assert violations(missing) == ("`relu#1` (relu) takes 1 values, not 0",)


def test_weights_of_one_address_agree() -> None:
    sketch = Sketch()
    value = sketch.linear(sketch.input(8), 8, address="a")
    graph = sketch.graph(sketch.linear(value, 4, address="b", weights_at="a"))
    assert violations(graph) == (
        "the weight `a.weight` is [8, 8] init ('kaiming_uniform',), and at `b` it is [4, 8] init ('kaiming_uniform',)",
        "the weight `a.bias` is [8] init ('zeros',), and at `b` it is [4] init ('zeros',)",
    )


def test_weights_of_an_operation_have_names_of_their_own() -> None:
    sketch = Sketch()
    twice = (WeightSpec("w", (3,)), WeightSpec("w", (3,)))
    graph = sketch.graph(sketch.apply("scale", sketch.input(3), weights=twice, address="a"))
    assert violations(graph) == ("`a` (scale) has two weights of one name",)


def test_the_networkx_view() -> None:
    sketch = Sketch("twice")
    x = sketch.input(4, 8, 8, name="image")
    y = sketch.conv2d(x, 4, address="stem")
    view = sketch.graph(sketch.apply("add", y, y, address="sum")).networkx()
    assert view.name == "twice"
    assert dict(view.nodes["image"]) == {"type": TensorType("f32", (BATCH, 4, 8, 8))}
    assert view.nodes["stem"]["operation"].name == "conv2d"
    assert {edge: data["position"] for *edge, data in view.edges(data=True) for edge in [tuple(edge)]} == {
        ("image", "stem"): [0],
        ("stem", "sum"): [0, 1],
    }
