"""Convolutions and linear maps. Data is [n, c, spatial...], kernels [out, c / groups, ...]."""

import math

import numpy as np

from archlang_numpy.lowering import Array, function
from archlang_numpy.ops.channels import affine

PLAIN = ("kernel", "bias")


@function("linear", weights=PLAIN, unused=("out",))
def linear(x: Array, *, kernel: Array, bias: Array | None = None) -> Array:
    x = np.matmul(x, kernel.T)
    return x if bias is None else x + bias


def convolved(
    x: Array,
    kernel: Array,
    stride: tuple[int, ...],
    padding: tuple[int, ...],
    dilation: tuple[int, ...],
    groups: int,
) -> Array:
    """Convolution with a stride, padding and dilation for each spatial dimension: the product of
    the kernel with the windows of x as columns."""
    x = np.pad(x, [(0, 0), (0, 0), *[(p, p) for p in padding]])
    n, out, rank = x.shape[0], kernel.shape[0], x.ndim
    spans = [(k - 1) * d + 1 for k, d in zip(kernel.shape[2:], dilation, strict=True)]
    windows = np.lib.stride_tricks.sliding_window_view(x, spans, tuple(range(2, rank)))
    steps = [slice(None, None, step) for step in (1, 1, *stride, *dilation)]
    windows = windows[tuple(steps)]
    places = windows.shape[2:rank]
    # [n, c, places..., kernel...] -> [n, groups, c / groups * kernel, places]
    windows = windows.transpose(0, 1, *range(rank, windows.ndim), *range(2, rank))
    columns = windows.reshape(n, groups, -1, math.prod(places))
    return np.matmul(kernel.reshape(groups, out // groups, -1), columns).reshape(n, out, *places)


@function("conv1d", "conv2d", "conv3d", weights=PLAIN, unused=("out",))
def conv(
    x: Array,
    *,
    kernel: Array,
    bias: Array | None = None,
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
    groups: int = 1,
) -> Array:
    """Convolution of one, two or three dimensions with the same settings for all."""
    rank = x.ndim - 2
    x = convolved(x, kernel, (stride,) * rank, (padding,) * rank, (dilation,) * rank, groups)
    return affine(x, None, bias)


@function("conv2d_rect", weights=PLAIN, unused=("out",))
def conv2d_rect(
    x: Array,
    *,
    kernel: Array,
    bias: Array | None = None,
    stride: tuple[int, ...] = (1, 1),
    padding: tuple[int, ...] = (0, 0),
    dilation: tuple[int, ...] = (1, 1),
    groups: int = 1,
) -> Array:
    """Convolution with settings for height and width."""
    x = convolved(x, kernel, stride, padding, dilation, groups)
    return affine(x, None, bias)


@function("depthwise_conv2d", weights=PLAIN, unused=("multiplier",))
def depthwise_conv2d(
    x: Array,
    *,
    kernel: Array,
    bias: Array | None = None,
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
) -> Array:
    """Convolution of every channel by itself."""
    x = convolved(x, kernel, (stride,) * 2, (padding,) * 2, (dilation,) * 2, x.shape[1])
    return affine(x, None, bias)


@function("conv_transpose1d", "conv_transpose2d", weights=PLAIN, unused=("out",))
def conv_transpose(
    x: Array,
    *,
    kernel: Array,
    bias: Array | None = None,
    stride: int = 1,
    padding: int = 0,
    output_padding: int = 0,
    groups: int = 1,
) -> Array:
    """Transposed convolution: that of x spread out, the kernel [c, out / groups, ...] turned."""
    n, c, *sizes = x.shape
    out, *area = kernel.shape[1:]
    rank = len(sizes)
    reach = [(size - 1) * stride + 1 for size in sizes]
    spread = np.zeros((n, c, *[size + output_padding for size in reach]), x.dtype)
    everything = [slice(None), slice(None)]
    spread[tuple([*everything, *[slice(None, size, stride) for size in reach]])] = x
    turned = np.flip(kernel, tuple(range(2, x.ndim))).reshape(groups, c // groups, out, *area)
    turned = turned.swapaxes(1, 2).reshape(groups * out, c // groups, *area)
    around = tuple([size - 1 for size in area])
    x = convolved(spread, turned, (1,) * rank, around, (1,) * rank, groups)
    x = x[tuple([*everything, *[slice(padding, size - padding) for size in x.shape[2:]]])]
    return affine(x, None, bias)
