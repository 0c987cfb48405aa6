"""Arithmetic of tensors with tensors, numbers, and what is learned or constant; reductions."""

from __future__ import annotations

from math import isclose, prod
from typing import Any

import attrs
import numpy as np
from keras import layers

from archlang.conversion.data import Data, Unsupported
from archlang_tensorflow.capture.known import Known
from archlang_tensorflow.capture.lowerer import Lowerer, Order, channels_first, layer, natural, operation, permuted

Operand = Data | Known | int | float


def number(x: Any) -> float | None:
    """A plain number, or what a constant is everywhere."""
    if isinstance(x, Known):
        return x.number()
    return float(x) if isinstance(x, int | float) and not isinstance(x, bool) else None


@operation("Add")
def add(lo: Lowerer, of: Any, a: Operand, b: Operand) -> Data:
    if not isinstance(a, Data):
        a, b = b, a
    assert isinstance(a, Data)
    amount = number(b)
    if amount is not None:
        return a if amount == 0 else lo.each("shift", a, amount=amount)
    if isinstance(b, Known) and b.source is not None:
        found = _added_variable(lo, a, b)
        if found is not None:
            return found
    return combined(lo, "add", a, b)


def _added_variable(lo: Lowerer, x: Data, known: Known) -> Data | None:
    """Learned numbers for each channel or feature, or for each place of a sequence; None for another sum."""
    order = lo.order(x)
    each = lo.for_each_sample(known, x.rank, order)
    sizes = lo.builder.sizes(lo.value(x, order))
    if (x.rank, order, each.shape) == (3, natural(3), sizes):
        return _positions(lo, x, each)
    op = {len(sizes) - 1: "feature_bias", 0: "channel_bias"}.get(_wide(each, sizes))
    if op is None:
        return None
    return lo.result(lo.add(op, lo.value(x, order), weights={"bias": each.reshaped((each.array.size,))}), order)


