"""Blocks of sequence models against numpy in float64 and PyTorch's own cells."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from archlang_torch import backend, build
from torch import Tensor, nn

import archlang as al
from tests.stdlib.applied import Array, Facts, computed, declared, executed
from tests.torch.references import attended, exponentials, gated, logistic, scanned, turned

Weights = dict[str, Array]
TOKENS = np.random.default_rng(0).normal(size=(2, 7, 12))


def silu(x: Array) -> Array:
    return x * logistic(x)


# ------------------------------------------------------------------ recurrent steps


def load(cell: nn.LSTMCell | nn.GRUCell, weights: Weights) -> None:
    names = {"from_input.kernel": "weight_ih", "from_hidden.kernel": "weight_hh"}
    names |= {"from_input.bias": "bias_ih", "from_hidden.bias": "bias_hh"}
    cell.load_state_dict({name: torch.from_numpy(weights[at]) for at, name in names.items()})


def test_lstm_cell() -> None:
    text = """
use std.recurrent
space step(x: f64[n, 4], h: f64[n, 6], c: f64[n, 6]) {
  hidden, cell = (x, h, c) |> lstm_cell
  { hidden: hidden, cell: cell }
}
"""
    program = al.loads(text).program({})
    network = build(program.graph).eval()
    reference = nn.LSTMCell(4, 6).double()
    weights = backend.weights(program.graph, network)
    load(reference, {at.removeprefix("lstm_cell/"): value for at, value in weights.items()})
    generator = torch.Generator().manual_seed(0)
    x, h, c = (torch.randn(3, size, dtype=torch.float64, generator=generator) for size in (4, 6, 6))
    found = network(x, h, c)
    torch.testing.assert_close((found["hidden"], found["cell"]), reference(x, (h, c)), rtol=1e-12, atol=1e-12)
    assert program.cost().params == sum(weight.numel() for weight in reference.parameters())
    assert program.cost().macs == 4 * 6 * (4 + 6)


def test_gru_cell() -> None:
    x, hidden = TOKENS[0, :, :4], TOKENS[0, :, 4:10]
    found, weights = computed("gru_cell", x, hidden)
    reference = nn.GRUCell(4, 6).double()
    load(reference, weights)
    with torch.no_grad():
        expected = reference(torch.from_numpy(x), torch.from_numpy(hidden)).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)
    assert declared("gru_cell", (1, 4), (1, 6)) == executed(nn.GRUCell(4, 6), [(1, 4), (1, 6)])


# ------------------------------------------------------------------ state spaces


def mamba(x: Array, weights: Weights, state: int, rank: int) -> Array:
    """The block by its definition; the convolution sees a token and those before it."""
    inner, gate = np.split(x @ weights["enter.kernel"].T, 2, -1)
    kernel = weights["conv1d.kernel"][:, 0]
    before = np.zeros((len(x), kernel.shape[1] - 1, inner.shape[2]))
    padded = np.concatenate([before, inner], 1)
    mixed = np.stack([(padded[:, i : i + kernel.shape[1]] * kernel.T).sum(1) for i in range(x.shape[1])], 1)
    inner = silu(mixed + weights["conv1d.bias"])
    step, b, c = np.split(inner @ weights["select.kernel"].T, [rank, rank + state], -1)
    delta = np.log1p(np.exp(step @ weights["step.kernel"].T + weights["step.bias"]))
    y = scanned(inner, delta, b, c, weights["selective_scan.a_log"], weights["selective_scan.skip"])
    result: Array = (y * silu(gate)) @ weights["leave.kernel"].T
    return result


@pytest.mark.parametrize(
    ("stage", "state", "rank"), [("mamba", 16, 1), ("mamba(state=3, expand=1, kernel=2, rank=5)", 3, 5)]
)
def test_mamba(stage: str, state: int, rank: int) -> None:
    found, weights = computed(stage, TOKENS)
    np.testing.assert_allclose(found, mamba(TOKENS, weights, state, rank), rtol=1e-10, atol=1e-12)


def test_costs_of_mamba() -> None:
    d, width, states, rank, tokens = 24, 48, 16, 2, 10
    kernels = d * 2 * width + width * 4 + width * (rank + 2 * states) + rank * width + width * d
    weights = kernels + width + width + width * states + width  # biases, rates, skips
    scan = tokens * width * (states + 1) + 3 * tokens * width * states
    assert declared("mamba", (1, tokens, d)) == Facts((1, tokens, d), weights, tokens * kernels + scan)


# ------------------------------------------------------------------ feed-forward layers


@pytest.mark.parametrize(
    ("stage", "act"),
    [
        ("glu(20)", torch.sigmoid),
        ("swiglu(20)", F.silu),
        ("geglu(20)", F.gelu),
        ("glu(20, out=5, act=relu, bias=true)", F.relu),
    ],
)
def test_gated_linear_units(stage: str, act: Callable[[Tensor], Tensor]) -> None:
    found, weights = computed(stage, TOKENS)
    at = "" if stage.startswith("glu") else "glu/"

    def linear(x: Array, name: str) -> Array:
        y: Array = x @ weights[f"{at}{name}.kernel"].T
        return y + weights.get(f"{at}{name}.bias", 0)

    gate = act(torch.from_numpy(linear(TOKENS, "gate"))).numpy()
    np.testing.assert_allclose(found, linear(gate * linear(TOKENS, "value"), "linear"), rtol=1e-12, atol=1e-13)


def test_mixture_of_experts() -> None:
    found, weights = computed("mixture_of_experts(4, k=2, expert=linear(12))", TOKENS)
    gates = gated(TOKENS @ weights["gate.kernel"].T, 2)
    assert ((gates > 0).sum(-1) == 2).all()
    expected = np.zeros_like(TOKENS)
    for i in range(4):
        expert = TOKENS @ weights[f"expert[{i}].kernel"].T + weights[f"expert[{i}].bias"]
        expected += gates[..., i : i + 1] * expert
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-13)


def test_mixtures_cost_as_much_as_all_experts() -> None:
    expert = 24 * 96 + 96 * 24
    found = declared("mixture_of_experts(4)", (1, 10, 24))
    assert found == Facts((1, 10, 24), 24 * 4 + 4 * (expert + 96 + 24), 10 * (24 * 4 + 4 * expert))


# ------------------------------------------------------------------ attention


@pytest.mark.parametrize(("kv_heads", "causal", "window"), [(4, True, 0), (2, True, 3), (1, False, 2)])
def test_rotary_attention(kv_heads: int, causal: bool, window: int) -> None:
    x = np.random.default_rng(0).normal(size=(2, 7, 16))
    stage = f"rotary_attention(4, kv_heads={kv_heads}, causal={str(causal).lower()}, window={window}, base=50.0)"
    found, weights = computed(stage, x)
    q = turned(x @ weights["query.kernel"].T, 4, 50.0)
    k = turned(x @ weights["key.kernel"].T, kv_heads, 50.0)
    mixed = attended(q, k, x @ weights["value.kernel"].T, 4, causal, kv_heads, window)
    np.testing.assert_allclose(found, mixed @ weights["linear.kernel"].T, rtol=1e-12, atol=1e-13)
    kernels = 2 * 16 * 16 + 2 * 16 * 4 * kv_heads
    assert declared(stage, x.shape) == Facts((1, 7, 16), kernels, 7 * kernels + 2 * 7 * 7 * 16)


def windowed(x: Array, weights: Weights, heads: int, size: int) -> Array:
    """Attention within windows, one query of one head of one window at a time."""
    n, c, h, w = x.shape
    width = c // heads
    result = np.zeros_like(x)
    places = [(i, j) for i in range(size) for j in range(size)]
    for sample, top, left in np.ndindex(n, h // size, w // size):
        tokens = np.stack([x[sample, :, top * size + i, left * size + j] for i, j in places])
        q, k, v = (tokens @ weights[f"{name}.kernel"].T for name in ("query", "key", "value"))
        q, k, v = (y + weights.get(f"{name}.bias", 0) for y, name in ((q, "query"), (k, "key"), (v, "value")))
        mixed = np.zeros_like(tokens)
        for head, (place, (i, j)) in product(range(heads), enumerate(places)):
            part = slice(head * width, (head + 1) * width)
            rows = [(i - a + size - 1) * (2 * size - 1) + j - b + size - 1 for a, b in places]
            scores = k[:, part] @ q[place, part] / np.sqrt(width)
            scores = scores + weights["scored_attention/scores.table"][rows, head]
            mixed[place, part] = exponentials(scores) @ v[:, part]
        mixed = mixed @ weights["linear.kernel"].T + weights["linear.bias"]
        for place, (i, j) in enumerate(places):
            result[sample, :, top * size + i, left * size + j] = mixed[place]
    return result


@pytest.mark.parametrize(("stage", "heads", "size"), [("2, size=3", 2, 3), ("4, size=2, bias=false", 4, 2)])
def test_window_attention(stage: str, heads: int, size: int) -> None:
    x = np.random.default_rng(0).normal(size=(2, 8, 6, 12))
    found, weights = computed(f"window_attention({stage})", x)
    np.testing.assert_allclose(found, windowed(x, weights, heads, size), rtol=1e-12, atol=1e-13)


def test_costs_of_window_attention() -> None:
    projections = 4 * 16 * 16
    products = 2 * 96 * 4 * 16  # each of 96 places with the 4 of its window, for scores and for values
    found = declared("window_attention(4, size=2)", (1, 16, 8, 12))
    assert found == Facts((1, 16, 8, 12), projections + 4 * 16 + 9 * 4, 96 * projections + products)
    with pytest.raises(al.ArchError, match="the windows must divide height and width"):
        al.loads("use std.attention\nspace s(x: f32[n, 16, 8, 9]) { x |> window_attention(4, size=2) }")


def test_scored_attention_is_attention() -> None:
    """Without a block between, and the biases of T5 with one."""
    shapes = [(2, 7, 12), (2, 5, 12), (2, 5, 8)]
    generator = np.random.default_rng(0)
    q, k, v = (generator.normal(size=shape) for shape in shapes)
    plain, _ = computed("attention(4)", q, k, v)
    found, _ = computed("scored_attention(4)", q, k, v)
    np.testing.assert_allclose(found, plain, rtol=1e-12, atol=1e-13)
    assert declared("scored_attention(4)", *shapes) == declared("attention(4)", *shapes)
    unscaled, _ = computed("scored_attention(4, scaled=false)", q / np.sqrt(3), k, v)
    np.testing.assert_allclose(unscaled, plain, rtol=1e-12, atol=1e-13)
    biased, weights = computed("scored_attention(4, scores=bucket_bias(8, 16))", q, k, v)
    assert weights["scores.table"].shape == (8, 4)
    assert np.abs(biased - plain).max() > 1e-4
