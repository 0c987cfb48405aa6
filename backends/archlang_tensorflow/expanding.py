"""Ops that Keras cannot do as they stand, as chains of ops that it can.

PyTorch pads by a number on both sides; `padding="same"` pads by need, more at the end. Where the two
differ the padding becomes an op of its own. Keras refuses a stride together with a dilation, and
TensorFlow has no gradient of it: the places that the stride leaves out are cut away before or after.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf
from typing import Any

import attrs

from archlang.ir.graph import Operation
from archlang.ir.types import Dim, TensorType, per_sample
from archlang.lowering.declared import Chain
from archlang_tensorflow.layout import as_permute
from archlang_tensorflow.lowering import decompose

Attributes = dict[str, Any]


def _spatial(type_: TensorType) -> tuple[int, ...]:
    return tuple([int(dim) for dim in type_.shape[1:-1] if isinstance(dim, int)])


def _resized(type_: TensorType, sizes: Sequence[int]) -> TensorType:
    shape: tuple[Dim, ...] = (type_.shape[0], *sizes, type_.shape[-1])
    return TensorType(type_.dtype, shape)


def _padded(given: TensorType, before: Sequence[int], after: Sequence[int], value: float) -> Operation:
    """A border around space."""
    pairs = ((0, 0), *zip(before, after, strict=True), (0, 0))
    sizes = [size + b + a for size, b, a in zip(_spatial(given), before, after, strict=True)]
    return Operation("border", (("pairs", pairs), ("value", value)), (given,), _resized(given, sizes))


@decompose("transpose")
def _transpose(operation: Operation) -> Chain:
    return (("", as_permute(operation)),)


@decompose("pad")
def _border(operation: Operation) -> Chain:
    """`pad` lists its amounts flat, the last dimension first, and only of the last dimensions."""
    amount = operation.attribute("amount")
    pairs = [tuple(amount[i : i + 2]) for i in range(0, len(amount), 2)]
    pairs += [(0, 0)] * (len(operation.output.shape) - len(pairs))
    attributes = (("pairs", tuple(pairs[::-1])), ("value", operation.attribute("value")))
    return (("", attrs.evolve(operation, name="border", attributes=attributes)),)


@decompose("global_avg_pool", "global_max_pool")
def _global_pool(operation: Operation) -> Chain:
    axes = tuple(range(1, len(operation.inputs[0].shape) - 1))
    return (("", attrs.evolve(operation, attributes=(("axes", axes),))),)


def _strided(given: TensorType, steps: Sequence[int]) -> Operation:
    """Every `step`-th place of each dimension of space."""
    sizes = [(size + step - 1) // step for size, step in zip(_spatial(given), steps, strict=True)]
    return Operation("subsample", (("steps", tuple(steps)),), (given,), _resized(given, sizes))


def _each(value: Any, rank: int) -> tuple[int, ...]:
    return value if isinstance(value, tuple) else (value,) * rank


@decompose("conv1d", "conv2d", "conv2d_rect", "conv3d", "depthwise_conv2d")
def _convolution(operation: Operation) -> Chain:
    given = operation.inputs[0]
    attributes: Attributes = dict(operation.attributes)
    rank = len(given.shape) - 2
    kernel, stride, dilation, padding = (
        _each(attributes[name], rank) for name in ("kernel", "stride", "dilation", "padding")
    )
    depthwise, quantized = operation.name == "depthwise_conv2d", operation.name == "quantized_conv2d"
    groups, channels = attributes.get("groups", 1), given.shape[-1]
    if rank < 3 and not depthwise and not quantized and groups == channels != 1:
        depthwise = True
        attributes["multiplier"] = attributes["out"] // groups
        del attributes["out"], attributes["groups"]
    chain: list[tuple[str, Operation]] = []
    same = all(2 * p == d * (k - 1) for p, d, k in zip(padding, dilation, kernel, strict=True))
    if any(padding) and (not same or max(stride) > 1):
        chain.append(("~pad", _padded(given, padding, padding, 0.0)))
        padding = (0,) * rank
    after = (1,) * rank
    if max(stride) > 1 and max(dilation) > 1:
        before = tuple([s if d % s == 0 else 1 for s, d in zip(stride, dilation, strict=True)])
        if max(before) > 1:
            chain.append(("~in", _strided(chain[-1][1].output if chain else given, before)))
        after = tuple([s // b for s, b in zip(stride, before, strict=True)])
        dilation = tuple([d // b for d, b in zip(dilation, before, strict=True)])
        stride = (1,) * rank
        if max(dilation) == 1:
            stride, after = after, (1,) * rank
    if depthwise and len(set(stride)) > 1:  # TensorFlow's kernel strides alike in both directions
        stride, after = (1,) * rank, stride
    given = chain[-1][1].output if chain else given
    sizes = [
        (size + 2 * p - d * (k - 1) - 1) // s + 1
        for size, p, d, k, s in zip(_spatial(given), padding, dilation, kernel, stride, strict=True)
    ]
    attributes |= {"kernel": kernel, "stride": stride, "dilation": dilation}
    for name in ("kernel", "stride", "dilation"):
        if len(set(attributes[name])) == 1:
            attributes[name] = attributes[name][0]
    attributes["padding"] = "same" if same and max(stride) == 1 and len(chain) == 0 else "valid"
    name = f"{'depthwise_' if depthwise else ''}conv{rank}d"
    if quantized:
        name = operation.name
    elif groups > 1 and not depthwise:
        name = f"grouped_{name}"
    elif not depthwise:
        del attributes["groups"]
    made = attrs.evolve(
        operation,
        name=name,
        attributes=tuple(attributes.items()),
        inputs=(given,),
        output=_resized(operation.output, sizes),
    )
    chain.append(("", made))
    if max(after) > 1:
        chain.append(("~out", _strided(made.output, after)))
    return tuple(chain)


@decompose("quantized_linear", "quantized_conv2d")
def _rounded(operation: Operation) -> Chain:
    """The input rounded first, so that its scale is that of all of it; the layer rounds its kernel."""
    given = operation.inputs[0]
    attributes: Attributes = dict(operation.attributes)
    rounding = tuple([(name, attributes.pop(f"input_{name}")) for name in ("bits", "signed", "exponent")])
    made = attrs.evolve(operation, attributes=tuple(attributes.items()))
    return (("~round", Operation("fake_quantize", rounding, (given,), given)), *_followed(made))


def _followed(made: Operation) -> Chain:
    return _convolution(made) if made.name == "quantized_conv2d" else (("", made),)


@decompose("max_pool1d", "max_pool2d", "max_pool3d", "avg_pool1d", "avg_pool2d", "avg_pool3d")
def _pool(operation: Operation) -> Chain:
    """Windows beyond the end, which `ceil` allows, are paddings too."""
    given = operation.inputs[0]
    attributes: Attributes = dict(operation.attributes)
    kernel, stride, padding = attributes["kernel"], attributes["stride"], attributes["padding"]
    greatest = operation.name.startswith("max")
    sizes, results = _spatial(given), _spatial(operation.output)
    beyond = [(o - 1) * stride + kernel - size - 2 * padding for size, o in zip(sizes, results, strict=True)]
    after = [padding + max(more, 0) for more in beyond]
    same = stride == 1 and 2 * padding == kernel - 1 and max(beyond) <= 0
    counted = attributes.get("count_padding", False) or padding == 0
    plain: Attributes = {"kernel": kernel, "stride": stride, "padding": "valid"}
    if same and (greatest or not counted or padding == 0):
        return (("", _pooling(operation, operation.name, {**plain, "padding": "same"}, given)),)
    if greatest or (counted and max(beyond) <= 0):
        if max(after) == 0:
            return (("", _pooling(operation, operation.name, plain, given)),)
        border = _padded(given, [padding] * len(sizes), after, -inf if greatest else 0.0)
        return (("~pad", border), ("", _pooling(operation, operation.name, plain, border.output)))
    share = {"padding": padding, "after": tuple(after), "count_padding": bool(counted)}
    return (("", _pooling(operation, "counted_avg_pool", {"kernel": kernel, "stride": stride, **share}, given)),)


def _pooling(operation: Operation, name: str, attributes: Mapping[str, Any], given: TensorType) -> Operation:
    return attrs.evolve(operation, name=name, attributes=tuple(attributes.items()), inputs=(given,))


@decompose("conv_transpose1d", "conv_transpose2d")
def _transposed_convolution(operation: Operation) -> Chain:
    attributes: Attributes = dict(operation.attributes)
    plain = attributes["padding"] == attributes["output_padding"] == 0 and attributes["groups"] == 1
    if not plain or attributes["kernel"] < attributes["stride"]:
        return (("", attrs.evolve(operation, name=f"cut_{operation.name}")),)
    kept = {name: attributes[name] for name in ("out", "kernel", "stride", "bias")}
    return (("", attrs.evolve(operation, attributes=tuple(kept.items()))),)


@decompose("linear")
def _linear(operation: Operation) -> Chain:
    """Keras takes no vector by itself: it goes through as a row."""
    (given,) = operation.inputs
    features, *others = given.shape
    if others:
        return (("", operation),)
    size = per_sample(features)
    row = TensorType(given.dtype, (1, size))
    wide = TensorType(given.dtype, (1, *operation.output.shape))
    return (
        ("~row", Operation("reshape", (("shape", (size,)),), (given,), row)),
        ("", attrs.evolve(operation, inputs=(row,), output=wide)),
        ("~flat", Operation("reshape", (("shape", ()),), (wide,), operation.output)),
    )
