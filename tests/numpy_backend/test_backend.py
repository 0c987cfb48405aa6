"""The backend object: weights, batches, outputs, what it refuses."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path

import archlang_numpy
import archlang_torch
import numpy as np
import pytest
from archlang_numpy import backend

from archlang.backend import Backend, TrainingSettings
from archlang.backend import backend as backend_of
from archlang.diagnostics import ArchError
from archlang.ir.weights import read_weights, write_weights
from tests.graphs import Sketch
from tests.numpy_backend.against_torch import arrays, random_weights
from tests.torch.test_build import small, tied


def test_it_is_a_backend() -> None:
    assert isinstance(backend, Backend)
    assert archlang_numpy.NumpyBackend.name == "numpy"


def test_it_is_found_by_its_name() -> None:
    (point,) = entry_points(group="archlang.backends", name="numpy")
    assert point.load() is backend
    assert backend_of("numpy") is backend


def test_a_file_carries_the_network_to_torch_and_back(tmp_path: Path) -> None:
    graph = small()
    weights = {address: array.astype(np.float32) for address, array in random_weights(graph).items()}
    network, theirs, back = backend.build(graph), archlang_torch.backend.build(graph), backend.build(graph, 1)
    backend.set_weights(graph, network, weights)
    write_weights(tmp_path / "ours", backend.weights(graph, network))
    archlang_torch.backend.set_weights(graph, theirs, read_weights(tmp_path / "ours"))
    write_weights(tmp_path / "theirs", archlang_torch.backend.weights(graph, theirs))
    backend.set_weights(graph, back, read_weights(tmp_path / "theirs"))
    found = backend.weights(graph, back)
    assert list(found) == list(graph.weights)
    assert all(np.array_equal(found[address], weights[address]) for address in weights)


def test_weights_are_copied_both_ways() -> None:
    graph = tied(1)
    network = backend.build(graph)
    given = backend.weights(graph, network)
    given["t/batch_norm.scale"][:] = 7
    assert network.weights["t/batch_norm.scale"].max() == 1
    backend.set_weights(graph, network, given)
    given["t/batch_norm.scale"][:] = 8
    assert network.weights["t/batch_norm.scale"].max() == 7


def test_weights_that_do_not_fit() -> None:
    graph = tied(1)
    with pytest.raises(ArchError, match=r"the network has no weight `extra`") as caught:
        backend.set_weights(graph, backend.build(graph), {"extra": np.zeros(1)})
    assert {found.code for found in caught.value.diagnostics} == {"E0807"}


def test_weights_have_the_type_of_their_layer() -> None:
    for dtype, kept in (("f16", np.float16), ("bf16", np.float32), ("f32", np.float32), ("f64", np.float64)):
        sketch = Sketch()
        graph = sketch.graph(sketch.linear(sketch.input("x", 4, dtype=dtype), 3))
        network = backend.build(graph)
        assert {array.dtype for array in network.weights.values()} == {np.dtype(kept)}
        assert network(np.ones((2, 4), kept)).dtype == kept


def test_batches_are_joined() -> None:
    sketch = Sketch("two")
    a, b = sketch.input("a", 4), sketch.input("b", 4)
    graph = sketch.graph(sum=sketch.add(a, b), first=sketch.linear(a, 2))
    network = backend.build(graph)
    xs = arrays(graph, 70)
    whole, parts = network(*xs), backend.run(network, *xs)
    assert list(parts) == ["sum", "first"]
    for name in whole:
        np.testing.assert_allclose(parts[name], whole[name], rtol=1e-5, atol=1e-6)
    assert backend.run(network, *[x[:0] for x in xs])["first"].shape == (0, 2)


def test_the_number_of_inputs_is_checked() -> None:
    with pytest.raises(TypeError, match=r"nasbench201 takes 1 inputs \(image\), not 2"):
        backend.build(small())(1, 2)


def test_ops_that_it_cannot_do() -> None:
    sketch = Sketch()
    x = sketch.input("x", 4)
    x = sketch.apply("fourier", sketch.relu(x), output=sketch.shape(x))
    graph = sketch.graph(sketch.apply("linear", x, output=sketch.shape(x), out=4, rank=2))
    assert backend.unsupported(graph) == ("fourier", "linear")
    for refuse in (backend.build, backend.emit):
        with pytest.raises(ArchError) as caught:
            refuse(graph)
        assert [found.message for found in caught.value.diagnostics] == [
            "the numpy backend has no lowering for op `fourier`, which `fourier#1` needs",
            "the numpy backend does not know `rank` of op `linear`, which `linear#1` needs",
        ]


def test_it_does_not_train() -> None:
    pair = np.zeros((2, 3, 32, 32), np.float32), np.zeros(2, int)
    with pytest.raises(ArchError, match="the numpy backend cannot train") as caught:
        backend.fit(backend.build(small()), pair, pair, TrainingSettings())
    assert caught.value.diagnostics[0].code == "E0808"
