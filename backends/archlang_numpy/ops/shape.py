"""Ops that move elements without computing, and resizing."""

import numpy as np
from archlang.lowering.formulas import resizing

from archlang_numpy.lowering import Array, function


@function("concat")
def concat(*xs: Array, axis: int = 1) -> Array:
    return np.concatenate(xs, axis=axis)


@function("flatten")
def flatten(x: Array, *, start: int = 1) -> Array:
    return x.reshape(*x.shape[:start], -1)


@function("reshape")
def reshape(x: Array, *, shape: tuple[int, ...]) -> Array:
    return x.reshape(-1, *shape)


@function("permute")
def permute(x: Array, *, order: tuple[int, ...]) -> Array:
    return x.transpose(order)


@function("transpose")
def transpose(x: Array, *, a: int, b: int) -> Array:
    return x.swapaxes(a, b)


@function("slice")
def slice_axis(x: Array, *, axis: int, start: int, stop: int, step: int = 1) -> Array:
    """The elements start, start + step, ... before stop along an axis."""
    index = [slice(None)] * x.ndim
    index[axis] = slice(start, stop, step)
    return x[tuple(index)]


@function("take", weights=("places",), unused=("count",))
def take(x: Array, *, axis: int, places: Array) -> Array:
    return x.take(places.astype(int), axis)


@function("roll")
def roll(x: Array, *, axis: int, amount: int) -> Array:
    return np.roll(x, amount, axis)


@function("pad")
def pad(x: Array, *, amount: tuple[int, ...], value: float = 0.0) -> Array:
    """A border; `amount` lists how much before and after, the last dimension first."""
    borders = [(0, 0)] * x.ndim
    for back in range(len(amount) // 2):
        borders[-1 - back] = amount[2 * back], amount[2 * back + 1]
    return np.pad(x, borders, constant_values=value)


@function("upsample")
def upsample(x: Array, *, factor: int = 2, mode: str = "nearest") -> Array:
    """Space enlarged; "bilinear" takes the centres of pixels for their places."""
    for axis in range(2, x.ndim):
        if mode == "nearest":
            x = x.repeat(factor, axis)
            continue
        last = x.shape[axis] - 1
        places = np.clip((np.arange(factor * (last + 1)) + 0.5) / factor - 0.5, 0, last)
        low = places.astype(int)
        part = (places - low).astype(x.dtype).reshape(-1, *[1] * (x.ndim - 1 - axis))
        x = x.take(low, axis) * (1 - part) + x.take(np.minimum(low + 1, last), axis) * part
    return x


@function("resize")
def resize(
    x: Array, *, size: tuple[int, int], mode: str = "bilinear", corners: bool = False
) -> Array:
    """An image of another size."""
    down, right = [
        np.array(resizing(old, new, mode, corners), x.dtype)
        for old, new in zip(x.shape[2:], size, strict=True)
    ]
    return down @ x @ right.T


@function("pixel_shuffle")
def pixel_shuffle(x: Array, *, factor: int) -> Array:
    """Channels moved into space: height and width grow by `factor`."""
    n, c, h, w = x.shape
    parts = x.reshape(n, c // factor**2, factor, factor, h, w).transpose(0, 1, 4, 2, 5, 3)
    return parts.reshape(n, c // factor**2, h * factor, w * factor)


@function("channel_shuffle")
def channel_shuffle(x: Array, *, groups: int) -> Array:
    return x.reshape(x.shape[0], groups, -1, *x.shape[2:]).swapaxes(1, 2).reshape(x.shape)
