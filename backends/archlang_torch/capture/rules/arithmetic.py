"""Arithmetic of tensors with tensors, numbers, and what is learned or constant."""

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
import torch

from archlang.conversion.data import Data, Settled, Unsupported
from archlang_torch.capture.lowerer import Lowerer, rule
from archlang_torch.capture.rules.shapes import permute, reshape
from archlang_torch.capture.rules.tokens import added_table
from archlang_torch.capture.values import Known

Operand = Data | Known | int | float


@rule("add")
def add(lo: Lowerer, a: Operand, b: Operand, alpha: float = 1) -> Data:
    if alpha != 1:
        b = mul(lo, b, alpha) if isinstance(b, Data) else _times(b, alpha)
    if not isinstance(a, Data):
        a, b = b, a
    number = _number(b)
    assert isinstance(a, Data)
    if number is not None:
        return a if number == 0 else lo.each("shift", a, amount=float(number))
    if isinstance(b, Known):
        if b.composed and b.made is not None and b.made[0] == "add":
            first, second, *_ = b.made[1]
            return add(lo, add(lo, a, first), second)
        found = None if b.composed else added_table(lo, a, b)
        if found is not None:
            return found
    return combined(lo, "add", a, b)


@rule("sub", "subtract")
def sub(lo: Lowerer, a: Operand, b: Operand, alpha: float = 1) -> Data:
    number = _number(b)
    if number is not None:
        return add(lo, a, -number * alpha)
    if isinstance(b, Known):
        if b.source is None:
            return add(lo, a, Known(-b.tensor), alpha)
    elif _number(a) is not None:
        return add(lo, mul(lo, b, -1.0), a)
    if alpha != 1:
        raise Unsupported("a difference with a factor")
    return combined(lo, "sub", a, b)


@rule("rsub")
def rsub(lo: Lowerer, a: Operand, b: Operand, alpha: float = 1) -> Data:
    return sub(lo, b, a, alpha)


@rule("mul", "multiply")
def mul(lo: Lowerer, a: Operand, b: Operand) -> Data:
    if not isinstance(a, Data):
        a, b = b, a
    assert isinstance(a, Data)
    number = _number(b)
    if number is not None:
        return a if number == 1 else lo.each("scale", a, factor=float(number))
    if isinstance(b, Known) and b.source is not None:
        found = _scaled(lo, a, b)
        if found is not None:
            return found
    return combined(lo, "mul", a, b)


def _scaled(lo: Lowerer, x: Data, scale: Known) -> Data | None:
    """A learned factor for each channel or feature; None when it is another product."""
    settled = lo.settle(x)
    each = lo.for_each_sample(scale, settled)
    sizes = lo.builder.sizes(settled.value)
    wide = [axis for axis, size in enumerate(each.shape) if size > 1]
    if len(wide) != 1 or each.shape[wide[0]] != sizes[wide[0]]:
        return None
    flat = {"scale": each.apply(lambda t: t.reshape(-1))}
    if wide[0] == len(sizes) - 1:
        return lo.unsettle(lo.add("feature_scale", settled.value, weights=flat), settled)
    if wide[0] == 0:
        return lo.unsettle(lo.add("channel_scale", settled.value, weights=flat), settled)
    return None


@rule("div", "divide", "true_divide")
def div(lo: Lowerer, a: Operand, b: Operand, rounding_mode: str | None = None) -> Data:
    if rounding_mode is not None:
        raise Unsupported("a division that is rounded")
    number = _number(b)
    if number == 0:
        raise Unsupported("a division by 0")
    if number is not None:
        return mul(lo, a, 1.0 / number)
    if not isinstance(a, Data):
        assert isinstance(b, Data)
        inverse = lo.each("power", b, exponent=-1.0)
        return mul(lo, inverse, a)
    return combined(lo, "div", a, b)


@rule("addcmul")
def addcmul(lo: Lowerer, a: Operand, b: Operand, c: Operand, value: float = 1) -> Data:
    product = mul(lo, b, c) if isinstance(b, Data) or isinstance(c, Data) else _product(b, c)
    return add(lo, a, product, value)


def _product(b: Operand, c: Operand) -> Known:
    found = _known(b), _known(c)
    source = next((x.source for x in found if x.source is not None), None)
    return Known(found[0].tensor * found[1].tensor, source)


@rule("maximum")
def maximum(lo: Lowerer, a: Operand, b: Operand) -> Data:
    number = _number(b if isinstance(a, Data) else a)
    if number is not None:
        return at_least(lo, a if isinstance(a, Data) else b, number)
    return combined(lo, "maximum", a, b)


@rule("minimum")
def minimum(lo: Lowerer, a: Operand, b: Operand) -> Data:
    return neg(lo, maximum(lo, *[neg(lo, x) if isinstance(x, Data) else _times(x, -1.0) for x in (a, b)]))


