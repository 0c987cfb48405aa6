"""One case for each lowered op: how it is applied, and its result computed with numpy."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from itertools import product
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from archlang.ir.graph import Graph, WeightSpec
from tests.graphs import BATCH, Sketch
from tests.torch.references import (
    attended,
    gated,
    gated_recurrent,
    long_short_term,
    rounded,
    scanned,
    segment_shares,
    segments,
    spread,
    turned,
    with_buckets,
    with_offsets,
)

Array = NDArray[Any]
N = 3


@attrs.frozen(kw_only=True)
class Case:
    """`inputs` and `output` are shapes without the batch; `reference(*xs, **weights)` is the op in
    evaluation mode, in float64. `dtype` is that of all inputs, or each; integers are `below` one."""

    op: str
    inputs: tuple[tuple[int, ...], ...]
    output: tuple[int, ...]
    reference: Callable[..., Array]
    weights: tuple[WeightSpec, ...] = ()
    attributes: dict[str, Any] = attrs.field(factory=dict)
    dtype: str | tuple[str, ...] = "f64"
    below: int = 7
    result: str = "f64"
    name: str = ""

    def graph(self) -> Graph:
        sketch = Sketch("sample")
        typed = enumerate(zip(self.inputs, self.dtypes, strict=True))
        xs = [sketch.input(f"x{i}", *shape, dtype=dtype) for i, (shape, dtype) in typed]
        made = sketch.apply(
            self.op, *xs, output=(BATCH, *self.output), weights=self.weights, dtype=self.result, **self.attributes
        )
        return sketch.graph(made)

    def arrays(self) -> list[Array]:
        draw = np.random.default_rng(0)
        return [
            draw.integers(0, self.below, (N, *shape)) if dtype == "i64" else draw.normal(size=(N, *shape))
            for shape, dtype in zip(self.inputs, self.dtypes, strict=True)
        ]

    @property
    def dtypes(self) -> tuple[str, ...]:
        return (self.dtype,) * len(self.inputs) if isinstance(self.dtype, str) else self.dtype

    def __str__(self) -> str:
        return self.name or self.op


def weight(name: str, *shape: int, trained: bool = True) -> WeightSpec:
    """A weight that starts with random values, so that a reference can tell it from its default."""
    low = 0.5 if name == "variance" else -1.0
    return WeightSpec(name, shape, ("uniform", low, 1.0), trained, math.prod(shape[1:]))


def convolved(
    x: Array, kernel: Array, bias: Array | None = None, stride: int = 1, padding: int = 0, dilation: int = 1
) -> Array:
    """Convolution of any number of spatial dimensions, by its definition; one group."""
    rank = x.ndim - 2
    x = np.pad(x, [(0, 0), (0, 0), *[(padding, padding)] * rank])
    size = kernel.shape[2]
    spatial = [(length - dilation * (size - 1) - 1) // stride + 1 for length in x.shape[2:]]
    result = np.zeros((x.shape[0], kernel.shape[0], *spatial))
    for offset in product(range(size), repeat=rank):
        window = x[(..., *(slice(o * dilation, None, stride) for o in offset))]
        window = window[(..., *(slice(length) for length in spatial))]
        result += np.einsum("nc...,oc->no...", window, kernel[(..., *offset)])
    return result if bias is None else result + bias.reshape(-1, *[1] * rank)


def rectangular(
    x: Array, kernel: Array, stride: tuple[int, int], padding: tuple[int, int], dilation: tuple[int, int] = (1, 1)
) -> Array:
    """2-D convolution with sizes for height and width, element by element."""
    x = np.pad(x, [(0, 0), (0, 0), *((p, p) for p in padding)])
    reach = [d * (size - 1) + 1 for d, size in zip(dilation, kernel.shape[2:], strict=True)]
    rows, columns = (range(0, x.shape[2 + a] - reach[a] + 1, stride[a]) for a in (0, 1))
    result = np.zeros((x.shape[0], kernel.shape[0], len(rows), len(columns)))
    for (i, top), (j, left) in product(enumerate(rows), enumerate(columns)):
        window = x[:, :, top : top + reach[0] : dilation[0], left : left + reach[1] : dilation[1]]
        result[:, :, i, j] = np.einsum("nckl,ockl->no", window, kernel)
    return result


def grouped(x: Array, kernel: Array, groups: int, **settings: Any) -> Array:
    parts = zip(np.split(x, groups, 1), np.split(kernel, groups, 0), strict=True)
    return np.concatenate([convolved(part, inner, **settings) for part, inner in parts], 1)


def transposed(x: Array, kernel: Array, stride: int, padding: int, extra: int) -> Array:
    """Transposed 2-D convolution: every input element adds its multiple of the kernel."""
    n, _, h, w = x.shape
    size = kernel.shape[2]
    full = np.zeros((n, kernel.shape[1], (h - 1) * stride + size + extra, (w - 1) * stride + size + extra))
    for i, j in product(range(h), range(w)):
        patch = np.einsum("nc,cokl->nokl", x[:, :, i, j], kernel)
        full[:, :, i * stride : i * stride + size, j * stride : j * stride + size] += patch
    return full[:, :, padding : full.shape[2] - padding, padding : full.shape[3] - padding]


def pooled(x: Array, kernel: int, stride: int, padding: int, kind: str) -> Array:
    """Pooling of the last dimensions; `kind` is max, mean (of what is there) or padded mean."""
    rank = x.ndim - 2
    pads = [(0, 0), (0, 0), *[(padding, padding)] * rank]
    filled = np.pad(x, pads, constant_values=0.0 if kind == "padded" else np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(filled, (kernel,) * rank, tuple(range(2, x.ndim)))
    windows = windows[(slice(None), slice(None), *[slice(None, None, stride)] * rank)]
    axes = tuple(range(-rank, 0))
    return np.nanmax(windows, axes) if kind == "max" else np.nanmean(windows, axes)


def reaching(x: Array, kernel: int, stride: int, padding: int, kind: str, counted: bool = False) -> Array:
    """Pooling of images whose last windows may reach beyond the padding, by its definition; `kind`
    is max or mean, which counts padding when told to and never what lies beyond it."""
    filled = np.pad(x, [(0, 0), (0, 0), (padding, padding), (padding, padding)], constant_values=np.nan)
    if counted:
        filled = np.nan_to_num(filled)
    starts = [range(0, size + padding, stride) for size in x.shape[2:]]
    reached = [
        [s for k, s in enumerate(found) if k == 0 or (s - stride + kernel) < size + 2 * padding]
        for found, size in zip(starts, x.shape[2:], strict=True)
    ]
    pool = np.nanmax if kind == "max" else np.nanmean
    rows = [
        np.stack([pool(filled[:, :, i : i + kernel, j : j + kernel], (2, 3)) for j in reached[1]], -1)
        for i in reached[0]
    ]
    return np.stack(rows, 2)


def divided(x: Array, size: int, alpha: float, beta: float, k: float) -> Array:
    """Local response normalisation, channel by channel."""
    result = np.empty_like(x)
    for channel in range(x.shape[1]):
        window = x[:, max(0, channel - size // 2) : channel + (size - 1) // 2 + 1]
        result[:, channel] = x[:, channel] / (k + alpha / size * (window**2).sum(1)) ** beta
    return result


def normalised(x: Array, axes: tuple[int, ...], eps: float = 1e-5) -> Array:
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + eps)


def per_channel(values: Array, rank: int) -> Array:
    return values.reshape(-1, *[1] * (rank - 2))


def batch_normed(
    x: Array, mean: Array, variance: Array, scale: Array | None = None, bias: Array | None = None
) -> Array:
    rank = x.ndim
    result = (x - per_channel(mean, rank)) / np.sqrt(per_channel(variance, rank) + 1e-5)
    if scale is not None and bias is not None:
        result = result * per_channel(scale, rank) + per_channel(bias, rank)
    return result


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def softmax(x: Array, axis: int = -1) -> Array:
    powers = np.exp(x - x.max(axis, keepdims=True))
    return powers / powers.sum(axis, keepdims=True)


def shuffled(x: Array, groups: int) -> Array:
    n, c = x.shape[:2]
    return x.reshape(n, groups, c // groups, *x.shape[2:]).swapaxes(1, 2).reshape(x.shape)


def pixels(x: Array, factor: int) -> Array:
    n, c, h, w = x.shape
    parts = x.reshape(n, c // factor**2, factor, factor, h, w).transpose(0, 1, 4, 2, 5, 3)
    return parts.reshape(n, c // factor**2, h * factor, w * factor)


def bilinear(x: Array, factor: int) -> Array:
    """Bilinear resizing with half-pixel centres."""
    for axis in (2, 3):
        size = x.shape[axis]
        places = np.clip((np.arange(size * factor) + 0.5) / factor - 0.5, 0, size - 1)
        low = np.floor(places).astype(int)
        high = np.minimum(low + 1, size - 1)
        part = (places - low).reshape([-1 if a == axis else 1 for a in range(4)])
        x = np.take(x, low, axis) * (1 - part) + np.take(x, high, axis) * part
    return x


def conv(kernel: int, stride: int = 1, dilation: int = 1, padding: int | None = None, **more: Any) -> dict[str, Any]:
    padding = dilation * (kernel - 1) // 2 if padding is None else padding
    return {"kernel": kernel, "stride": stride, "dilation": dilation, "padding": padding, **more}


erf = np.vectorize(math.erf)
IMAGE = (4, 6, 5)
SAME = ((IMAGE,), IMAGE)


def elementwise(op: str, reference: Callable[[Array], Array], **attributes: Any) -> Case:
    name = f"{op}-{'-'.join(map(str, attributes.values()))}" if attributes else op
    return Case(op=op, inputs=(IMAGE,), output=IMAGE, reference=reference, attributes=attributes, name=name)


def gates(count: int) -> tuple[WeightSpec, ...]:
    """The weights of a recurrent layer with `count` gates of 6 units on tokens of 4 elements."""
    rows = count * 6
    biases = weight("input_bias", rows), weight("recurrent_bias", rows)
    return (weight("recurrent_kernel", rows, 6), weight("input_kernel", rows, 4), *biases)


def rounding(weight_bits: int, weight_exponent: int, input_bits: int, per_channel: bool) -> dict[str, Any]:
    """How a layer rounds; the inputs to integers."""
    return {"weight_bits": weight_bits, "input_bits": input_bits, "weight_exponent": weight_exponent,
            "input_exponent": 0, "input_signed": True, "per_channel": per_channel}  # fmt: skip


CASES = [
    elementwise("identity", lambda x: x),
    elementwise("relu", lambda x: np.maximum(x, 0)),
    elementwise("relu6", lambda x: np.clip(x, 0, 6)),
    elementwise("leaky_relu", lambda x: np.where(x > 0, x, 0.2 * x), slope=0.2),
    elementwise("elu", lambda x: np.where(x > 0, x, 0.5 * np.expm1(x)), alpha=0.5),
    elementwise(
        "selu", lambda x: 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(x))
    ),
    elementwise("gelu", lambda x: x * (1 + erf(x / math.sqrt(2))) / 2, approximate=False),
    elementwise(
        "gelu", lambda x: x / 2 * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))), approximate=True
    ),
    elementwise("silu", lambda x: x * sigmoid(x)),
    elementwise("sigmoid", sigmoid),
    elementwise("tanh", np.tanh),
    elementwise("hswish", lambda x: x * np.clip(x + 3, 0, 6) / 6),
    elementwise("hsigmoid", lambda x: np.clip(x + 3, 0, 6) / 6),
    elementwise("hard_tanh", lambda x: np.clip(x, -0.5, 2.0), low=-0.5, high=2.0),
    elementwise("absolute", np.abs),
    elementwise("square", lambda x: x * x),
    elementwise("softplus", lambda x: np.log1p(np.exp(x))),
    elementwise("mish", lambda x: x * np.tanh(np.log1p(np.exp(x)))),
    elementwise("softmax", lambda x: softmax(x, 1), axis=1),
    elementwise("log_softmax", lambda x: np.log(softmax(x)), axis=-1),
    elementwise("scale", lambda x: x * 2.5, factor=2.5),
    elementwise("dropout", lambda x: x, rate=0.5),
    elementwise("drop_path", lambda x: x, rate=0.5),
    elementwise("zero", np.zeros_like, stride=1),
    elementwise("channel_shuffle", lambda x: shuffled(x, 2), groups=2),
    Case(op="zero", inputs=((4, 5, 6),), output=(4, 3, 3), attributes={"stride": 2}, name="zero-2",
         reference=lambda x: np.zeros_like(x[:, :, ::2, ::2])),
    Case(op="prelu", inputs=(IMAGE,), output=IMAGE, attributes={"shared": False}, weights=(weight("slope", 4),),
         reference=lambda x, slope: np.where(x > 0, x, per_channel(slope, 4) * x)),
    Case(op="prelu", inputs=(IMAGE,), output=IMAGE, attributes={"shared": True}, weights=(weight("slope", 1),),
         name="prelu-shared", reference=lambda x, slope: np.where(x > 0, x, slope * x)),
    Case(op="conv1d", inputs=((4, 9),), output=(6, 5), weights=(weight("kernel", 6, 4, 3), weight("bias", 6)),
         attributes={"out": 6, "groups": 1, "bias": True, **conv(3, 2)},
         reference=lambda x, kernel, bias: convolved(x, kernel, bias, 2, 1)),
    Case(op="conv2d", inputs=((4, 9, 8),), output=(6, 5, 4), weights=(weight("kernel", 6, 4, 3, 3),),
         attributes={"out": 6, "groups": 1, "bias": False, **conv(3, 2)},
         reference=lambda x, kernel: convolved(x, kernel, None, 2, 1)),
    Case(op="conv2d", inputs=((4, 9, 8),), output=(6, 5, 4), name="conv2d-dilated",
         weights=(weight("kernel", 6, 4, 3, 3), weight("bias", 6)),
         attributes={"out": 6, "groups": 1, "bias": True, **conv(3, 1, 2, 0)},
         reference=lambda x, kernel, bias: convolved(x, kernel, bias, dilation=2)),
    Case(op="conv2d", inputs=((4, 7, 8),), output=(6, 7, 8), name="conv2d-grouped",
         weights=(weight("kernel", 6, 2, 3, 3),), attributes={"out": 6, "groups": 2, "bias": False, **conv(3)},
         reference=lambda x, kernel: grouped(x, kernel, 2, padding=1)),
    Case(op="conv2d_rect", inputs=((4, 9, 8),), output=(6, 9, 4), weights=(weight("kernel", 6, 4, 1, 5),),
         attributes={"out": 6, "kernel": (1, 5), "stride": (1, 2), "dilation": (1, 1), "groups": 1, "bias": False,
                     "padding": (0, 2)},
         reference=lambda x, kernel: rectangular(x, kernel, (1, 2), (0, 2))),
    Case(op="conv2d_rect", inputs=((4, 9, 8),), output=(6, 3, 9), name="conv2d_rect-dilated",
         weights=(weight("kernel", 6, 4, 3, 2), weight("bias", 6)),
         attributes={"out": 6, "kernel": (3, 2), "stride": (2, 1), "dilation": (2, 1), "groups": 1, "bias": True,
                     "padding": (0, 1)},
         reference=lambda x, kernel, bias: rectangular(x, kernel, (2, 1), (0, 1), (2, 1)) + per_channel(bias, 4)),
    Case(op="conv3d", inputs=((2, 4, 5, 6),), output=(3, 4, 5, 6), weights=(weight("kernel", 3, 2, 3, 3, 3),),
         attributes={"out": 3, "groups": 1, "bias": False, **conv(3)},
         reference=lambda x, kernel: convolved(x, kernel, padding=1)),
    Case(op="depthwise_conv2d", inputs=(IMAGE,), output=(8, 6, 5), weights=(weight("kernel", 8, 1, 5, 5),),
         attributes={"multiplier": 2, "bias": False, **conv(5)},
         reference=lambda x, kernel: grouped(x, kernel, 4, padding=2)),
    Case(op="conv_transpose2d", inputs=((4, 3, 5),), output=(6, 6, 10), weights=(weight("kernel", 4, 6, 3, 3),),
         attributes={"out": 6, "kernel": 3, "stride": 2, "padding": 1, "output_padding": 1, "groups": 1, "bias": False},
         reference=lambda x, kernel: transposed(x, kernel, 2, 1, 1)),
    Case(op="conv_transpose1d", inputs=((4, 5),), output=(6, 10), weights=(weight("kernel", 4, 6, 3),),
         attributes={"out": 6, "kernel": 3, "stride": 2, "padding": 1, "output_padding": 1, "groups": 1, "bias": False},
         reference=lambda x, kernel: spread(x, kernel, 2, 1, 1)),
    Case(op="linear", inputs=((5, 4),), output=(5, 6), weights=(weight("kernel", 6, 4), weight("bias", 6)),
         attributes={"out": 6, "bias": True}, reference=lambda x, kernel, bias: x @ kernel.T + bias),
    Case(op="linear", inputs=((4,),), output=(6,), weights=(weight("kernel", 6, 4),), name="linear-no-bias",
         attributes={"out": 6, "bias": False}, reference=lambda x, kernel: x @ kernel.T),
    *[
        Case(op="batch_norm", inputs=((4, *rest),), output=(4, *rest), reference=batch_normed,
             name=f"batch_norm-{rest}", attributes={"momentum": 0.1, "eps": 1e-5, "affine": affine},
             weights=((weight("scale", 4), weight("bias", 4)) if affine else ())
             + (weight("mean", 4, trained=False), weight("variance", 4, trained=False)))
        for rest, affine in (((), True), ((5,), False), ((5, 6), True), ((3, 2, 4), True))
    ],
    Case(op="layer_norm", inputs=((5, 4),), output=(5, 4), weights=(weight("scale", 4), weight("bias", 4)),
         attributes={"eps": 1e-5, "affine": True},
         reference=lambda x, scale, bias: normalised(x, (-1,)) * scale + bias),
    Case(op="layer_norm", inputs=((5, 4),), output=(5, 4), name="layer_norm-plain",
         attributes={"eps": 1e-5, "affine": False}, reference=lambda x: normalised(x, (-1,))),
    Case(op="rms_norm", inputs=((5, 4),), output=(5, 4), weights=(weight("scale", 4),), attributes={"eps": 1e-6},
         reference=lambda x, scale: x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-6) * scale),
    Case(op="group_norm", inputs=(IMAGE,), output=IMAGE, weights=(weight("scale", 4), weight("bias", 4)),
         attributes={"groups": 2, "eps": 1e-5, "affine": True},
         reference=lambda x, scale, bias: normalised(x.reshape(N, 2, 2, 6, 5), (2, 3, 4)).reshape(x.shape)
         * per_channel(scale, 4) + per_channel(bias, 4)),
    Case(op="instance_norm", inputs=(IMAGE,), output=IMAGE, attributes={"eps": 1e-5, "affine": False},
         reference=lambda x: normalised(x, (2, 3))),
    Case(op="local_response_norm", inputs=((7, 3, 2),), output=(7, 3, 2),
         attributes={"size": 4, "alpha": 0.3, "beta": 0.75, "k": 2.0},
         reference=lambda x: divided(x, 4, 0.3, 0.75, 2.0)),
    Case(op="channel_scale", inputs=(IMAGE,), output=IMAGE, attributes={"init": 0.5}, weights=(weight("scale", 4),),
         reference=lambda x, scale: per_channel(scale, 4) * x),
    Case(op="feature_scale", inputs=((7, 4),), output=(7, 4), attributes={"init": 0.5}, weights=(weight("scale", 4),),
         reference=lambda x, scale: scale * x),
    Case(op="max_pool1d", inputs=((4, 9),), output=(4, 5), attributes={"kernel": 3, "stride": 2, "padding": 1},
         reference=lambda x: pooled(x, 3, 2, 1, "max")),
    Case(op="max_pool2d", inputs=(IMAGE,), output=(4, 3, 3), attributes={"kernel": 3, "stride": 2, "padding": 1},
         reference=lambda x: pooled(x, 3, 2, 1, "max")),
    Case(op="avg_pool1d", inputs=((4, 9),), output=(4, 9), reference=lambda x: pooled(x, 3, 1, 1, "mean"),
         attributes={"kernel": 3, "stride": 1, "padding": 1, "count_padding": False}),
    Case(op="avg_pool2d", inputs=(IMAGE,), output=IMAGE, reference=lambda x: pooled(x, 3, 1, 1, "mean"),
         attributes={"kernel": 3, "stride": 1, "padding": 1, "count_padding": False}),
    Case(op="avg_pool2d", inputs=(IMAGE,), output=IMAGE, reference=lambda x: pooled(x, 3, 1, 1, "padded"),
         name="avg_pool2d-padded", attributes={"kernel": 3, "stride": 1, "padding": 1, "count_padding": True}),
    Case(op="max_pool1d", inputs=((4, 8),), output=(4, 4), name="max_pool1d-ceil",
         attributes={"kernel": 3, "stride": 2, "padding": 0, "ceil": True},
         reference=lambda x: reaching(x[..., None, :], 3, 2, 0, "max")[:, :, 0]),
    Case(op="avg_pool1d", inputs=((4, 8),), output=(4, 4), name="avg_pool1d-ceil",
         attributes={"kernel": 3, "stride": 2, "padding": 0, "count_padding": True, "ceil": True},
         reference=lambda x: reaching(x[..., None, :], 3, 2, 0, "mean")[:, :, 0]),
    Case(op="max_pool2d", inputs=((4, 8, 7),), output=(4, 4, 3), name="max_pool2d-ceil",
         attributes={"kernel": 3, "stride": 2, "padding": 0, "ceil": True},
         reference=lambda x: reaching(x, 3, 2, 0, "max")),
    *[
        Case(op="avg_pool2d", inputs=((4, 8, 7),), output=(4, 3, 3), name=f"avg_pool2d-ceil-{counted}",
             attributes={"kernel": 3, "stride": 3, "padding": 1, "count_padding": counted, "ceil": True},
             reference=lambda x, counted=counted: reaching(x, 3, 3, 1, "mean", counted))
        for counted in (False, True)
    ],
    Case(op="max_pool3d", inputs=((2, 4, 6, 5),), output=(2, 2, 3, 3), reference=lambda x: pooled(x, 3, 2, 1, "max"),
         attributes={"kernel": 3, "stride": 2, "padding": 1}),
    *[
        Case(op="avg_pool3d", inputs=((2, *size),), output=(2, *((d + 1) // 2 for d in size)),
             attributes={"kernel": 3, "stride": 2, "padding": 1, "count_padding": kind == "padded"},
             name=f"avg_pool3d-{kind}-{size}", reference=lambda x, kind=kind: pooled(x, 3, 2, 1, kind))
        for kind, size in (("mean", (4, 6, 5)), ("padded", (4, 6, 5)), ("mean", (2, 1, 2)))
    ],
    Case(op="adaptive_avg_pool1d", inputs=((4, 6),), output=(4, 2), attributes={"out": 2},
         reference=lambda x: x.reshape(N, 4, 2, 3).mean(3)),
    Case(op="adaptive_avg_pool3d", inputs=((4, 6, 8, 2),), output=(4, 2, 2, 2), attributes={"out": 2},
         reference=lambda x: x.reshape(N, 4, 2, 3, 2, 4, 2, 1).mean((3, 5, 7))),
    Case(op="global_avg_pool", inputs=(IMAGE,), output=(4,), reference=lambda x: x.mean((2, 3))),
    Case(op="global_max_pool", inputs=((4, 7),), output=(4,), reference=lambda x: x.max(2)),
    Case(op="adaptive_avg_pool2d", inputs=((4, 6, 8),), output=(4, 2, 2), attributes={"out": 2},
         reference=lambda x: x.reshape(N, 4, 2, 3, 2, 4).mean((3, 5))),
    Case(op="add", inputs=(IMAGE, IMAGE), output=IMAGE, reference=lambda a, b: a + b),
    Case(op="add", inputs=(IMAGE, (4, 1, 1), IMAGE), output=IMAGE, reference=lambda a, b, c: a + b + c, name="add-3"),
    Case(op="add", inputs=(IMAGE,), output=IMAGE, reference=lambda a: a, name="add-1"),
    Case(op="sub", inputs=(IMAGE, IMAGE), output=IMAGE, reference=lambda a, b: a - b),
    Case(op="mul", inputs=(IMAGE, (4, 1, 1)), output=IMAGE, reference=lambda a, b: a * b),
    Case(op="div", inputs=(IMAGE, IMAGE), output=IMAGE, reference=lambda a, b: a / b),
    Case(op="matmul", inputs=((5, 4), (4, 6)), output=(5, 6), attributes={"transpose_b": False},
         reference=lambda a, b: a @ b),
    Case(op="matmul", inputs=((5, 4), (6, 4)), output=(5, 6), attributes={"transpose_b": True},
         name="matmul-transposed", reference=lambda a, b: a @ b.swapaxes(1, 2)),
    Case(op="mean", inputs=(IMAGE,), output=(4, 5), attributes={"axis": 2, "keep": False},
         reference=lambda x: x.mean(2)),
    Case(op="mean", inputs=(IMAGE,), output=(4, 6, 1), attributes={"axis": -1, "keep": True}, name="mean-keep",
         reference=lambda x: x.mean(-1, keepdims=True)),
    Case(op="max_reduce", inputs=(IMAGE,), output=(6, 5), attributes={"axis": 1, "keep": False},
         reference=lambda x: x.max(1)),
    Case(op="min_reduce", inputs=(IMAGE,), output=(4, 6, 1), attributes={"axis": -1, "keep": True},
         reference=lambda x: x.min(-1, keepdims=True)),
    Case(op="maximum", inputs=(IMAGE, (4, 1, 5), IMAGE), output=IMAGE,
         reference=lambda a, b, c: np.maximum(np.maximum(a, b), c)),
    Case(op="concat", inputs=(IMAGE, (2, 6, 5)), output=(6, 6, 5), attributes={"axis": 1},
         reference=lambda a, b: np.concatenate([a, b], 1)),
    Case(op="flatten", inputs=(IMAGE,), output=(120,), attributes={"start": 1}, reference=lambda x: x.reshape(N, -1)),
    Case(op="reshape", inputs=(IMAGE,), output=(8, 15), attributes={"shape": (8, 15)},
         reference=lambda x: x.reshape(N, 8, 15)),
    Case(op="permute", inputs=(IMAGE,), output=(5, 4, 6), attributes={"order": (0, 3, 1, 2)},
         reference=lambda x: x.transpose(0, 3, 1, 2)),
    Case(op="transpose", inputs=(IMAGE,), output=(5, 6, 4), attributes={"a": 1, "b": -1},
         reference=lambda x: x.swapaxes(1, 3)),
    Case(op="slice", inputs=(IMAGE,), output=(4, 3, 5), reference=lambda x: x[:, :, 1:6:2],
         attributes={"axis": 2, "start": 1, "stop": 6, "step": 2}),
    Case(op="pad", inputs=(IMAGE,), output=(4, 9, 8), attributes={"amount": (1, 2, 3, 0), "value": 0.0},
         reference=lambda x: np.pad(x, [(0, 0), (0, 0), (3, 0), (1, 2)])),
    Case(op="pad", inputs=(IMAGE,), output=(4, 6, 6), attributes={"amount": (0, 1), "value": 2.0}, name="pad-value",
         reference=lambda x: np.pad(x, [(0, 0)] * 3 + [(0, 1)], constant_values=2)),
    Case(op="upsample", inputs=(IMAGE,), output=(4, 12, 10), attributes={"factor": 2, "mode": "nearest"},
         reference=lambda x: x.repeat(2, 2).repeat(2, 3)),
    Case(op="upsample", inputs=(IMAGE,), output=(4, 18, 15), attributes={"factor": 3, "mode": "bilinear"},
         name="upsample-bilinear", reference=lambda x: bilinear(x, 3)),
    Case(op="pixel_shuffle", inputs=((8, 3, 2),), output=(2, 6, 4), attributes={"factor": 2},
         reference=lambda x: pixels(x, 2)),
    Case(op="attention", inputs=((5, 8), (7, 8), (7, 8)), output=(5, 8), attributes={"heads": 2, "causal": False},
         reference=lambda q, k, v: attended(q, k, v, 2)),
    Case(op="attention", inputs=((5, 8), (5, 8), (5, 8)), output=(5, 8), attributes={"heads": 4, "causal": True},
         name="attention-causal", reference=lambda q, k, v: attended(q, k, v, 4, True)),
    *[
        Case(op="attention", inputs=((6, 12), (6, 6), (6, 10)), output=(6, 20), reference=partial(attended, **settings),
             attributes=settings, name=f"attention-grouped-{causal}-{window}")
        for causal, window in ((False, 0), (False, 2), (True, 3))
        for settings in [{"heads": 4, "causal": causal, "kv_heads": 2, "window": window}]
    ],
    Case(op="rotary", inputs=((5, 12),), output=(5, 12), attributes={"heads": 2, "base": 100.0},
         reference=lambda x: turned(x, 2, 100.0)),
    Case(op="window_bias", inputs=((2, 4, 6, 6),), output=(2, 4, 6, 6), attributes={"height": 2, "width": 3},
         weights=(weight("table", 15, 4),), reference=lambda x, table: with_offsets(x, table, 2, 3)),
    *[
        Case(op="bucket_bias", inputs=((2, 40, 30),), output=(2, 40, 30), name=f"bucket_bias-{causal}",
             attributes={"buckets": buckets, "distance": distance, "causal": causal},
             weights=(weight("table", buckets, 2),),
             reference=partial(with_buckets, distance=distance, causal=causal))
        for buckets, distance, causal in ((32, 128, False), (8, 16, True))
    ],
    Case(op="lstm", inputs=((5, 4),), output=(5, 6), attributes={"units": 6, "reverse": False}, weights=gates(4),
         reference=long_short_term),
    Case(op="lstm", inputs=((5, 4),), output=(5, 6), attributes={"units": 6, "reverse": True}, weights=gates(4),
         name="lstm-reverse", reference=lambda x, **weights: long_short_term(x[:, ::-1], **weights)[:, ::-1]),
    Case(op="gru", inputs=((5, 4),), output=(5, 6), attributes={"units": 6, "reverse": False}, weights=gates(3),
         reference=gated_recurrent),
    Case(op="gru", inputs=((5, 4),), output=(5, 6), attributes={"units": 6, "reverse": True}, weights=gates(3),
         name="gru-reverse", reference=lambda x, **weights: gated_recurrent(x[:, ::-1], **weights)[:, ::-1]),
    Case(op="selective_scan", inputs=((11, 4), (11, 4), (11, 3), (11, 3)), output=(11, 4), attributes={"state": 3},
         weights=(weight("a_log", 4, 3), weight("skip", 4)), reference=scanned),
    Case(op="top_k_gate", inputs=((5, 6),), output=(5, 6), attributes={"k": 2}, reference=lambda x: gated(x, 2)),
    elementwise("power", lambda x: x**3, exponent=3.0),
    elementwise("fill", lambda x: np.full_like(x, 0.5), value=0.5),
    Case(op="feature_bias", inputs=((5, 4),), output=(5, 4), weights=(weight("bias", 4),),
         reference=lambda x, bias: x + bias),
    Case(op="gather", inputs=((4,), ()), output=(4,), dtype=("f64", "i64"), below=N,
         reference=lambda x, index: x[index]),
    Case(op="segment_sum", inputs=((4, 2), ()), output=(4, 2), dtype=("f64", "i64"), below=N - 1,
         attributes={"count": N}, reference=lambda x, index: segments(x, index, N)),
    Case(op="segment_softmax", inputs=((4, 2), ()), output=(4, 2), dtype=("f64", "i64"), below=N - 1,
         attributes={"count": N}, reference=segment_shares),
    Case(op="self_loops", inputs=((5,),), output=(7,), dtype="i64", result="i64", attributes={"nodes": 2},
         reference=lambda edges: np.concatenate([edges, np.broadcast_to([0, 1], (N, 2))], 1)),
    *[
        Case(op="fake_quantize", inputs=(IMAGE,), output=IMAGE, attributes=settings,
             name="fake_quantize-" + "-".join(map(str, settings.values())), reference=partial(rounded, **settings))
        for bits, signed, axes, exponent in (
            (8, True, (), 0), (2, True, (1,), 0), (3, False, (-1, 0), 0), (1, False, (), 0),
            (8, True, (), 4), (8, True, (1,), 5), (4, True, (), 2), (6, True, (), 3), (5, True, (0,), 1),
        )
        for settings in [{"bits": bits, "signed": signed, "axes": axes, "exponent": exponent}]
    ],
    *[
        Case(op="quantized_linear", inputs=((5, 4),), output=(5, 6), name=f"quantized_linear-{per_channel}",
             weights=(weight("kernel", 6, 4), weight("bias", 6)),
             attributes={"out": 6, "bias": True, **rounding(4, exponent, 6, per_channel)},
             reference=lambda x, kernel, bias, axes=axes, exponent=exponent:
                 rounded(x, 6) @ rounded(kernel, 4, axes=axes, exponent=exponent).T + bias)
        for per_channel, axes, exponent in ((True, (0,), 0), (False, (), 2))
    ],
    Case(op="quantized_conv2d", inputs=((4, 9, 8),), output=(6, 5, 4), weights=(weight("kernel", 6, 4, 3, 3),),
         attributes={"out": 6, "groups": 1, "bias": False, **conv(3, 2), **rounding(8, 4, 3, True)},
         reference=lambda x, kernel: convolved(rounded(x, 3), rounded(kernel, 8, axes=(0,), exponent=4), None, 2, 1)),
    Case(op="embedding", inputs=((5,),), output=(5, 4), weights=(weight("table", 7, 4),), dtype="i64",
         attributes={"vocabulary": 7, "dim": 4}, reference=lambda tokens, table: table[tokens]),
    Case(op="position_embedding", inputs=((5, 4),), output=(5, 4), weights=(weight("table", 9, 4),),
         attributes={"length": 9}, reference=lambda x, table: x + table[:5]),
    Case(op="class_token", inputs=((5, 4),), output=(6, 4), weights=(weight("token", 4),),
         reference=lambda x, token: np.concatenate([np.broadcast_to(token, (N, 1, 4)), x], 1)),
]  # fmt: skip
