"""Networks in other memory formats and precisions, compiled for training, and exported for any batch."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np
import pytest
import torch
from archlang_torch import build
from torch import Tensor, nn

import archlang as al
from archlang.ir.graph import Graph
from tests.backends.agreement import samples, wake
from tests.backends.test_agreement import GRAPHS, QUANTISED, SEQUENCES, SPACES, space
from tests.torch.cases import CASES, Case
from tests.torch.running import results_of
from tests.torch.test_onnx import single_precision

IMAGES = [case for case in CASES if any(len(shape) == 3 for shape in case.inputs)]
# What moves elements between dimensions, or gives others than an image, makes a tensor of its own.
KEEPING = ("conv", "depthwise", "quantized", "batch_norm", "max_pool", "avg_pool")
SPATIAL = [case for case in IMAGES if case.op.startswith(KEEPING) and len(case.output) == 3]
TEXTS = {"sequences": SEQUENCES, "graphs": GRAPHS, "quantised": QUANTISED}


def network_of(graph: Graph) -> tuple[nn.Module, list[Tensor]]:
    """A network as after training, and inputs for it."""
    network = build(graph)
    wake(network, samples(graph, 8, 1), 0)
    return network.eval(), list(map(torch.from_numpy, samples(graph, 3)))


def graph_of(name: str) -> Graph:
    """A program of a text above or of a space of the library."""
    return (al.loads(TEXTS[name]) if name in TEXTS else space(name)).sample(1).graph


def assert_close(found: Any, expected: Any, tolerance: float) -> None:
    """Relative to the largest value."""
    for one, other in zip(found, expected, strict=True):
        scale = float(other.detach().abs().max())
        torch.testing.assert_close(one.float(), other.float(), rtol=0, atol=tolerance * scale)


# ---------------------------------------------------------------- channels last


def last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last) if x.ndim == 4 else x


def inputs_of(case: Case) -> list[Tensor]:
    return [torch.from_numpy(x.astype(np.float32) if x.dtype.kind == "f" else x) for x in case.arrays()]


@pytest.mark.parametrize("case", IMAGES, ids=str)
def test_ops_take_channels_last(case: Case) -> None:
    network, xs = build(single_precision(case.graph()), seed=3).eval(), inputs_of(case)
    expected = results_of(network, xs)
    found = results_of(network.to(memory_format=torch.channels_last), list(map(last, xs)))
    assert_close(found, expected, 1e-5)
    if case in SPATIAL:
        assert found[0].is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("name", [name for name in SPACES if name.endswith(("darts_cell", "mobilenetv3", "101"))])
def test_programs_take_channels_last(name: str) -> None:
    """Also in training, with the gradients of the usual format; all convolutions keep the format."""
    network, (x,) = network_of(graph_of(name))
    expected = network(x)
    expected.square().sum().backward()
    gradients = [weight.grad for weight in network.parameters()]
    network.zero_grad()
    kept: list[bool] = []
    for module in network.to(memory_format=torch.channels_last).modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(
                lambda m, given, y: kept.append(y.is_contiguous(memory_format=torch.channels_last))
            )
    found = network(last(x))
    assert_close([found], [expected], 1e-5)
    assert kept
    assert all(kept)
    found.square().sum().backward()
    assert_close([weight.grad for weight in network.parameters()], gradients, 1e-3)


# ---------------------------------------------------------------- autocast


@pytest.mark.filterwarnings("ignore:Mismatch dtype between input and weight")  # of torch's own RMSNorm
@pytest.mark.parametrize("narrow", [False, True], ids=["f32", "bf16"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_ops_under_autocast(case: Case, narrow: bool) -> None:
    """Inputs are as they come, or as a linear layer before gives them."""
    network, xs = build(single_precision(case.graph()), seed=3), inputs_of(case)
    xs = [x.abs() for x in xs]  # step sizes below zero let a scan grow without bounds
    xs = [x.bfloat16() if narrow and x.is_floating_point() else x for x in xs]
    expected = results_of(network.eval(), [x.float() if x.is_floating_point() else x for x in xs])
    for training in (False, True):
        network.train(training)
        given = [x.clone().requires_grad_(x.is_floating_point()) for x in xs]
        with torch.autocast("cpu", dtype=torch.bfloat16):
            found = results_of(network, given)
        if not training:
            assert_close(found, expected, 2e-2)
        if found[0].requires_grad:
            found[0].float().square().sum().backward()
        gradients = [x.grad for x in (*given, *network.parameters()) if x.grad is not None]
        assert all(torch.isfinite(gradient).all() for gradient in gradients)


@pytest.mark.parametrize("name", [*TEXTS, "std.models.bert:bert_mini", "std.spaces.mobile:mobile"])
def test_programs_under_autocast(name: str) -> None:
    network, xs = network_of(graph_of(name))
    expected = results_of(network, xs)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = results_of(network, xs)
        loss = sum(y.float().square().sum() for y in results_of(network.train(), xs))
    assert_close(found, expected, 5e-2)
    assert isinstance(loss, Tensor)
    loss.backward()
    for weight in network.parameters():
        assert weight.grad is not None
        assert torch.isfinite(weight.grad).all()


# ---------------------------------------------------------------- compilers


COMPILED = [*TEXTS, *[name for name in SPACES if name.endswith(("nasbench201", "nasbench101", "darts_cell"))]]


@pytest.mark.parametrize("name", COMPILED)
def test_programs_are_trained_when_compiled(name: str) -> None:
    check_compiled(graph_of(name))


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", [*SPACES, "std.models.bert:bert_mini", "std.models.convnext:convnext_tiny"])
def test_all_spaces_are_trained_when_compiled(name: str) -> None:
    check_compiled(graph_of(name))


def without_chance(graph: Graph) -> Graph:
    """The graph with all rates at 0: compiled code draws otherwise."""
    nodes = []
    for node in graph.nodes:
        operation = node.operation
        attributes = tuple([(name, 0.0 if name == "rate" else value) for name, value in operation.attributes])
        nodes.append(attrs.evolve(node, operation=attrs.evolve(operation, attributes=attributes)))
    return attrs.evolve(graph, nodes=tuple(nodes))


def check_compiled(graph: Graph) -> None:
    """Without a break, in training mode: outputs, gradients and running statistics of the network."""
    torch.compiler.reset()  # all networks have one `forward`, of which only some versions are kept
    network, xs = network_of(without_chance(graph))
    start = {name: value.clone() for name, value in network.state_dict().items()}
    kept = []
    for form in (network.train(), torch.compile(network.train(), fullgraph=True, backend="aot_eager")):
        network.load_state_dict(start)
        network.zero_grad()
        outputs = results_of(form, xs)
        sum(y.square().sum() for y in outputs).backward()
        states = [value.clone() for value in network.buffers()]
        kept.append((outputs, states, [weight.grad for weight in network.parameters()]))
    for (one, other), tolerance in zip(zip(*kept, strict=True), (1e-5, 1e-5, 1e-3), strict=True):
        for found, expected in zip(one, other, strict=True):
            assert (found is None) == (expected is None)
            if found is not None and expected.is_floating_point():
                assert_close([found], [expected], tolerance)


@pytest.mark.parametrize("name", ["sequences", "quantised", *COMPILED[3:]])
def test_programs_are_exported_for_any_batch(name: str) -> None:
    check_exported(graph_of(name))


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", [*SPACES, "std.models.bert:bert_mini", "std.models.convnext:convnext_tiny"])
def test_all_spaces_are_exported_for_any_batch(name: str) -> None:
    check_exported(graph_of(name))


def check_exported(graph: Graph) -> None:
    network, xs = network_of(graph)
    batch = torch.export.Dim("batch", min=1)
    shapes = {"inputs": tuple([{0: batch} for _ in xs])}
    exported = torch.export.export(network, tuple(xs), dynamic_shapes=shapes).module()
    for size in (1, 5):
        given = list(map(torch.from_numpy, samples(graph, size, 7)))
        assert_close(results_of(exported, given), results_of(network, given), 1e-5)
