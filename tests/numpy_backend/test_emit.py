"""Emitted files: what they look like, that they stand alone, and that they compute the same."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import archlang_torch
import numpy as np
import pytest
from archlang_numpy import LOWERINGS, backend
from archlang_numpy.lowering import ArrayFunction

import archlang as al
from archlang.ir.graph import Graph
from archlang.ir.weights import read_weights, write_weights
from archlang.lowering.source import own_source
from archlang.testing.ops import GRIDS
from tests.conftest import Golden
from tests.graphs import Sketch, nasbench201, relu_conv_bn
from tests.numpy_backend.against_torch import arrays, in_torch, outputs, random_weights
from tests.numpy_backend.test_ops import sample, weights_and_arrays
from tests.torch.test_build import small, tied
from tests.torch.test_emit import wide


def check(graph: Graph) -> str:
    """Assert that the emitted file computes what PyTorch does; the file."""
    source = backend.emit(graph)
    weights, xs = random_weights(graph), arrays(graph)
    names: dict[str, Any] = {}
    exec(compile(source, "network.py", "exec"), names)
    found = outputs(names["network"](*xs, {name: array.astype(np.float32) for name, array in weights.items()}))
    for one, other in zip(found, in_torch(graph, weights, *xs), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)
    return source


def test_a_file(golden: Golden) -> None:
    golden("nasbench201.txt", backend.emit(small(), ["A program.", "cell/edge#1 = conv3"]))


def test_the_file_runs_alone_on_weights_that_torch_saved(tmp_path: Path) -> None:
    graph = small()
    network = archlang_torch.backend.build(graph, seed=3)
    write_weights(tmp_path / "w.safetensors", archlang_torch.backend.weights(graph, network))
    (tmp_path / "net.py").write_text(backend.emit(graph))
    (image,) = arrays(graph, 3)
    np.save(tmp_path / "image.npy", image)
    code = f"""if True:
        import runpy, sys
        import numpy
        sys.modules["archlang"] = sys.modules["torch"] = None
        sys.argv = ["net.py", "w.safetensors", "image.npy"]
        names = runpy.run_path({str(tmp_path / "net.py")!r}, run_name="__main__")
        result = names["network"](numpy.load("image.npy"), names["load"]("w.safetensors"))
        numpy.save("result.npy", result)
    """
    ran = subprocess.run([sys.executable, "-I", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.stderr == ""
    assert ran.stdout.startswith("output: (3, 10)\n[[")
    result = np.load(tmp_path / "result.npy")
    ours = backend.build(graph)
    backend.set_weights(graph, ours, read_weights(tmp_path / "w.safetensors"))
    np.testing.assert_array_equal(result, ours(image))
    np.testing.assert_allclose(result, archlang_torch.backend.run(network, image), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("given", [[], ["w.safetensors"]], ids=["nothing", "weights"])
def test_the_file_run_without_inputs(tmp_path: Path, given: list[str]) -> None:
    graph = al.load("std.models.bert:bert_mini", {"length": 5}).program().graph
    write_weights(tmp_path / "w.safetensors", backend.weights(graph, backend.build(graph)))
    (tmp_path / "net.py").write_text(backend.emit(graph))
    command = [sys.executable, "-I", "net.py", *given]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    if given:
        assert (ran.returncode, ran.stderr) == (0, "")
        assert ran.stdout.startswith("hidden: (1, 5, 256)\n")
        assert "pooled: (1, 256)\n" in ran.stdout
    else:
        assert (ran.returncode, ran.stdout) == (1, "")
        assert ran.stderr == "usage: python net.py weights.safetensors [tokens.npy] [segment.npy]\n"


def test_load_reads_what_the_core_writes(tmp_path: Path) -> None:
    graph = small()
    write_weights(tmp_path / "w.safetensors", backend.weights(graph, backend.build(graph)))
    names: dict[str, Any] = {}
    exec(compile(backend.emit(graph), "network.py", "exec"), names)
    found, expected = names["load"](str(tmp_path / "w.safetensors")), read_weights(tmp_path / "w.safetensors")
    assert list(found) == list(expected)
    assert all(np.array_equal(found[name], expected[name]) for name in expected)


def graphs() -> list[Graph]:
    picked = [case.graph("f64") for op in GRIDS for case in sample(op)]
    bert = al.load("std.models.bert:bert_mini", {"length": 5}).program().graph
    darts = al.load("std.spaces.darts").sample(seed=3).graph
    return [small(), wide(), tied(3), nasbench201(), bert, darts, al.load("std.spaces.mobile").sample(0).graph, *picked]


@pytest.mark.skipif(find_spec("ruff") is None, reason="ruff is not installed")
def test_files_are_formatted(tmp_path: Path) -> None:
    for number, graph in enumerate(graphs()):
        (tmp_path / f"network_{number}.py").write_text(backend.emit(graph, ["some", "choices"]))
    command = [sys.executable, "-m", "ruff", "format", "--isolated", "--line-length", "100", "--diff", str(tmp_path)]
    assert subprocess.run(command, capture_output=True, text=True, check=False).stdout == ""
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "F,I,E9,W", str(tmp_path)]
    assert subprocess.run(command, capture_output=True, text=True, check=False).stdout == "All checks passed!\n"


def test_files_import_numpy_and_the_standard_library() -> None:
    for graph in graphs():
        source = backend.emit(graph)
        assert max(map(len, source.splitlines())) <= 100
        nodes = list(ast.walk(ast.parse(source)))
        imported = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
        assert imported <= {"json", "math", "sys", "numpy"}
        assert {node.module for node in nodes if isinstance(node, ast.ImportFrom)} == {"pathlib"}


@pytest.mark.parametrize("op", LOWERINGS.ops)
def test_sources_to_copy_fit_the_line_length(op: str) -> None:
    lowered = LOWERINGS.get(op)
    if isinstance(lowered, ArrayFunction):
        assert max(map(len, own_source(lowered.function).splitlines())) <= 100


@pytest.mark.parametrize("op", GRIDS)
def test_emitted_op_is_the_built_one(op: str) -> None:
    for case in sample(op):
        graph = case.graph("f64")
        weights, xs = weights_and_arrays(graph)
        names: dict[str, Any] = {}
        exec(compile(backend.emit(graph), "network.py", "exec"), names)
        network = backend.build(graph)
        backend.set_weights(graph, network, weights)
        np.testing.assert_array_equal(names["network"](*xs, network.weights), network(*xs), err_msg=str(case))


def test_calls_that_count_on_are_loops() -> None:
    sketch = Sketch("loops")
    x = sketch.input("x", 4, 8, 8)
    for i in (1, 2, 3, 5):
        with sketch.block(f"stage[{i}]:a", "unit"):
            x = relu_conv_bn(sketch, x, 4, 3)
    source = check(sketch.graph(sketch.relu(x)))
    assert (
        source[source.index("def network") : source.index("def load")]
        == '''def network(x: Array, w: Weights) -> Array:
    """The whole network `loops`: [n, 4, 8, 8] -> [n, 4, 8, 8]."""
    for i in range(1, 4):
        x = unit(x, w, f"stage[{i}]:a")
    x = unit(x, w, "stage[5]:a")
    return np.maximum(x, 0)


'''
    )


def test_what_is_used_twice_is_no_part_of_a_loop() -> None:
    sketch = Sketch("used")
    x = sketch.input("x", 4, 8, 8)
    found = []
    for i in range(4):
        with sketch.block(f"stage[{i}]", "unit"):
            x = relu_conv_bn(sketch, x, 4, 3)
        found.append(x)
    source = check(sketch.graph(a=found[1], b=found[3]))
    assert source.count("for i in range(2):") == source.count("for i in range(2, 4):") == 1


def test_tied_blocks_are_called_again() -> None:
    source = check(tied(3))
    assert '    for _ in range(3):\n        x = unit(x, w, "t")\n' in source


def test_tied_operations_that_differ() -> None:
    sketch = Sketch()
    x = sketch.input("x", 4, 8, 8)
    a = sketch.conv2d(x, 4, site="a")
    with sketch.block("again", "unit", home=""):
        b = sketch.conv2d(x, 4, stride=2, site="a")
    source = check(sketch.graph(a=a, b=b))
    assert source.count('kernel=w["a.kernel"]') == 2


def test_what_varies_is_a_parameter_and_defaults_are_left_out() -> None:
    sketch = Sketch("varying")
    x = sketch.input("x", 4, 8, 8)
    for i, (kernel, bias) in enumerate(((1, False), (3, False), (3, True))):
        with sketch.block(f"unit[{i}]", "unit"):
            x = sketch.avg_pool2d(sketch.conv2d(x, 4, kernel, bias=bias, site="conv2d"), 3)
    source = check(sketch.graph(x))
    assert "def unit(x: Array, w: Weights, at: str, padding: int) -> Array:\n" in source
    assert '    x = conv(x, kernel=w[f"{at}/conv2d.kernel"], padding=padding)\n' in source
    assert "def unit_2(x: Array, w: Weights, at: str) -> Array:\n" in source
    assert "    return avg_pool(x, kernel=3, padding=1)\n" in source
    assert '    x = unit(x, w, "unit[1]", padding=1)\n' in source


def test_blocks_without_weights_take_none() -> None:
    sketch = Sketch("bare")
    x = sketch.input("x", 4, 8, 8)
    with sketch.block("a", "twice"):
        x = sketch.add(sketch.relu(x), x)
    source = check(sketch.graph(x))
    assert "def twice(x: Array) -> Array:" in source
    assert "    return twice(x)\n" in source


def test_blocks_with_several_results() -> None:
    sketch = Sketch("several")
    x = sketch.input("x", 4)
    with sketch.block("split", "halves"):
        a, b = sketch.linear(x, 3), sketch.linear(x, 3)
    source = check(sketch.graph(sketch.add(sketch.relu(a), b)))
    assert "def halves(x: Array, w: Weights, at: str) -> tuple[Array, Array]:" in source
    assert 'split, split_2 = halves(x, w, "split")' in source


@pytest.mark.parametrize("name", ["np", "w", "network", "conv", "windows", "class", "2d net", "load", "print", ""])
def test_awkward_names(name: str) -> None:
    sketch = Sketch(name)
    x = sketch.input("w", 4, 8, 8)
    with sketch.block("at", name or "i"):
        x = relu_conv_bn(sketch, x, 4, 3)
    with sketch.block("np", 'a "quoted" \\ name'):
        y = relu_conv_bn(sketch, x, 4, 1)
    with sketch.block('{x}"\\', "range"):
        z = relu_conv_bn(sketch, y, 4, 1)
    with sketch.block("conv[0]", "sum"), sketch.block('{i}"\\', "unit"):
        z = sketch.conv2d(relu_conv_bn(sketch, z, 4, 1), 4, 3, site="i")
    check(sketch.graph(sketch.concat(x, y, z)))
