"""Ops whose attributes and inputs depend on decisions, over the whole space."""

import pytest

import archlang as al
from archlang.ir.types import SymbolicDim, TensorType


def types(body: str) -> dict[tuple[object, ...], str]:
    """The result's type for every program, by its picks."""
    space = al.loads(f"use std.nn\nspace s(x: f32[n, 3, 8, 10]) {{\n{body}\n}}")
    found = {}
    for choices in space.enumerate():
        graph = space.program(choices).graph
        found[tuple(choices.values())] = str(graph.type_of(graph.outputs[0].value))
    assert len(found) == space.size
    return found


def test_sizes_follow_the_choices() -> None:
    assert types("x |> conv2d(choose [4, 6], stride=choose [1, 2])") == {
        (4, 1): "f32[n, 4, 8, 10]",
        (4, 2): "f32[n, 4, 4, 5]",
        (6, 1): "f32[n, 6, 8, 10]",
        (6, 2): "f32[n, 6, 4, 5]",
    }


def test_attributes_that_are_lists_may_decide_the_rank() -> None:
    assert types("x |> conv2d_rect(4, choose [(1, 3), (3, 1)]) |> reshape(choose [[320], [4, 80]])") == {
        (0, 0): "f32[n, 320]",
        (0, 1): "f32[n, 4, 80]",
        (1, 0): "f32[n, 320]",
        (1, 1): "f32[n, 4, 80]",
    }


def test_alternatives_of_different_rank() -> None:
    assert types("y = choose { flat: x |> flatten, map: x }\ny |> relu") == {
        ("flat",): "f32[n, 240]",
        ("map",): "f32[n, 3, 8, 10]",
    }


def test_a_subset_of_branches_is_concatenated() -> None:
    assert types("concat(choose 1..2 of [x |> conv2d(2), x |> conv2d(4)])") == {
        ((0,),): "f32[n, 2, 8, 10]",
        ((1,),): "f32[n, 4, 8, 10]",
        ((0, 1),): "f32[n, 6, 8, 10]",
    }


def test_the_batch_is_symbolic_and_keeps_its_factor() -> None:
    space = al.loads(
        "use std.nn\nspace s(a: f32[n, 4], b: f32[n, 4]) { concat([a, b], axis=0) |> linear(2) }", check=False
    )
    with pytest.raises(al.ArchError, match="E0305"):
        space.check()
    space = al.loads(
        """
        op fold(times: int)(x: [n, c]) -> [n * times, c // times]
          require c % times == 0, "times must divide the features"
        space s(a: f32[batch, 4]) { a |> fold(choose [1, 2]) }
        """
    )
    graph = space.program({"times": 2}).graph
    assert graph.type_of(graph.outputs[0].value) == TensorType("f32", (SymbolicDim("batch", 2), 2))


def test_input_sizes_may_be_configuration() -> None:
    text = "use std.nn\nspace s(side: int = 8)(x: f32[n, 3, side, side]) { x |> global_avg_pool >> linear(side) }"
    assert str(al.loads(text).sample().graph.inputs[0].type) == "f32[n, 3, 8, 8]"
    assert str(al.loads(text, side=32).sample().graph.inputs[0].type) == "f32[n, 3, 32, 32]"
