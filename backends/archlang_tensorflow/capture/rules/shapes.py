"""Calls that rearrange elements. Most only change the view; ops are made where the result is used."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import attrs
import keras
from keras import layers

from archlang.conversion.data import Data, Unsupported
from archlang_tensorflow.building import DTYPES
from archlang_tensorflow.capture.lowerer import Lowerer, channels_first, layer, operation, permuted, viewed
from archlang_tensorflow.capture.rules.convolution import check_format, each_of


def reshaped(lo: Lowerer, x: Data, shape: Sequence[int]) -> Data:
    known = prod(size for size in shape if size != -1)
    sizes = [prod(x.shape) // known if size == -1 else int(size) for size in shape]
    if tuple(sizes) == x.shape:
        return x
    return viewed(lo, x, lambda layout: layout.reshaped(sizes))


@layer(layers.Reshape)
def reshape_layer(lo: Lowerer, of: layers.Reshape, x: Data) -> Data:
    return reshaped(lo, x, (lo.batch, *of.target_shape))


@layer(layers.Flatten)
def flatten(lo: Lowerer, of: layers.Flatten, x: Data) -> Data:
    check_format(of)
    return reshaped(lo, x, (lo.batch, prod(x.shape[1:])))


@layer(layers.Permute)
def permute_layer(lo: Lowerer, of: layers.Permute, x: Data) -> Data:
    return permuted(x, (0, *of.dims))


@layer(layers.RepeatVector)
def repeat_vector(lo: Lowerer, of: layers.RepeatVector, x: Data) -> Data:
    wide = reshaped(lo, x, (lo.batch, 1, x.shape[1]))
    return lo.space("upsample", wide, factor=of.n)


@operation("Reshape")
def reshape(lo: Lowerer, of: Any, x: Data) -> Data:
    return reshaped(lo, x, [-1 if size is None else size for size in of.newshape])


@operation("Ravel")
def ravel(lo: Lowerer, of: Any, x: Data) -> Data:
    raise Unsupported("a view across the batch")


@operation("Transpose")
def transpose(lo: Lowerer, of: Any, x: Data) -> Data:
    order = range(x.rank)[::-1] if of.axes is None else of.axes
    return permuted(x, tuple([axis % x.rank for axis in order]))


@operation("Swapaxes")
def swapaxes(lo: Lowerer, of: Any, x: Data) -> Data:
    order = list(range(x.rank))
    order[of.axis1], order[of.axis2] = order[of.axis2], order[of.axis1]
    return permuted(x, tuple(order))


@operation("Moveaxis")
def moveaxis(lo: Lowerer, of: Any, x: Data) -> Data:
    sources, targets = ([axis % x.rank for axis in axes] for axes in (of.source, of.destination))
    order = [axis for axis in range(x.rank) if axis not in sources]
    for to, source in sorted(zip(targets, sources, strict=True)):
        order.insert(to, source)
    return permuted(x, tuple(order))


@operation("ExpandDims")
def expand_dims(lo: Lowerer, of: Any, x: Data) -> Data:
    for axis in sorted([of.axis] if isinstance(of.axis, int) else of.axis):
        at = axis % (x.rank + 1)
        x = with_dims(x, (*x.layout.dims[:at], (), *x.layout.dims[at:]))
    return x


@operation("Squeeze")
def squeeze(lo: Lowerer, of: Any, x: Data) -> Data:
    axes = range(x.rank) if of.axis is None else [of.axis] if isinstance(of.axis, int) else of.axis
    gone = {axis % x.rank for axis in axes if x.shape[axis] == 1}
    return with_dims(x, tuple([dim for axis, dim in enumerate(x.layout.dims) if axis not in gone]))


def with_dims(x: Data, dims: Any) -> Data:
    """The data with other dimensions of the same elements."""
    return attrs.evolve(x, layout=attrs.evolve(x.layout, dims=dims))


@operation("BroadcastTo")
def broadcast_to(lo: Lowerer, of: Any, x: Data) -> Data:
    return Data(x.value, x.layout.expanded(of.shape))


@operation("Identity", "StopGradient", "ConvertToTensor")
def unchanged(lo: Lowerer, of: Any, x: Data) -> Data:
    return x


@operation("Cast")
def cast(lo: Lowerer, of: Any, x: Data) -> Data:
    if DTYPES[lo.builder.type(x.value).dtype] != keras.backend.standardize_dtype(of.dtype):
        raise Unsupported("numbers made another type")
    return x


# ------------------------------------------------------------------ parts


def sliced(lo: Lowerer, x: Data, axis: int, start: int | None, stop: int | None, step: int = 1) -> Data:
    first, last, _ = slice(start, stop).indices(x.shape[axis])
    if (first, last, step) == (0, x.shape[axis], 1):
        return x
    order = lo.order(x)
    if axis == 0 or step < 1:
        raise Unsupported("a part of the batch, or one in another direction")
    if step > 1 or (lo.steps(permuted(x, order)) == 0 and order == channels_first(x.rank)):
        at = order.index(axis)
        attributes: dict[str, Any] = {"step": step} if step > 1 else {}
        value = lo.value(x, order)
        made = lo.builder.add("slice", value, at=lo.around, axis=at, start=first, stop=last, **attributes)
        return lo.result(made, order)
    return viewed(lo, x, lambda layout: layout.sliced(axis, first, last, step))


@operation("GetItem")
def get_item(lo: Lowerer, of: Any, x: Data, key: Any) -> Data:
    parts = list(key) if isinstance(key, tuple | list) else [key]
    if any(not isinstance(part, int | slice | None | type(...)) for part in parts):
        raise Unsupported("a selection that is computed")
    named = sum(1 for part in parts if part is not None and part is not ...)
    if ... in parts:
        at = parts.index(...)
        parts[at : at + 1] = [slice(None)] * (x.rank - named)
    axis = 0
    for part in parts:
        if part is None:
            x = with_dims(x, (*x.layout.dims[:axis], (), *x.layout.dims[axis:]))
            axis += 1
        elif isinstance(part, slice):
            x = sliced(lo, x, axis, part.start, part.stop, part.step or 1)
            axis += 1
        else:
            index = part % x.shape[axis]
            x = sliced(lo, x, axis, index, index + 1)
            x = with_dims(x, (*x.layout.dims[:axis], *x.layout.dims[axis + 1 :]))
    return x


@operation("Split")
def split(lo: Lowerer, of: Any, x: Data) -> list[Data]:
    axis, size = of.axis % x.rank, x.shape[of.axis]
    parts = of.indices_or_sections
    places = [size // parts * i for i in range(1, parts)] if isinstance(parts, int) else list(parts)
    return [sliced(lo, x, axis, a, b) for a, b in zip([0, *places], [*places, size], strict=True)]


@operation("Unstack")
def unstack(lo: Lowerer, of: Any, x: Data) -> list[Data]:
    axis = of.axis % x.rank
    return [get_item(lo, of, x, (*[slice(None)] * axis, index)) for index in range(x.shape[axis])]


@layer(layers.Cropping1D, layers.Cropping2D, layers.Cropping3D)
def cropping(lo: Lowerer, of: Any, x: Data) -> Data:
    check_format(of)
    for axis, (before, after) in enumerate(_pairs(of.cropping, x.rank - 2), 1):
        x = sliced(lo, x, axis, before, x.shape[axis] - after)
    return x


def _pairs(sizes: Any, space: int) -> list[tuple[int, int]]:
    return [tuple(sizes)] if space == 1 else [tuple(pair) for pair in sizes]


# ------------------------------------------------------------------ borders, other sizes


@layer(layers.ZeroPadding1D, layers.ZeroPadding2D, layers.ZeroPadding3D)
def zero_padding(lo: Lowerer, of: Any, x: Data) -> Data:
    check_format(of)
    pairs = _pairs(of.padding, x.rank - 2)
    if not any(map(any, pairs)):
        return x
    amount = tuple([side for pair in reversed(pairs) for side in pair])
    return lo.space("pad", x, amount=amount)


@operation("Pad")
def pad(lo: Lowerer, of: Any, x: Data, constant_values: Any = None) -> Data:
    if of.mode != "constant" or not isinstance(constant_values, int | float | None):
        raise Unsupported(f"padding of the kind {of.mode}")
    pairs = [tuple(pair) for pair in of.pad_width]
    pairs = pairs * x.rank if len(pairs) == 1 else pairs
    if any(pairs[0]):
        raise Unsupported("padding of the batch")
    order = lo.order(x)
    amount = [side for axis in reversed(order[1:]) for side in pairs[axis]]
    while len(amount) > 2 and not any(amount[-2:]):
        amount = amount[:-2]
    made = lo.add("pad", lo.value(x, order), amount=tuple(amount), value=float(constant_values or 0.0))
    return lo.result(made, order)


@operation("Roll")
def roll(lo: Lowerer, of: Any, x: Data) -> Data:
    if of.axis is None:
        raise Unsupported("a roll of all elements")
    axes = [of.axis] if isinstance(of.axis, int) else of.axis
    shifts = [of.shift] if isinstance(of.shift, int) else of.shift
    for axis, amount in zip(axes, shifts, strict=True):
        if amount % x.shape[axis]:
            x = lo.along("roll", axis, x, amount=amount)
    return x


@layer(layers.UpSampling1D, layers.UpSampling2D, layers.UpSampling3D)
def up_sampling(lo: Lowerer, of: Any, x: Data) -> Data:
    check_format(of)
    return _enlarged(lo, x, each_of(of.size, x.rank - 2), getattr(of, "interpolation", "nearest"))


@layer(layers.Resizing)
def resizing(lo: Lowerer, of: layers.Resizing, x: Data) -> Data:
    check_format(of)
    sizes = (of.height, of.width)
    if of.crop_to_aspect_ratio or getattr(of, "pad_to_aspect_ratio", False) or getattr(of, "antialias", False):
        raise Unsupported("resizing that keeps the aspect ratio")
    if any(size % old for size, old in zip(sizes, x.shape[1:3], strict=True)):
        raise Unsupported("resizing by other than a whole factor")
    factors = [size // old for size, old in zip(sizes, x.shape[1:3], strict=True)]
    return _enlarged(lo, x, tuple(factors), of.interpolation)


def _enlarged(lo: Lowerer, x: Data, factors: tuple[int, ...], mode: str) -> Data:
    if set(factors) == {1}:
        return x
    if len(set(factors)) > 1 or mode not in ("nearest", "bilinear"):
        raise Unsupported("resizing by several factors, or of another kind")
    return lo.space("upsample", x, factor=factors[0], mode=mode)
