"""Layers that put several tensors together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs
from keras import layers

from archlang.conversion.data import Data, Unsupported
from archlang_tensorflow.capture.known import Known
from archlang_tensorflow.capture.lowerer import Lowerer, layer, operation, permuted
from archlang_tensorflow.capture.rules.arithmetic import combined, multiply, product


def _alike(xs: Sequence[Data]) -> list[Data]:
    """Tensors of one rank: dimensions of size 1 come after the batch."""
    rank = max(x.rank for x in xs)
    found = []
    for x in xs:
        dims = x.layout.dims
        wide = (dims[0], *((),) * (rank - x.rank), *dims[1:])
        found.append(attrs.evolve(x, layout=attrs.evolve(x.layout, dims=wide)))
    return found


@layer(layers.Add)
def add(lo: Lowerer, of: Any, xs: Sequence[Data]) -> Data:
    return combined(lo, "add", *_alike(xs))


@layer(layers.Subtract)
def subtract(lo: Lowerer, of: Any, xs: Sequence[Data]) -> Data:
    return combined(lo, "sub", *_alike(xs))


@layer(layers.Multiply)
def multiplied(lo: Lowerer, of: Any, xs: Sequence[Data]) -> Data:
    first, *rest = _alike(xs)
    return multiply(lo, of, first, *rest) if len(rest) == 1 else combined(lo, "mul", first, *rest)


@layer(layers.Maximum)
def maximum(lo: Lowerer, of: Any, xs: Sequence[Data]) -> Data:
    return combined(lo, "maximum", *_alike(xs))


@layer(layers.Minimum)
def minimum(lo: Lowerer, of: Any, xs: Sequence[Data]) -> Data:
    return _least(lo, _alike(xs))


@operation("Minimum")
def minimum_operation(lo: Lowerer, of: Any, a: Any, b: Any) -> Data:
    if not isinstance(a, Data) or not isinstance(b, Data):
        raise Unsupported("a bound on one side")
    return _least(lo, [a, b])


def _least(lo: Lowerer, xs: Sequence[Data]) -> Data:
    greatest = combined(lo, "maximum", *[lo.each("scale", x, factor=-1.0) for x in xs])
    return lo.each("scale", greatest, factor=-1.0)


@layer(layers.Average)
def average(lo: Lowerer, of: Any, xs: Sequence[Data]) -> Data:
    return lo.each("scale", combined(lo, "add", *_alike(xs)), factor=1 / len(xs))


@layer(layers.Concatenate)
def concatenate(lo: Lowerer, of: Any, xs: Sequence[Data]) -> Data:
    return concatenated(lo, xs, of.axis)


@operation("Concatenate")
def concatenate_operation(lo: Lowerer, of: Any, xs: Sequence[Data | Known]) -> Data:
    return concatenated(lo, xs, of.axis)


def concatenated(lo: Lowerer, xs: Sequence[Data | Known], axis: int) -> Data:
    data = [x for x in xs if isinstance(x, Data)]
    if len(data) == len(xs):
        return data[0] if len(xs) == 1 else lo.along("concat", axis, *data)
    order = lo.order(*data)
    rank = data[0].rank
    first, *rest = xs
    if isinstance(first, Known) and len(rest) == 1 and rank == 3 and axis % 3 == 1 and first.source is not None:
        token = lo.for_each_sample(first, rank, (0, 1, 2))
        if token.shape[0] == 1:
            flat = token.reshaped((token.array.size,))
            return lo.data(lo.add("class_token", lo.plain(data[0]), weights={"token": flat}))
    beside = lo.value(data[0], order)
    values = [
        lo.value(x, order) if isinstance(x, Data) else lo.learned(lo.for_each_sample(x, rank, order), beside)
        for x in xs
    ]
    return lo.result(lo.add("concat", *values, axis=order.index(axis % rank)), order)


@operation("Stack")
def stack(lo: Lowerer, of: Any, xs: Sequence[Data]) -> Data:
    if not all(isinstance(x, Data) for x in xs):
        raise Unsupported("a stack with what is learned")
    axis = of.axis % (xs[0].rank + 1)
    widened = []
    for x in xs:
        dims = (*x.layout.dims[:axis], (), *x.layout.dims[axis:])
        widened.append(attrs.evolve(x, layout=attrs.evolve(x.layout, dims=dims)))
    return lo.along("concat", axis, *widened)


@layer(layers.Dot)
def dot(lo: Lowerer, of: layers.Dot, xs: Sequence[Data]) -> Data:
    a, b = xs
    axes = (of.axes, of.axes) if isinstance(of.axes, int) else tuple(of.axes)
    if of.normalize or a.rank != b.rank or a.rank > 3:
        raise Unsupported("a dot product that is normalised, or of tensors of several ranks")
    if a.rank == 2:
        wide = multiply(lo, of, a, b)
        value = lo.add("mean", lo.plain(wide), axis=-1, keep=True)
        return lo.each("scale", lo.data(value), factor=float(a.shape[1]))
    left = a if axes[0] % 3 == 2 else permuted(a, (0, 2, 1))
    right = b if axes[1] % 3 == 1 else permuted(b, (0, 2, 1))
    return product(lo, left, right)
