"""Calls that rearrange elements. Most only change the view; ops are made where the result is used."""

from collections.abc import Sequence
from math import prod
from typing import Any

import attrs
import torch

from archlang.conversion.data import Data, Unsupported
from archlang_torch.capture.lowerer import RULES, Lowerer, rule
from archlang_torch.capture.values import Known

_MOST = 3.4028234663852886e38  # infinity is no number of the text
_RUNS = 16  # the most slices that elements picked of a dimension may be


@rule("view", "reshape", "_unsafe_view", "view_copy")
def reshape(lo: Lowerer, x: Data, shape: Sequence[int], *_: Any) -> Data:
    known = prod(size for size in shape if size != -1)
    sizes = [prod(x.shape) // known if size == -1 else size for size in shape]
    return _viewed(lo, x, lambda layout: layout.reshaped(sizes))


def _viewed(lo: Lowerer, x: Data, change: Any) -> Data:
    layout = change(x.layout)
    known = layout is None or layout.repeats or layout.batch is None
    if layout is None or (not known and layout.steps(lo.builder.sizes(x.value)) is None):
        # Of a tensor that is rearranged already: the rearranged one is made first.
        settled = lo.settle(x)
        x = lo.unsettle(settled.value, settled)
        layout = change(x.layout)
    if layout is None:
        raise Unsupported("a view across the batch")
    return Data(x.value, layout)


@rule("view_as", "reshape_as")
def view_as(lo: Lowerer, x: Data, other: Any) -> Data:
    return reshape(lo, x, other.shape)


@rule("flatten")
def flatten(lo: Lowerer, x: Data, start: int = 0, end: int = -1) -> Data:
    first, last = start % x.rank, end % x.rank
    return reshape(lo, x, (*x.shape[:first], prod(x.shape[first : last + 1]), *x.shape[last + 1 :]))


@rule("unflatten")
def unflatten(lo: Lowerer, x: Data, axis: int, sizes: Sequence[int]) -> Data:
    axis %= x.rank
    known = prod(size for size in sizes if size != -1)
    whole = [x.shape[axis] // known if size == -1 else size for size in sizes]
    return reshape(lo, x, (*x.shape[:axis], *whole, *x.shape[axis + 1 :]))


@rule("permute")
def permute(lo: Lowerer, x: Data, order: Sequence[int]) -> Data:
    return Data(x.value, x.layout.permuted([axis % x.rank for axis in order]))


@rule("transpose", "swapaxes", "swapdims")
def transpose(lo: Lowerer, x: Data, a: int, b: int) -> Data:
    order = list(range(x.rank))
    order[a], order[b] = order[b], order[a]
    return permute(lo, x, order)


@rule("t", "numpy_T", "mT")
def turned(lo: Lowerer, x: Data) -> Data:
    return transpose(lo, x, -2, -1)


@rule("movedim")
def movedim(lo: Lowerer, x: Data, source: Any, target: Any) -> Data:
    sources = [axis % x.rank for axis in ([source] if isinstance(source, int) else source)]
    targets = [axis % x.rank for axis in ([target] if isinstance(target, int) else target)]
    order = [axis for axis in range(x.rank) if axis not in sources]
    for to, of in sorted(zip(targets, sources, strict=True)):
        order.insert(to, of)
    return permute(lo, x, order)


@rule("unsqueeze")
def unsqueeze(lo: Lowerer, x: Data, axis: int) -> Data:
    axis %= x.rank + 1
    dims = (*x.layout.dims[:axis], (), *x.layout.dims[axis:])
    return Data(x.value, attrs.evolve(x.layout, dims=dims))


@rule("squeeze")
def squeeze(lo: Lowerer, x: Data, axes: Sequence[int] | int | None = None) -> Data:
    chosen = range(x.rank) if axes is None else [axes] if isinstance(axes, int) else axes
    gone = {axis % x.rank for axis in chosen if x.shape[axis] == 1}
    dims = tuple([dim for axis, dim in enumerate(x.layout.dims) if axis not in gone])
    return Data(x.value, attrs.evolve(x.layout, dims=dims))


@rule("slice")
def slice_(
    lo: Lowerer, x: Data, axis: int = 0, start: int | None = None, stop: int | None = None, step: int = 1
) -> Data:
    axis %= x.rank
    size = x.shape[axis]
    first, last, _ = slice(start, stop).indices(size)
    if (first, last, step) == (0, size, 1):
        return x
    if first >= last:
        return Known(torch.zeros(*x.shape[:axis], 0, *x.shape[axis % x.rank + 1 :]))  # type: ignore[return-value]
    if step > 1:
        # Every step-th of some lie where no reshape tells them apart.
        view = x.layout.sliced(axis % x.rank, first, last, step)
        if view is None or view.steps(lo.builder.sizes(x.value)) is None:
            settled = lo.settle(x)
            at = settled.axis(axis)
            made = lo.builder.add("slice", settled.value, at=lo.around, axis=at, start=first, stop=last, step=step)
            return lo.unsettle(made, settled)
    return _viewed(lo, x, lambda layout: layout.sliced(axis % x.rank, first, last, step))


@rule("narrow")
def narrow(lo: Lowerer, x: Data, axis: int, start: int, length: int) -> Data:
    return slice_(lo, x, axis, start, start + length)


@rule("select")
def select(lo: Lowerer, x: Data, axis: int, index: int) -> Data:
    index %= x.shape[axis]
    return squeeze(lo, slice_(lo, x, axis, index, index + 1), axis)


@rule("unbind")
def unbind(lo: Lowerer, x: Data, axis: int = 0) -> tuple[Data, ...]:
    return tuple([select(lo, x, axis, index) for index in range(x.shape[axis])])


@rule("split", "split_with_sizes", "unsafe_split")
def split(lo: Lowerer, x: Data, sizes: Sequence[int] | int, axis: int = 0) -> tuple[Data, ...]:
    whole = x.shape[axis]
    if isinstance(sizes, int):
        sizes = [min(sizes, whole - start) for start in range(0, whole, sizes)]
    starts = [sum(sizes[:i]) for i in range(len(sizes))]
    return tuple([slice_(lo, x, axis, start, start + size) for start, size in zip(starts, sizes, strict=True)])


@rule("chunk", "unsafe_chunk")
def chunk(lo: Lowerer, x: Data, chunks: int, axis: int = 0) -> tuple[Data, ...]:
    return split(lo, x, -(-x.shape[axis] // chunks), axis)


@rule("expand")
def expand(lo: Lowerer, x: Data, shape: Sequence[int], **_: Any) -> Data:
    own = (1,) * (len(shape) - x.rank) + x.shape
    sizes = [old if size == -1 else size for size, old in zip(shape, own, strict=True)]
    return Data(x.value, x.layout.expanded(sizes))


@rule("repeat", "tile")
def repeat(lo: Lowerer, x: Data, times: Sequence[int]) -> Data:
    widened = lo.widened(x, len(times))
    dims = [((count, 0), *dim) if count > 1 else dim for count, dim in zip(times, widened.layout.dims, strict=True)]
    return Data(x.value, attrs.evolve(widened.layout, dims=tuple(dims)))


@rule("repeat_interleave")
def repeat_interleave(lo: Lowerer, x: Data, times: int, axis: int | None = None, **_: Any) -> Data:
    if not isinstance(times, int) or axis is None:
        raise Unsupported("elements repeated as often as a tensor says")
    dims = tuple([(*dim, (times, 0)) if i == axis % x.rank else dim for i, dim in enumerate(x.layout.dims)])
    return Data(x.value, attrs.evolve(x.layout, dims=dims))


@rule("index_select")
def index_select(lo: Lowerer, x: Data, axis: int, places: Known) -> Data:
    return chosen(lo, x, axis, places)


@rule("index")
def index(lo: Lowerer, x: Data, places: Sequence[Known | None]) -> Data:
    along = [axis for axis, known in enumerate(places) if known is not None]
    known = places[along[0]] if len(along) == 1 else None
    if not isinstance(x, Data) or not isinstance(known, Known):
        raise Unsupported("`index` by what is computed, or along several dimensions")
    if known.tensor.dtype == torch.bool and len(known.shape) > 1:
        raise Unsupported("`index` along several dimensions")
    found = chosen(lo, x, along[0], known.apply(lambda t: t.reshape(-1)))
    return unflatten(lo, found, along[0], known.shape) if len(known.shape) > 1 else found


def chosen(lo: Lowerer, x: Data, axis: int, places: Known) -> Data:
    """Known places along a dimension, as slices one after another."""
    indices = places.tensor.nonzero().reshape(-1) if places.tensor.dtype == torch.bool else places.tensor
    rows = [int(row) % x.shape[axis] for row in indices.reshape(-1)]
    runs: list[tuple[int, int, int]] = []
    while rows:
        step = rows[1] - rows[0] if len(rows) > 1 and rows[1] > rows[0] else 1
        count = 1
        while count < len(rows) and rows[count] == rows[0] + count * step:
            count += 1
        if count == 2 and len(rows) > 2:
            count, step = 1, 1
        runs.append((rows[0], rows[0] + (count - 1) * step + 1, step))
        rows = rows[count:]
    if len(runs) > _RUNS:
        settled = lo.settle(x)
        at, count = settled.axis(axis), len(indices.reshape(-1))
        weights = {"places": Known((indices.reshape(-1) % x.shape[axis]).float())}
        return lo.unsettle(lo.add("take", settled.value, weights=weights, axis=at, count=count), settled)
    parts = [slice_(lo, x, axis, *run) for run in runs]
    found: Data = parts[0] if len(parts) == 1 else RULES["cat"](lo, parts, axis)
    return found


@rule("flip")
def flip(lo: Lowerer, x: Data, axes: Sequence[int]) -> Data:
    for axis in axes:
        x = chosen(lo, x, axis % x.rank, Known(torch.arange(x.shape[axis] - 1, -1, -1)))
    return x


@rule("expand_as")
def expand_as(lo: Lowerer, x: Data, other: Any) -> Data:
    return expand(lo, x, other.shape)


@rule("contiguous", "clone", "alias", "detach", "lift_fresh", "lift_fresh_copy", "dropout", "feature_dropout")
def unchanged(lo: Lowerer, x: Data, *_: Any, **__: Any) -> Data:
    """What changes no numbers; dropout does only in training."""
    return x


@rule("to", "_to_copy", "type_as", "float")
def converted(lo: Lowerer, x: Data, *_: Any, **__: Any) -> Data:
    raise Unsupported("numbers made another type")  # those that stay are seen before: see `Capture`


@rule("pad", "constant_pad_nd")
def pad(lo: Lowerer, x: Data, amount: Sequence[int], mode: Any = "constant", value: float | None = None) -> Data:
    if not isinstance(mode, str):
        mode, value = "constant", mode
    while amount and not any(amount[-2:]):
        amount = amount[:-2]
    if not amount:
        return x
    if mode != "constant":
        raise Unsupported(f"padding of the kind {mode}")
    if any(a < 0 for a in amount):
        for back in range(len(amount) // 2):
            before, after = amount[2 * back : 2 * back + 2]
            axis = x.rank - 1 - back
            x = slice_(lo, x, axis, max(0, -before), x.shape[axis] + min(0, after))
        amount = [max(0, a) for a in amount]
        return pad(lo, x, amount, mode, value)
    settled = lo.settle(x)
    others = len(amount) // 2
    if x.rank - others <= settled.at < x.rank:
        raise Unsupported("padding of the batch")
    made = lo.add("pad", settled.value, amount=tuple(amount), value=max(min(float(value or 0.0), _MOST), -_MOST))
    return lo.unsettle(made, settled)


@rule("roll")
def roll(lo: Lowerer, x: Data, amounts: Sequence[int] | int, axes: Sequence[int] | int = ()) -> Data:
    shifts = [amounts] if isinstance(amounts, int) else amounts
    along = [axes] if isinstance(axes, int) else axes
    if not along:
        raise Unsupported("a roll of all elements")
    for amount, axis in zip(shifts, along, strict=True):
        settled = lo.settle(x)
        if amount % x.shape[axis]:
            made = lo.add("roll", settled.value, axis=settled.axis(axis), amount=amount)
            x = lo.unsettle(made, settled)
    return x


@rule("im2col")
def unfold(
    lo: Lowerer, x: Data, kernel: Sequence[int], dilation: Sequence[int], padding: Sequence[int], stride: Sequence[int]
) -> Data:
    """Patches that do not overlap, each a column."""
    if tuple(kernel) != tuple(stride) or set(dilation) != {1} or set(padding) != {0}:
        raise Unsupported("patches that overlap")
    n, c, height, width = x.shape
    rows, columns = height // kernel[0], width // kernel[1]
    for axis, size in ((2, rows * kernel[0]), (3, columns * kernel[1])):
        x = slice_(lo, x, axis, 0, size)
    apart = reshape(lo, x, (n, c, rows, kernel[0], columns, kernel[1]))
    return reshape(lo, permute(lo, apart, (0, 1, 3, 5, 2, 4)), (n, c * kernel[0] * kernel[1], rows * columns))


@rule("channel_shuffle", "native_channel_shuffle")
def channel_shuffle(lo: Lowerer, x: Data, groups: int) -> Data:
    return lo.data(lo.add("channel_shuffle", lo.plain(x), groups=groups))


@rule("pixel_shuffle")
def pixel_shuffle(lo: Lowerer, x: Data, factor: int) -> Data:
    return lo.data(lo.add("pixel_shuffle", lo.plain(x, 4), factor=factor))


@rule("upsample_nearest1d", "upsample_nearest2d", "upsample_nearest3d")
def nearest(lo: Lowerer, x: Data, size: Any, *scales: Any) -> Data:
    return _resized(lo, x, size, scales, "nearest")


@rule("upsample_bilinear2d")
def bilinear(lo: Lowerer, x: Data, size: Any, corners: bool, *scales: Any) -> Data:
    return _resized(lo, x, size, scales, "bilinear", bool(corners))


@rule("upsample_bicubic2d")
def bicubic(lo: Lowerer, x: Data, size: Any, corners: bool, *scales: Any) -> Data:
    return _resized(lo, x, size, scales, "bicubic", bool(corners))


def _resized(lo: Lowerer, x: Data, size: Any, scales: Any, mode: str, corners: bool = False) -> Data:
    """Space of another size; what is given are sizes, or factors in one list or one by one."""
    space = x.shape[2:]
    factors = [f for given in scales for f in (given if isinstance(given, list | tuple) else [given]) if f is not None]
    sizes = tuple(size) if size else tuple([int(old * f) for old, f in zip(space, factors, strict=True)])
    if sizes == space:
        return x
    ratios = [new / old for new, old in zip(sizes, space, strict=True)]
    if not corners and any(abs(ratio - f) > 1e-6 for ratio, f in zip(ratios, factors, strict=False)):
        raise Unsupported("resizing by a factor that gives no whole size")
    if len(set(ratios)) == 1 and ratios[0].is_integer() and mode != "bicubic" and not corners:
        return lo.data(lo.add("upsample", lo.plain(x), factor=int(ratios[0]), mode=mode))
    if len(space) != 2:
        raise Unsupported("resizing of what is no image by other than a whole factor")
    return lo.data(lo.add("resize", lo.plain(x), size=sizes, mode=mode, corners=corners))


@rule("unfold")
def windows(lo: Lowerer, x: Data, axis: int, size: int, step: int) -> Data:
    """Windows along a dimension, their places in a new last one."""
    axis %= x.rank
    starts = range(0, x.shape[axis] - size + 1, step)
    last = [*(i for i in range(x.rank + 1) if i != axis + 1), axis + 1]
    if step == size:
        whole = slice_(lo, x, axis, 0, len(starts) * size)
        return permute(lo, unflatten(lo, whole, axis, (len(starts), size)), last)
    if len(starts) > _RUNS:
        raise Unsupported("many windows that overlap")
    parts = [unsqueeze(lo, slice_(lo, x, axis, start, start + size), axis) for start in starts]
    found: Data = RULES["cat"](lo, parts, axis)
    return permute(lo, found, last)