def at_least(lo: Lowerer, x: Operand, number: float) -> Data:
    """max(x, number)"""
    assert isinstance(x, Data)
    if number == 0:
        return lo.each("relu", x)
    settled = lo.settle(x)
    least = lo.add("fill", settled.value, value=float(number))
    return lo.unsettle(lo.add("maximum", settled.value, least), settled)


@rule("neg")
def neg(lo: Lowerer, x: Data) -> Data:
    return lo.each("scale", x, factor=-1.0)


@rule("pow")
def power(lo: Lowerer, x: Data, exponent: float) -> Data:
    if not isinstance(exponent, int | float):
        raise Unsupported("a power whose exponent is computed")
    return lo.each("square", x) if exponent == 2 else lo.each("power", x, exponent=float(exponent))


@rule("rsqrt")
def rsqrt(lo: Lowerer, x: Data) -> Data:
    return lo.each("power", x, exponent=-0.5)


@rule("sqrt")
def sqrt(lo: Lowerer, x: Data) -> Data:
    return lo.each("power", x, exponent=0.5)


@rule("reciprocal")
def reciprocal(lo: Lowerer, x: Data) -> Data:
    return lo.each("power", x, exponent=-1.0)


@rule("matmul", "bmm", "mm")
def matmul(lo: Lowerer, a: Operand, b: Operand) -> Data:
    if isinstance(a, Data) and isinstance(b, Known) and len(b.shape) == 2:
        return lo.last("linear", a, {"kernel": b.apply(lambda t: t.t())}, out=b.shape[1], bias=False)
    a, b = (lo.lifted(x) if isinstance(x, Known) else x for x in (a, b))
    if not isinstance(a, Data) or not isinstance(b, Data):
        raise Unsupported("a product with a number")
    rank = max(a.rank, b.rank)
    a, b = lo.widened(a, rank), lo.widened(b, rank)
    if a.layout.common != b.layout.common:
        like = lo.settle(b if a.layout.common else a, repeat=True)
        if like.at < rank - 2:
            a, b = (lo.without_batch(x, like) if x.layout.common else x for x in (a, b))
            sides = [lo.settle(x, repeat=True).value for x in (a, b)]
            return lo.unsettle(lo.add("matmul", *sides, transpose_b=False), like)
    if rank < 3:
        raise Unsupported("a product of a vector")
    left = lo.settle(a, repeat=True)
    # Transposed where that needs no step of its own.
    other = swapped(b)
    transposed = lo.steps(other) < lo.steps(b)
    right = lo.settle(other if transposed else b, repeat=True)
    _same_place(left, right)
    if a.rank - 2 <= left.at < a.rank:
        raise Unsupported("a matrix product along the batch")
    return lo.unsettle(lo.add("matmul", left.value, right.value, transpose_b=transposed), left)


@rule("einsum")
def einsum(lo: Lowerer, equation: str, operands: Sequence[Operand], path: Any = None) -> Data:
    """A sum of products as a product of matrices."""
    given, separator, wanted = equation.replace(" ", "").partition("->")
    names = given.split(",")
    if not separator or "." in given or len(names) != 2 or any(len(set(name)) < len(name) for name in names):
        raise Unsupported("an `einsum` of another form than a product of matrices")
    (left, a), (right, b) = zip(names, operands, strict=True)
    if isinstance(a, Known) and isinstance(b, Known):  # learned, and applied to a constant
        (left, a), (right, b) = sorted(((left, a), (right, b)), key=lambda given: given[1].source is not None)
        a = lo.lifted(a)
    if not isinstance(a, Data) or (
        isinstance(b, Data) and (a.layout.batch is None or left[a.layout.batch] not in wanted)
    ):
        (left, a), (right, b) = (right, b), (left, a)
    summed = [x for x in left if x in right and x not in wanted]
    both = [x for x in wanted if x in left and x in right]
    rows, columns = ([x for x in name if x in wanted and x not in both] for name in (left, right))
    if (
        not isinstance(a, Data)
        or not isinstance(b, Data | Known)
        or {*both, *summed, *rows, *columns} != {*left, *right}
    ):
        raise Unsupported("an `einsum` that sums over one tensor alone")
    size = {**dict(zip(left, a.shape, strict=True)), **dict(zip(right, b.shape, strict=True))}
    first = permute(lo, a, [left.index(x) for x in (*both, *rows, *summed)])
    order = [right.index(x) for x in (*both, *summed, *columns)]
    inner, outer = prod(size[x] for x in summed), prod(size[x] for x in columns)
    if isinstance(b, Known) and b.source is not None and not both:
        kernel = b.apply(lambda t: t.permute(order).reshape(inner, outer))
        made = matmul(lo, reshape(lo, first, (*first.shape[: len(rows)], inner)), kernel)
    else:
        # The batch is a dimension of its own, the first, unless both have it.
        lead = [x for x in rows if a.layout.batch is not None and x == left[a.layout.batch]]
        rows = [*lead, *(x for x in rows if x not in lead)]
        shape = [size[x] for x in both]
        first = permute(lo, a, [left.index(x) for x in (*lead, *both, *rows[len(lead) :], *summed)])
        first = reshape(lo, first, (*(size[x] for x in lead), *shape, -1, inner))
        second = permute(lo, lo.lifted(b) if isinstance(b, Known) else b, order)
        second = reshape(lo, second, (*(1 for _ in lead), *shape, inner, outer))
        made = matmul(lo, first, second)
        whole = [*lead, *both, *rows[len(lead) :], *columns]
        return permute(lo, reshape(lo, made, [size[x] for x in whole]), [whole.index(x) for x in wanted])
    whole = [*rows, *columns]
    return permute(lo, reshape(lo, made, [size[x] for x in whole]), [whole.index(x) for x in wanted])


