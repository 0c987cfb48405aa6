"""Arithmetic between tensors, with the usual broadcasting, and reductions over dimensions."""

import operator

import numpy as np

from archlang_numpy.lowering import Array, function, infix

infix("add", "+", operator.add)
infix("sub", "-", operator.sub)
infix("mul", "*", operator.mul)
infix("div", "/", operator.truediv)


@function("maximum")
def maximum(*xs: Array) -> Array:
    """The largest of the arrays at each place."""
    result = xs[0]
    for x in xs[1:]:
        result = np.maximum(result, x)
    return result


@function("absolute")
def absolute(x: Array) -> Array:
    return np.abs(x)


@function("square")
def square(x: Array) -> Array:
    return np.square(x)


@function("scale")
def scale(x: Array, *, factor: float) -> Array:
    return x * factor


@function("shift")
def shift(x: Array, *, amount: float) -> Array:
    return x + amount


@function("power")
def power(x: Array, *, exponent: float) -> Array:
    return np.power(x, exponent)


@function("fill")
def fill(x: Array, *, value: float) -> Array:
    return np.full_like(x, value)


@function("matmul")
def matmul(a: Array, b: Array, *, transpose_b: bool = False) -> Array:
    return np.matmul(a, b.swapaxes(-1, -2)) if transpose_b else np.matmul(a, b)


@function("mean")
def mean(x: Array, *, axis: int, keep: bool = False) -> Array:
    return x.mean(axis=axis, keepdims=True) if keep else x.mean(axis=axis)


@function("max_reduce")
def max_reduce(x: Array, *, axis: int, keep: bool = False) -> Array:
    return x.max(axis=axis, keepdims=True) if keep else x.max(axis=axis)


@function("min_reduce")
def min_reduce(x: Array, *, axis: int, keep: bool = False) -> Array:
    return x.min(axis=axis, keepdims=True) if keep else x.min(axis=axis)


@function("zero")
def zero(x: Array, *, stride: int = 1) -> Array:
    return np.zeros_like(x) if stride == 1 else strided_zeros(x, stride)


def strided_zeros(x: Array, stride: int) -> Array:
    """Zeros for every `stride`-th place of the spatial dimensions."""
    return np.zeros(x.shape[:2] + tuple((d - 1) // stride + 1 for d in x.shape[2:]), x.dtype)
