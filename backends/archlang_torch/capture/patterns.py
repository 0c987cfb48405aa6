"""What ATen spells out in several calls, and is one op."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import isclose, pi, sqrt
from typing import Any

import torch
from torch import Tensor

from archlang.conversion.data import Data
from archlang_torch.capture.lowerer import Lowerer
from archlang_torch.capture.rules.arithmetic import swapped
from archlang_torch.capture.rules.attention import attention, heads_joined, heads_split
from archlang_torch.capture.rules.shapes import slice_
from archlang_torch.capture.values import Known, Pending

Pattern = Callable[[Lowerer, Data], Data | None]
PATTERNS: dict[str, list[Pattern]] = {}


def pattern(call: str) -> Callable[[Pattern], Pattern]:
    """A function that gives the op for the result of a call of this name, if it is one."""

    def register(function: Pattern) -> Pattern:
        PATTERNS.setdefault(call, []).append(function)
        return function

    return register


def recognised(lo: Lowerer, x: Data) -> Data:
    """The result of a call, as the op that the calls up to it are where there is such; what is then not
    needed is left out of the graph in the end."""
    assert x.made is not None
    for find in PATTERNS.get(x.made[0], ()):
        found = find(lo, x)
        if found is not None:
            return Data(found.value, found.layout, x.made)
    return x


def _given(x: Any, call: str) -> tuple[Any, ...]:
    """What a call of this name was given that gave x; nothing when another did."""
    return x.made[1] if isinstance(x, Data | Pending) and x.made is not None and x.made[0] == call else ()


def _either_way(x: Any, call: str) -> Iterator[tuple[Any, Any]]:
    """What a commutative call was given, in both orders."""
    given = _given(x, call)
    if len(given) == 2:
        yield given[0], given[1]
        yield given[1], given[0]


def _is(x: Any, number: float) -> bool:
    value = x.number() if isinstance(x, Known) else x
    return isinstance(value, int | float) and isclose(value, number, rel_tol=1e-6)


@pattern("mul")
def rms_norm(lo: Lowerer, y: Data) -> Data | None:
    """scale * (x * rsqrt(mean(x ^ 2) + eps))"""
    for scale, normed in _either_way(y, "mul"):
        if not isinstance(scale, Known) or scale.source is None or len(scale.shape) != 1:
            continue
        for x, inverse in _either_way(normed, "mul"):
            for root in _given(inverse, "rsqrt"):
                for mean, eps in _either_way(root, "add"):
                    squares, axes, keep = (*_given(mean, "mean"), None, None, None)[:3]
                    root_of, two = _given(squares, "pow") or (None, None)
                    along = axes in ([-1], -1) and keep is True and isinstance(eps, float) and _is(two, 2)
                    if along and isinstance(x, Data) and x.same(root_of):
                        return lo.last("rms_norm", x, {"scale": scale}, eps=eps)
    return None


@pattern("mul")
def silu(lo: Lowerer, y: Data) -> Data | None:
    """x * sigmoid(x)"""
    for x, gate in _either_way(y, "mul"):
        for inner in _given(gate, "sigmoid"):
            if isinstance(x, Data) and x.same(inner):
                return lo.each("silu", x)
    return None


@pattern("mul")
def tanh_gelu(lo: Lowerer, y: Data) -> Data | None:
    """0.5 * x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x ^ 3)))"""
    for half, outer in _either_way(y, "mul"):
        for x, number in _either_way(half, "mul"):
            for curve, one in _either_way(outer, "add"):
                for inner in _given(curve, "tanh"):
                    for polynomial, root in _either_way(inner, "mul"):
                        for x2, cubic in _either_way(polynomial, "add"):
                            for cube, small in _either_way(cubic, "mul"):
                                x3, three = _given(cube, "pow") or (None, None)
                                numbers = (number, 0.5), (one, 1), (root, sqrt(2 / pi)), (small, 0.044715), (three, 3)
                                one_x = isinstance(x, Data) and x.same(x2) and x.same(x3)
                                if one_x and all(_is(*pair) for pair in numbers):
                                    return lo.each("gelu", x, approximate=True)
    return None


@pattern("matmul")
def written_attention(lo: Lowerer, y: Data) -> Data | None:
    """softmax(scale * q @ transposed k) @ v, for heads of tokens"""
    weights, values = _given(y, "matmul")
    scores, axis = (*_given(weights, "softmax"), None, None)[:2]
    if axis not in (-1, y.rank - 1) or y.rank != 4 or y.layout.batch != 0 or y.shape[0] != lo.batch:
        return None
    scores, factor = _unscaled(scores)
    q, k = _given(scores, "matmul") or (None, None)
    q, more = _unscaled(q)
    if not (isinstance(q, Data) and isinstance(k, Data) and isinstance(values, Data)):
        return None
    if q.rank != 4 or k.rank != 4 or values.rank != 4:
        return None
    return attention(lo, q, swapped(k), values, scale=factor * more)


def _unscaled(x: Any) -> tuple[Any, float]:
    """What a product or quotient with a number is of, and the factor."""
    for of, number in _either_way(x, "mul"):
        if isinstance(number, int | float):
            return of, float(number)
    of, number = _given(x, "div") or (None, None)
    if isinstance(number, int | float) and number:
        return of, 1.0 / number
    return x, 1.0


@pattern("add")
def rotary(lo: Lowerer, y: Data) -> Data | None:
    """x * cos + concat(-second half of x, first half of x) * sin, for heads of tokens"""
    for straight, crossed in _either_way(y, "add"):
        for x, cos in _either_way(straight, "mul"):
            for turned, sin in _either_way(crossed, "mul"):
                if not (isinstance(x, Data) and isinstance(cos, Known) and isinstance(sin, Known) and x.rank == 4):
                    continue
                base = _base(cos.tensor, sin.tensor, x.shape)
                if base is not None and _halves_swapped(lo, x, turned):
                    heads = x.shape[1]
                    made = lo.add("rotary", heads_joined(lo, x), heads=heads, base=base)
                    return heads_split(lo, made, heads)
    return None


def _halves_swapped(lo: Lowerer, x: Data, turned: Any) -> bool:
    """Whether a tensor is x with the halves of its last dimension exchanged, the first then negated."""
    halves, *axis = _given(turned, "cat") or ((), None)
    half, odd = divmod(x.shape[-1], 2)
    if odd or len(halves) != 2 or axis not in ([-1], [x.rank - 1]):
        return False
    first, second = slice_(lo, x, -1, 0, half), slice_(lo, x, -1, half, 2 * half)
    return any(second.same(given) for given in _given(halves[0], "neg")) and first.same(halves[1])


def _base(cos: Tensor, sin: Tensor, shape: tuple[int, ...]) -> float | None:
    """The base of rotary positions that have these cosines and sines; None when they are of others."""
    tokens, width = shape[-2:]
    half = width // 2
    if cos.shape[-2:] != (tokens, width) or sin.shape != cos.shape or tokens < 2 or half < 2:
        return None
    tables = [table.reshape(-1, tokens, width).double() for table in (cos, sin)]
    if any(bool((table != table[:1]).any()) for table in tables):
        return None
    angle = torch.atan2(tables[1][0, 1, 1], tables[0][0, 1, 1]).item()
    if not 0 < angle < 1:
        return None
    base = angle**-half
    base = float(f"{base:.3g}") if isclose(float(f"{base:.3g}"), base, rel_tol=1e-3) else base
    rates = base ** (-torch.arange(half, dtype=torch.float64) / half)
    angles = (torch.arange(tokens)[:, None] * rates).repeat(1, 2)
    # The tables are of single floats, whose places beyond some thousands are a little off.
    near = 1e-6 * max(tokens, 100)
    pairs = zip(tables, (torch.cos, torch.sin), strict=True)
    return base if all(torch.allclose(table[0], curve(angles), atol=near) for table, curve in pairs) else None


# ---------------------------------------------------------------- calls that have ops only together

PENDING = frozenset(["ne", "cumsum"])


def started(lo: Lowerer, x: Pending) -> Data | None:
    """The op that calls without ops are together, when the last of them is done: `token_places` is
    cumsum(tokens != padding) * (tokens != padding) + padding."""
    for places, padding in _either_way(x, "add"):
        for counts, mask in _either_way(_plain(places), "mul"):
            summed, axis = (*_given(_plain(counts), "cumsum"), None, None)[:2]
            given = [_given(_plain(part), "ne") for part in (summed, mask)]
            if axis != 1 or not all(given) or {padding} != {given[0][1], given[1][1]}:
                continue
            tokens = given[0][0]
            if isinstance(tokens, Data) and tokens.rank == 2 and tokens.same(given[1][0]):
                return lo.data(lo.add("token_places", lo.plain(tokens), padding=padding))
    return None


def _plain(x: Any) -> Any:
    """What a value is before it was made another type, or 0 was added to it."""
    while True:
        inner = _given(x, "to") or _given(x, "type_as") or [a for a, b in _either_way(x, "add") if _is(b, 0)]
        if not inner:
            return x
        x = inner[0]
