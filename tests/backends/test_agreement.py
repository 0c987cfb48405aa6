"""PyTorch = TensorFlow = numpy = ONNX: programs of all spaces and networks of the library, and random ones."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import archlang as al
from archlang.backend import backend as backend_of
from archlang.ir.weights import read_weights
from archlang.semantics.modules import Loader, library_modules
from archlang.syntax import ast
from tests.backends.agreement import BACKENDS, compare, samples
from tests.numpy_backend.against_torch import random_weights
from tests.space.random_spaces import network_spaces

# What a space is given where it takes it.
SMALL = {"channels": 8, "classes": 7, "layers": 4, "length": 6, "repeats": 1, "size": 32, "width": 0.25}
OTHERS: dict[str, dict[str, int]] = {
    "std.models.alexnet:alexnet": {"size": 67},
    "std.models.inception_v3:inception_v3": {"size": 79},
    "std.spaces.nasbench_graph:nasbench_graph": {"width": 8, "nodes": 12, "features": 5, "links": 20},
}
ABSTRACT = ["std.spaces.nasbench101:cells"]  # graphs of vertices that compute nothing


def targets(package: str) -> list[str]:
    """All spaces of the modules of a package of the library."""
    modules = [name for name in library_modules() if name.startswith(f"std.{package}.")]
    return [f"{name}:{space}" for name in modules for space in Loader().load_library(name).spaces()]


SPACES = [target for target in targets("spaces") if target not in ABSTRACT]
MODELS = targets("models")
QUICK = [target for target in SPACES if target.endswith(("nasbench101", "nasbench201", "macro"))]


@cache
def space(target: str) -> al.Space:
    """A space with small settings."""
    module, _, name = target.partition(":")
    declared = Loader().load_library(module).declaration(name)
    assert isinstance(declared, ast.Space)
    taken = {parameter.name for parameter in declared.config}
    return al.load(target, {name: value for name, value in SMALL.items() if name in taken} | OTHERS.get(target, {}))


def check(target: str, seed: int, exported: bool = True, tolerance: float = 1e-5) -> None:
    with TemporaryDirectory() as folder:
        compare(space(target).sample(seed), Path(folder), seed, exported=exported).assert_equal(tolerance)


# ---------------------------------------------------------------- spaces


def test_the_library_is_found() -> None:
    assert len(SPACES) >= 9
    assert len(MODELS) >= 30


@pytest.mark.parametrize("target", SPACES)
def test_a_program_of_each_space(target: str) -> None:
    check(target, 1, exported=target in QUICK)


@given(seed=st.integers(0, 10**6))
@settings(max_examples=5, deadline=None, derandomize=True)
def test_any_program_of_nasbench101(seed: int) -> None:
    check("std.spaces.nasbench101:nasbench101", seed, exported=False)


@pytest.mark.exhaustive
@pytest.mark.parametrize("target", SPACES)
@given(seed=st.integers(0, 10**6))
@settings(max_examples=12, deadline=None)
def test_any_program_of_each_space(target: str, seed: int) -> None:
    """A channel that hardly varies has its rounding errors blown up by the normalisation after it."""
    check(target, seed, tolerance=3e-5)


@pytest.mark.exhaustive
@pytest.mark.parametrize("target", MODELS)
def test_all_models(target: str) -> None:
    """On small images PyTorch, TensorFlow and numpy are each 5e-5 to 8e-5 from float64 in ResNet-101."""
    check(target, 0, tolerance=1e-4)


@pytest.mark.parametrize("target", ABSTRACT)
@pytest.mark.parametrize("name", BACKENDS)
def test_what_computes_nothing_is_refused(target: str, name: str) -> None:
    with pytest.raises(al.ArchError, match="has no lowering for op `vertex`"):
        space(target).sample(0).build(name)


def check_random(text: str, exported: bool) -> None:
    try:
        program = al.loads(text).sample(seed=1)
    except al.ArchError:
        assume(False)
        return
    with TemporaryDirectory() as folder:
        compare(program, Path(folder), exported=exported).assert_equal()


@given(network_spaces())
@settings(max_examples=10, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_random_spaces(text: str) -> None:
    check_random(text, exported=False)


@pytest.mark.exhaustive
@given(network_spaces())
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_many_random_spaces(text: str) -> None:
    check_random(text, exported=True)


# ---------------------------------------------------------------- other kinds of networks

SEQUENCES = """
use std.nn
use std.attention: rotary_attention
use std.feedforward: mixture_of_experts, swiglu
use std.recurrent: mamba
space sequences(tokens: i64[n, 6], more: f32[n, 6, 8]) {
  x = (tokens |> embedding(11, 8)) + more |> position_embedding(6)
  y = x + (x |> rms_norm >> rotary_attention(4, kv_heads=2, window=3)) |> mamba(state=3)
  z = concat([y |> lstm(5), y |> gru(3, reverse=true)], axis=2) |> layer_norm >> swiglu(12)
  { experts: z + (z |> mixture_of_experts(4)), gates: y |> max_reduce(axis=1) >> linear(3) >> softmax }
}
"""
GRAPHS = """
use std.nn
use std.graphs
space graphs(x: f32[6, 5], edges: i64[2, 9]) {
  a = (x, edges) |> gcn(8) >> relu
  b = (a, edges) |> gat(4, heads=2) >> elu
  c = (b, edges) |> sage(8)
  (c, edges) |> gin(7) >> mean(axis=0)
}
"""
QUANTISED = """
use std.nn
space quantised(x: f32[n, 3, 9, 7]) {
  y = x |> quantized_conv2d(8, weight_bits=4, input_bits=8) >> batch_norm >> relu
  z = y |> quantized_conv2d(8, stride=2, groups=2, weight_exponent=4, input_signed=false) >> hswish
  z |> fake_quantize(bits=6, exponent=3) >> flatten >> quantized_linear(5, weight_bits=2)
}
"""
# With a node that nothing reaches, one that reaches itself, and an edge that is there twice.
EDGES = np.array([[0, 1, 2, 3, 0, 4, 5, 1, 1], [1, 0, 1, 2, 2, 4, 3, 3, 3]])


def test_a_transformer(tmp_path: Path) -> None:
    program = space("std.models.bert:bert_mini").sample()
    compare(program, tmp_path).assert_equal()


@pytest.mark.parametrize("text", [SEQUENCES, GRAPHS, QUANTISED], ids=["sequences", "graphs", "quantised"])
def test_other_kinds(tmp_path: Path, text: str) -> None:
    program = al.loads(text).program({})
    inputs = samples(program.graph, 2)
    if text == GRAPHS:
        inputs[1] = EDGES
    compare(program, tmp_path, inputs=inputs).assert_equal()


# ---------------------------------------------------------------- files


@pytest.mark.parametrize("writer", BACKENDS)
def test_every_backend_reads_what_every_backend_writes(tmp_path: Path, writer: str) -> None:
    program = space("std.spaces.nasbench201:nasbench201").sample(3)
    graph, file = program.graph, tmp_path / "weights.safetensors"
    made, (image,) = program.build(writer), samples(program.graph, 2)
    drawn = {address: value.astype(np.float32) for address, value in random_weights(graph).items()}
    backend_of(writer).set_weights(graph, made, drawn)
    program.save_weights(made, file, writer)
    assert set(read_weights(file)) == set(drawn)
    expected = backend_of(writer).run(made, image)
    for reader in BACKENDS:
        other = program.build(reader, seed=1)
        program.load_weights(other, file, reader)
        for address, value in backend_of(reader).weights(graph, other).items():
            np.testing.assert_array_equal(value, drawn[address])
        np.testing.assert_allclose(backend_of(reader).run(other, image), expected, rtol=1e-4, atol=1e-5)
