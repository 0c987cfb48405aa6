"""Small networks of many kinds, with weights as training leaves them."""

from __future__ import annotations

import numpy as np

import archlang as al
from archlang.morphism.moves import weights_of

TEXTS = {
    "residual": """use std.nn
block unit(x: [n, c, h, w]) {
  x + (x |> conv2d(2 * c) |> batch_norm |> relu |> conv2d(c) |> batch_norm)
}
space net(image: f32[n, 3, 8, 8]) -> [n, 5] {
  image |> conv2d(8) |> batch_norm |> relu |> repeat(2, unit) |> relu
    |> conv2d(12, stride=2, bias=true) |> gelu |> flatten |> linear(16) |> relu |> linear(5)
}""",
    "gated": """use std.nn
block gated(x: [n, c, h, w]) {
  x * (x |> global_avg_pool |> linear(c // 4) |> relu |> linear(c) |> sigmoid |> reshape([c, 1, 1]))
}
space net(image: f32[n, 3, 8, 8]) -> [n, 5] {
  y = image |> conv2d(8) |> prelu |> conv2d(16) |> batch_norm
  y |> gated |> depthwise_conv2d |> hswish |> conv2d(12, kernel=1) |> channel_scale |> global_max_pool |> linear(5)
}""",
    "dense": """use std.nn
block layer(x: [n, c, h, w]) { [x, x |> batch_norm |> relu |> conv2d(4)] |> concat }
space net(image: f32[n, 3, 8, 8]) -> [n, 5] {
  image |> conv2d(6) |> repeat(3, layer) |> avg_pool2d(2, stride=2) |> layer |> batch_norm
    |> global_avg_pool |> linear(5)
}""",
    "grouped": """use std.nn
space net(image: f32[n, 3, 8, 8]) -> [n, 5] {
  image |> conv2d(8) |> conv2d(16, groups=4) |> batch_norm |> relu |> conv2d(24, groups=8)
    |> depthwise_conv2d(multiplier=2) |> channel_shuffle(groups=4) |> conv2d(8, groups=2) |> relu
    |> conv_transpose2d(6) |> reshape([2, 3, 16, 16]) |> permute([0, 2, 1, 3, 4]) |> flatten |> linear(5)
}""",
    "tokens": """use std.nn
block attend(heads: int)(x: [n, t, d]) {
  (x |> linear(d), x |> linear(d), x |> linear(d)) |> attention(heads=heads) |> linear(d)
}
block layer(x: [n, t, d]) {
  y = x + (x |> layer_norm |> attend(heads=2))
  y + (y |> layer_norm |> linear(4 * d) |> gelu |> linear(d))
}
space net(tokens: i64[n, 6]) -> [n, 5] {
  tokens |> embedding(20, 8) |> position_embedding(6) |> repeat(2, layer) |> layer_norm |> mean(axis=1) |> linear(5)
}""",
    "queries": """use std.nn
use std.attention: rotary_attention
block layer(x: [n, t, d]) {
  y = x + (x |> rms_norm |> rotary_attention(4, kv_heads=2))
  h = y |> rms_norm
  y + ((h |> linear(3 * d) |> silu) * (h |> linear(3 * d)) |> linear(d))
}
space net(tokens: i64[n, 6]) -> [n, 6, 20] {
  tokens |> embedding(20, 16) |> repeat(2, layer) |> rms_norm |> linear(20, bias=false)
}""",
    "recurrent": """use std.nn
space net(sequence: f32[n, 5, 4]) -> [n, 3] {
  sequence |> conv1d(6) |> transpose(1, 2) |> lstm(6) |> gru(4, reverse=true) |> mean(axis=1) |> linear(3)
}""".replace("sequence |> conv1d", "sequence |> transpose(1, 2) |> conv1d"),
}


def with_weights(program: al.Program, seed: int = 0) -> al.Program:
    """The program with weights and statistics that are nowhere as they begin."""
    random = np.random.default_rng(seed)
    found = {}
    for address, array in weights_of(program).items():
        name = address.rpartition(".")[2]
        drawn = random.standard_normal(array.shape)
        if name in ("variance", "scale", "slope"):
            drawn = random.uniform(0.5, 1.5, array.shape)
        elif name in ("mean", "bias"):
            drawn = drawn / 4
        else:
            drawn = drawn / np.sqrt(max(np.prod(array.shape[1:]), 1))
        found[address] = drawn.astype(np.float32)
    return program.with_weights(found)


def network(name: str) -> al.Program:
    return with_weights(al.loads(TEXTS[name]).program())
