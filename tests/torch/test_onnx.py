"""ONNX models: what onnxruntime computes is what the network does, and everything has the program's names."""

from __future__ import annotations

import logging
import sys
from functools import cache
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from archlang_torch import LOWERINGS, backend, function
from onnx import numpy_helper

import archlang.backend
from archlang.diagnostics import ArchError
from archlang.ir.graph import Graph
from archlang.ir.types import SymbolicDim, TensorType
from archlang.space import Space, load, loads
from archlang.testing.ops import GRIDS, cases
from tests.torch.cases import CASES, Case
from tests.torch.running import results_of, samples_for
from tests.torch.test_build import tied

SPACES: dict[str, dict[str, Any]] = {
    "std.spaces.nasbench201": {"channels": 4, "repeats": 1},
    "std.spaces.darts": {"channels": 4, "layers": 4},
    "std.spaces.mobile": {"width": 0.25, "classes": 10},
    "std.spaces.ofa_mobilenetv3": {"width": 0.25, "classes": 10, "size": 32},
    "std.models.bert:bert_mini": {"length": 12},
    "std.models.vit:vit_ti_16": {"classes": 5, "size": 32},
    "std.models.googlenet": {"classes": 5, "size": 64},
}

# What the exporter or ONNX once did otherwise, and an op of several ONNX nodes.
TRICKY = ["conv3d", "conv2d", "avg_pool2d-ceil-False", "avg_pool2d-ceil-True", "max_pool2d-ceil", "attention-causal"]


@cache
def space(name: str) -> Space:
    return load(name, SPACES[name])


def check(graph: Graph, path: Path, seed: int = 0) -> onnx.ModelProto:
    """Export a network; the model is right, computes the same for any batch, and holds the weights
    at their addresses. The model."""
    network = backend.build(graph, seed=seed).eval()
    backend.export_onnx(graph, network, path)
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    check_names(graph, model)
    held = {value.name: numpy_helper.to_array(value) for value in model.graph.initializer}
    for address, weight in backend.weights(graph, network).items():
        np.testing.assert_array_equal(held[address], weight)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [given.name for given in session.get_inputs()]
    for samples in (1, 3):
        # Whole numbers may be those of samples.
        inputs = [x if x.is_floating_point() else x.clamp(max=samples - 1) for x in samples_for(graph, samples)]
        found = session.run(None, dict(zip(names, map(torch.Tensor.numpy, inputs), strict=True)))
        with torch.no_grad():
            expected = results_of(network, inputs)
        for one, other in zip(found, expected, strict=True):
            scale = max(float(other.abs().max()), 1e-30)
            np.testing.assert_allclose(one / scale, other.numpy() / scale, rtol=0, atol=1e-5)
            assert one.dtype == other.numpy().dtype
    return model


def check_names(graph: Graph, model: onnx.ModelProto) -> None:
    """Inputs and outputs have the program's names and types, and every node is of a node of the program."""
    addresses = (*[node.address for node in graph.nodes], graph.name)
    for node in model.graph.node:
        assert node.name.rpartition("/")[0] in addresses
    assert len({node.name for node in model.graph.node}) == len(model.graph.node)
    types = [given.type for given in graph.inputs] + [graph.type_of(output.value) for output in graph.outputs]
    for value, type in zip([*model.graph.input, *model.graph.output], types, strict=True):
        dims = [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]
        assert dims == [dim.name if isinstance(dim, SymbolicDim) else dim for dim in type.shape]
    assert str(Path(torch.__file__).parent) not in str(model), "no traces of where it was made"


# ---------------------------------------------------------------- programs


def test_a_program(tmp_path: Path) -> None:
    graph = space("std.spaces.nasbench201").sample(3).graph
    model = check(graph, tmp_path / "net.onnx", 3)
    assert [value.name for value in model.graph.input] == ["image"]
    assert [value.name for value in model.graph.output] == ["output"]
    kernels = {name for node in model.graph.node if node.op_type == "Conv" for name in node.input[1:]}
    assert kernels == {name for name in graph.weights if name.endswith("conv2d.kernel")}
    edges = [node.name for node in model.graph.node if "edge#4:conv3/conv2d" in node.name]
    assert edges == [f"shared#{stage}[0]/edge#4:conv3/conv2d/Conv" for stage in (1, 2, 3)]


