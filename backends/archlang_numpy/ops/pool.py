"""Pooling over space."""

import numpy as np

from archlang_numpy.lowering import Array, function


def windows(
    x: Array, kernel: int, stride: int, padding: int, ceil: bool, border: float, beyond: float
) -> Array:
    """The pooling windows of x in new last dimensions, [n, c, places..., kernel...].

    `border` is the value of the padding, `beyond` of what windows reach after it: with `ceil` those
    that start before the padding at the end.
    """
    before = [(0, 0), (0, 0), *[(padding, padding)] * (x.ndim - 2)]
    filled = np.pad(x, before, constant_values=border)
    for axis in range(2, x.ndim):
        size = filled.shape[axis]
        count = (size - kernel) // stride + 1
        if ceil and (size - kernel) % stride and count * stride < size - padding:
            more = [(0, 0)] * x.ndim
            more[axis] = (0, count * stride + kernel - size)
            filled = np.pad(filled, more, constant_values=beyond)
    axes = tuple(range(2, x.ndim))
    found = np.lib.stride_tricks.sliding_window_view(filled, (kernel,) * len(axes), axes)
    return found[(slice(None), slice(None), *[slice(None, None, stride)] * len(axes))]


@function("max_pool1d", "max_pool2d", "max_pool3d")
def max_pool(
    x: Array, *, kernel: int, stride: int = 1, padding: int = 0, ceil: bool = False
) -> Array:
    """The maximum of each window."""
    found = windows(x, kernel, stride, padding, ceil, -np.inf, -np.inf)
    return found.max(axis=tuple(range(2 - x.ndim, 0)))


@function("avg_pool1d", "avg_pool2d", "avg_pool3d")
def avg_pool(
    x: Array,
    *,
    kernel: int,
    stride: int = 1,
    padding: int = 0,
    count_padding: bool = False,
    ceil: bool = False,
) -> Array:
    """The mean of each window, in which padding counts or not."""
    axes = tuple(range(2 - x.ndim, 0))
    total = windows(x, kernel, stride, padding, ceil, 0, 0).sum(axis=axes)
    ones = np.ones((1, 1, *x.shape[2:]), x.dtype)
    counted = windows(ones, kernel, stride, padding, ceil, 1 if count_padding else 0, 0)
    return total / counted.sum(axis=axes)


@function("global_avg_pool")
def global_avg_pool(x: Array) -> Array:
    return x.mean(axis=tuple(range(2, x.ndim)))


@function("global_max_pool")
def global_max_pool(x: Array) -> Array:
    return x.max(axis=tuple(range(2, x.ndim)))


@function("adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d")
def adaptive_avg_pool(x: Array, *, out: int) -> Array:
    """The mean of windows that divide each spatial dimension into `out` parts, overlapping where
    these are no whole numbers."""
    for axis in range(2, x.ndim):
        size = x.shape[axis]
        parts = [range(i * size // out, -(-(i + 1) * size // out)) for i in range(out)]
        x = np.stack([x.take(part, axis).mean(axis=axis) for part in parts], axis=axis)
    return x
