"""Every op in double precision: outputs against numpy, gradients against PyTorch, emitted against built."""

from __future__ import annotations

import attrs
import numpy as np
import pytest
from archlang_tensorflow import LOWERINGS, backend

from archlang.lowering.declared import Function
from archlang.lowering.source import own_source
from tests.tensorflow.emitted import emitted_network
from tests.tensorflow.running import Array, Both, both
from tests.torch.cases import CASES, Case

OPS = frozenset(LOWERINGS.ops)  # before other tests lower ops of their own

# What `layout` and `expanding` make of ops of other names.
MADE = {"border", "counted_avg_pool", "subsample", "depthwise_conv1d", "swish"} | {
    f"{kind}{rank}d" for kind in ("grouped_conv", "cut_conv_transpose") for rank in (1, 2, 3)
}


def made_for(case: Case) -> Both:
    return attrs.evolve(both(case.graph(), seed=3), inputs=case.arrays())


def assert_close(found: Array, expected: Array) -> None:
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6 * float(np.abs(expected).max()))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_op_computes_what_numpy_does(case: Case) -> None:
    made = made_for(case)
    weights = {address.rpartition(".")[2]: value for address, value in made.weights.items()}
    assert_close(backend.run(made.model, *made.inputs), case.reference(*made.inputs, **weights))


@pytest.mark.parametrize("case", [case for case in CASES if case.result == "f64"], ids=str)
def test_gradients_are_those_of_pytorch(case: Case) -> None:
    made_for(case).assert_equal_gradients(1e-6)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_emitted_op_agrees_with_built(case: Case) -> None:
    made = made_for(case)
    graph = made.graph
    if case.op == "rms_norm":  # Keras's layer starts with ones, as the op is declared, and with nothing else
        (node,) = graph.nodes
        (scale,) = node.operation.weights
        started = attrs.evolve(node.operation, weights=(attrs.evolve(scale, init=("ones",)),))
        graph = attrs.evolve(graph, nodes=(attrs.evolve(node, operation=started),))
    emitted = emitted_network(graph, made.weights)
    np.testing.assert_allclose(
        backend.run(emitted, *made.inputs), backend.run(made.model, *made.inputs), rtol=1e-12, atol=1e-12
    )


def test_every_op_has_a_case() -> None:
    """But for `pad` and `transpose`, of which only other ops are left."""
    assert {case.op for case in CASES} - {"conv2d_rect", "pad", "transpose"} == OPS - MADE


@pytest.mark.parametrize("op", LOWERINGS.ops)
def test_sources_to_copy_fit_the_line_length(op: str) -> None:
    lowered = LOWERINGS.get(op)
    declared = getattr(lowered, "factory", None) or getattr(lowered, "function", None)
    if declared is not None and (isinstance(lowered, Function) or isinstance(declared, type)):
        assert max(map(len, own_source(declared).splitlines())) <= 100