TEXT = """
use std.nn
space text(length: int = 6)(tokens: i64[batch, length]) {
  x = tokens |> embedding(11, 8) |> position_embedding(length)
  z = x |> layer_norm
  y = x + attention(2, causal=true)(z, z, z)
  { scores: y |> linear(11), pooled: { mean: y |> mean(axis=1), again: x } }
}
"""


def test_a_program_of_text_with_named_outputs(tmp_path: Path) -> None:
    model = check(loads(TEXT).sample().graph, tmp_path / "net.onnx")
    assert [value.name for value in model.graph.input] == ["tokens"]
    assert [value.name for value in model.graph.output] == ["scores", "pooled.mean", "pooled.again"]


@pytest.mark.parametrize(
    ("body", "inputs", "outputs"),
    [
        ("x", ["x", "unused"], ["output"]),
        ("{x: x, y: x, z: x |> relu}", ["x", "unused"], ["x_", "y", "z"]),
        ("{ a: x |> relu, unused: unused |> relu }", ["x", "unused"], ["a", "unused_"]),
    ],
)
def test_names_and_values_that_meet(tmp_path: Path, body: str, inputs: list[str], outputs: list[str]) -> None:
    graph = loads(f"use std.nn\nspace s(x: f32[n, 4], unused: f32[n, 4]) {{ {body} }}").sample().graph
    model = check(graph, tmp_path / "net.onnx")
    assert [value.name for value in model.graph.input] == inputs
    assert [value.name for value in model.graph.output] == outputs


def test_tied_weights_are_held_once(tmp_path: Path) -> None:
    graph = tied(3)
    model = check(graph, tmp_path / "net.onnx")
    names = [value.name for value in model.graph.initializer]
    assert sorted(names) == sorted(graph.weights)
    assert sum("t/conv2d.kernel" in node.input for node in model.graph.node) == 3


def test_exporting_changes_nothing_and_says_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    program = loads("use std.nn\nspace s(x: f32[n, 4]) { x |> linear(3) |> batch_norm |> dropout(0.5) }").sample()
    network = program.build().train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    program.export_onnx(network, tmp_path / "net.onnx")
    assert all(module.training for module in network.modules())
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name])
    assert capfd.readouterr() == ("", "")
    assert [record for record in caplog.records if record.levelno >= logging.INFO] == []
    assert [path.name for path in tmp_path.iterdir()] == ["net.onnx"]


@pytest.mark.exhaustive
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", SPACES)
def test_all_programs(tmp_path: Path, name: str, seed: int) -> None:
    check(space(name).sample(seed).graph, tmp_path / "net.onnx", seed)


# ---------------------------------------------------------------- ops


def single_precision(graph: Graph) -> Graph:
    """The graph with f32 for f64."""

    def changed(type: TensorType) -> TensorType:
        return attrs.evolve(type, dtype="f32") if type.dtype == "f64" else type

    nodes = []
    for node in graph.nodes:
        operation = node.operation
        types = tuple(map(changed, operation.inputs))
        nodes.append(
            attrs.evolve(node, operation=attrs.evolve(operation, inputs=types, output=changed(operation.output)))
        )
    inputs = tuple([attrs.evolve(given, type=changed(given.type)) for given in graph.inputs])
    return attrs.evolve(graph, inputs=inputs, nodes=tuple(nodes))


@pytest.mark.parametrize("case", [case for case in CASES if str(case) in TRICKY], ids=str)
def test_ops_that_need_care(tmp_path: Path, case: Case) -> None:
    check(single_precision(case.graph()), tmp_path / "net.onnx")


@pytest.mark.exhaustive
@pytest.mark.parametrize("case", CASES, ids=str)
def test_all_ops(tmp_path: Path, case: Case) -> None:
    check(single_precision(case.graph()), tmp_path / "net.onnx")


