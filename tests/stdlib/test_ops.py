"""The shape, weights and MACs of every op agree with what PyTorch's own layers have and do."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from archlang_torch import build
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import archlang as al
from tests.stdlib.applied import Facts, Shape, applied, declared, executed

IMAGE = (1, 12, 9, 14)
SERIES = (1, 6, 25)
VOLUME = (1, 4, 7, 6, 9)
TOKENS = (1, 10, 24)
ROW = (1, 24)

ROWS, EDGES, PLACES = "f32[5, 7]", "i64[2, 9]", "i64[5]"
SCORES = (1, 3, 10, 10)

Case = tuple[str, tuple[Shape, ...], Callable[..., Tensor]]


class Hidden(nn.Module):
    """The hidden states that a recurrent layer gives, by kernels whose products are counted."""

    def __init__(self, layer: nn.LSTM | nn.GRU) -> None:
        super().__init__()
        self.layer = layer.double()  # oneDNN, whose products are not counted, takes f32

    def forward(self, x: Tensor) -> Tensor:
        hidden: Tensor = self.layer(x.double())[0]
        return hidden


# The stage, the shapes it is applied to, the same in PyTorch.
LAYERS: list[Case] = [
    ("conv1d(8)", (SERIES,), nn.Conv1d(6, 8, 3, padding=1, bias=False)),
    ("conv1d(8, kernel=4, stride=3, bias=true)", (SERIES,), nn.Conv1d(6, 8, 4, stride=3, padding=1)),
    ("conv2d(8)", (IMAGE,), nn.Conv2d(12, 8, 3, padding=1, bias=False)),
    (
        "conv2d(20, kernel=5, stride=2, dilation=2, groups=4, bias=true)",
        (IMAGE,),
        nn.Conv2d(12, 20, 5, stride=2, dilation=2, padding=4, groups=4),
    ),
    ("conv2d(8, kernel=4, padding=0)", (IMAGE,), nn.Conv2d(12, 8, 4, bias=False)),
    ("conv2d_rect(8, (1, 7))", (IMAGE,), nn.Conv2d(12, 8, (1, 7), padding=(0, 3), bias=False)),
    (
        "conv2d_rect(20, (5, 3), stride=(2, 1), dilation=(1, 3), groups=4, bias=true)",
        (IMAGE,),
        nn.Conv2d(12, 20, (5, 3), stride=(2, 1), dilation=(1, 3), padding=(2, 3), groups=4),
    ),
    (
        "conv2d_rect(8, (2, 4), padding=(1, 0))",
        (IMAGE,),
        nn.Conv2d(12, 8, (2, 4), padding=(1, 0), bias=False),
    ),
    ("conv3d(8, stride=2)", ((1, 4, 5, 6, 7),), nn.Conv3d(4, 8, 3, stride=2, padding=1, bias=False)),
    ("depthwise_conv2d", (IMAGE,), nn.Conv2d(12, 12, 3, padding=1, groups=12, bias=False)),
    (
        "depthwise_conv2d(kernel=5, stride=2, dilation=2, multiplier=2, bias=true)",
        (IMAGE,),
        nn.Conv2d(12, 24, 5, stride=2, dilation=2, padding=4, groups=12),
    ),
    ("conv_transpose2d(8)", (IMAGE,), nn.ConvTranspose2d(12, 8, 2, stride=2, bias=False)),
    (
        "conv_transpose2d(8, kernel=5, stride=3, padding=2, output_padding=1, groups=2, bias=true)",
        (IMAGE,),
        nn.ConvTranspose2d(12, 8, 5, stride=3, padding=2, output_padding=1, groups=2),
    ),
    ("conv_transpose1d(8)", (SERIES,), nn.ConvTranspose1d(6, 8, 2, stride=2, bias=False)),
    (
        "conv_transpose1d(8, kernel=5, stride=3, padding=2, output_padding=1, groups=2, bias=true)",
        (SERIES,),
        nn.ConvTranspose1d(6, 8, 5, stride=3, padding=2, output_padding=1, groups=2),
    ),
    ("linear(5)", (ROW,), nn.Linear(24, 5)),
    ("linear(5, bias=false)", (TOKENS,), nn.Linear(24, 5, bias=False)),
    ("linear(5)", ((1, 3, 4, 6),), nn.Linear(6, 5)),
    ("batch_norm", (IMAGE,), nn.BatchNorm2d(12)),
    ("batch_norm(affine=false)", (ROW,), nn.BatchNorm1d(24, affine=False)),
    ("layer_norm", (TOKENS,), nn.LayerNorm(24)),
    ("layer_norm(affine=false)", (TOKENS,), nn.LayerNorm(24, elementwise_affine=False)),
    ("rms_norm", (TOKENS,), nn.RMSNorm(24)),
    ("group_norm(groups=3)", (IMAGE,), nn.GroupNorm(3, 12)),
    ("instance_norm", (IMAGE,), nn.InstanceNorm2d(12)),
    ("instance_norm(affine=true)", (IMAGE,), nn.InstanceNorm2d(12, affine=True)),
    ("local_response_norm", (IMAGE,), nn.LocalResponseNorm(5)),
    ("channel_scale(0.1)", (IMAGE,), lambda x: x),
    ("channel_scale", (ROW,), lambda x: x),
    ("channel_bias", (IMAGE,), lambda x: x),
    ("feature_scale(init=1e-6)", (TOKENS,), lambda x: x),
    ("feature_bias", (TOKENS,), lambda x: x),
    ("prelu", (IMAGE,), nn.PReLU(12)),
    ("prelu(shared=true)", (IMAGE,), nn.PReLU()),
    ("max_pool1d(4, stride=2)", (SERIES,), nn.MaxPool1d(4, stride=2, padding=1)),
    ("max_pool2d", (IMAGE,), nn.MaxPool2d(3, stride=1, padding=1)),
    ("max_pool2d(2, stride=2)", (IMAGE,), nn.MaxPool2d(2)),
    ("max_pool1d(3, stride=2, padding=0, ceil=true)", ((1, 6, 26),), nn.MaxPool1d(3, stride=2, ceil_mode=True)),
    ("max_pool2d(3, stride=2, padding=0, ceil=true)", (IMAGE,), nn.MaxPool2d(3, stride=2, ceil_mode=True)),
    (
        "avg_pool2d(3, stride=3, padding=0, ceil=true)",
        (IMAGE,),
        nn.AvgPool2d(3, stride=3, ceil_mode=True, count_include_pad=False),
    ),
    ("avg_pool1d(2, stride=3, ceil=true)", (SERIES,), nn.AvgPool1d(2, stride=3, ceil_mode=True)),
    ("avg_pool1d(5, stride=3)", (SERIES,), nn.AvgPool1d(5, stride=3, padding=2, count_include_pad=False)),
    ("avg_pool2d(2, stride=2)", (IMAGE,), nn.AvgPool2d(2)),
    ("avg_pool2d(5, stride=2, padding=1, count_padding=true)", (IMAGE,), nn.AvgPool2d(5, stride=2, padding=1)),
    ("global_avg_pool", (IMAGE,), lambda x: x.mean((2, 3))),
    ("global_max_pool", (SERIES,), lambda x: x.amax(2)),
    ("adaptive_avg_pool2d(4)", (IMAGE,), nn.AdaptiveAvgPool2d(4)),
    ("max_pool3d(3, stride=2)", (VOLUME,), nn.MaxPool3d(3, stride=2, padding=1)),
    (
        "avg_pool3d(2, stride=3, padding=1, count_padding=true)",
        (VOLUME,),
        nn.AvgPool3d(2, stride=3, padding=1),
    ),
    ("adaptive_avg_pool1d(4)", (SERIES,), nn.AdaptiveAvgPool1d(4)),
    ("adaptive_avg_pool3d(2)", (VOLUME,), nn.AdaptiveAvgPool3d(2)),
    ("dropout", (IMAGE,), nn.Dropout()),
    ("drop_path(0.1)", (IMAGE,), nn.Identity()),
    ("softmax", (TOKENS,), nn.Softmax(-1)),
    ("log_softmax(axis=1)", (TOKENS,), nn.LogSoftmax(1)),
    ("zero", (IMAGE,), torch.zeros_like),
    ("zero(2)", (IMAGE,), lambda x: x[:, :, ::2, ::2]),
    ("scale(0.5)", (TOKENS,), lambda x: x * 0.5),
    ("add", (IMAGE, (1, 12, 1, 14)), torch.add),
    ("add", (ROW, ROW, ROW), lambda x, y, z: x + y + z),
    ("sub", (IMAGE, (1, 1, 9, 1)), torch.sub),
    ("mul", ((1, 12, 1, 1), IMAGE), torch.mul),
    ("div", (TOKENS, (1, 10, 1)), torch.div),
    ("maximum", (IMAGE, (1, 12, 1, 14)), torch.maximum),
    ("absolute", (TOKENS,), torch.abs),
    ("square", (TOKENS,), torch.square),
    ("matmul", (TOKENS, (1, 24, 7)), torch.matmul),
    ("matmul(transpose_b=true)", (TOKENS, (1, 13, 24)), lambda a, b: a @ b.mT),
    ("matmul", ((1, 3, 4, 5), (1, 1, 5, 6)), torch.matmul),
    ("mean(1)", (TOKENS,), lambda x: x.mean(1)),
    ("mean(-1, keep=true)", (TOKENS,), lambda x: x.mean(-1, keepdim=True)),
    ("max_reduce(-2)", (IMAGE,), lambda x: x.amax(-2)),
    ("min_reduce(1, keep=true)", (IMAGE,), lambda x: x.amin(1, keepdim=True)),
    ("concat", (IMAGE, (1, 5, 9, 14)), lambda *xs: torch.cat(xs, 1)),
    ("concat(axis=-1)", (TOKENS, TOKENS, (1, 10, 3)), lambda *xs: torch.cat(xs, -1)),
    ("flatten", (IMAGE,), nn.Flatten()),
    ("flatten(2)", (IMAGE,), nn.Flatten(2)),
    ("reshape([3, 4, 126])", (IMAGE,), lambda x: x.reshape(-1, 3, 4, 126)),
    ("permute([0, 3, 1, 2])", (IMAGE,), lambda x: x.permute(0, 3, 1, 2)),
    ("transpose(1, -1)", (IMAGE,), lambda x: x.transpose(1, -1)),
    ("slice(1, 2, 11, step=3)", (IMAGE,), lambda x: x[:, 2:11:3]),
    ("slice(-1, -5, -1)", (IMAGE,), lambda x: x[..., -5:-1]),
    ("pad([1, 2])", (IMAGE,), lambda x: F.pad(x, (1, 2))),
    ("pad([0, 1, 2, 3, 4, 5], value=1.0)", (IMAGE,), lambda x: F.pad(x, (0, 1, 2, 3, 4, 5), value=1.0)),
    ("upsample", (SERIES,), nn.Upsample(scale_factor=2)),
    ('upsample(3, mode="bilinear")', (IMAGE,), nn.Upsample(scale_factor=3, mode="bilinear")),
    ("resize((5, 20))", (IMAGE,), nn.Upsample(size=(5, 20), mode="bilinear")),
    ('resize((5, 20), "bicubic", corners=true)', (IMAGE,), nn.Upsample((5, 20), None, "bicubic", True)),
    ("pixel_shuffle(2)", (IMAGE,), nn.PixelShuffle(2)),
    ("channel_shuffle(3)", (IMAGE,), nn.ChannelShuffle(3)),
    ("power(-0.5)", (TOKENS,), torch.rsqrt),
    ("fill(1.5)", (TOKENS,), torch.ones_like),
    ("rotary(4)", (TOKENS,), lambda x: x),
    ("window_bias(2, 5)", (SCORES,), lambda x: x),
    ("bucket_bias", (SCORES,), lambda x: x),
    ("bucket_bias(8, 20, causal=true)", ((1, 3, 10, 7),), lambda x: x),
    ("top_k_gate(2)", (TOKENS,), nn.Softmax(-1)),
    ("lstm(5)", (TOKENS,), Hidden(nn.LSTM(24, 5, batch_first=True))),
    ("gru(7, reverse=true)", (TOKENS,), Hidden(nn.GRU(24, 7, batch_first=True))),
    ("gather", (ROWS, "i64[9]"), lambda x, index: x[index]),
    ("gather", ("f32[5, 2, 3]", "i64[9]"), lambda x, index: x[index]),
    ("segment_sum(3)", (ROWS, PLACES), lambda x, index: x[:3]),
    ("segment_softmax(3)", ("f32[5, 2, 3]", PLACES), lambda x, index: x),
    ("self_loops(5)", (EDGES,), lambda edges: F.pad(edges, (0, 5))),
    ("fake_quantize(4, axes=[-1])", (TOKENS,), lambda x: x),
    ("quantized_linear(5)", (TOKENS,), nn.Linear(24, 5)),
    ("quantized_linear(5, bias=false, weight_bits=4)", (ROW,), nn.Linear(24, 5, bias=False)),
    (
        "quantized_conv2d(20, kernel=5, stride=2, dilation=2, groups=4, bias=true, weight_bits=4, weight_exponent=2)",
        (IMAGE,),
        nn.Conv2d(12, 20, 5, stride=2, dilation=2, padding=4, groups=4),
    ),
    ("class_token", (TOKENS,), lambda x: F.pad(x, (0, 0, 1, 0))),
    ("shift(0.5)", (TOKENS,), lambda x: x + 0.5),
    ("roll(1, -3)", (TOKENS,), lambda x: x.roll(-3, 1)),
    ("token_places", ("i64[1, 9]",), lambda tokens: tokens),
    ("unembedding(7)", (TOKENS,), nn.Linear(24, 7, bias=False)),
    ("parameter([3, 5])", (TOKENS,), lambda x: torch.zeros(len(x), 3, 5)),
    ("take(1, 5)", (TOKENS,), lambda x: x[:, :5]),
    ("indexed_parameter(4, [3, 5])", (TOKENS,), lambda x: torch.zeros(len(x), 3, 5)),
    ("constant([3, 5])", (TOKENS,), lambda x: torch.zeros(len(x), 3, 5)),
    ("position_embedding(16)", (TOKENS,), lambda x: x),
    ("position_embedding(16, start=2)", (TOKENS,), lambda x: x),
]
ACTIVATIONS: list[Case] = [
    ("identity", (IMAGE,), nn.Identity()),
    ("relu", (IMAGE,), nn.ReLU()),
    ("relu6", (IMAGE,), nn.ReLU6()),
    ("leaky_relu(0.2)", (IMAGE,), nn.LeakyReLU(0.2)),
    ("elu", (IMAGE,), nn.ELU()),
    ("selu", (IMAGE,), nn.SELU()),
    ("gelu(approximate=true)", (IMAGE,), nn.GELU("tanh")),
    ("silu", (IMAGE,), nn.SiLU()),
    ("sigmoid", (IMAGE,), nn.Sigmoid()),
    ("tanh", (IMAGE,), nn.Tanh()),
    ("hard_tanh(low=-2.0, high=0.5)", (IMAGE,), nn.Hardtanh(-2.0, 0.5)),
    ("hswish", (IMAGE,), nn.Hardswish()),
    ("hsigmoid", (IMAGE,), nn.Hardsigmoid()),
    ("softplus", (IMAGE,), nn.Softplus()),
    ("mish", (IMAGE,), nn.Mish()),
]
CASES = LAYERS + ACTIVATIONS
OWN_WEIGHTS = {
    "class_token": 24,
    "position_embedding(16)": 16 * 24,
    "position_embedding(16, start=2)": 16 * 24,
    "parameter([3, 5])": 3 * 5,
    "indexed_parameter(4, [3, 5])": 4,
    "channel_scale(0.1)": 12,
    "channel_scale": 24,
    "channel_bias": 12,
    "feature_scale(init=1e-6)": 24,
    "feature_bias": 24,
    "window_bias(2, 5)": 3 * 9 * 3,
    "bucket_bias": 32 * 3,
    "bucket_bias(8, 20, causal=true)": 8 * 3,
}


@pytest.mark.parametrize(("stage", "shapes", "function"), CASES, ids=[case[0] for case in CASES])
def test_op(stage: str, shapes: tuple[Shape, ...], function: Callable[..., Tensor]) -> None:
    assert declared(stage, *shapes) == executed(function, shapes, OWN_WEIGHTS.get(stage, 0))


def test_attention() -> None:
    def reference(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        q, k, v = (x.reshape(*x.shape[:2], 4, -1).transpose(1, 2) for x in (q, k, v))
        return ((q @ k.mT).softmax(-1) @ v).transpose(1, 2).flatten(2)

    shapes = ((1, 10, 24), (1, 7, 24), (1, 7, 32))
    assert declared("attention(4)", *shapes) == executed(reference, shapes)


def test_grouped_attention() -> None:
    def reference(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        q = q.reshape(1, 10, 4, 6).transpose(1, 2)
        k, v = (x.reshape(1, 10, 2, -1).transpose(1, 2).repeat_interleave(2, 1) for x in (k, v))
        return ((q @ k.mT).softmax(-1) @ v).transpose(1, 2).flatten(2)

    shapes = ((1, 10, 24), (1, 10, 12), (1, 10, 16))
    for stage in ("attention(4, kv_heads=2)", "attention(4, kv_heads=2, window=3, causal=true)"):
        assert declared(stage, *shapes) == executed(reference, shapes)


@pytest.mark.parametrize("op", ["lstm", "gru"])
def test_recurrent_weights_start_as_those_of_torch(op: str) -> None:
    """All within 1 / sqrt(units), whatever the width of the tokens."""
    network = build(applied(f"{op}(64)", "f32[n, 10, 4]").graph)
    for weight in network.parameters():
        assert 0.95 / 8 < weight.abs().max() <= 1 / 8


def test_selective_scan() -> None:
    """For each token, channel and state there are delta * a with weights, and three products of
    activations: with x * delta * b, along the tokens, with c."""
    tokens, channels, states = 10, 24, 6
    weighted = tokens * channels * states + tokens * channels  # the last: skip * x
    shapes = (TOKENS, TOKENS, (1, tokens, states), (1, tokens, states))
    found = declared("selective_scan(6)", *shapes)
    assert found == Facts(TOKENS, channels * states + channels, weighted + 3 * tokens * channels * states)


POOLS = {
    "max_pool1d": nn.MaxPool1d,
    "max_pool2d": nn.MaxPool2d,
    "avg_pool1d": nn.AvgPool1d,
    "avg_pool2d": nn.AvgPool2d,
    "max_pool3d": nn.MaxPool3d,
}  # but for nn.AvgPool3d, which refuses kernels larger than the input whatever the padding


@given(st.data())
@settings(max_examples=80, deadline=None, derandomize=True)
def test_pooled_sizes(data: st.DataObject) -> None:
    """With `ceil` and without, for any size: both give the same shape, or both refuse."""
    name, ceil = data.draw(st.sampled_from(sorted(POOLS))), data.draw(st.booleans())
    kernel, stride = data.draw(st.integers(1, 6)), data.draw(st.integers(1, 7))
    padding = data.draw(st.integers(0, kernel // 2))
    shape = (1, 2, *data.draw(st.tuples(*[st.integers(1, 20)] * int(name[-2]))))
    stage = f"{name}({kernel}, stride={stride}, padding={padding}, ceil={str(ceil).lower()})"
    try:
        expected = executed(POOLS[name](kernel, stride, padding, ceil_mode=ceil), [shape])
    except RuntimeError:
        with pytest.raises(al.ArchError, match="the kernel reaches beyond the padded input"):
            declared(stage, shape)
    else:
        assert declared(stage, shape) == expected


def test_embedding() -> None:
    text = "use std.nn\nspace words(x: i64[n, 6]) { x |> embedding(50, 8) }"
    program = al.loads(text).program({})
    assert program.cost().params == 50 * 8
    assert str(program.graph.type_of(program.graph.outputs[0].value)) == "f32[n, 6, 8]"


def test_every_op_is_tested() -> None:
    text = (Path(__file__).parents[2] / "stdlib" / "nn.arch").read_text(encoding="utf-8")
    ops = set(re.findall(r"^op (\w+)", text, re.MULTILINE))
    tested = {stage.split("(")[0] for stage, _, _ in CASES} | {"attention", "embedding", "selective_scan"}
    assert ops == tested


BROKEN = [
    ("conv2d(8, groups=5)", (IMAGE,), "groups must divide both channel counts"),
    ("conv2d(8, kernel=15, padding=0)", (IMAGE,), "the kernel reaches beyond the padded input"),
    ("conv2d(8, stride=0)", (IMAGE,), "must be positive"),
    ("conv2d_rect(8, (0, 1))", (IMAGE,), "kernel, stride and dilation must be positive"),
    ("conv2d_rect(8, (15, 1), padding=(0, 0))", (IMAGE,), "the kernel reaches beyond the padded input"),
    ("max_pool2d(stride=0)", (IMAGE,), "kernel and stride must be positive"),
    ("max_pool2d(stride=0, ceil=true)", (IMAGE,), "kernel and stride must be positive"),
    ("local_response_norm", (ROW,), "there is no spatial dimension"),
    ("instance_norm", (ROW,), "there is no spatial dimension"),
    ("instance_norm", ((1, 3, 1, 1),), "a single place has no variance"),
    ("group_norm(groups=24)", (ROW,), "a single element has no variance"),
    ("upsample", (ROW,), "there is no spatial dimension"),
    ('resize((5, 20), mode="cubic")', (IMAGE,), "the mode must be nearest, bilinear, bicubic or area"),
    ('resize((5, 20), mode="area", corners=true)', (IMAGE,), "only what is between two places has corners"),
    ("hard_tanh(1.0, 1.0)", (IMAGE,), "low must be less than high"),
    ("maximum", (IMAGE, (1, 12, 9, 13)), "shapes do not agree"),
    ("max_pool2d(3, padding=2)", (IMAGE,), "the padding must be at most half of the kernel"),
    ("group_norm", (IMAGE,), "groups must divide the channel count"),
    ("softmax(axis=3)", (TOKENS,), "the input has no such axis"),
    ("concat", (IMAGE, (1, 12, 9, 13)), "the inputs must agree in all other dimensions"),
    ("concat(axis=4)", (IMAGE, IMAGE), "the inputs have no such axis"),
    ("add", (IMAGE, (1, 12, 9, 13)), "shapes do not agree"),
    ("matmul", (TOKENS, (1, 10, 24)), "the inner sizes must agree"),
    ("reshape([5, 5])", (TOKENS,), "the shapes must have equally many elements"),
    ("permute([0, 1, 1])", (TOKENS,), "the order must name every dimension once"),
    ("slice(1, 3, 3)", (TOKENS,), "the slice must lie within the dimension"),
    ("slice(1, 0, 11)", (TOKENS,), "the slice must lie within the dimension"),
    ("pixel_shuffle(5)", (IMAGE,), "the square of the factor must divide the channel count"),
    ("attention(5)", (TOKENS, TOKENS, TOKENS), "heads must divide the width"),
    ("attention(4, kv_heads=3)", (TOKENS, TOKENS, TOKENS), "the heads of keys and values must divide those"),
    ("attention(4, kv_heads=0)", (TOKENS, TOKENS, TOKENS), "the heads of keys and values must divide those"),
    ("attention(4)", (TOKENS, (1, 10, 12), TOKENS), "shapes do not agree in `attention`: the heads of keys"),
    ("attention(4, kv_heads=2)", (TOKENS, TOKENS, TOKENS), "the heads of keys and queries must have one width"),
    ("attention(4, window=2)", (TOKENS, (1, 9, 24), (1, 9, 24)), "a window needs as many queries as keys"),
    ("attention(4, window=-1)", (TOKENS, TOKENS, TOKENS), "a window needs as many queries as keys"),
    ("rotary(24)", (TOKENS,), "heads must divide the width into even parts"),
    ("rotary(4, base=1.0)", (TOKENS,), "the base must be more than 1"),
    ("window_bias(2, 4)", (SCORES,), "the scores must be between all places of the window"),
    ("bucket_bias(3)", (SCORES,), "there must be two buckets or more, for each side as many"),
    ("bucket_bias(9, causal=false)", (SCORES,), "there must be two buckets or more, for each side as many"),
    ("bucket_bias(32, 8)", (SCORES,), "the distance must be more than that of the single buckets"),
    ("lstm(0)", (TOKENS,), "units must be positive"),
    ("gru(0)", (TOKENS,), "units must be positive"),
    ("lstm(4)", (IMAGE,), "must have 3 dimensions"),
    ("selective_scan(6)", (TOKENS,) * 4, "dimension 2 of `b` of `selective_scan` is 24"),
    ("top_k_gate(0)", (TOKENS,), "k must lie between 1 and the number of elements"),
    ("top_k_gate(25)", (TOKENS,), "k must lie between 1 and the number of elements"),
    ("gather", (ROWS, ROW), "must have 1 dimension"),
    ("gather", (ROWS, "i32[9]"), "must hold i64"),
    ("segment_sum(0)", (ROWS, PLACES), "the count must be positive"),
    ("segment_sum(3)", (ROWS, "i64[6]"), "dimension 0 of `index` of `segment_sum` is 6"),
    ("segment_softmax(0)", (ROWS, PLACES), "the count must be positive"),
    ("self_loops(0)", (EDGES,), "there must be a node"),
    ("self_loops(5)", ("i64[3, 9]",), "dimension 0 of `edges` of `self_loops` is 3"),
    ("fake_quantize(1)", (TOKENS,), "there are no numbers of so many bits"),
    ("fake_quantize(0, signed=false)", (TOKENS,), "there are no numbers of so many bits"),
    ("fake_quantize(17)", (TOKENS,), "there are no numbers of so many bits"),
    ("fake_quantize(4, exponent=3)", (TOKENS,), "there are no numbers of so many bits"),
    ("fake_quantize(8, signed=false, exponent=4)", (TOKENS,), "there are no numbers of so many bits"),
    ("fake_quantize(axes=[3])", (TOKENS,), "the input has no such axis"),
    ("fake_quantize(axes=[0, 1, 2])", (TOKENS,), "a scale must be for more than one element"),
    ("quantized_linear(5, weight_bits=1)", (TOKENS,), "there are no numbers of so many bits"),
    ("quantized_conv2d(8, input_bits=1)", (IMAGE,), "there are no numbers of so many bits"),
    ("quantized_conv2d(8, groups=5)", (IMAGE,), "groups must divide both channel counts"),
    ("max_pool3d(3, padding=2)", (VOLUME,), "the padding must be at most half of the kernel"),
    ("avg_pool3d(15, padding=0)", (VOLUME,), "the kernel reaches beyond the padded input"),
    ("adaptive_avg_pool3d(0)", (VOLUME,), "the size must be positive"),
    ("adaptive_avg_pool1d(0)", (SERIES,), "the size must be positive"),
    ("conv_transpose1d(8, output_padding=2)", (SERIES,), "output_padding must be less than the stride"),
    ("conv_transpose1d(8, padding=30)", (SERIES,), "the padding leaves nothing of the output"),
    ("position_embedding(9)", (TOKENS,), "there are more tokens than positions"),
    ("dropout(1.5)", (TOKENS,), "the rate must lie between 0 and 1"),
]


@pytest.mark.parametrize(("stage", "shapes", "message"), BROKEN, ids=[case[0] for case in BROKEN])
def test_broken_use(stage: str, shapes: tuple[Shape, ...], message: str) -> None:
    with pytest.raises(al.ArchError, match=re.escape(message)):
        declared(stage, *shapes)
