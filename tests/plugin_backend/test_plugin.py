"""A backend that is installed beside archlang: it is found, and keeps to the contract."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import archlang as al
from archlang.backend import backend as backend_of
from archlang.backend import backends
from archlang.testing.backend import BackendContract

HERE = Path(__file__).parent

DENSE = """
use std.nn
block unit(x: [n, d]) { x |> linear(d) >> tanh }
space small(x: f32[n, 3, 8]) { x |> flatten >> linear(8) |> repeat(2, unit) |> relu >> linear(5, bias=false) }
"""


@pytest.fixture(scope="module", autouse=True)
def installed(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The plug-in, installed from its own project into a folder of its own."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*command, "--disable-pip-version-check", "--target", str(folder), str(HERE)], check=True)
    sys.path.insert(0, str(folder))
    backend_of.cache_clear()
    TestDense.backend = import_module("archlang_dense").backend
    yield folder
    sys.path.remove(str(folder))
    backend_of.cache_clear()


class TestDense(BackendContract):
    trains = False
    program = DENSE


def test_it_is_found_by_its_name(installed: Path) -> None:
    assert metadata.version("archlang-dense") == "0.1"
    assert "dense" in backends()
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    listed = subprocess.run(
        [sys.executable, "-m", "archlang.cli.main", "list"], env=environment, capture_output=True, text=True, check=True
    )
    assert "dense" in listed.stdout.splitlines()[-1]


def test_a_program_is_built_and_written() -> None:
    program = al.loads(DENSE).program({})
    network = program.build("dense", seed=3)
    x = np.random.default_rng(0).normal(size=(4, 3, 8)).astype(np.float32)
    names: dict[str, Any] = {}
    exec(program.emit("dense"), names)
    np.testing.assert_array_equal(names["network"](x, network.weights), backend_of("dense").run(network, x))


def test_what_it_cannot_do_is_said() -> None:
    program = al.load("std.spaces.nasbench201").sample(seed=0)
    with pytest.raises(al.ArchError) as caught:
        program.build("dense")
    assert {found.code for found in caught.value.diagnostics} == {"E0803"}
    assert "the dense backend does dense networks only, and not op `conv2d`" in str(caught.value)
