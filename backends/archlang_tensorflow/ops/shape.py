"""Ops that move elements without computing, and resizing."""

import math
from typing import Any

import numpy as np
from archlang.lowering.formulas import resizing
from keras import ops

from archlang_tensorflow.lowering import function


@function("concat")
def concat(*xs: Any, axis: int = 1) -> Any:
    return ops.concatenate(xs, axis=axis)


@function("flatten")
def flatten(x: Any, *, start: int = 1) -> Any:
    """All dimensions from `start` on made one."""
    flat = None if None in x.shape[start:] else math.prod(x.shape[start:])
    return ops.reshape(x, [-1 if size is None else size for size in (*x.shape[:start], flat)])


@function("reshape")
def reshape(x: Any, *, shape: tuple[int, ...]) -> Any:
    return ops.reshape(x, (-1, *shape))


@function("permute")
def permute(x: Any, *, order: tuple[int, ...]) -> Any:
    return ops.transpose(x, order)


@function("slice")
def slice_axis(x: Any, *, axis: int, start: int, stop: int, step: int = 1) -> Any:
    """The elements start, start + step, ... before stop along an axis."""
    index = [slice(None)] * len(x.shape)
    index[axis] = slice(start, stop, step)
    return x[tuple(index)]


@function("roll")
def roll(x: Any, *, axis: int, amount: int) -> Any:
    return ops.roll(x, amount, axis)


@function("subsample")
def subsample(x: Any, *, steps: tuple[int, ...]) -> Any:
    """Every `step`-th place of each dimension of space."""
    return x[(slice(None), *(slice(None, None, step) for step in steps))]


@function("border")
def border(x: Any, *, pairs: tuple[tuple[int, int], ...], value: float = 0.0) -> Any:
    return ops.pad(x, pairs) if value == 0.0 else ops.pad(x, pairs, constant_values=value)


@function("upsample")
def upsample(x: Any, *, factor: int = 2, mode: str = "nearest") -> Any:
    """Space enlarged by a whole factor."""
    if mode == "bilinear":
        return ops.image.resize(
            x, [factor * size for size in x.shape[1:-1]], interpolation="bilinear"
        )
    for axis in range(1, len(x.shape) - 1):
        x = ops.repeat(x, factor, axis=axis)
    return x


@function("resize")
def resize(x: Any, *, size: tuple[int, int], mode: str = "bilinear", corners: bool = False) -> Any:
    """An image of another size."""
    for axis, new in enumerate(size, 1):
        matrix = ops.cast(np.array(resizing(x.shape[axis], new, mode, corners)), x.dtype)
        last = ops.matmul(ops.moveaxis(x, axis, -1), ops.transpose(matrix))
        x = ops.moveaxis(last, -1, axis)
    return x


@function("pixel_shuffle")
def pixel_shuffle(x: Any, *, factor: int) -> Any:
    """Channels [c * factor * factor] moved into space."""
    h, w, c = x.shape[1:]
    x = ops.reshape(x, (-1, h, w, c // factor**2, factor, factor))
    return ops.reshape(
        ops.transpose(x, (0, 1, 4, 2, 5, 3)), (-1, h * factor, w * factor, c // factor**2)
    )


@function("channel_shuffle")
def channel_shuffle(x: Any, *, groups: int) -> Any:
    """Channels dealt out anew, one from each group in turn."""
    sizes = x.shape[1:-1]
    split = ops.reshape(x, (-1, *sizes, groups, x.shape[-1] // groups))
    return ops.reshape(ops.swapaxes(split, -1, -2), (-1, *sizes, x.shape[-1]))
