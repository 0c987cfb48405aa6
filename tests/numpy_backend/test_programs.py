"""Programs of the library and random ones: numpy = PyTorch = the emitted file."""

from __future__ import annotations

from functools import cache
from typing import Any

import archlang_torch
import numpy as np
import pytest
from archlang_numpy import backend
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import archlang as al
from archlang.ir.graph import Graph
from tests.numpy_backend.against_torch import arrays, in_numpy, in_torch, outputs, random_weights
from tests.space.random_spaces import network_spaces
from tests.torch.test_random_graphs import programs

SPACES: dict[str, dict[str, Any]] = {
    "std.spaces.nasbench201": {"channels": 4, "repeats": 2},
    "std.spaces.darts": {"channels": 4, "layers": 4},
    "std.spaces.mobile": {"width": 0.25, "classes": 10},
    "std.models.bert:bert_mini": {"length": 12},
    "std.models.vit:vit_ti_16": {"classes": 5, "size": 32},
    "std.models.googlenet": {"classes": 5},
    "std.models.shufflenet_v2:shufflenet_v2_x0_5": {"classes": 5},
}


@cache
def space(name: str) -> al.Space:
    return al.load(name, SPACES[name])


def emitted(graph: Graph) -> Any:
    """The function of the emitted file."""
    names: dict[str, Any] = {}
    exec(compile(backend.emit(graph, ["choices"]), "network.py", "exec"), names)
    return names["network"]


def check(graph: Graph, tolerance: float) -> None:
    weights, xs = random_weights(graph), arrays(graph, 1)
    expected, found = in_torch(graph, weights, *xs), in_numpy(graph, weights, *xs)
    again = outputs(emitted(graph)(*xs, {name: array.astype(np.float32) for name, array in weights.items()}))
    for one, other, third in zip(found, expected, again, strict=True):
        assert one.dtype == other.dtype
        scale = max(1.0, float(np.abs(other).max()))
        np.testing.assert_allclose(one, other, rtol=0, atol=tolerance * scale)
        np.testing.assert_array_equal(third, one)


@pytest.mark.parametrize("name", SPACES)
def test_programs_of_the_library(name: str) -> None:
    check(space(name).sample(seed=0).graph, 1e-5)


@pytest.mark.parametrize("name", [name for name in SPACES if "spaces" in name])
@given(seed=st.integers(0, 10**6))
@settings(max_examples=4, deadline=None, derandomize=True)
def test_any_program_of_a_space(name: str, seed: int) -> None:
    check(space(name).sample(seed=seed).graph, 1e-5)


@given(network_spaces())
@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_programs_of_random_spaces(text: str) -> None:
    try:
        program = al.loads(text).sample(seed=1)
    except al.ArchError:
        assume(False)
        return
    check(program.graph, 1e-5)


@given(programs())
@settings(max_examples=60, deadline=None, derandomize=True)
def test_random_graphs_with_blocks_and_ties(graph: Graph) -> None:
    """Ties between operations of different weights are left out: the language refuses them."""
    shapes: dict[str, object] = {}
    for node in graph.nodes:
        weights = node.operation.weights
        if weights and shapes.setdefault(node.weights_at, weights) != weights:
            return
    check(graph, 1e-5)


@pytest.mark.parametrize("name", ["std.spaces.nasbench201", "std.models.bert:bert_mini"])
def test_weights_are_drawn_as_for_torch(name: str) -> None:
    graph = space(name).sample(seed=0).graph
    ours = backend.weights(graph, backend.build(graph, seed=5))
    theirs = archlang_torch.backend.weights(graph, archlang_torch.backend.build(graph, seed=5))
    assert list(ours) == list(theirs)
    assert all(np.array_equal(ours[address], theirs[address]) for address in ours)
    assert all(array.dtype == np.float32 for array in ours.values())
