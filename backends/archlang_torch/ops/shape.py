"""Ops that move elements without computing, and resizing."""

import torch
import torch.nn.functional as F
from torch import Tensor

from archlang_torch.lowering import function


@function("concat")
def concat(*xs: Tensor, axis: int = 1) -> Tensor:
    return torch.cat(xs, dim=axis)


@function("flatten")
def flatten(x: Tensor, *, start: int = 1) -> Tensor:
    return x.flatten(start)


@function("reshape")
def reshape(x: Tensor, *, shape: tuple[int, ...]) -> Tensor:
    return x.reshape(x.shape[0], *shape)


@function("permute")
def permute(x: Tensor, *, order: tuple[int, ...]) -> Tensor:
    return x.permute(*order)


@function("transpose")
def transpose(x: Tensor, *, a: int, b: int) -> Tensor:
    return x.transpose(a, b)


@function("slice")
def slice_axis(x: Tensor, *, axis: int, start: int, stop: int, step: int = 1) -> Tensor:
    """The elements start, start + step, ... before stop along an axis."""
    index = [slice(None)] * x.ndim
    index[axis] = slice(start, stop, step)
    return x[tuple(index)]


@function("roll")
def roll(x: Tensor, *, axis: int, amount: int) -> Tensor:
    return torch.roll(x, amount, axis)


@function("pad")
def pad(x: Tensor, *, amount: tuple[int, ...], value: float = 0.0) -> Tensor:
    return F.pad(x, amount) if value == 0 else F.pad(x, amount, value=value)


@function("upsample")
def upsample(x: Tensor, *, factor: int = 2, mode: str = "nearest") -> Tensor:
    return F.interpolate(x, scale_factor=float(factor), mode=mode)


@function("resize")
def resize(
    x: Tensor, *, size: tuple[int, int], mode: str = "bilinear", corners: bool = False
) -> Tensor:
    """An image of another size."""
    between = mode in ("bilinear", "bicubic")
    return F.interpolate(x, size=size, mode=mode, align_corners=corners if between else None)


@function("pixel_shuffle")
def pixel_shuffle(x: Tensor, *, factor: int) -> Tensor:
    return F.pixel_shuffle(x, factor)


@function("channel_shuffle")
def channel_shuffle(x: Tensor, *, groups: int) -> Tensor:
    return x.reshape(x.shape[0], groups, -1, *x.shape[2:]).transpose(1, 2).reshape(x.shape)
