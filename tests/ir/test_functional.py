"""The hash of what a network computes: against labels made by hand, and against the networks' outputs."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from itertools import combinations, islice, pairwise
from typing import Any

import numpy as np
import pytest
from archlang_numpy import reference
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import archlang as al
from archlang.ir.functional import ZERO, functional_form, functional_hash
from archlang.ir.graph import Graph
from archlang.space import Program
from archlang.testing.ops import GRIDS, cases
from tests.ir.cells import CELLS, OPS, Cell, classes, label

Array = NDArray[Any]

SPACE = al.load("std.spaces.nasbench201", channels=4, repeats=1, classes=3)
EDGES = list(SPACE.sample(seed=0).choices)


def graph(body: str, inputs: str = "x: f32[n, 4, 6, 6]") -> Graph:
    return al.loads(f"use std.nn\nspace net({inputs}) {{\n{body}\n}}").program().graph


def same(first: str, second: str) -> bool:
    return functional_hash(graph(first)) == functional_hash(graph(second))


CONV = "conv2d(4, kernel=3)"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("(x |> relu) + (x |> zero)", "x |> relu"),
        ("(x |> zero |> avg_pool2d(3) |> relu) + x + (x |> fill(0.0))", "x"),
        ("(x |> zero) + (x |> relu |> zero)", "x |> zero"),
        (f"x |> {CONV} |> zero |> {CONV}", f"x |> zero |> {CONV}"),
        ("x + ((x |> relu) + (x |> tanh))", "add(x |> tanh, x |> relu, x)"),
        (f"(x |> {CONV}) + (x |> identity) + (x |> {CONV})", f"add(x |> {CONV}, x |> {CONV}, x)"),
        ("concat([x |> zero, x |> zero]) |> max_pool2d(3, stride=2)", "concat([x, x]) |> zero(stride=2)"),
    ],
)
def test_equal(first: str, second: str) -> None:
    assert same(first, second)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        # A normalisation or a bias makes something of zeros.
        (f"x + (x |> zero |> {CONV} |> batch_norm)", "x"),
        ("x + (x |> zero |> linear(6))", "x"),
        ("x + (x |> zero |> sigmoid)", "x"),
        ("x + (x |> zero |> pad([1, 1], value=1.0) |> slice(3, 0, 6))", "x"),
        ("x + x", "x"),
        ("x * (x |> zero)", "x"),
        ("y = x |> avg_pool2d(3)\ny + y", "(x |> avg_pool2d(3)) + (x |> avg_pool2d(3))"),
        (f"y = x |> {CONV}\ny + y", f"(x |> {CONV}) + (x |> {CONV})"),
        ("maximum(x, x |> zero)", "x"),
    ],
)
def test_apart(first: str, second: str) -> None:
    assert not same(first, second)


def test_zeros_stay_where_their_shape_counts() -> None:
    given = "x: f32[n, 4, 1, 1], y: f32[n, 4, 6, 6]"
    wide, narrow = graph("x + (y |> zero)", given), graph("x |> relu", given)
    assert [node.operation.name for node in functional_form(wide).nodes] == [ZERO, "add"]
    assert functional_hash(wide) != functional_hash(narrow)
    kept = graph("add(x, y |> zero, y)", given)
    assert functional_hash(kept) == functional_hash(graph("x + y", given))
    nested = graph("(x + (y |> zero)) + y", given)
    assert functional_hash(nested) == functional_hash(graph("x + y", given))


def test_a_sum_with_other_uses_is_not_taken_apart() -> None:
    """Chains of sums that are used twice would grow without bound."""
    doubled = "\n".join(["a = x + (x |> relu)", *[f"{b} = {a} + {a}" for a, b in pairwise("abcdefghij")], "j"])
    assert {len(node.inputs) for node in functional_form(graph(doubled)).nodes if node.operation.name == "add"} == {2}


def programs(cells: Sequence[Cell]) -> dict[Cell, Program]:
    return {cell: SPACE.program(dict(zip(EDGES, [OPS[op] for op in cell], strict=True))) for cell in cells}


def check_partition(cells: Sequence[Cell]) -> int:
    found: dict[str, set[Cell]] = {}
    for cell, program in programs(cells).items():
        found.setdefault(program.functional_hash, set()).add(cell)
    assert set(map(frozenset, found.values())) == classes(list(cells))
    return len(found)


def test_programs_of_nasbench201() -> None:
    chosen = random.Random(0).sample(CELLS, 300)
    few = [cell for cell in CELLS if cell.count(0) >= 4]  # where most of the equal ones are
    check_partition(sorted({*chosen, *few}))


@pytest.mark.exhaustive
def test_all_programs_of_nasbench201() -> None:
    assert check_partition(CELLS) == 6_040


# ------------------------------------------------------------------- numerically


def outputs(graph: Graph, weights: Mapping[str, Array], *inputs: Array) -> list[Array]:
    """What a graph computes, op by op, its zeros too; weights by `weights_at` and name."""
    values = list(inputs)
    for node in graph.nodes:
        if node.operation.name == ZERO:
            shape = [dim if isinstance(dim, int) else len(inputs[0]) for dim in node.operation.output.shape]
            values.append(np.zeros(shape))
            continue
        own = {spec.name: weights[f"{node.weights_at}.{spec.name}"] for spec in node.operation.weights}
        values.append(reference(node.operation)(*[values[value] for value in node.inputs], **own))
    return [values[output.value] for output in graph.outputs]


def test_equal_programs_give_equal_outputs_with_weights_in_canonical_order() -> None:
    """Weights of the one go to the node of the other that has the same place in the canonical form."""
    drawn = random.Random(1)
    groups = [sorted(group) for group in classes(CELLS[::7]) if len(group) > 1]
    x = np.random.default_rng(0).standard_normal((2, 3, 32, 32))
    for group in drawn.sample(groups, 12):
        results = []
        for program in programs(drawn.sample(group, 2)).values():
            order = functional_form(program.graph).nodes
            matched: dict[str, Array] = {}
            for place, node in enumerate(order):
                rng = np.random.default_rng(place)
                for spec in node.operation.weights:
                    matched[f"{node.weights_at}.{spec.name}"] = rng.uniform(0.1, 0.9, spec.shape) - 0.4 * (
                        spec.name == "kernel"
                    )
            used = {address: np.ones(spec.shape) for address, spec in program.graph.weights.items()} | matched
            results.append(outputs(program.graph, used, x)[0])
        np.testing.assert_allclose(results[0], results[1], rtol=1e-9, atol=1e-9 * np.abs(results[0]).max())


UNARY = ["zero", "identity", "relu", "tanh", "sigmoid", "avg_pool2d(3)", "max_pool2d(3)", "scale(2.0)", "fill(0.0)"]
UNARY += ["batch_norm", "conv2d(4, kernel=1)", "permute([0, 1, 3, 2])", "pad([1, 0]) |> slice(3, 0, 4)"]


@st.composite
def texts(draw: st.DrawFn) -> str:
    """The body of a small network with many zeros and sums."""
    names, lines = ["x"], []
    for place in range(draw(st.integers(1, 8))):
        picked = draw(st.lists(st.sampled_from(names), min_size=3, max_size=3))
        value = draw(st.sampled_from([*UNARY, "+", "+", "+ +", "-", "global_avg_pool"]))
        match value:
            case "+":
                line = f"{picked[0]} + {picked[1]}"
            case "+ +":
                line = f"add({', '.join(picked)})"
            case "-":
                line = f"{picked[0]} - {picked[1]}"
            case "global_avg_pool":  # repeated to the whole size when it is added
                line = f"{picked[0]} + ({picked[1]} |> global_avg_pool |> reshape([4, 1, 1]))"
            case _:
                line = f"{picked[0]} |> {value}"
        lines.append(f"v{place} = {line}")
        names.append(f"v{place}")
    return "\n".join([*lines, names[-1]])


@given(texts(), st.integers(0, 9))
def test_the_functional_form_computes_the_same(text: str, seed: int) -> None:
    network = graph(text, "x: f32[n, 4, 4, 4]")
    rng = np.random.default_rng(seed)
    weights = {address: rng.uniform(0.5, 1.5, spec.shape) for address, spec in network.weights.items()}
    x = rng.standard_normal((2, 4, 4, 4))
    (before,), (after,) = outputs(network, weights, x), outputs(functional_form(network), weights, x)
    np.testing.assert_allclose(after, before, rtol=1e-9, atol=1e-9 * max(np.abs(before).max(), 1.0))


@given(texts())
def test_the_functional_form_is_its_own(text: str) -> None:
    network = graph(text, "x: f32[n, 4, 4, 4]")
    assert functional_hash(functional_form(network)) == functional_hash(network)


@pytest.mark.parametrize("op", GRIDS)
def test_traits_of_zeros_and_sums_hold(op: str) -> None:
    """By the references of the ops, in double precision."""
    for case in islice(cases(op), 12):
        network = case.graph("f64")
        node = network.nodes[-1]
        traits = node.operation.traits
        if not traits & {"zeros", "keeps_zeros", "additive"}:
            continue
        assert not node.operation.weights
        shapes = [[dim if isinstance(dim, int) else 2 for dim in given.type.shape] for given in network.inputs]
        xs = [np.random.default_rng(0).standard_normal(shape) for shape in shapes]
        zeros = [np.zeros(shape) for shape in shapes]
        if "zeros" in traits:
            assert not outputs(network, {}, *xs)[0].any(), case
        if traits & {"zeros", "keeps_zeros"}:
            assert not outputs(network, {}, *zeros)[0].any(), case
        if "additive" in traits:
            np.testing.assert_array_equal(outputs(network, {}, *xs)[0], sum(xs))


def test_labels_by_hand() -> None:
    """The labels that the hash is measured by: few cases that are plain."""
    none, skip, conv, _, pool = range(5)
    alike = [
        (none, none, none, skip, none, none),
        (skip, none, none, none, skip, none),
        (skip, skip, none, none, skip, none),
    ]
    assert len({label(cell) for cell in alike}) == 1
    different = [
        (none, none, none, none, none, none),
        (conv, none, none, none, none, none),  # nothing of it arrives: as the one before
        (none, conv, none, none, none, conv),
        (conv, none, skip, none, skip, skip),  # one convolution used twice
        (conv, none, none, conv, skip, none),  # two convolutions
        (pool, none, none, pool, skip, none),
        (pool, none, skip, none, skip, skip),
        (none, none, none, none, conv, none),  # a convolution of zeros
    ]
    labels = [label(cell) for cell in different]
    assert [pair for pair in combinations(range(8), 2) if labels[pair[0]] == labels[pair[1]]] == [(0, 1)]
