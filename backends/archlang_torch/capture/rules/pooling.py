"""Pooling and reductions."""

from collections.abc import Sequence
from typing import Any

from archlang.conversion.data import Data, Unsupported
from archlang_torch.capture.lowerer import Lowerer, rule


@rule("max_pool1d", "max_pool2d", "max_pool3d")
def max_pool(
    lo: Lowerer,
    x: Data,
    kernel: Sequence[int] | int,
    stride: Sequence[int] | int = (),
    padding: Sequence[int] | int = 0,
    dilation: Sequence[int] | int = 1,
    ceil: bool = False,
) -> Data:
    if _single(dilation) != 1:
        raise Unsupported("a max pool with dilation")
    return _pooled(lo, "max_pool", x, kernel, stride, padding, ceil=bool(ceil))


@rule("avg_pool1d", "avg_pool2d", "avg_pool3d")
def avg_pool(
    lo: Lowerer,
    x: Data,
    kernel: Sequence[int] | int,
    stride: Sequence[int] | int = (),
    padding: Sequence[int] | int = 0,
    ceil: bool = False,
    count_padding: bool = True,
    divisor: int | None = None,
) -> Data:
    if divisor is not None:
        raise Unsupported("an average pool with a divisor of its own")
    sizes = (kernel,) if isinstance(kernel, int) else tuple(kernel)
    apart = len(set(sizes)) == 2 and stride in ((), [], None, list(sizes)) and _single(padding) == 0
    if apart and all(old % k == 0 for old, k in zip(x.shape[2:], sizes, strict=True)):
        return adaptive_avg_pool(lo, x, [old // k for old, k in zip(x.shape[2:], sizes, strict=True)])
    # Without padding both ways of counting are one.
    counted = bool(count_padding) and _single(padding) != 0
    return _pooled(lo, "avg_pool", x, kernel, stride, padding, ceil=bool(ceil), count_padding=counted)


def _pooled(
    lo: Lowerer,
    op: str,
    x: Data,
    kernel: Sequence[int] | int,
    stride: Sequence[int] | int,
    padding: Sequence[int] | int,
    **attributes: Any,
) -> Data:
    value = lo.plain(x)
    size = _single(kernel)
    step = size if stride in ((), [], None) else _single(stride)
    made = lo.add(f"{op}{x.rank - 2}d", value, kernel=size, stride=step, padding=_single(padding), **attributes)
    return lo.data(made)


def _single(sizes: Sequence[int] | int) -> int:
    found = {sizes} if isinstance(sizes, int) else set(sizes)
    if len(found) != 1:
        raise Unsupported("a pooling with different sizes in its dimensions")
    return found.pop()


@rule("adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d")
def adaptive_avg_pool(lo: Lowerer, x: Data, out: Sequence[int] | int) -> Data:
    space = x.rank - 2
    sizes = [out] * space if isinstance(out, int) else [o or s for o, s in zip(out, x.shape[2:], strict=True)]
    if tuple(sizes) == x.shape[2:]:
        return x
    if len(set(sizes)) > 1:
        for axis, (size, old) in enumerate(zip(sizes, x.shape[2:], strict=True), 2):
            if size == 1 and all(new in (1, s) for new, s in zip(sizes, x.shape[2:], strict=True)) and old > 1:
                x = _reduced(lo, "mean", x, [axis], keep=True)
        if x.shape[2:] == tuple(sizes):
            return x
        if space == 2:
            return lo.data(lo.add("resize", lo.plain(x), size=tuple(sizes), mode="area"))
    return lo.data(lo.add(f"adaptive_avg_pool{space}d", lo.plain(x), out=_single(sizes)))


@rule("adaptive_max_pool1d", "adaptive_max_pool2d")
def adaptive_max_pool(lo: Lowerer, x: Data, out: Sequence[int] | int) -> Any:
    sizes = [out] * (x.rank - 2) if isinstance(out, int) else list(out)
    ratios = {old / size for size, old in zip(sizes, x.shape[2:], strict=True)}
    if set(sizes) != {1} and len(ratios) == 1 and (ratio := ratios.pop()).is_integer():
        return (max_pool(lo, x, int(ratio)), None)
    if set(sizes) != {1}:
        for axis, (size, old) in enumerate(zip(sizes, x.shape[2:], strict=True), 2):
            if size not in (1, old):
                raise Unsupported("an adaptive max pool")
            x = x if size == old else _reduced(lo, "max_reduce", x, [axis], keep=True)
        return (x, None)
    reduced = lo.data(lo.add("global_max_pool", lo.plain(x)))
    layout = reduced.layout.reshaped((*x.shape[:2], *(1,) * (x.rank - 2)))
    assert layout is not None
    return (Data(reduced.value, layout), None)


@rule("mean")
def mean(lo: Lowerer, x: Data, axes: Sequence[int] | int | None = None, keep: bool = False, *_: Any) -> Data:
    found = _axes(x, axes)
    if x.rank > 2 and found == list(range(2, x.rank)) and x.layout.batch == 0:
        if x.rank <= 5 and keep:
            return adaptive_avg_pool(lo, x, 1)
        return lo.data(lo.add("global_avg_pool", lo.plain(x)))
    return _reduced(lo, "mean", x, found, keep)


@rule("amax")
def amax(lo: Lowerer, x: Data, axes: Sequence[int] = (), keep: bool = False) -> Data:
    return _reduced(lo, "max_reduce", x, _axes(x, axes), keep)


@rule("max")
def largest(lo: Lowerer, x: Data, axis: int | None = None, keep: bool = False) -> Any:
    if not isinstance(axis, int):
        raise Unsupported("a reduction over the batch")
    return (_reduced(lo, "max_reduce", x, [axis % x.rank], keep), None)


@rule("amin")
def amin(lo: Lowerer, x: Data, axes: Sequence[int] = (), keep: bool = False) -> Data:
    return _reduced(lo, "min_reduce", x, _axes(x, axes), keep)


@rule("sum")
def total(lo: Lowerer, x: Data, axes: Sequence[int] | int | None = None, keep: bool = False, *_: Any) -> Data:
    found = _axes(x, axes)
    count = 1
    for axis in found:
        count *= x.shape[axis]
    return lo.each("scale", _reduced(lo, "mean", x, found, keep), factor=float(count))


@rule("linalg_vector_norm", "norm")
def vector_norm(
    lo: Lowerer, x: Data, order: float = 2, axes: Sequence[int] | int | None = None, keep: bool = False, *_: Any
) -> Data:
    if order == 1:
        return total(lo, lo.each("absolute", x), axes, keep)
    if order != 2:
        raise Unsupported(f"a norm of order {order}")
    return lo.each("power", total(lo, lo.each("square", x), axes, keep), exponent=0.5)


def _axes(x: Data, axes: Sequence[int] | int | None) -> list[int]:
    if axes is None or axes == [] or axes == ():
        raise Unsupported("a reduction over the batch")
    return sorted([a % x.rank for a in ([axes] if isinstance(axes, int) else axes)])


def _reduced(lo: Lowerer, op: str, x: Data, axes: list[int], keep: bool) -> Data:
    for axis in reversed(axes):
        settled = lo.settle(x)
        at = settled.axis(axis)
        rank = len(lo.builder.sizes(settled.value)) + 1
        value = lo.add(op, settled.value, axis=-1 if at == rank - 1 else at, keep=keep)
        x = lo.unsettle(value, settled, () if keep else (at,))
    return x
