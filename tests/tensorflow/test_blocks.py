"""Blocks and whole networks, most of sequences, graphs and few bits: Keras against PyTorch, and Keras's files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import keras
import numpy as np
import pytest
import tensorflow as tf
from archlang_tensorflow import backend

import archlang as al
from archlang.ir.graph import Graph
from tests.stdlib.applied import applied
from tests.tensorflow.emitted import emitted_network
from tests.tensorflow.running import Array, Both, both

NODES = 6
TOKENS = ("f64[n, 7, 12]",)
GRAPH = (f"f64[{NODES}, 5]", "i64[2, 9]")

BLOCKS = {
    "gru_cell": ("f64[n, 4]", "f64[n, 6]"),
    "mamba": TOKENS,
    "mamba(state=3, expand=1, kernel=2, rank=5)": TOKENS,
    "scored_attention(4)": ("f64[n, 7, 12]", "f64[n, 5, 12]", "f64[n, 5, 8]"),
    "scored_attention(4, scores=bucket_bias(8, 16), scaled=false)": ("f64[n, 7, 12]",) * 3,
    "rotary_attention(2, kv_heads=1, window=3)": TOKENS,
    "rotary_attention(6, kv_heads=2, causal=false, bias=true)": TOKENS,
    "window_attention(2, size=3)": ("f64[n, 8, 6, 12]",),
    "glu(20)": TOKENS,
    "swiglu(20, bias=true)": TOKENS,
    "geglu(20, out=5)": TOKENS,
    "mixture_of_experts(4)": TOKENS,
    "gcn(3)": GRAPH,
    "gat(3, heads=4)": GRAPH,
    'gat(3, heads=2, merge="mean", bias=false)': GRAPH,
    "sage(3)": GRAPH,
    "gin(3, hidden=8, eps=0.5)": GRAPH,
    "cheb(3, order=3)": GRAPH,
    "arma(3)": GRAPH,
    "graph_conv(3)": GRAPH,
    "quantized_conv2d(8, groups=4, stride=2, weight_bits=4, input_bits=4)": ("f64[n, 4, 8, 9]",),
    "quantized_conv2d(8, groups=2, dilation=2, stride=3, per_channel=false)": ("f64[n, 4, 9, 9]",),
    "relu >> quantized_conv2d(4, kernel=2, dilation=3, stride=3, input_bits=3, input_signed=false)": (
        "f64[n, 4, 9, 9]",
    ),
    "conv2d(6) >> fake_quantize(4, axes=[1]) >> conv2d(3)": ("f64[n, 4, 8, 9]",),
    "conv_transpose1d(6, groups=2, kernel=5, stride=3, padding=2, output_padding=2)": ("f64[n, 4, 7]",),
    "max_pool3d(3, stride=2, ceil=true) >> avg_pool3d(2, ceil=true)": ("f64[n, 2, 6, 7, 8]",),
    "adaptive_avg_pool1d(3)": ("f64[n, 4, 7]",),
}

NETWORKS = {
    "steps": """
space net(x: f64[n, 4], h: f64[n, 6], c: f64[n, 6]) {
  hidden, cell = (x, h, c) |> lstm_cell
  (hidden, cell) |> concat
}
""",
    "sequences": """
space net(x: f64[n, 9, 8]) {
  both = (x |> lstm(6), x |> lstm(6, reverse=true)) |> concat(axis=2) >> gru(8)
  b = both |> linear(4)
  c = both |> linear(4)
  scanned = (both, both |> linear(8) >> softplus, b, c) |> selective_scan(4)
  scanned |> rotary_attention(4, kv_heads=2, window=4) >> mean(1) >> linear(3)
}
""",
    "few bits": """
space net(x: f64[n, 3, 12, 12]) {
  y = x |> quantized_conv2d(8, stride=2, weight_bits=4) >> batch_norm >> relu
  z = y |> quantized_conv2d(8, groups=8, input_signed=false) >> fake_quantize(8, axes=[1], exponent=4) >> relu
  z |> global_avg_pool >> quantized_linear(5, weight_bits=6, weight_exponent=3)
}
""",
    "rectangles": """
space net(x: f64[n, 4, 7, 8]) {
  x |> conv2d_rect(8, kernel=(1, 3), stride=(1, 2), groups=2) >> scale(0.5) >> channel_scale
}
""",
    "a graph": f"""
space net(x: f64[{NODES}, 5], edges: i64[2, 9]) {{
  hidden = (x, edges) |> gat(4, heads=2) >> elu
  (hidden, edges) |> gcn(3) >> log_softmax
}}
""",
}


def made_of(graph: Graph) -> Both:
    """The graph on both frameworks, with whole numbers below the number of nodes."""
    made = both(graph)
    draw = np.random.default_rng(1)
    inputs = [x if x.dtype.kind == "f" else draw.integers(0, NODES, x.shape) for x in made.inputs]
    return attrs.evolve(made, inputs=inputs)


def network(name: str) -> Graph:
    uses = "use std.nn\nuse std.recurrent\nuse std.attention\nuse std.graphs"
    return al.loads(uses + NETWORKS[name]).program({}).graph


def check(made: Both) -> None:
    made.assert_equal(1e-7)  # Keras computes a constant of `gelu` in single precision
    made.assert_equal_gradients(1e-6)
    emitted = emitted_network(made.graph, made.weights)
    assert_same(backend.run(emitted, *made.inputs), made)


def assert_same(found: Array, made: Both) -> None:
    np.testing.assert_allclose(found, made.results()[0][""], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("stage", BLOCKS)
def test_blocks_are_those_of_pytorch(stage: str) -> None:
    check(made_of(applied(stage, *BLOCKS[stage]).graph))


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_are_those_of_pytorch(name: str) -> None:
    check(made_of(network(name)))


def outcome(model: keras.Model, given: list[Any]) -> tuple[Any, list[Any]]:
    """The output and the gradients of its squares for the trained weights."""
    with tf.GradientTape() as tape:
        y = model(given if len(given) > 1 else given[0], training=False)
        total = tf.reduce_sum(y * y)
    weights = [weight.value for weight in model.trainable_weights]
    return y, tape.gradient(total, weights, unconnected_gradients="zero")


@pytest.mark.parametrize("name", ["sequences", "few bits"])
def test_keras_trains_them(name: str) -> None:
    made = made_of(network(name))
    (x,) = made.inputs
    target = np.ones(made.model.output_shape[1:])[None].repeat(len(x), 0)
    made.model.compile("adam", "mse")
    losses = made.model.fit(x, target, epochs=4, verbose=0).history["loss"]
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("name", NETWORKS)
def test_functions_and_files_compute_the_same(name: str, tmp_path: Path) -> None:
    made = made_of(network(name))
    given = [tf.constant(x) for x in made.inputs]
    (traced, gradients), (_, expected) = tf.function(outcome)(made.model, given), outcome(made.model, given)
    assert_same(traced, made)
    for gradient, eager in zip(gradients, expected, strict=True):
        np.testing.assert_allclose(gradient, eager, rtol=1e-9, atol=1e-12)
    made.model.save(tmp_path / "net.keras")
    loaded = keras.saving.load_model(tmp_path / "net.keras")
    assert_same(backend.run(loaded, *made.inputs), made)
    assert [weight.name for weight in loaded.weights] == [weight.name for weight in made.model.weights]
    made.model.export(tmp_path / "saved", verbose=False)
    saved = tf.saved_model.load(str(tmp_path / "saved"))
    assert_same(saved.serve(tuple(given) if len(given) > 1 else given[0]), made)
