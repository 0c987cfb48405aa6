"""What exporters spell out in several nodes, and is one op."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import isclose, isqrt, prod, sqrt
from typing import Any

import torch

from archlang.conversion.data import Data
from archlang.ir.graph import Operation
from archlang_torch.capture.lowerer import RULES
from archlang_torch.capture.onnx.lowerer import OnnxLowerer, plain
from archlang_torch.capture.rules.arithmetic import swapped
from archlang_torch.capture.values import Known, Pending

Pattern = Callable[[OnnxLowerer, Any], Data | None]
PATTERNS: dict[str, list[Pattern]] = {}


def pattern(*calls: str) -> Callable[[Pattern], Pattern]:
    """A function that gives the op for the result of a call of these names, if it is one."""

    def register(function: Pattern) -> Pattern:
        for call in calls:
            PATTERNS.setdefault(call, []).append(function)
        return function

    return register


def _given(x: Any, *calls: str) -> tuple[Any, ...]:
    """What a call of these names was given that gave x; nothing when another did."""
    return x.made[1] if isinstance(x, Data | Pending) and x.made is not None and x.made[0] in calls else ()


def _either_way(x: Any, call: str) -> Iterator[tuple[Any, Any]]:
    given = _given(x, call)
    if len(given) == 2:
        yield given
        yield given[1], given[0]


def _whole(lo: OnnxLowerer, x: Any, op: str) -> tuple[Operation, tuple[int, ...]] | None:
    """The op of this name that x is the result of, and what of."""
    made = lo.builder.made_by(x.value) if isinstance(x, Data) and x.same(lo.data(x.value)) else None
    return made if made is not None and made[0].name == op else None


def _row(x: Any, size: int) -> Known | None:
    """A constant that is a number for each of the last dimension, as a vector."""
    if not isinstance(x, Known) or x.tensor.numel() != size or x.shape[-1:] != (size,):
        return None
    return x if len(x.shape) == 1 else x.apply(lambda t: t.reshape(-1))


@pattern("add")
def biased(lo: OnnxLowerer, y: Any) -> Data | None:
    """x @ kernel + bias"""
    for product, added in _either_way(y, "add"):
        x, weight, bias = _given(product, "linear") or (None, None, 0)
        if isinstance(weight, Known) and bias is None:
            row = _row(added, weight.shape[0])
            if row is not None:
                return RULES["linear"](lo, x, weight, row)  # type: ignore[no-any-return]
    return None


@pattern("mul")
def erf_gelu(lo: OnnxLowerer, y: Any) -> Data | None:
    """0.5 * x * (1 + erf(x / sqrt(2)))"""
    factor, parts = _factors(y)
    curves = [part for part in parts if isinstance(part, Pending)]
    others = [part for part in parts if isinstance(part, Data)]
    if len(parts) != 2 or len(curves) != 1 or len(others) != 1 or not isclose(factor, 0.5, rel_tol=1e-5):
        return None
    for curve, one in _either_way(curves[0], "add"):
        for inner in _given(curve, "erf"):
            scale, of = _factors(inner)
            if one == 1 and isclose(scale, sqrt(0.5), rel_tol=1e-5) and len(of) == 1 and others[0].same(of[0]):
                return lo.each("gelu", others[0])
    return None


def _factors(x: Any) -> tuple[float, list[Any]]:
    """The number in a product, and what else it is of."""
    x = plain(x)
    if isinstance(x, int | float):
        return float(x), []
    given = _given(x, "mul", "div")
    if len(given) != 2 or (x.made[0] == "div" and not isinstance(given[1], int | float)):
        return 1.0, [x]
    (left, some), (right, more) = map(_factors, given)
    return (left / right if x.made[0] == "div" and right else left * right), some + more


@pattern("mul")
def hard_swish(lo: OnnxLowerer, y: Any) -> Data | None:
    """x * hardsigmoid(x)"""
    return _gated(lo, y, "hardsigmoid", "hswish")


def _gated(lo: OnnxLowerer, y: Any, gate: str, op: str) -> Data | None:
    for x, curve in _either_way(y, "mul"):
        for inner in _given(curve, gate):
            if isinstance(x, Data) and x.same(inner):
                return lo.each(op, x)
    return None


@pattern("mul")
def mish(lo: OnnxLowerer, y: Any) -> Data | None:
    """x * tanh(softplus(x))"""
    for x, curve in _either_way(y, "mul"):
        for soft in _given(curve, "tanh"):
            for inner in _given(soft, "softplus"):
                if isinstance(x, Data) and x.same(inner):
                    return lo.each("mish", x)
    return None


@pattern("mul")
def layer_norm(lo: OnnxLowerer, y: Any) -> Data | None:
    """(x - mean(x)) * rsqrt(mean((x - mean(x)) ^ 2) + eps)"""
    for centred, inverse in _either_way(y, "mul"):
        x, mean = _given(centred, "sub") or (None, None)
        if not isinstance(x, Data) or not isinstance(centred, Data):
            continue
        for root in _given(inverse, "rsqrt"):
            for variance, eps in _either_way(root, "add"):
                squares, *along = _given(variance, "mean") or (None,)
                squared, two = _given(squares, "pow") or (None, None)
                of, *axes = _given(mean, "mean") or (None,)
                same = x.same(of) and centred.same(squared)
                if same and two == 2 and along == axes == [[-1], True] and isinstance(eps, float):
                    return lo.last("layer_norm", x, eps=eps, affine=False)
    return None


@pattern("add")
def affine(lo: OnnxLowerer, y: Any) -> Data | None:
    """The learned map behind a norm."""
    for product, shift in _either_way(y, "add"):
        for normed, scale in _either_way(product, "mul"):
            if not isinstance(normed, Data):
                continue
            found = _layer_normed(lo, normed, scale, shift) or _group_normed(lo, normed, scale, shift)
            if found is not None:
                return found
    return None


def _layer_normed(lo: OnnxLowerer, normed: Data, scale: Any, shift: Any) -> Data | None:
    made = lo.builder.made_by(normed.value)
    if made is None or made[0].name != "layer_norm" or made[0].attribute("affine"):
        return None
    row, bias = _row(scale, normed.shape[-1]), _row(shift, normed.shape[-1])
    if row is None or bias is None or not normed.same(lo.unsettle(normed.value, lo.settle(normed))):
        return None
    settled = lo.settle(normed)
    weights = {"scale": row, "bias": bias}
    made_of = lo.add("layer_norm", made[1][0], weights=weights, eps=made[0].attribute("eps"))
    return lo.unsettle(made_of, settled)


def _group_normed(lo: OnnxLowerer, normed: Data, scale: Any, shift: Any) -> Data | None:
    """An instance norm of all channels of a group as one, and the map of the channels."""
    made = lo.builder.made_by(normed.value)
    if made is None or made[0].name != "instance_norm" or made[0].attribute("affine"):
        return None
    view = lo.builder.made_by(made[1][0])
    if view is None or view[0].name != "reshape":
        return None
    (source,) = view[1]
    sizes = lo.builder.sizes(source)
    weights = {"scale": _channels(scale, sizes), "bias": _channels(shift, sizes)}
    groups = lo.builder.sizes(normed.value)[0]
    like = lo.data(source)
    if None in weights.values() or normed.layout.normal() != like.layout.normal() or sizes[0] % groups:
        return None
    return lo.data(lo.add("group_norm", source, weights=weights, groups=groups, eps=made[0].attribute("eps")))


def _channels(x: Any, sizes: tuple[int, ...]) -> Known | None:
    """A constant that is a number for each channel, as a vector."""
    shape = (sizes[0], *(1,) * (len(sizes) - 1))
    fits = isinstance(x, Known) and x.tensor.numel() == sizes[0] and x.shape[-len(shape) :] == shape
    return x.apply(lambda t: t.reshape(-1)) if fits else None


@pattern("add")
def window_bias(lo: OnnxLowerer, y: Any) -> Data | None:
    """A learned number for the offset of two places of a window, which exporters spread out for all pairs of them."""
    for scores, bias in _either_way(y, "add"):
        if not isinstance(scores, Data) or not isinstance(bias, Known) or bias.source is None or scores.rank < 4:
            continue
        settled = lo.settle(scores)
        each = lo.for_each_sample(bias, settled)
        if len(each.shape) < 3 or each.shape[-1] != each.shape[-2] or prod(each.shape[:-3]) != 1:
            continue
        heads, tokens = each.shape[-3:-1]
        side = isqrt(tokens)
        if lo.builder.sizes(settled.value)[-3:] != (heads, tokens, tokens) or side**2 != tokens or side < 2:
            continue
        spread = each.tensor.reshape(heads, tokens, tokens)
        down, right = (at[:, None] - at + side - 1 for at in _divided(torch.arange(tokens), side))
        rows = (down * (2 * side - 1) + right).reshape(-1)
        table = torch.zeros((2 * side - 1) ** 2, heads)
        table[rows] = spread.reshape(heads, -1).t()
        if torch.equal(table[rows].t().reshape(spread.shape), spread):
            numbers = f"{spread.numel()} numbers are {table.numel()}"
            lo.builder.notes.append(f"the file holds tables of relative positions spread out, of which {numbers}")
            weights = {"table": Known(table, bias.source)}
            return lo.unsettle(lo.add("window_bias", settled.value, weights=weights, height=side, width=side), settled)
    return None


def _divided(at: torch.Tensor, side: int) -> tuple[torch.Tensor, torch.Tensor]:
    return at // side, at % side


@pattern("matmul")
def attention(lo: OnnxLowerer, y: Any) -> Data | None:
    """softmax(scale * q @ transposed k + mask) @ v, for heads of tokens"""
    weights, values = _given(y, "matmul") or (None, None)
    scores, axis = (*_given(weights, "softmax"), None, None)[:2]
    if axis not in (-1, 3) or not isinstance(values, Data) or values.rank != 4:
        return None
    scores, more = _unscaled(scores)
    masks = [(of, mask) for of, mask in _either_way(scores, "add") if isinstance(mask, Known)]
    scores, mask = masks[0] if masks else (scores, None)
    if mask is not None and (more != 1 or mask.source is not None):
        return None
    scores, factor = _unscaled(scores)
    q, k = _given(scores, "matmul") or (None, None)
    (q, of_q), (k, of_k) = _unscaled(q), _unscaled(k)
    if not (isinstance(q, Data) and isinstance(k, Data)) or (q.rank, k.rank) != (4, 4):
        return None
    if q.layout.batch != 0 or q.shape[0] != lo.batch:
        return None
    return RULES["scaled_dot_product_attention"](  # type: ignore[no-any-return]
        lo, q, swapped(k), values, mask, scale=more * factor * of_q * of_k
    )


def _unscaled(x: Any) -> tuple[Any, float]:
    """What a product or quotient with numbers is of, and the factor."""
    factor, of = _factors(x)
    return (of[0], factor) if len(of) == 1 else (x, 1.0)
