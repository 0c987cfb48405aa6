"""Emitted Keras files: what they look like, that they stand alone, and that they compute the same."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from archlang_tensorflow import backend

import archlang as al
from archlang.ir.graph import Graph
from tests.conftest import Golden
from tests.tensorflow.emitted import emitted_network
from tests.tensorflow.running import both
from tests.tensorflow.test_build import small
from tests.torch.emitted import namespace_of
from tests.torch.test_build import tied
from tests.torch.test_emit import wide

SMALL = small()


def same(graph: Graph) -> None:
    made = both(graph)
    emitted = emitted_network(graph, made.weights, ("some", "choices"))
    found, expected = backend.run(emitted, *made.inputs), made.results()[0]
    for name, value in (found if isinstance(found, dict) else {"": found}).items():
        np.testing.assert_allclose(value, expected[name], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("graph", [SMALL, wide(), tied(3)], ids=["nasbench201", "wide", "tied"])
def test_emitted_networks_compute_the_same(graph: Graph) -> None:
    same(graph)


def test_the_text(golden: Golden) -> None:
    golden("nasbench201.py.txt", backend.emit(SMALL, ["Choices:", "edge = conv3"]))


def test_what_is_known_is_decided() -> None:
    """Also where a number is infinite."""
    graph = al.loads("use std.nn\nspace s(x: f32[n, 4, 8, 8]) { x |> max_pool2d(3, stride=2) }").program({}).graph
    pad = 'x = ops.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=float("-inf"))'
    assert f"        {pad}\n" in backend.emit(graph)


def test_the_file_is_formatted_and_runs_without_archlang(tmp_path: Path) -> None:
    path = tmp_path / "network.py"
    for graph in (wide(), tied(3), SMALL):
        path.write_text(backend.emit(graph, ["some", "choices"]))
        command = [sys.executable, "-m", "ruff", "format", "--isolated", "--line-length", "100", "--diff", str(path)]
        assert subprocess.run(command, capture_output=True, text=True, check=False).stdout == ""
    code = (
        "import sys, runpy; sys.modules['archlang'] = sys.modules['archlang_tensorflow'] = None;"
        f"runpy.run_path({str(path)!r}, run_name='__main__')"
    )
    ran = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=False)
    parameters = sum(spec.elements for spec in SMALL.weights.values() if spec.trained)
    assert ran.stdout == f"output: (1, 10)\nparameters: {parameters}\n", ran.stderr


def test_weights_of_emitted_networks(tmp_path: Path) -> None:
    """They are given and taken by address, and in Keras's own files."""
    made = both(SMALL)
    emitted = emitted_network(SMALL, made.weights)
    found = backend.weights(SMALL, emitted)
    assert all(np.array_equal(found[address], value) for address, value in made.weights.items())
    emitted.save_weights(tmp_path / "net.weights.h5")
    fresh = namespace_of(backend.emit(SMALL))["build"]()
    fresh.load_weights(tmp_path / "net.weights.h5")
    assert np.array_equal(backend.run(fresh, *made.inputs), backend.run(emitted, *made.inputs))
