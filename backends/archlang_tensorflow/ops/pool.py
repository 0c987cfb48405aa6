"""Pooling over space."""

from typing import Any

import numpy as np
from keras import ops

from archlang_tensorflow.lowering import function


@function("max_pool1d", "max_pool2d")
def max_pool(x: Any, *, kernel: int, stride: int, padding: str) -> Any:
    return ops.max_pool(x, kernel, stride, padding)


@function("avg_pool1d", "avg_pool2d")
def avg_pool(x: Any, *, kernel: int, stride: int, padding: str) -> Any:
    return ops.average_pool(x, kernel, stride, padding)


@function("max_pool3d")
def max_pool3d(x: Any, *, kernel: int, stride: int, padding: str) -> Any:
    return pool3d(ops.max_pool, x, kernel, stride, padding)


@function("avg_pool3d")
def avg_pool3d(x: Any, *, kernel: int, stride: int, padding: str) -> Any:
    return pool3d(ops.average_pool, x, kernel, stride, padding)


def pool3d(pool: Any, x: Any, kernel: int, stride: int, padding: str) -> Any:
    """Pooling over height and width, then over depth.

    In one step TensorFlow does it on CPUs for few types: not for double precision.
    """
    d, h, w, c = x.shape[1:]
    flat = pool(ops.reshape(x, (-1, h, w, c)), kernel, stride, padding)
    h, w = flat.shape[1:3]
    deep = pool(ops.reshape(flat, (-1, d, h * w, c)), (kernel, 1), (stride, 1), padding)
    return ops.reshape(deep, (-1, deep.shape[1], h, w, c))


@function("counted_avg_pool")
def counted_avg_pool(
    x: Any, *, kernel: int, stride: int, padding: int, after: tuple[int, ...], count_padding: bool
) -> Any:
    """The mean of what counts in each window: not what lies beyond the input, or its padding."""
    sizes = x.shape[1:-1]
    summed = ops.pad(x, [(0, 0), *((padding, end) for end in after), (0, 0)])
    counted = np.pad(np.ones(sizes), padding, constant_values=1.0 if count_padding else 0.0)
    counted = np.pad(counted, [(0, end - padding) for end in after])
    windows = np.lib.stride_tricks.sliding_window_view(counted, (kernel,) * len(sizes))
    windows = windows[(slice(None, None, stride),) * len(sizes)]
    share = kernel ** len(sizes) / windows.sum(axis=tuple(range(len(sizes), windows.ndim)))
    average = avg_pool3d if len(sizes) == 3 else avg_pool
    means = average(summed, kernel=kernel, stride=stride, padding="valid")
    return means * ops.cast(share[None, ..., None], x.dtype)


@function("global_avg_pool")
def global_avg_pool(x: Any, *, axes: tuple[int, ...]) -> Any:
    return ops.mean(x, axis=axes)


@function("global_max_pool")
def global_max_pool(x: Any, *, axes: tuple[int, ...]) -> Any:
    return ops.max(x, axis=axes)


@function("adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d")
def adaptive_avg_pool(x: Any, *, out: int) -> Any:
    """The mean of windows that divide each dimension of space into `out` parts."""
    for axis in range(1, len(x.shape) - 1):
        windows = ops.cast(mean_windows(x.shape[axis], out), x.dtype)
        x = ops.moveaxis(ops.matmul(ops.moveaxis(x, axis, -1), ops.transpose(windows)), -1, axis)
    return x


def mean_windows(size: int, out: int) -> Any:
    """The matrix [out, size] that takes the mean of each of `out` windows."""
    matrix = np.zeros((out, size))
    for row in range(out):
        first, last = row * size // out, -((row + 1) * size // -out)
        matrix[row, first:last] = 1 / (last - first)
    return matrix
