"""Pooling over space."""

from __future__ import annotations

from typing import Any

from keras import layers

from archlang.conversion.data import Data, Unsupported
from archlang_tensorflow.capture.lowerer import Lowerer, channels_first, layer, natural
from archlang_tensorflow.capture.rules.arithmetic import global_mean, reduced
from archlang_tensorflow.capture.rules.convolution import check_format, each_of, need

_RELUS = ("relu", "relu6")
_LOWEST = -1e30


@layer(layers.MaxPooling1D, layers.MaxPooling2D, layers.MaxPooling3D)
def max_pool(lo: Lowerer, of: Any, x: Data) -> Data:
    kernel, stride, value, borders = _windows(lo, of, x)
    made = lo.builder.made_by(value)
    if made and made[0].name == "pad" and made[0].attribute("value") == 0 and not any(map(any, borders)):
        # Zeros are never more than what comes out of a relu: they are as good as no numbers.
        before = lo.builder.made_by(made[1][0])
        while before and before[0].name == "permute":
            before = lo.builder.made_by(before[1][0])
        amount = made[0].attribute("amount")
        alike = len(set(amount)) == 1 and len(amount) == 2 * len(borders) and 2 * amount[0] <= kernel
        if before and before[0].name in _RELUS and alike:
            return _pooled(lo, "max_pool", x, made[1][0], kernel, stride, padding=amount[0])
    how = _padding(x, kernel, stride, borders)
    if how is None:
        amount = tuple([side for pair in reversed(borders) for side in pair])
        value = lo.builder.add("pad", value, at=lo.around, amount=amount, value=_LOWEST)
        how = {"padding": 0}
    return _pooled(lo, "max_pool", x, value, kernel, stride, **how)


@layer(layers.AveragePooling1D, layers.AveragePooling2D, layers.AveragePooling3D)
def avg_pool(lo: Lowerer, of: Any, x: Data) -> Data:
    kernel, stride, value, borders = _windows(lo, of, x)
    how = _padding(x, kernel, stride, borders)
    if how is None:
        raise Unsupported("an average pool that is padded more at the end")
    return _pooled(lo, "avg_pool", x, value, kernel, stride, **how)


def _windows(lo: Lowerer, of: Any, x: Data) -> tuple[int, int, int, list[tuple[int, int]]]:
    check_format(of)
    space = x.rank - 2
    kernel, stride = each_of(of.pool_size, space), each_of(of.strides, space)
    if len(set(kernel)) > 1 or len(set(stride)) > 1:
        raise Unsupported("a pooling with different sizes in its dimensions")
    same = of.padding == "same"
    borders = [need(size, kernel[0], stride[0]) if same else (0, 0) for size in x.shape[1:-1]]
    return kernel[0], stride[0], lo.value(x, channels_first(x.rank)), borders


def _padding(x: Data, kernel: int, stride: int, borders: list[tuple[int, int]]) -> dict[str, Any] | None:
    """The padding of an op whose windows are those of `borders`; None when there is none.

    Windows that reach beyond the end (`ceil`) do for a padding there alone.
    """
    ahead = {before for before, _ in borders}
    if len(ahead) != 1:
        return None
    padding = ahead.pop()
    if all(before == after for before, after in borders):
        return {"padding": padding}
    for size, (before, after) in zip(x.shape[1:-1], borders, strict=True):
        wanted = (size + before + after - kernel) // stride + 1
        last = -(-(size + 2 * padding - kernel) // stride)
        if wanted != (last if last * stride >= size + padding else last + 1):
            return None
    return {"padding": padding, "ceil": True}


def _pooled(lo: Lowerer, op: str, x: Data, value: int, kernel: int, stride: int, **how: Any) -> Data:
    made = lo.add(f"{op}{x.rank - 2}d", value, kernel=kernel, stride=stride, **how)
    return lo.result(made, channels_first(x.rank))


@layer(layers.GlobalAveragePooling1D, layers.GlobalAveragePooling2D, layers.GlobalAveragePooling3D)
def global_avg_pool(lo: Lowerer, of: Any, x: Data) -> Data:
    check_format(of)
    if lo.order(x) == natural(x.rank) and x.rank == 3:
        return reduced(lo, "mean", x, [1], of.keepdims)
    return global_mean(lo, x, of.keepdims)


@layer(layers.GlobalMaxPooling1D, layers.GlobalMaxPooling2D, layers.GlobalMaxPooling3D)
def global_max_pool(lo: Lowerer, of: Any, x: Data) -> Data:
    check_format(of)
    if lo.order(x) == natural(x.rank) and x.rank == 3:
        return reduced(lo, "max_reduce", x, [1], of.keepdims)
    y = lo.data(lo.add("global_max_pool", lo.value(x, channels_first(x.rank))))
    if not of.keepdims:
        return y
    layout = y.layout.reshaped((lo.batch, *(1,) * (x.rank - 2), x.shape[-1]))
    assert layout is not None
    return Data(y.value, layout)
