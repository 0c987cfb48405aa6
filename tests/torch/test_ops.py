"""Every op against numpy, built and emitted; layers made by hand against layers built."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from archlang_torch import backend, build
from archlang_torch.lowering import LOWERINGS

from archlang.lowering.declared import Function
from archlang.lowering.source import own_source
from tests.torch.cases import CASES, Case, N
from tests.torch.emitted import module_of

OPS = frozenset(LOWERINGS.ops)  # before other tests lower ops of their own


@pytest.mark.parametrize("case", CASES, ids=str)
def test_op_computes_what_numpy_does(case: Case) -> None:
    graph = case.graph()
    network = build(graph, seed=3).eval()
    xs = case.arrays()
    weights = {address.split(".")[-1]: value for address, value in backend.weights(graph, network).items()}
    expected = case.reference(*xs, **weights)
    found = network(*map(torch.from_numpy, xs)).detach().numpy()
    assert found.shape == (N, *case.output)
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_emitted_op_agrees_with_built(case: Case) -> None:
    graph = case.graph()
    network = build(graph).eval()
    emitted = module_of(graph).eval()
    emitted.load_state_dict(network.state_dict())
    xs = list(map(torch.from_numpy, case.arrays()))
    torch.testing.assert_close(emitted(*xs), network(*xs), rtol=0, atol=0)


def test_every_op_has_a_case() -> None:
    assert OPS - {"swish"} == {case.op for case in CASES}


@pytest.mark.parametrize("op", LOWERINGS.ops)
def test_sources_to_copy_fit_the_line_length(op: str) -> None:
    lowered = LOWERINGS.get(op)
    declared = getattr(lowered, "factory", None) or getattr(lowered, "function", None)
    if declared is not None and (isinstance(lowered, Function) or isinstance(declared, type)):
        assert max(map(len, own_source(declared).splitlines())) <= 100


@pytest.mark.parametrize("op", ["dropout", "drop_path"])
def test_random_ops_act_in_training_and_keep_the_mean(op: str) -> None:
    (case,) = [case for case in CASES if case.op == op]
    network = build(case.graph()).train()
    torch.manual_seed(0)
    x = torch.ones(4000, *case.inputs[0], dtype=torch.float64)
    y = network(x)
    assert set(y.unique().tolist()) == {0.0, 2.0}
    assert abs(y.mean().item() - 1) < 0.05
    whole_samples = (y.flatten(1).std(dim=1) == 0).all().item()
    assert whole_samples == (op == "drop_path")


def test_batch_norm_updates_its_running_statistics() -> None:
    case = next(case for case in CASES if case.op == "batch_norm")
    graph = case.graph()
    network = build(graph)
    before = backend.weights(graph, network)
    (x,) = case.arrays()
    network.train()(torch.from_numpy(x))
    after = backend.weights(graph, network)
    mean, variance = "batch_norm#1.mean", "batch_norm#1.variance"
    np.testing.assert_allclose(after[mean], 0.9 * before[mean] + 0.1 * x.mean(0))
    np.testing.assert_allclose(after[variance], 0.9 * before[variance] + 0.1 * x.var(0, ddof=1))
