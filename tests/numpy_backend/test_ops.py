"""Every op against PyTorch in double precision, over a grid of its arguments, and against definitions."""

from __future__ import annotations

from itertools import islice
from typing import Any

import numpy as np
import pytest
from archlang_numpy import LOWERINGS, reference

import archlang as al
from archlang.diagnostics import ArchError
from archlang.ir.graph import Graph, Operation
from archlang.ir.types import SymbolicDim, TensorType
from archlang.lowering.library import library_ops
from archlang.testing.ops import GRIDS, Case, cases
from tests.numpy_backend.against_torch import DTYPES, arrays, in_numpy, in_torch, random_weights
from tests.torch.cases import CASES
from tests.torch.cases import Case as Defined

OPS = frozenset(LOWERINGS.ops)  # before other tests lower ops of their own
SAMPLE = 6  # how many cases of an op stand for all in the ordinary run


def sample(op: str) -> list[Case]:
    """The first cases of an op."""
    return list(islice(cases(op), SAMPLE))


def weights_and_arrays(graph: Graph) -> tuple[dict[str, Any], list[Any]]:
    """Integers are below the smallest number of rows, nodes and segments in the grids."""
    return random_weights(graph), arrays(graph, below=3)


def compare(case: Case) -> None:
    graph = case.graph("f64")
    weights, xs = weights_and_arrays(graph)
    before = [x.copy() for x in xs]
    (expected,), (found,) = in_torch(graph, weights, *xs), in_numpy(graph, weights, *xs)
    assert (found.dtype, found.shape) == (expected.dtype, expected.shape), case
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9 * np.abs(expected).max(), err_msg=str(case))
    assert all(np.array_equal(x, old) for x, old in zip(xs, before, strict=True)), case


def graph_of(inputs: str, body: str) -> Graph:
    return al.loads(f"use std.nn\nspace net({inputs}) {{ {body} }}").program().graph


@pytest.mark.parametrize("op", GRIDS)
def test_op_computes_what_torch_does(op: str) -> None:
    chosen = sample(op)
    assert chosen
    for case in chosen:
        compare(case)


@pytest.mark.exhaustive
@pytest.mark.parametrize("op", GRIDS)
def test_op_computes_what_torch_does_on_the_whole_grid(op: str) -> None:
    for case in islice(cases(op), SAMPLE, None):
        compare(case)


@pytest.mark.parametrize("op", GRIDS)
def test_single_precision_stays(op: str) -> None:
    for case in sample(op):
        graph = case.graph("f32")
        weights, xs = weights_and_arrays(graph)
        weights = {address: value.astype(np.float32) for address, value in weights.items()}
        (found,) = in_numpy(graph, weights, *xs)
        assert found.dtype == DTYPES[graph.nodes[-1].operation.output.dtype], case
        (expected,) = in_torch(graph, weights, *xs)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5, err_msg=str(case))


@pytest.mark.parametrize("case", [case for case in CASES if case.definition is not None], ids=str)
def test_op_is_as_it_is_defined(case: Defined) -> None:
    """Ops that PyTorch's backend makes of others, against definitions that go element by element."""
    assert case.definition is not None
    weights = {address.rpartition(".")[2]: value for address, value in random_weights(case.graph()).items()}
    xs = case.arrays()
    expected = case.definition(*xs, **weights)
    np.testing.assert_allclose(case.reference(*xs, **weights), expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("settings", "given", "expected"), [
    ("bits=8", [127, 0.5, 1.5, 2.5, -0.5, -1.5], [127, 0, 2, 2, 0, -2]),
    ("bits=4, signed=false", [15, 0.5, 1.5, -3, 14.5], [15, 0, 2, 0, 14]),
    ("bits=4, exponent=2", [-6, 0.25, 0.75, 1.25, 1.75, 2.5, 3.5, 5], [-6, 0, 1, 1, 2, 2, 4, 4]),
    ("bits=8, exponent=4", [448, 17, 19, 2**-10, 3 * 2**-10], [448, 16, 20, 0, 2**-8]),
    ("bits=8, exponent=5", [57344, 2**-17, 3 * 2**-17], [57344, 0, 2**-15]),
    ("bits=8", [0, 0], [0, 0]),
])  # fmt: skip
def test_halves_are_rounded_to_even_numbers(settings: str, given: list[float], expected: list[float]) -> None:
    """The largest is such that the scale is 1."""
    graph = graph_of(f"x: f64[{len(given)}]", f"x |> fake_quantize({settings})")
    for run in (in_numpy, in_torch):
        (found,) = run(graph, {}, np.array(given, np.float64))
        np.testing.assert_array_equal(found, expected)


def test_of_equal_elements_the_first_are_let_through() -> None:
    """Of many, as short rows are sorted in another way."""
    graph = graph_of("x: f64[n, 100]", "x |> top_k_gate(3)")
    x = np.arange(100.0)[None] % 2
    for run in (in_numpy, in_torch):
        (found,) = run(graph, {}, x)
        assert np.flatnonzero(found).tolist() == [1, 3, 5]


def test_every_op_of_the_library_is_here_and_tested() -> None:
    assert OPS == set(GRIDS) == set(library_ops())


@pytest.mark.parametrize("op", ["sigmoid", "silu", "softplus", "mish", "elu", "selu", "gelu", "softmax", "log_softmax"])
def test_far_from_zero_nothing_overflows(op: str) -> None:
    """numpy's warnings are errors here."""
    graph = graph_of("x: f64[n, 3]", f"x |> {op}")
    x = np.array([[-1e4, -30.0, -1.0], [0.0, 35.0, 1e4]])
    (expected,), (found,) = in_torch(graph, {}, x), in_numpy(graph, {}, x)
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-15)


def test_a_reference_is_a_function_of_inputs_and_weights() -> None:
    (node,) = graph_of("x: f64[n, 8]", "x |> linear(3, bias=false)").nodes
    kernel, x = np.arange(24.0).reshape(3, 8), np.ones((2, 8))
    np.testing.assert_array_equal(reference(node.operation)(x, kernel=kernel), x @ kernel.T)


@pytest.mark.parametrize(("name", "attributes", "reason"), [
    ("fourier", (), "has no lowering for op `fourier`"),
    ("relu", (("threshold", 1),), "does not know `threshold` of op `relu`"),
])  # fmt: skip
def test_what_is_no_reference(name: str, attributes: tuple[tuple[str, int], ...], reason: str) -> None:
    kind = TensorType("f64", (SymbolicDim("n"), 4))
    with pytest.raises(ArchError, match=reason) as caught:
        reference(Operation(name, attributes, (kind,), kind))
    assert caught.value.diagnostics[0].code == "E0803"
