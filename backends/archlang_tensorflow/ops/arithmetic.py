"""Arithmetic between tensors, with the usual broadcasting, and reductions over dimensions."""

import operator
from typing import Any

from keras import ops

from archlang_tensorflow.lowering import function, infix

infix("add", "+", operator.add)
infix("sub", "-", operator.sub)
infix("mul", "*", operator.mul)
infix("div", "/", operator.truediv)


@function("maximum")
def maximum(*xs: Any) -> Any:
    """The largest of the tensors at each place."""
    result = xs[0]
    for x in xs[1:]:
        result = ops.maximum(result, x)
    return result


@function("absolute")
def absolute(x: Any) -> Any:
    return ops.abs(x)


@function("square")
def square(x: Any) -> Any:
    return ops.square(x)


@function("scale")
def scale(x: Any, *, factor: float) -> Any:
    return x * factor


@function("shift")
def shift(x: Any, *, amount: float) -> Any:
    return x + amount


@function("power")
def power(x: Any, *, exponent: float) -> Any:
    return x**exponent


@function("fill")
def fill(x: Any, *, value: float) -> Any:
    return ops.full_like(x, value)


@function("matmul")
def matmul(a: Any, b: Any, *, transpose_b: bool = False) -> Any:
    return ops.matmul(a, ops.swapaxes(b, -1, -2)) if transpose_b else ops.matmul(a, b)


@function("mean")
def mean(x: Any, *, axis: int, keep: bool = False) -> Any:
    return ops.mean(x, axis=axis, keepdims=True) if keep else ops.mean(x, axis=axis)


@function("max_reduce")
def max_reduce(x: Any, *, axis: int, keep: bool = False) -> Any:
    return ops.max(x, axis=axis, keepdims=True) if keep else ops.max(x, axis=axis)


@function("min_reduce")
def min_reduce(x: Any, *, axis: int, keep: bool = False) -> Any:
    return ops.min(x, axis=axis, keepdims=True) if keep else ops.min(x, axis=axis)


@function("zero")
def zero(x: Any, *, stride: int = 1) -> Any:
    return ops.zeros_like(x) if stride == 1 else strided_zeros(x, stride)


def strided_zeros(x: Any, stride: int) -> Any:
    """Zeros for every `stride`-th place of the spatial dimensions."""
    space = (slice(None, None, stride),) * (len(x.shape) - 2)
    return ops.zeros_like(x[(slice(None), *space)])
