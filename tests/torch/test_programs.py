"""Programs of the library: what the declarations predict is what PyTorch does."""

from __future__ import annotations

import copy
from functools import cache
from typing import Any

import pytest
import torch
from archlang_torch import backend, build
from hypothesis import given, settings
from hypothesis import strategies as st

from archlang.ir.types import SymbolicDim
from archlang.space import Space, load
from tests.torch.emitted import namespace_of
from tests.torch.running import results_of, samples_for, values_of

SPACES: dict[str, dict[str, Any]] = {
    "std.spaces.nasbench201": {"channels": 4, "repeats": 2},
    "std.spaces.darts": {"channels": 4, "layers": 4},
    "std.spaces.mobile": {"width": 0.25, "classes": 10},
    "std.models.bert:bert_mini": {"length": 12},
    "std.models.resnet:resnet18": {"classes": 7, "size": 32},
    "std.models.vit:vit_ti_16": {"classes": 5, "size": 32},
}


@cache
def space(name: str) -> Space:
    return load(name, SPACES[name])


def check(name: str, seed: int) -> None:
    """Shapes, parameters and outputs of one program, however it is run."""
    graph = space(name).sample(seed=seed).graph
    network = build(graph, seed=seed).eval()
    assert sum(weight.numel() for weight in network.parameters()) == sum(
        spec.elements for spec in graph.weights.values() if spec.trained
    )
    inputs = samples_for(graph)
    with torch.no_grad():
        values = values_of(graph, network, inputs)
        for number, value in enumerate(values):
            predicted = [2 * dim.factor if isinstance(dim, SymbolicDim) else dim for dim in graph.type_of(number).shape]
            assert list(value.shape) == predicted
        emitted = namespace_of(backend.emit(graph, ["choices"]))["build"]().eval()
        emitted.load_state_dict(network.state_dict())
        found = results_of(network, inputs)
        for one, other, output in zip(found, results_of(emitted, inputs), graph.outputs, strict=True):
            torch.testing.assert_close(one, values[output.value], rtol=1e-4, atol=1e-5)
            torch.testing.assert_close(other, one, rtol=1e-6, atol=1e-6)
        copied = results_of(copy.deepcopy(network), inputs)
        assert all(torch.equal(one, other) for one, other in zip(found, copied, strict=True))


@pytest.mark.parametrize("name", SPACES)
def test_prediction_and_execution_agree(name: str) -> None:
    check(name, 0)


@given(st.integers(0, 10**6))
@settings(max_examples=8, deadline=None, derandomize=True)
def test_any_nasbench201_program(seed: int) -> None:
    check("std.spaces.nasbench201", seed)


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", [name for name in SPACES if "spaces" in name])
@given(seed=st.integers(0, 10**6))
@settings(max_examples=30, deadline=None)
def test_any_program(name: str, seed: int) -> None:
    check(name, seed)
