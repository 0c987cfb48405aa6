"""What of a program its hashes say: networks, recipes, data."""

from __future__ import annotations

import pytest

import archlang as al
from archlang.diagnostics import ArchError
from archlang.space import Program

RECIPE = """
use std.nn
space recipe(x: f32[n, 4]) {
  layer = choose { none: zero, some: linear(4) }
  { model: x + (x |> zero |> relu) + (x |> layer), lr: choose [0.1, 0.2], optimizer: choose { sgd: {}, adam: {} } }
}
"""


def network(body: str, inputs: str = "x: f32[n, 4]") -> Program:
    return al.loads(f"use std.nn\nspace net({inputs}) {{\n{body}\n}}").program()


def test_recipes_count_by_their_values_and_the_branches_they_are_of() -> None:
    space = al.loads(RECIPE)
    programs = [space.program(choices) for choices in space.enumerate()]
    assert len(programs) == 8
    assert len({program.functional_hash for program in programs}) == 8
    assert len({program.output_hash() for program in programs}) == 8
    picks = programs[0].choices.as_dict()
    assert space.program(picks).functional_hash == programs[0].functional_hash


def test_recipes_do_not_count_by_how_the_network_is_written() -> None:
    one = al.loads(RECIPE).program({"layer": "none", "lr": 0.1, "optimizer": "sgd"})
    text = RECIPE.replace("x + (x |> zero |> relu) + (x |> layer)", "(x |> layer) + (x |> identity)")
    other = al.loads(text).program({"layer": "none", "lr": 0.1, "optimizer": "sgd"})
    assert one.canonical_hash != other.canonical_hash
    assert one.functional_hash == other.functional_hash
    assert one.output_hash() == other.output_hash()


def test_data_counts_by_its_choices() -> None:
    space = al.loads("space data { { a: choose { one: 1, other: 1 }, b: choose [1, 2] } }")
    programs = [space.program(choices) for choices in space.enumerate()]
    assert len({program.functional_hash for program in programs}) == len(programs) == 4
    assert all(program.output_hash() == program.functional_hash for program in programs)


def test_addresses_do_not_count() -> None:
    program = al.load("std.spaces.nasbench201", channels=4, repeats=1).sample(seed=3)
    again = al.loads(program.source(flat=True)).program()
    assert again.functional_hash == program.functional_hash
    assert again.output_hash() == program.output_hash()


CONV = "conv2d(4, kernel=3)"
IMAGE = "x: f32[n, 4, 6, 6]"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("x |> relu |> relu", "x |> relu"),
        ("x |> scale(2.0) |> scale(0.25)", "x |> scale(0.5)"),
        ("(x |> avg_pool2d(3)) + (x |> avg_pool2d(3))", "y = x |> avg_pool2d(3)\ny + y"),
        ("maximum(x, x |> absolute)", "x |> absolute"),
        (f"x - (x |> {CONV} |> zero)", "x"),
        (f"(x |> {CONV}) + (x |> relu |> {CONV} |> relu |> relu)", f"(x |> relu |> {CONV} |> relu) + (x |> {CONV})"),
    ],
)
def test_equal_outputs(first: str, second: str) -> None:
    one, other = network(first, IMAGE), network(second, IMAGE)
    assert one.functional_hash != other.functional_hash
    assert one.output_hash() == other.output_hash()


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (f"(x |> {CONV}) + (x |> {CONV})", f"y = x |> {CONV}\ny + y"),
        (f"(x |> {CONV}) - (x |> {CONV})", "x |> zero"),
        (f"x |> {CONV} |> {CONV}", f"layer = tie {CONV}\nx |> layer |> layer"),
        ("x + (x |> zero |> batch_norm)", "x"),
        ("x |> batch_norm", "x"),
        ("x |> scale(1.0001)", "x"),
        ("x |> mean(1, keep=true)", "x"),
    ],
)
def test_other_outputs(first: str, second: str) -> None:
    assert network(first, IMAGE).output_hash() != network(second, IMAGE).output_hash()


def test_networks_of_tokens_and_several_outputs() -> None:
    body = "h = x |> embedding(8, 4)\n{ a: h |> linear(2), b: h |> mean(1) }"
    one, other = (network(text, "x: i64[n, 5]") for text in (body, body.replace("x |>", "x |> identity |>")))
    assert one.output_hash() == other.output_hash()
    assert one.output_hash(seed=1) != one.output_hash()
    assert network(body.replace("mean(1)", "max_reduce(1)"), "x: i64[n, 5]").output_hash() != one.output_hash()


def test_outputs_that_cannot_be_worked_out() -> None:
    own = al.loads("use std.nn\nop mine(x: [...dims]) -> [...dims]\n  elementwise\nspace s(x: f32[n, 4]) { x |> mine }")
    with pytest.raises(ArchError, match="E0803"):
        own.program().output_hash()
    with pytest.raises(ValueError, match="not finite"):
        network("x / (x |> zero)").output_hash()