@pytest.mark.parametrize("pool", ["max_pool2d(3, stride=3, padding=1, ceil=true)", "max_pool2d(2, stride=3, ceil=true)",
    "avg_pool2d(3, stride=3, padding=1, count_padding=true, ceil=true)",
    "avg_pool2d(3, stride=3, padding=1, ceil=true)"])  # fmt: skip
def test_sizes_of_which_one_is_rounded_up(tmp_path: Path, pool: str) -> None:
    """ONNX rounds up also where the window would lie in the padding."""
    graph = loads(
        f"use std.nn\nspace s(x: f32[n, 2, 5, 6], y: f32[n, 2, 7, 6]) {{ {{x: x |> {pool}, y: y |> {pool}}} }}"
    )
    check(graph.sample().graph, tmp_path / "net.onnx")


@pytest.mark.exhaustive
@pytest.mark.parametrize("op", GRIDS)
def test_ops_over_their_grids(tmp_path: Path, op: str) -> None:
    """Some cases of each op, from all over the grid of its arguments."""
    found = list(cases(op))
    for case in found[:: max(1, len(found) // 12)]:
        check(case.graph("f32"), tmp_path / "net.onnx")


def test_the_first_of_equal_experts_are_picked(tmp_path: Path) -> None:
    program = loads("use std.nn\nspace s(x: f32[n, 5]) { x |> top_k_gate(2) }").sample()
    program.export_onnx(program.build(), tmp_path / "net.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx", providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"x": np.array([[3, 7, 3, 7, 7], [1, 1, 1, 1, 1], [2, 5, 2, 2, 2]], np.float32)})
    rest, first = np.exp([2, 5]) / np.exp([2, 5]).sum()
    np.testing.assert_allclose(found, [[0, 0.5, 0, 0.5, 0], [0.5, 0.5, 0, 0, 0], [rest, first, 0, 0, 0]], rtol=1e-6)


# ---------------------------------------------------------------- refusals


def bessel(x: torch.Tensor) -> torch.Tensor:
    return torch.special.bessel_j0(x)


BESSEL = """
use std.nn
op bessel(x: [...dims]) -> [...dims]
space s(x: f32[n, 4]) { x |> bessel |> linear(3) |> bessel }
"""


def test_an_op_that_cannot_be_exported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LOWERINGS, "_lowerings", dict(LOWERINGS._lowerings))
    function("bessel")(bessel)
    program = loads(BESSEL).sample()
    with pytest.raises(ArchError) as caught:
        program.export_onnx(program.build(), tmp_path / "net.onnx")
    (found,) = caught.value.diagnostics
    assert found.code == "E0803"
    assert found.message == "the torch backend cannot export op `bessel` to ONNX, which `bessel#1` needs"
    assert found.notes == ("op `bessel` is applied at `bessel#1`, `bessel#2`",)
    assert list(tmp_path.iterdir()) == []


SMALL = "use std.nn\nspace s(x: f32[n, 4]) { x |> relu }"


@pytest.mark.parametrize("package", ["onnx", "onnxscript"])
def test_what_is_not_installed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    program = loads(SMALL).sample()
    with pytest.raises(ArchError) as caught:
        program.export_onnx(program.build(), tmp_path / "net.onnx")
    assert str(caught.value) == (
        f"error[E0801]: exporting to ONNX needs `{package}`, which is not installed\n"
        "  = help: install it with `pip install archlang[onnx]`"
    )


def test_a_backend_that_does_not_export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archlang.backend, "backend", lambda name: object())
    with pytest.raises(ArchError) as caught:
        loads(SMALL).sample().export_onnx(None, tmp_path / "net.onnx", "abacus")
    assert str(caught.value) == (
        "error[E0803]: the abacus backend does not export to ONNX\n"
        "  = help: save its weights, and load them into a network of the torch backend, which does"
    )


def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    program = loads(SMALL).sample()
    with pytest.raises(ArchError, match=r"cannot write `.*`: Is a directory") as caught:
        program.export_onnx(program.build(), tmp_path)
    assert caught.value.diagnostics[0].code == "E0806"
