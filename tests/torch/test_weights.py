"""Weights by address, in memory and in files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from archlang_torch import backend

from archlang.diagnostics import ArchError
from archlang.ir.weights import read_weights, write_weights
from tests.torch.emitted import module_of
from tests.torch.test_build import images, small, tied


def test_a_file_carries_the_network(tmp_path: Path) -> None:
    graph, path = small(), tmp_path / "weights.safetensors"
    network, other = backend.build(graph, seed=1).eval(), backend.build(graph, seed=2).eval()
    backend.save_weights(graph, network, path)
    assert list(read_weights(path)) == list(graph.weights)
    backend.load_weights(graph, other, path)
    assert torch.equal(other(images()), network(images()))
    emitted = module_of(graph).eval()
    backend.load_weights(graph, emitted, path)
    torch.testing.assert_close(emitted(images()), network(images()))


def test_tied_weights_are_written_once() -> None:
    graph = tied(3)
    assert list(backend.weights(graph, backend.build(graph))) == [
        "t/conv2d.kernel",
        "t/batch_norm.scale",
        "t/batch_norm.bias",
        "t/batch_norm.mean",
        "t/batch_norm.variance",
    ]


def test_the_file_is_in_the_safetensors_format(tmp_path: Path) -> None:
    path = tmp_path / "weights"
    kernel = np.arange(6, dtype=np.float32).reshape(2, 3)
    arrays = {"a/ä.kernel": kernel, "b": np.array([True, False]), "c": np.array(2)}
    write_weights(path, arrays)
    data = path.read_bytes()
    size = int.from_bytes(data[:8], "little")
    head = json.loads(data[8 : 8 + size])
    assert head["a/ä.kernel"] == {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}
    assert size % 8 == 0
    found = read_weights(path)
    assert list(found) == list(arrays)
    for name, value in arrays.items():
        assert found[name].shape == value.shape
        np.testing.assert_array_equal(found[name], value)


def test_weights_that_do_not_fit() -> None:
    graph = tied(1)
    network = backend.build(graph)
    weights = backend.weights(graph, network)
    del weights["t/batch_norm.mean"]
    weights["t/batch_norm.bias"] = np.zeros(5, np.float32)
    weights["extra"] = np.zeros(1, np.float32)
    with pytest.raises(ArchError) as caught:
        backend.set_weights(graph, network, weights)
    assert [(found.code, found.message) for found in caught.value.diagnostics] == [
        ("E0807", "the weight `t/batch_norm.bias` has the shape [5], not [4]"),
        ("E0807", "the weight `t/batch_norm.mean` is missing"),
        ("E0807", "the network has no weight `extra`"),
    ]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"short",
        b"\xff" * 20,
        b"\x02" + bytes(7) + b"[]",
        (64).to_bytes(8, "little") + b'{"a":{"dtype":"F32","shape":[9],"data_offsets":[0,36]}}'.ljust(64) + b"1234",
        (64).to_bytes(8, "little") + b'{"a":{"dtype":"X","shape":[9],"data_offsets":[0,36]}}'.ljust(64) + bytes(36),
    ],
)
def test_files_that_are_no_weights(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "weights"
    path.write_bytes(data)
    with pytest.raises(ArchError, match="is not a weight file") as caught:
        read_weights(path)
    assert caught.value.diagnostics[0].code == "E0806"


def test_files_that_cannot_be_reached(tmp_path: Path) -> None:
    with pytest.raises(ArchError, match=r"cannot read weights from `.*gone`: No such file"):
        read_weights(tmp_path / "gone")
    with pytest.raises(ArchError, match=r"cannot write weights to `.*`: Is a directory"):
        write_weights(tmp_path, {})
