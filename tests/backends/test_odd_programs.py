"""Programs at the edges of what is allowed: every backend and ONNX give the same, or the same refusal."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from archlang_torch import backend as pytorch

import archlang as al
from archlang.backend import TrainingSettings
from tests.backends.agreement import compare, samples

PROGRAMS = {
    "outputs that are inputs": "space s(x: f32[n, 4], u: f32[n, 3]) { { a: x, b: x |> relu, c: x } }",
    "an output that is the input": "space s(x: f32[n, 4]) { x }",
    "a value twice": "space s(x: f32[n, 4]) { y = x |> linear(3)\n { a: y, inner: { b: y, c: y } } }",
    "inputs without use": "space s(x: f32[n, 4], y: i64[n, 4], z: f32[n, 2, 2, 2]) { x |> linear(2) }",
    "no weights": "space s(x: f32[n, 3, 7, 5]) { x |> max_pool2d(3, stride=2) >> relu >> global_avg_pool }",
    "a constant": "space s(x: f32[n, 4], y: f32[n, 4]) { { a: x |> fill(2.0), b: y |> zero } }",
    "kinds of inputs": """space s(a: f32[n, 4], b: i64[n, 3], c: f32[n, 2, 3, 3]) {
        (a |> linear(5)) + (b |> embedding(4, 5) >> mean(axis=1)) + (c |> flatten >> linear(5)) }""",
    "types of inputs": """space s(a: u8[n, 4], b: i32[n, 4], c: f32[n, 4], d: f64[n, 4]) {
        { a: a, b: b |> reshape([2, 2]), c: c |> linear(3), d: d |> linear(3) } }""",
    "one element": "space s(x: f32[n, 1, 1]) { x |> lstm(1) >> gru(1, reverse=true) >> flatten >> linear(1) }",
    "one dimension": "space s(x: f32[n]) { x |> relu }",
    "a fixed batch": "space s(x: f32[2, 4]) { x |> linear(3) }",
    "one place": "space s(x: f32[n, 1, 4]) { (x, x, x) |> attention(4, causal=true, window=1) }",
    "one pixel": """space s(x: f32[n, 3, 1, 1]) {
        x |> conv2d(8, kernel=5, stride=2) >> depthwise_conv2d(3, stride=2) >> conv2d(8, groups=4)
          |> avg_pool2d(3, stride=2) >> flatten >> linear(3) }""",
    "odd sizes": """space s(x: f32[n, 4, 7, 5]) {
        x |> depthwise_conv2d(7, stride=2, dilation=2, multiplier=2) >> conv2d(8, kernel=5, stride=3, groups=4)
          |> channel_shuffle(2) >> conv_transpose2d(4, kernel=3, stride=2, padding=1)
          |> upsample(3, mode="bilinear") }""",
    "a tie of other sizes": """block unit(x: [n, c, h, w]) { x |> conv2d(c) >> batch_norm >> relu }
        space s(x: f32[n, 4, 7, 5]) {
          f = tie unit
          { a: x |> f |> max_pool2d(3, stride=2) |> f |> global_avg_pool, b: x |> f >> flatten } }""",
    "names that frameworks have": """space forward(class: f32[n, 4], self: f32[n, 4], lambda: f32[n, 4]) {
        { train: class + self, eval: lambda |> linear(2), training: { weight: self |> linear(3) } } }""",
    "names that meet": """space output(input: f32[n, 4], output: f32[n, 4]) {
        { input: output |> linear(3), output: input + output, linear: input |> linear(2) } }""",
}
NARROW = {
    "images": """space s(x: f16[n, 4, 7, 5]) {
        x |> depthwise_conv2d(3, stride=2) >> conv2d(8, groups=2) >> batch_norm >> hswish >> avg_pool2d(3)
          |> conv_transpose2d(4, kernel=3) >> group_norm(2) >> instance_norm >> flatten >> log_softmax }""",
    "tokens": """space s(x: f16[n, 6, 8]) {
        y = x |> layer_norm
        (y, y, y) |> attention(2) |> gelu |> lstm(4) |> rotary(2) |> gru(4) |> rms_norm |> class_token }""",
    "few bits": "space s(x: f16[n, 6, 8]) { x |> fake_quantize(bits=4) |> quantized_linear(3) }",
}


def program_of(text: str) -> al.Program:
    return al.loads(f"use std.nn\n{text}").program({})


@pytest.mark.filterwarnings("ignore:You are using a softmax over axis")  # Keras, of attention to one token
@pytest.mark.parametrize("batch", [2, 1])
@pytest.mark.parametrize("name", PROGRAMS)
def test_all_agree(tmp_path: Path, name: str, batch: int) -> None:
    program = program_of(PROGRAMS[name])
    compare(program, tmp_path, inputs=samples(program.graph, batch)).assert_equal()


@pytest.mark.parametrize("name", NARROW)
def test_all_agree_in_half_precision(tmp_path: Path, name: str) -> None:
    compare(program_of(NARROW[name]), tmp_path).assert_equal(3e-3)


@pytest.mark.parametrize("name", NARROW)
def test_all_agree_in_double_precision(tmp_path: Path, name: str) -> None:
    """But for constants of GELU that TensorFlow and ONNX hold in single precision."""
    found = compare(program_of(NARROW[name].replace("f16", "f64")), tmp_path)
    found.assert_equal(1e-7)
    del found.outputs["onnx"], found.outputs["tensorflow"]
    found.assert_equal(1e-12)


@pytest.mark.parametrize("name", NARROW)
def test_all_agree_in_bf16(tmp_path: Path, name: str) -> None:
    """For which numpy has f32, in its arrays as in its backend; onnxruntime takes no arrays of it."""
    program = program_of(NARROW[name].replace("f16", "bf16"))
    compare(program, tmp_path, exported=False).assert_equal(4e-2)


def test_a_network_of_bf16_is_trained() -> None:
    program = program_of("space s(x: bf16[n, 4]) { x |> linear(8) >> relu >> linear(2) }")
    x = np.random.default_rng(0).normal(size=(128, 4)).astype(np.float32)
    pair = x, (x[:, 0] > 0).astype(int)
    found = pytorch.fit(program.build(), pair, pair, TrainingSettings(epochs=20, lr=0.1))
    assert found["accuracy"] > 0.9
