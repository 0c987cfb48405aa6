"""Arithmetic between tensors, with the usual broadcasting, and reductions over dimensions."""

import operator

import torch
from torch import Tensor

from archlang_torch.lowering import function, infix

infix("add", "+", operator.add)
infix("sub", "-", operator.sub)
infix("mul", "*", operator.mul)
infix("div", "/", operator.truediv)


@function("maximum")
def maximum(*xs: Tensor) -> Tensor:
    """The largest of the tensors at each place."""
    result = xs[0]
    for x in xs[1:]:
        result = torch.maximum(result, x)
    return result


@function("absolute")
def absolute(x: Tensor) -> Tensor:
    return torch.abs(x)


@function("square")
def square(x: Tensor) -> Tensor:
    return torch.square(x)


@function("scale")
def scale(x: Tensor, *, factor: float) -> Tensor:
    return x * factor


@function("shift")
def shift(x: Tensor, *, amount: float) -> Tensor:
    return x + amount


@function("power")
def power(x: Tensor, *, exponent: float) -> Tensor:
    return torch.pow(x, exponent)


@function("fill")
def fill(x: Tensor, *, value: float) -> Tensor:
    return torch.full_like(x, value)


@function("matmul")
def matmul(a: Tensor, b: Tensor, *, transpose_b: bool = False) -> Tensor:
    return a @ b.mT if transpose_b else a @ b


@function("mean")
def mean(x: Tensor, *, axis: int, keep: bool = False) -> Tensor:
    return x.mean(dim=axis, keepdim=True) if keep else x.mean(dim=axis)


@function("max_reduce")
def max_reduce(x: Tensor, *, axis: int, keep: bool = False) -> Tensor:
    return x.amax(dim=axis, keepdim=True) if keep else x.amax(dim=axis)


@function("min_reduce")
def min_reduce(x: Tensor, *, axis: int, keep: bool = False) -> Tensor:
    return x.amin(dim=axis, keepdim=True) if keep else x.amin(dim=axis)


@function("zero")
def zero(x: Tensor, *, stride: int = 1) -> Tensor:
    return torch.zeros_like(x) if stride == 1 else strided_zeros(x, stride)


def strided_zeros(x: Tensor, stride: int) -> Tensor:
    """Zeros for every `stride`-th place of the spatial dimensions."""
    return x.new_zeros(x.shape[:2] + tuple((size - 1) // stride + 1 for size in x.shape[2:]))
