"""Ops whose lowerings are more than one call of PyTorch: traced by its compilers, and their gradients."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from archlang_torch import build
from torch import Tensor

from tests.torch.cases import CASES, Case

ROUNDING = ("fake_quantize", "quantized_linear", "quantized_conv2d")
DIFFERENTIABLE = (
    "attention",
    "rotary",
    "window_bias",
    "bucket_bias",
    "lstm",
    "gru",
    "selective_scan",
    "top_k_gate",
    "gather",
    "segment_sum",
    "segment_softmax",
    "avg_pool3d",
)
TRACED = [case for case in CASES if case.op in (*DIFFERENTIABLE, *ROUNDING, "self_loops")]


@pytest.fixture(autouse=True)
def nothing_compiled() -> None:
    """All networks have one `forward`, of which only some versions are kept."""
    torch.compiler.reset()


def network_and_inputs(case: Case) -> tuple[torch.nn.Module, tuple[Tensor, ...]]:
    return build(case.graph(), seed=3), tuple(map(torch.from_numpy, case.arrays()))


@pytest.mark.parametrize("case", TRACED, ids=str)
def test_compiles_without_graph_breaks(case: Case) -> None:
    network, xs = network_and_inputs(case)
    compiled = torch.compile(network, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(*xs), network(*xs))


@pytest.mark.parametrize("case", TRACED, ids=str)
def test_exports(case: Case) -> None:
    network, xs = network_and_inputs(case)
    exported = torch.export.export(network.eval(), xs)
    torch.testing.assert_close(exported.module()(*xs), network(*xs))


@pytest.mark.parametrize("case", [case for case in TRACED if case.op in DIFFERENTIABLE], ids=str)
def test_gradients(case: Case) -> None:
    """Of all inputs of floats and all weights, against differences."""
    network, xs = network_and_inputs(case)
    xs = tuple(x.abs() for x in xs)  # step sizes below zero let a scan grow without bounds
    names = [name for name, _ in network.named_parameters()]
    moved = [x for x in xs if x.is_floating_point()] + [weight.detach() for weight in network.parameters()]

    def run(*given: Tensor) -> Any:
        rest = iter(given)
        inputs = tuple(next(rest) if x.is_floating_point() else x for x in xs)
        return torch.func.functional_call(network, dict(zip(names, rest, strict=True)), inputs)

    assert torch.autograd.gradcheck(run, [x.clone().requires_grad_() for x in moved], fast_mode=True)


@pytest.mark.parametrize("op", ["lstm", "gru"])
def test_recurrent_layers_are_trained_when_compiled(op: str) -> None:
    """In f32, where torch has a way of its own, and with inputs that need no gradient."""
    case = next(case for case in CASES if case.op == op)
    network, (x,) = network_and_inputs(case)
    network, x = network.float(), x.float()
    compiled = torch.compile(network, fullgraph=True, backend="aot_eager")
    compiled(x).square().sum().backward()
    found = [weight.grad for weight in network.parameters()]
    network.zero_grad()
    network(x).square().sum().backward()
    torch.testing.assert_close(found, [weight.grad for weight in network.parameters()])
