"""The TensorFlow meter: what it runs, and how; a table from it. Nothing is said of how long that takes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf
from archlang_tensorflow import profiling

import archlang as al
from archlang.backend import profiler
from archlang.cost.table import CostTable, configuration
from archlang.evaluate.profiling import Timing, alone, profile

SPACE = """
use std.nn
space s(x: f32[n, 3, 8, 8]) {
  x |> conv2d(choose [4, 6]) >> batch_norm >> dropout(0.5) |> choose { a: max_pool2d(3), b: relu } |> global_avg_pool
}
"""


def test_networks_are_compiled_in_evaluation_mode_for_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    networks: list[Any] = []
    timed = profiling.TensorFlowMeter._timed

    def watched(meter: profiling.TensorFlowMeter, function: Any, given: Any) -> Any:
        networks.append((function, given))
        return timed(meter, function, given)

    monkeypatch.setattr(profiling.TensorFlowMeter, "_timed", watched)
    with profiler("tensorflow").meter("cpu", 1, 5) as meter:
        assert meter.info["backend"] == f"tensorflow {tf.__version__}"
        assert meter.info["device"].startswith("cpu:0, ")
        run = meter.prepare(al.loads(SPACE).program({"out": 4, "choice": "a"}).graph)
        assert all(isinstance(taken, int) and taken > 0 for taken in (run(), run()))
    _, (function, given) = networks  # after the call that computes nothing
    assert [each.shape for each in given] == [(5, 8, 8, 3)]
    made = tf.function(function).get_concrete_function(*given)
    assert [result.shape for result in made.outputs] == [(5, 4)]
    kinds = {operation.type for operation in made.graph.get_operations()}
    assert {"Conv2D", "MaxPool"} <= kinds
    assert not {"AssignVariableOp", "RandomUniform", "StatelessRandomUniformV2", "Transpose"} & kinds


@pytest.mark.parametrize("text", ["i64[n, 6]) { x |> embedding(7, 4)", "bf16[n, 6]) { x |> relu", "f64[n, 6]) { x + x"])
def test_inputs_are_of_the_types_that_ops_take(text: str) -> None:
    space = al.loads(f"use std.nn\nspace s(x: {text} }}")
    with profiler("tensorflow").meter("cpu", 1, 2) as meter:
        for operation in space.operations()[0]:
            assert meter.prepare(alone(operation))() > 0


def test_a_table_has_every_operation_and_is_kept(tmp_path: Path) -> None:
    space, path = al.loads(SPACE), tmp_path / "t.csv"
    timing = Timing("tensorflow", repeats=2, programs=3)
    table = profile(space, path, timing)
    assert {(row.op, row.attributes, row.inputs) for row in table.rows} == {
        configuration(operation) for operation in space.operations()[0]
    }
    assert all(row.value > 0 and row.runs == 2 for row in table.rows)
    assert table.info["fitted on"].startswith(("1 programs", "2 programs", "3 programs"))
    assert profile(space, path, timing) == CostTable.read(path) == table


@pytest.mark.parametrize(("threads", "clock"), [(1, "CPU time of the process"), (2, "wall")])
def test_the_clock_is_that_of_the_threads(threads: int, clock: str) -> None:
    """In a process of its own, as TensorFlow is told once how many threads it has."""
    lines = (
        "from archlang.backend import profiler",
        f"with profiler('tensorflow').meter('cpu', {threads}, 1) as meter:",
        "    print(meter.info['clock'])",
    )
    found = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=True)
    assert found.stdout == f"{clock}, less that of an empty call\n"


def test_a_device_that_is_not_there() -> None:
    with pytest.raises(al.ArchError, match="E0805"), profiler("tensorflow").meter("gpu:9", 1, 1):
        pass
