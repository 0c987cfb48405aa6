"""The contract of a backend, as a suite of tests to subclass.

    class TestMyBackend(BackendContract):
        backend = my_backend

pytest then runs everything below on it: every op of the standard library over a grid of arguments,
against float64 references in numpy. The backend's `matrix` says of each op that it is lowered or
decomposed, and then all of the grid is done, or why it is unsupported; nothing is in between. The
whole grid runs with the marker `exhaustive`.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from archlang.backend import Array, Backend, TrainingSettings
from archlang.backend import backend as backend_of
from archlang.diagnostics import ArchError
from archlang.ir.graph import Graph
from archlang.ir.types import SymbolicDim, TensorType
from archlang.ir.weights import read_weights, write_weights
from archlang.lowering.library import library_ops
from archlang.space.loading import loads
from archlang.testing.ops import GRIDS, Case, cases

BATCH = 3
SAMPLE = 3  # cases of each op in an ordinary run
FLOATS = {"f32": np.float32, "f64": np.float64}

# Gradients that are not those of what is computed, on purpose: the straight-through estimator.
SURROGATE = frozenset({"fake_quantize", "quantized_linear", "quantized_conv2d"})


SMALL = """
use std.nn
block unit(x: [n, c, h, w]) { x + (x |> conv2d(c) >> batch_norm >> relu) }
space small(image: f32[n, 3, 8, 8]) {
  image |> conv2d(8, stride=2) |> repeat(2, unit) |> global_avg_pool >> linear(5)
}
"""


class BackendContract:
    """What every backend keeps to.

    `trains` says whether it has gradients and trains; if not, both are refused with E0808. `program`
    is a space of one program of ops that it does, on float32, with weights and one output.
    """

    backend: ClassVar[Backend]
    trains: ClassVar[bool] = True
    program: ClassVar[str] = SMALL

    # ------------------------------------------------------------ ops

    def _does(self, op: str) -> bool:
        return not self.backend.matrix[op].startswith("unsupported")

    def test_every_op_is_lowered_decomposed_or_unsupported(self) -> None:
        matrix = self.backend.matrix
        assert set(GRIDS) == set(library_ops()), "every op of the standard library is tried"
        assert set(matrix) == set(GRIDS), "every op of the standard library is in the matrix, and no other"
        for op, state in matrix.items():
            graph = next(cases(op)).graph()
            reason = state.removeprefix("unsupported: ")
            if state in ("lowered", "decomposed"):
                assert self.backend.unsupported(graph) == (), f"{op} is {state}"
                continue
            assert reason, f"{op}: what is unsupported has a reason"
            assert reason != state, f"{op} is lowered, decomposed or unsupported, and not {state}"
            assert self.backend.unsupported(graph)
            with pytest.raises(ArchError) as caught:
                self.backend.build(graph)
            (found,) = caught.value.diagnostics
            assert found.code == "E0803"
            assert reason in found.message

    @pytest.mark.parametrize("op", GRIDS)
    def test_op(self, op: str) -> None:
        self._check_op(op, SAMPLE)

    @pytest.mark.exhaustive
    @pytest.mark.parametrize("op", GRIDS)
    def test_op_over_its_whole_grid(self, op: str) -> None:
        self._check_op(op, None)

    def _check_op(self, op: str, count: int | None) -> None:
        if not self._does(op):
            return
        for case in islice(cases(op), count):
            self._check_forward(case, "f64", 1e-5)
            self._check_forward(case, "f32", 1e-4 if op in SURROGATE else 1e-5)
            if self.trains:
                self._check_gradients(case)

    def _check_forward(self, case: Case, dtype: str, tolerance: float) -> None:
        """Shape, type and values, of random inputs and weights."""
        graph = case.graph(dtype)
        inputs, weights = _arrays(graph), _weights(graph)
        network = self.backend.build(graph)
        self.backend.set_weights(graph, network, weights)
        found = self.backend.run(network, *inputs)
        (output,) = graph.outputs
        type_ = graph.type_of(output.value)
        assert found.shape == _shape(type_), case
        assert found.dtype == FLOATS.get(type_.dtype, found.dtype), case
        _assert_close(found, _Reference(case.graph())(inputs, weights), tolerance, case)

    def _check_gradients(self, case: Case) -> None:
        """Gradients along random directions against differences of the reference, in float64."""
        graph = case.graph()
        inputs, weights = _arrays(graph), _weights(graph)
        reference = _Reference(graph)
        network = self.backend.build(graph)
        self.backend.set_weights(graph, network, weights)
        draw = np.random.default_rng(1)
        cotangent = draw.normal(size=reference(inputs, weights).shape)
        dtype = graph.type_of(graph.outputs[0].value).dtype
        if dtype not in FLOATS:
            return
        step, tolerance = (1e-6, 2e-5) if dtype == "f64" else (1e-2, 1e-3)  # as far as rounding allows
        by_input, by_weight = self.backend.gradients(graph, network, inputs, {"": cotangent})
        assert set(by_weight) == {address for address, spec in graph.weights.items() if spec.trained}, case
        places: list[tuple[Any, Array]] = [(i, x) for i, x in enumerate(inputs) if x.dtype.kind == "f"]
        places += [(address, weights[address]) for address in by_weight]
        for place, value in places:
            gradient = by_input[place] if isinstance(place, int) else by_weight[place]
            assert gradient is not None, case
            assert gradient.shape == value.shape, case
            assert np.isfinite(gradient).all(), case
            if case.op in SURROGATE:
                continue
            direction = draw.normal(size=value.shape)
            ends = []
            for sign in (1, -1):
                moved = value + sign * step * direction
                xs = [moved if i == place else x for i, x in enumerate(inputs)]
                ws = {address: moved if address == place else w for address, w in weights.items()}
                ends.append(float((reference(xs, ws) * cotangent).sum()))
            expected = (ends[0] - ends[1]) / (2 * step)
            scale = 1 + float(np.abs(gradient * direction).sum())
            assert float((gradient * direction).sum()) == pytest.approx(expected, abs=tolerance * scale), (case, place)

    # ------------------------------------------------------------ training and evaluation

    def test_dropout_acts_in_training_only(self) -> None:
        for op in filter(self._does, ("dropout", "drop_path")):
            graph = loads(f"use std.nn\nspace s(x: f32[n, 8]) {{ x |> linear(8) >> {op}(0.5) }}").program({}).graph
            network = self.backend.build(graph)
            ones = {"linear.kernel": np.eye(8, dtype=np.float32), "linear.bias": np.zeros(8, np.float32)}
            self.backend.set_weights(graph, network, ones)
            x = np.ones((512, 8), np.float32)
            np.testing.assert_allclose(self.backend.run(network, x), x)
            if not self.trains:
                continue
            # Kept elements are doubled: the mean square is 2 in training, 1 in evaluation.
            found = self.backend.fit(network, (x, np.zeros_like(x)), (x, np.zeros_like(x)), _still(512))
            assert found["loss"] == pytest.approx(1.0)
            assert 1.6 < found["train_loss"] < 2.4

    def test_batch_norm_takes_the_batch_in_training_and_running_statistics_in_evaluation(self) -> None:
        if not self.trains or not self._does("batch_norm"):
            return
        graph = loads("use std.nn\nspace s(x: f32[n, 3, 4]) { x |> batch_norm(momentum=0.25) }").program({}).graph
        network = self.backend.build(graph)
        x = np.random.default_rng(0).normal(2.0, 3.0, (16, 3, 4)).astype(np.float32)
        found = self.backend.fit(network, (x, np.zeros_like(x)), (x, np.zeros_like(x)), _still(16))
        mean, variance = x.mean((0, 2)), x.var((0, 2))
        assert found["train_loss"] == pytest.approx(float((variance / (variance + 1e-5)).mean()), rel=1e-4)
        weights = self.backend.weights(graph, network)
        np.testing.assert_allclose(weights["batch_norm.mean"], 0.25 * mean, rtol=1e-4)
        # The variance of the batch or, from it, that of all samples: backends differ.
        low, high = (0.75 + 0.25 * variance * factor for factor in (1, 64 / 63))
        assert (low * (1 - 1e-4) <= weights["batch_norm.variance"]).all()
        assert (weights["batch_norm.variance"] <= high * (1 + 1e-4)).all()
        running = (x - 0.25 * mean[:, None]) / np.sqrt(weights["batch_norm.variance"][:, None] + 1e-5)
        np.testing.assert_allclose(self.backend.run(network, x), running, rtol=1e-3, atol=1e-4)

    def test_training_learns_and_repeats_itself(self) -> None:
        dropout = ">> dropout(0.1)" if self._does("dropout") else ""
        text = f"use std.nn\nspace s(x: f32[n, 4]) {{ x |> linear(8) >> relu {dropout} >> linear(2) }}"
        graph = loads(text).program({}).graph
        draw = np.random.default_rng(0)
        x = draw.normal(size=(128, 4)).astype(np.float32)
        data = x, (x.sum(1) > 0).astype(np.int64)
        fit = partial(self.backend.fit, train=data, validation=data, settings=TrainingSettings(epochs=20, lr=0.1))
        if not self.trains:
            with pytest.raises(ArchError) as caught:
                fit(self.backend.build(graph))
            with pytest.raises(ArchError, match="E0808"):
                self.backend.gradients(graph, self.backend.build(graph), [data[0]], {"": np.ones((128, 2))})
            assert [found.code for found in caught.value.diagnostics] == ["E0808"]
            return
        first, second = ({**fit(self.backend.build(graph)), "seconds": 0} for _ in range(2))
        assert first == second
        assert first["accuracy"] > 0.8

    # ------------------------------------------------------------ weights and source

    def _program(self) -> Graph:
        return loads(self.program).program({}).graph

    def test_a_seed_fixes_the_weights(self) -> None:
        graph = self._program()
        one, same, other = (self.backend.weights(graph, self.backend.build(graph, seed)) for seed in (1, 1, 2))
        assert list(one) == list(graph.weights)
        assert {address: value.shape for address, value in one.items()} == {
            address: spec.shape for address, spec in graph.weights.items()
        }
        assert all(np.array_equal(one[address], same[address]) for address in one)
        assert any(not np.array_equal(one[address], other[address]) for address in one)

    def test_weights_travel_in_files(self, tmp_path: Path) -> None:
        graph = self._program()
        first, second = self.backend.build(graph, 1), self.backend.build(graph, 2)
        write_weights(tmp_path / "weights", self.backend.weights(graph, first))
        self.backend.set_weights(graph, second, read_weights(tmp_path / "weights"))
        inputs = _arrays(graph)
        found = self.backend.run(first, *inputs)
        assert np.array_equal(found, self.backend.run(second, *inputs))
        assert np.array_equal(found, self.backend.run(first, *inputs))
        _assert_close(found, _Reference(graph)(inputs, self.backend.weights(graph, first)), 1e-5, graph.name)

    def test_weights_that_do_not_fit_are_refused(self) -> None:
        graph = self._program()
        network = self.backend.build(graph)
        with pytest.raises(ArchError, match="is missing"):
            self.backend.set_weights(graph, network, {})

    def test_source_stands_alone(self) -> None:
        source = self.backend.emit(self._program(), ["width = 8"])
        tree = ast.parse(source)
        imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        imported |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        assert not [name for name in imported if name.startswith("archlang")]
        assert "# width = 8" in source


def _still(samples: int) -> TrainingSettings:
    """One batch, and weights that stay as they are."""
    return TrainingSettings(epochs=1, batch_size=samples, lr=0.0, loss="mse", weight_decay=0.0)


def _shape(type_: TensorType) -> tuple[int, ...]:
    return tuple([BATCH * dim.factor if isinstance(dim, SymbolicDim) else dim for dim in type_.shape])


def _arrays(graph: Graph) -> list[Array]:
    """Random inputs; whole numbers are 0, 1 or 2."""
    draw = np.random.default_rng(0)
    return [
        draw.normal(size=_shape(given.type)).astype(FLOATS[given.type.dtype])
        if given.type.dtype in FLOATS
        else draw.integers(0, 3, _shape(given.type))
        for given in graph.inputs
    ]


def _weights(graph: Graph) -> dict[str, Array]:
    """Random weights; states are positive, as a variance is."""
    draw = np.random.default_rng(2)
    dtype = next((FLOATS[n.operation.output.dtype] for n in graph.nodes if n.operation.output.dtype in FLOATS), None)
    return {
        address: draw.uniform(-1.0 if spec.trained else 0.5, 1.0 if spec.trained else 1.5, spec.shape).astype(
            dtype or np.float32
        )
        for address, spec in graph.weights.items()
    }


class _Reference:
    """A graph computed in float64 by numpy."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._backend = backend_of("numpy")
        self._network = self._backend.build(graph)

    def __call__(self, inputs: Sequence[Array], weights: Mapping[str, Array]) -> Array:
        self._backend.set_weights(self._graph, self._network, weights)
        wide = [x.astype(np.float64) if x.dtype.kind == "f" else x for x in inputs]
        found: Array = self._backend.run(self._network, *wide)
        return found


def _assert_close(found: Array, expected: Array, tolerance: float, case: object) -> None:
    scale = max(1.0, float(np.abs(expected).max(initial=0.0)))
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * scale, err_msg=str(case))
