"""Convolutions. TensorFlow's "same" pads by need, more at the end; what is not alike on both sides becomes a `pad`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras import layers

from archlang.conversion.data import Data, Unsupported
from archlang_tensorflow.capture.known import Known
from archlang_tensorflow.capture.lowerer import Lowerer, channels_first, layer, ordered
from archlang_tensorflow.capture.rules.activation import activated

Sizes = tuple[int, ...]


def each_of(sizes: Any, space: int) -> Sizes:
    return (sizes,) * space if isinstance(sizes, int) else tuple(map(int, sizes))


def need(size: int, kernel: int, stride: int, dilation: int = 1) -> tuple[int, int]:
    """How much "same" pads before and after."""
    total = max((-(-size // stride) - 1) * stride + dilation * (kernel - 1) + 1 - size, 0)
    return total // 2, total - total // 2


def check_format(of: Any) -> None:
    if getattr(of, "data_format", "channels_last") == "channels_first":
        raise Unsupported("a layer with channels first")


def padding_of(of: Any, x: Data, kernel: Sizes, stride: Sizes, dilation: Sizes) -> list[tuple[int, int]]:
    """The padding of each dimension of space, before and after."""
    sizes = x.shape[1:-1]
    if of.padding == "same":
        return [need(*given) for given in zip(sizes, kernel, stride, dilation, strict=True)]
    if of.padding == "causal":
        return [(d * (k - 1), 0) for k, d in zip(kernel, dilation, strict=True)]
    return [(0, 0)] * len(sizes)


def bordered(lo: Lowerer, value: int, borders: Sequence[tuple[int, int]]) -> tuple[int, Sizes]:
    """A value [n, c, …] with what of its borders a convolution cannot do itself, and the rest.

    A `pad` of zeros just before is taken into the convolution where it is alike on both sides.
    """
    made = lo.builder.made_by(value)
    if made and made[0].name == "pad" and made[0].attribute("value") == 0:
        amount = list(made[0].attribute("amount"))
        before = [(amount[i], amount[i + 1]) for i in range(0, len(amount), 2)][::-1]
        whole = [(a + c, b + d) for (a, b), (c, d) in zip(before, borders, strict=False)]
        if len(before) == len(borders) and all(a == b for a, b in whole):
            return made[1][0], tuple([a for a, _ in whole])
    if all(a == b for a, b in borders):
        return value, tuple([a for a, _ in borders])
    amount = [side for pair in reversed(borders) for side in pair]
    return lo.builder.add("pad", value, at=lo.around, amount=tuple(amount)), (0,) * len(borders)


def convolved(
    lo: Lowerer, of: Any, x: Data, kernel: Known, bias: Known | None, groups: int, strides: Any = None
) -> Data:
    """A convolution with a kernel [space…, c / groups, out]."""
    check_format(of)
    space = x.rank - 2
    sizes = kernel.shape[:space]
    stride = each_of(of.strides if strides is None else strides, space)
    dilation = each_of(of.dilation_rate, space)
    borders = padding_of(of, x, sizes, stride, dilation)
    value, padding = bordered(lo, lo.value(x, channels_first(x.rank)), borders)
    out, channels = kernel.shape[-1], x.shape[-1]
    given: dict[str, Any] = {"kernel": sizes, "stride": stride, "dilation": dilation, "padding": padding}
    weights = {"kernel": ordered(kernel, f"conv{space}d"), "bias": bias}
    if any(len(set(part)) > 1 for part in given.values()):
        if space != 2:
            raise Unsupported("a convolution with different sizes in its dimensions")
        made = lo.add("conv2d_rect", value, weights=weights, out=out, groups=groups, bias=bias is not None, **given)
    else:
        given = {name: part[0] for name, part in given.items()}
        op: dict[str, Any] = {"op": f"conv{space}d", "out": out, "groups": groups}
        if space == 2 and groups == channels > 1:
            op = {"op": "depthwise_conv2d", "multiplier": out // channels}
        made = lo.add(op.pop("op"), value, weights=weights, bias=bias is not None, **op, **given)
    return lo.result(made, channels_first(x.rank))


@layer(layers.Conv1D, layers.Conv2D, layers.Conv3D)
def conv(lo: Lowerer, of: Any, x: Data) -> Data:
    kernel = lo.variable(of, "kernel")
    assert kernel is not None
    return activated(lo, convolved(lo, of, x, kernel, lo.variable(of, "bias"), of.groups), of.activation)


@layer(layers.DepthwiseConv1D, layers.DepthwiseConv2D)
def depthwise(lo: Lowerer, of: Any, x: Data) -> Data:
    kernel = lo.variable(of, "kernel")
    assert kernel is not None
    return activated(lo, _depthwise(lo, of, x, kernel, lo.variable(of, "bias")), of.activation)


def _depthwise(lo: Lowerer, of: Any, x: Data, kernel: Known, bias: Known | None) -> Data:
    """A kernel [space…, c, multiplier] as one of as many groups as channels."""
    *space, channels, multiplier = kernel.shape
    return convolved(lo, of, x, kernel.reshaped((*space, 1, channels * multiplier)), bias, channels)


@layer(layers.SeparableConv1D, layers.SeparableConv2D)
def separable(lo: Lowerer, of: Any, x: Data) -> Data:
    kernel, point = lo.variable(of, "depthwise_kernel"), lo.variable(of, "pointwise_kernel")
    assert kernel is not None
    assert point is not None
    with lo.within("depthwise"):
        x = _depthwise(lo, of, x, kernel, None)
    space = x.rank - 2
    with lo.within("pointwise"):
        y = lo.space(
            f"conv{space}d",
            x,
            weights={"kernel": ordered(point, f"conv{space}d"), "bias": lo.variable(of, "bias")},
            out=point.shape[-1],
            kernel=1,
            bias=bool(of.use_bias),
        )
    return activated(lo, y, of.activation)


@layer(layers.Conv1DTranspose, layers.Conv2DTranspose)
def transposed(lo: Lowerer, of: Any, x: Data) -> Data:
    check_format(of)
    space = x.rank - 2
    kernel, bias = lo.variable(of, "kernel"), lo.variable(of, "bias")
    assert kernel is not None
    sizes = {"kernel": kernel.shape[:space], "stride": each_of(of.strides, space)}
    plain = set(each_of(of.dilation_rate, space)) == {1} and getattr(of, "output_padding", None) is None
    if not plain or any(len(set(size)) > 1 for size in sizes.values()):
        raise Unsupported("a transposed convolution with dilation, or with different sizes in its dimensions")
    width, stride = (size[0] for size in sizes.values())
    beyond = max(width - stride, 0)
    cut = beyond // 2 if of.padding == "same" else 0
    op = f"conv_transpose{space}d"
    y = lo.space(
        op,
        x,
        weights={"kernel": ordered(kernel, op), "bias": bias},
        out=kernel.shape[-2],
        kernel=width,
        stride=stride,
        padding=cut,
        output_padding=max(stride - width, 0),
        bias=bias is not None,
    )
    if of.padding == "same":
        for axis, size in enumerate(x.shape[1:-1], 1):
            if y.shape[axis] > size * stride:
                y = lo.result(
                    lo.builder.add(
                        "slice",
                        lo.value(y, channels_first(y.rank)),
                        at=lo.around,
                        axis=axis + 1,
                        start=0,
                        stop=size * stride,
                    ),
                    channels_first(y.rank),
                )
    return activated(lo, y, of.activation)