def _positions(lo: Lowerer, x: Data, each: Known) -> Data:
    """A row of a table for each place; the table may have more rows than there are places."""
    tokens, width = each.shape
    places = each.places
    if places is not None and np.array_equal(places.reshape(-1), np.arange(tokens * width)):
        table = Known.variable(each.source)
        if table.shape[-1:] == (width,):
            each = table.reshaped((table.array.size // width, width))
    made = lo.add("position_embedding", lo.plain(x), weights={"table": each}, length=each.shape[0])
    return lo.data(made)


def _wide(each: Known, sizes: tuple[int, ...]) -> int:
    """The only dimension in which something differs, if it has all of its size; -1 for none."""
    wide = [axis for axis, size in enumerate(each.shape) if size > 1]
    return wide[0] if len(wide) == 1 and each.shape[wide[0]] == sizes[wide[0]] else -1


@operation("Subtract")
def subtract(lo: Lowerer, of: Any, a: Operand, b: Operand) -> Data:
    amount = number(b)
    if amount is not None:
        return add(lo, of, a, -amount)
    if isinstance(b, Data) and number(a) is not None:
        return add(lo, of, lo.each("scale", b, factor=-1.0), a)
    return combined(lo, "sub", a, b)


@operation("Multiply")
def multiply(lo: Lowerer, of: Any, a: Operand, b: Operand) -> Data:
    if not isinstance(a, Data):
        a, b = b, a
    assert isinstance(a, Data)
    factor = number(b)
    if factor is not None:
        return _scaled(lo, a, factor)
    if isinstance(b, Known) and b.source is not None:
        order = lo.order(a)
        each = lo.for_each_sample(b, a.rank, order)
        sizes = lo.builder.sizes(lo.value(a, order))
        op = {len(sizes) - 1: "feature_scale", 0: "channel_scale"}.get(_wide(each, sizes))
        if op is not None:
            weights: dict[str, Known | None] = {"scale": each.reshaped((each.array.size,))}
            return lo.result(lo.add(op, lo.value(a, order), weights=weights), order)
    if isinstance(b, Data):
        for x, gate in ((a, b), (b, a)):
            made = lo.made_by(gate, "sigmoid")
            if made is not None and made[1].same(x):
                return lo.each("silu", x)
            made = lo.made_by(gate, "hsigmoid")
            if made is not None and made[1].same(x):
                return lo.each("hswish", x)
    return combined(lo, "mul", a, b)


def _scaled(lo: Lowerer, x: Data, factor: float) -> Data:
    """A multiple; relu6(x + 3) / 6 is `hsigmoid`."""
    if factor == 1:
        return x
    clipped = lo.made_by(x, "relu6") if isclose(factor, 1 / 6, rel_tol=1e-6) else None
    shifted = lo.made_by(clipped[1], "shift") if clipped else None
    if shifted and shifted[0].attribute("amount") == 3:
        return lo.each("hsigmoid", shifted[1])
    return lo.each("scale", x, factor=factor)


@operation("Divide", "TrueDivide")
def divide(lo: Lowerer, of: Any, a: Operand, b: Operand) -> Data:
    divisor = number(b)
    if divisor == 0:
        raise Unsupported("a division by 0")
    if divisor is not None:
        assert isinstance(a, Data)
        return _scaled(lo, a, 1.0 / divisor)
    if isinstance(b, Data) and number(a) is not None:
        return multiply(lo, of, lo.each("power", b, exponent=-1.0), a)
    return combined(lo, "div", a, b)


@operation("Maximum")
def maximum(lo: Lowerer, of: Any, a: Operand, b: Operand) -> Data:
    if isinstance(a, Data) and number(b) == 0:
        return lo.each("relu", a)
    return combined(lo, "maximum", a, b)


@operation("NotEqual")
def not_equal(lo: Lowerer, of: Any, a: Operand, b: Operand) -> Data:
    # Layers with `mask_zero` tell others so; those that heed it compute something else than the ops.
    raise Unsupported("a mask of tokens that do not count, or another comparison")


@operation("Negative")
def negative(lo: Lowerer, of: Any, x: Data) -> Data:
    return lo.each("scale", x, factor=-1.0)


@operation("Power")
def power(lo: Lowerer, of: Any, x: Operand, exponent: Operand) -> Data:
    found = number(exponent)
    if not isinstance(x, Data) or found is None:
        raise Unsupported("a power whose exponent is computed")
    return lo.each("square", x) if found == 2 else lo.each("power", x, exponent=found)


@operation("Sqrt")
def sqrt(lo: Lowerer, of: Any, x: Data) -> Data:
    return lo.each("power", x, exponent=0.5)


@operation("Rsqrt")
def rsqrt(lo: Lowerer, of: Any, x: Data) -> Data:
    return lo.each("power", x, exponent=-0.5)


@operation("Reciprocal")
def reciprocal(lo: Lowerer, of: Any, x: Data) -> Data:
    return lo.each("power", x, exponent=-1.0)


def combined(lo: Lowerer, op: str, *xs: Operand) -> Data:
    """An op on tensors whose dimensions of size 1 are repeated to fit."""
    data = [x for x in xs if isinstance(x, Data)]
    rank = max(len(x.shape) for x in xs if isinstance(x, Data | Known))
    if any(x.rank != rank for x in data):
        raise Unsupported("tensors whose batches are at different places")
    order = lo.order(*data)
    values = []
    for x in xs:
        if isinstance(x, Data):
            values.append(lo.value(x, order, repeat=True))
    beside = values[0]
    made = iter(values)
    given = [
        next(made) if isinstance(x, Data) else lo.learned(lo.for_each_sample(_known(x), rank, order), beside)
        for x in xs
    ]
    return lo.result(lo.add(op, *given), order)


def _known(x: Operand) -> Known:
    return x if isinstance(x, Known) else Known(np.asarray(float(x), np.float32))  # type: ignore[arg-type]


# ------------------------------------------------------------------ products of matrices


def plain_matmul(lo: Lowerer, of: Any, a: Operand, b: Operand) -> Data:
    if isinstance(a, Data) and isinstance(b, Known) and len(b.shape) == 2 and b.source is not None:
        return lo.last("linear", a, {"kernel": b.transposed((1, 0))}, out=b.shape[1], bias=False)
    if not isinstance(a, Data) or not isinstance(b, Data) or a.rank != b.rank or a.rank < 3:
        raise Unsupported("a product with what is learned, or of tensors of different ranks")
    return product(lo, a, b)


def product(lo: Lowerer, a: Data, b: Data) -> Data:
    """The matrix product of the last two dimensions, b transposed where that needs no step of its own."""
    order = natural(a.rank)
    swapped = permuted(b, (*order[:-2], order[-1], order[-2]))
    transposed = lo.steps(swapped) < lo.steps(b)
    left, right = lo.value(a, order, repeat=True), lo.value(swapped if transposed else b, order, repeat=True)
    return lo.data(lo.add("matmul", left, right, transpose_b=transposed))


# ------------------------------------------------------------------ reductions


@operation("Mean")
def mean(lo: Lowerer, of: Any, x: Data) -> Data:
    axes = _axes(x, of.axis)
    if axes == list(range(1, x.rank - 1)) and x.rank in (4, 5) and lo.order(x) == channels_first(x.rank):
        return global_mean(lo, x, of.keepdims)
    return reduced(lo, "mean", x, axes, of.keepdims)


@operation("Max")
def greatest(lo: Lowerer, of: Any, x: Data) -> Data:
    return reduced(lo, "max_reduce", x, _axes(x, of.axis), of.keepdims)


@operation("Min")
def least(lo: Lowerer, of: Any, x: Data) -> Data:
    return reduced(lo, "min_reduce", x, _axes(x, of.axis), of.keepdims)


@operation("Sum")
def total(lo: Lowerer, of: Any, x: Data) -> Data:
    axes = _axes(x, of.axis)
    count = prod(x.shape[axis] for axis in axes)
    return lo.each("scale", reduced(lo, "mean", x, axes, of.keepdims), factor=float(count))


def global_mean(lo: Lowerer, x: Data, keep: bool) -> Data:
    """The mean over space, [n, c] or with sizes of 1: see `Lowering` for when it becomes `global_avg_pool`."""
    pooled = lo.space(f"adaptive_avg_pool{x.rank - 2}d", x, out=1)
    return pooled if keep else without_space(pooled)


def without_space(x: Data) -> Data:
    return attrs.evolve(x, layout=attrs.evolve(x.layout, dims=(x.layout.dims[0], x.layout.dims[-1])))


def _axes(x: Data, axes: Any) -> list[int]:
    if axes is None:
        raise Unsupported("a reduction over the batch")
    found = sorted([axis % x.rank for axis in ([axes] if isinstance(axes, int) else axes)])
    if 0 in found:
        raise Unsupported("a reduction over the batch")
    return found


def reduced(lo: Lowerer, op: str, x: Data, axes: list[int], keep: bool) -> Data:
    for axis in reversed(axes):
        order: Order = lo.order(x)
        at = order.index(axis)
        value = lo.add(op, lo.value(x, order), axis=-1 if at == x.rank - 1 else at, keep=bool(keep))
        if not keep:
            order = tuple([dim - (dim > axis) for dim in order if dim != axis])
        x = lo.result(value, order)
    return x


# ------------------------------------------------------------------ constants of the data


@layer(layers.Rescaling)
def rescaling(lo: Lowerer, of: layers.Rescaling, x: Data) -> Data:
    scale, offset = (v if isinstance(v, int | float) else Known.constant(v) for v in (of.scale, of.offset))
    return add(lo, of, multiply(lo, of, x, scale), offset)


@layer(layers.Normalization)
def normalization(lo: Lowerer, of: layers.Normalization, x: Data) -> Data:
    mean, deviation = Known.constant(of.mean), np.sqrt(np.asarray(of.variance))
    divisor = Known(np.maximum(deviation, 1e-7).astype(np.float32))
    if of.invert:
        return add(lo, of, multiply(lo, of, x, divisor), mean)
    return divide(lo, of, subtract(lo, of, x, mean), divisor)
