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
    return ops.average_pool(summed, kernel, stride) * share[None, ..., None].astype(x.dtype)


@function("global_avg_pool")
def global_avg_pool(x: Any, *, axes: tuple[int, ...]) -> Any:
    return ops.mean(x, axis=axes)


@function("global_max_pool")
def global_max_pool(x: Any, *, axes: tuple[int, ...]) -> Any:
    return ops.max(x, axis=axes)


@function("adaptive_avg_pool2d")
def adaptive_avg_pool2d(x: Any, *, out: int) -> Any:
    """The mean of windows that divide height and width into `out` parts each."""
    h, w = (mean_windows(size, out).astype(x.dtype) for size in x.shape[1:3])
    return ops.einsum("ih,nhwc,jw->nijc", h, x, w)


def mean_windows(size: int, out: int) -> Any:
    """The matrix [out, size] that takes the mean of each of `out` windows."""
    matrix = np.zeros((out, size))
    for row in range(out):
        first, last = row * size // out, -((row + 1) * size // -out)
        matrix[row, first:last] = 1 / (last - first)
    return matrix