@rule("baddbmm")
def baddbmm(lo: Lowerer, c: Operand, a: Operand, b: Operand, beta: float = 1, alpha: float = 1) -> Data:
    product = mul(lo, matmul(lo, a, b), alpha)
    return product if beta == 0 else add(lo, product, c, beta)


@rule("where")
def where(lo: Lowerer, mask: Operand, a: Operand, b: Operand) -> Data:
    """One of two where it is known where: what is known, times 0 where the other is."""
    if not isinstance(mask, Known) or mask.source is not None:
        raise Unsupported("a choice of elements that is computed")
    if mask.number() is not None:
        found = a if mask.number() else b
        if not isinstance(found, Data):
            raise Unsupported("a choice of nothing that is computed")
        shapes = [x.shape for x in (mask, a, b) if isinstance(x, Data | Known)]
        return Data(found.value, found.layout.expanded(np.broadcast_shapes(*shapes)))
    shares = [_chosen(lo, x, Known(m)) for x, m in ((a, mask.tensor.bool()), (b, ~mask.tensor.bool()))]
    first, second = sorted(shares, key=lambda x: not isinstance(x, Data))
    return add(lo, first, second)


def _chosen(lo: Lowerer, x: Operand, where: Known) -> Operand:
    """x where it is chosen, 0 elsewhere."""
    if isinstance(x, Data):
        return mul(lo, x, Known(where.tensor.to(torch.float32)))
    known = _known(x)
    if known.source is not None:
        return mul(lo, lo.lifted(known), Known(where.tensor.to(torch.float32)))
    return Known(torch.where(where.tensor, known.tensor.float(), 0.0).clamp(min=-1e9, max=1e9))


@rule("masked_fill")
def masked_fill(lo: Lowerer, x: Data, mask: Operand, value: Operand) -> Data:
    return where(lo, mask, value, x)


def swapped(x: Data) -> Data:
    """The data with its last two dimensions exchanged."""
    order = [*range(x.rank - 2), x.rank - 1, x.rank - 2]
    return Data(x.value, x.layout.permuted(order))


def combined(lo: Lowerer, op: str, a: Operand, b: Operand) -> Data:
    """An op on two tensors whose dimensions of size 1 are repeated to fit."""
    rank = max(len(x.shape) for x in (a, b) if isinstance(x, Data | Known))
    settled = [lo.settle(lo.widened(x, rank), repeat=True) if isinstance(x, Data) else None for x in (a, b)]
    like = next((x for x in settled if x is not None and not x.common), None) or settled[0] or settled[1]
    if like is None:
        raise Unsupported(f"`{op}` of two constants")
    values = [
        _beside(lo, x, found, like) if found is not None else lo.known_beside(_known(x), like)
        for x, found in zip((a, b), settled, strict=True)
    ]
    return lo.unsettle(lo.add(op, *values), like)


def _beside(lo: Lowerer, x: Operand, found: Settled, like: Settled) -> int:
    """The value of data that is combined with other data."""
    assert isinstance(x, Data)
    if found.common and not like.common:
        return lo.settle(lo.without_batch(lo.widened(x, like.rank), like), repeat=True).value
    _same_place(found, like)
    return found.value


def _same_place(left: Settled, right: Settled) -> None:
    if (left.at, left.fold, left.turned) != (right.at, right.fold, right.turned):
        raise Unsupported("tensors whose batches are at different places")


def _known(x: Operand) -> Known:
    return x if isinstance(x, Known) else Known(torch.tensor(float(x)))  # type: ignore[arg-type]


def _number(x: Any) -> float | None:
    """A plain number, or what a constant is everywhere."""
    if isinstance(x, Known):
        found = x.number()
        return None if found is None else float(found)
    return float(x) if isinstance(x, int | float) and not isinstance(x, bool) else None


def _times(x: Operand, factor: float) -> Operand:
    return Known(x.tensor * factor, x.source) if isinstance(x, Known) else x * factor  # type: ignore[operator]
