"""Nodes that rearrange elements."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from archlang.conversion.data import Data, Unsupported
from archlang_torch.capture.onnx.lowerer import Call, OnnxLowerer, data, known, node, number, numbers


@node("Reshape")
def reshape(lo: OnnxLowerer, call: Call, x: Any, target: Any = None) -> Data:
    given = call.get("shape") if target is None else numbers(target, "a shape")
    own = lo.shape(data(x))
    zeros = bool(call.get("allowzero", 0))
    sizes = [own[i] if size == 0 and not zeros else size for i, size in enumerate(given)]
    rest = prod(size for size in sizes if size != -1)
    if not rest or prod(own) % rest:
        raise Unsupported("a reshape to another number of elements")
    return lo.reshaped(x, [prod(own) // rest if size == -1 else size for size in sizes])


@node("Flatten")
def flatten(lo: OnnxLowerer, call: Call, x: Any) -> Data:
    own = lo.shape(data(x))
    axis = call.get("axis", 1)
    axis = axis % len(own) if axis != len(own) else axis
    return lo.reshaped(x, (prod(own[:axis]), prod(own[axis:])))


@node("Transpose")
def transpose(lo: OnnxLowerer, call: Call, x: Any) -> Data:
    return lo.view("permute", x, call.get("perm") or list(reversed(range(data(x).rank))))


@node("Unsqueeze")
def unsqueeze(lo: OnnxLowerer, call: Call, x: Any, axes: Any = None) -> Data:
    given = call.get("axes") if axes is None else numbers(axes, "axes")
    rank = data(x).rank + len(given)
    for axis in sorted(axis % rank for axis in given):
        x = lo.view("unsqueeze", x, axis)
    return x  # type: ignore[no-any-return]


@node("Squeeze")
def squeeze(lo: OnnxLowerer, call: Call, x: Any, axes: Any = None) -> Data:
    own = lo.shape(data(x))
    given = call.get("axes") if axes is None else numbers(axes, "axes")
    gone = [i for i, size in enumerate(own) if size == 1] if given is None else [axis % len(own) for axis in given]
    if any(x.shape[axis] != 1 for axis in gone):
        raise Unsupported("`Squeeze`, which takes the batch away")
    return lo.view("squeeze", x, gone)


@node("Expand")
def expand(lo: OnnxLowerer, call: Call, x: Any, target: Any) -> Data:
    own, given = lo.shape(data(x)), numbers(target, "a shape")
    rank = max(len(own), len(given))
    sizes = [max(a, b) for a, b in zip(_widened(own, rank), _widened(given, rank), strict=True)]
    actual = _widened(x.shape, rank)
    return lo.view("expand", x, [actual[i] if _widened(own, rank)[i] == size else size for i, size in enumerate(sizes)])


def _widened(shape: Sequence[int], rank: int) -> list[int]:
    return [1] * (rank - len(shape)) + list(shape)


@node("Tile")
def tile(lo: OnnxLowerer, call: Call, x: Any, repeats: Any) -> Data:
    counts = numbers(repeats, "a number of repetitions")
    if any(count > 1 and size > 1 for count, size in zip(counts, data(x).shape, strict=True)):
        raise Unsupported("`Tile` of several elements")
    return lo.view("expand", x, [count * size for count, size in zip(counts, x.shape, strict=True)])


@node("Slice")
def slice_(lo: OnnxLowerer, call: Call, x: Any, *given: Any) -> Data:
    if given:
        what = [None if part is None else numbers(part, "a bound") for part in given]
        starts, ends, axes, steps = [*what, None, None][:4]
    else:
        starts, ends, axes, steps = call.get("starts"), call.get("ends"), call.get("axes"), None
    assert starts is not None
    assert ends is not None
    own = lo.shape(data(x))
    for i, axis in enumerate(axes or range(len(starts))):
        step = 1 if steps is None else steps[i]
        if step < 0:
            raise Unsupported("`Slice` backwards")
        first, last, _ = slice(starts[i], ends[i]).indices(own[axis])
        if (first, last, step) != (0, own[axis], 1):
            x = lo.view("slice", x, axis % len(own), first, last, step)
    return x  # type: ignore[no-any-return]


@node("Split")
def split(lo: OnnxLowerer, call: Call, x: Any, sizes: Any = None) -> list[Data]:
    axis = call.get("axis", 0) % data(x).rank
    whole = x.shape[axis]
    given = call.get("split") if sizes is None else numbers(sizes, "a size")
    if given is None:
        each = -(-whole // call.get("num_outputs", call.outputs))
        given = [min(each, whole - start) for start in range(0, whole, each)]
    starts = [sum(given[:i]) for i in range(len(given))]
    return [lo.view("slice", x, axis, start, start + size) for start, size in zip(starts, given, strict=True)]


@node("Pad")
def pad(lo: OnnxLowerer, call: Call, x: Any, amounts: Any = None, value: Any = None, axes: Any = None) -> Data:
    given = (call.get("pads") or call.get("paddings")) if amounts is None else numbers(amounts, "an amount")
    rank = data(x).rank
    along = list(range(rank)) if axes is None else [axis % rank for axis in numbers(axes, "axes")]
    count = len(along)
    sides = {axis: (given[i], given[i + count]) for i, axis in enumerate(along)}
    if any(sides.get(0, (0, 0))):
        raise Unsupported("`Pad` of the batch")
    padding = [side for axis in range(rank - 1, 0, -1) for side in sides.get(axis, (0, 0))]
    while padding[-2:] == [0, 0]:
        padding = padding[:-2]
    filled = call.get("value", 0.0) if value is None else number(value, "a value")
    return lo.view("pad", x, padding, call.get("mode", "constant"), filled)


@node("DepthToSpace")
def depth_to_space(lo: OnnxLowerer, call: Call, x: Any) -> Any:
    size = call.get("blocksize")
    if call.get("mode", "DCR") == "CRD":
        return lo.call("pixel_shuffle", x, size)
    n, channels, height, width = data(x).shape
    out = channels // size**2
    apart = lo.view("reshape", x, (n, size, size, out, height, width))
    return lo.view("reshape", lo.view("permute", apart, (0, 3, 4, 1, 5, 2)), (n, out, height * size, width * size))


@node("SpaceToDepth")
def space_to_depth(lo: OnnxLowerer, call: Call, x: Any) -> Data:
    size = call.get("blocksize")
    n, channels, height, width = data(x).shape
    apart = lo.view("reshape", x, (n, channels, height // size, size, width // size, size))
    shape = (n, channels * size**2, height // size, width // size)
    return lo.view("reshape", lo.view("permute", apart, (0, 3, 5, 1, 2, 4)), shape)


@node("Resize", "Upsample")
def resize(lo: OnnxLowerer, call: Call, x: Any, *given: Any) -> Any:
    factors = _factors(lo, call, data(x), given)
    if factors[:2] != [1, 1] or len(set(factors[2:])) != 1 or not factors[-1].is_integer():
        raise Unsupported("resizing by other than a whole factor, the same in all dimensions")
    if factors[-1] == 1:
        return x
    mode = call.get("mode", "nearest")
    # Upsample is what Resize with these was made of.
    old = call.op == "Upsample"
    places = call.get("coordinate_transformation_mode", "asymmetric" if old else "half_pixel")
    rounding = call.get("nearest_mode", "floor" if old else "round_prefer_floor")
    between = places in ("half_pixel", "pytorch_half_pixel")
    space = x.rank - 2
    if mode == "nearest" and ((places == "asymmetric" and rounding == "floor") or (between and "round" in rounding)):
        return lo.call(f"upsample_nearest{space}d", x, None, factors[2:])
    if mode == "linear" and between and space == 2 and not call.get("antialias", 0):
        return lo.call("upsample_bilinear2d", x, None, False, factors[2:])
    raise Unsupported(f"resizing of the kind {mode}, {places}")


def _factors(lo: OnnxLowerer, call: Call, x: Data, given: Sequence[Any]) -> list[float]:
    """By how much each dimension grows."""
    if call.op == "Upsample":
        return call.get("scales") or [float(f) for f in known(given[0], "a factor").tensor.tolist()]
    scales, sizes = (given[0], None) if len(given) == 1 else (given[1], given[2] if len(given) > 2 else None)
    axes = [axis % x.rank for axis in call.get("axes") or range(x.rank)]
    found = [1.0] * x.rank
    if scales is not None and known(scales, "a factor").tensor.numel():
        values = [float(f) for f in scales.tensor.tolist()]
    else:
        own = lo.shape(x)
        values = [size / own[axis] for size, axis in zip(numbers(sizes, "a size"), axes, strict=True)]
    for axis, factor in zip(axes, values, strict=True):
        found[axis] = factor
    return found
