"""Ops of sequences and few bits by their definitions, with numpy and one element at a time."""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def logistic(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def exponentials(x: Array) -> Array:
    """Softmax of a vector."""
    powers = np.exp(x - x.max())
    return powers / powers.sum()


def scanned(x: Array, delta: Array, b: Array, c: Array, a_log: Array, skip: Array) -> Array:
    """The recurrence of a selective state-space model, token by token."""
    n, t, d = x.shape
    states = a_log.shape[1]
    rate = -np.arange(1, states + 1) * np.exp(a_log)
    h = np.zeros((n, d, states))
    y = np.zeros_like(x)
    for i in range(t):
        step = delta[:, i, :, None]
        h = np.exp(step * rate) * h + step * b[:, i, None] * x[:, i, :, None]
        y[:, i] = np.einsum("nds,ns->nd", h, c[:, i]) + skip * x[:, i]
    return y


def attended(
    q: Array, k: Array, v: Array, heads: int, causal: bool = False, kv_heads: int | None = None, window: int = 0
) -> Array:
    """Attention, one query at a time."""
    kv_heads = heads if kv_heads is None else kv_heads
    values = np.split(v, kv_heads, -1)
    parts = []
    for head, query in enumerate(np.split(q, heads, -1)):
        shared = head * kv_heads // heads
        key, value = np.split(k, kv_heads, -1)[shared], values[shared]
        part = np.zeros((*query.shape[:2], value.shape[2]))
        for sample, i in product(range(q.shape[0]), range(q.shape[1])):
            seen = [j for j in range(k.shape[1]) if not (causal and j > i) and not (window and abs(i - j) >= window)]
            scores = key[sample, seen] @ query[sample, i] / math.sqrt(query.shape[2])
            part[sample, i] = exponentials(scores) @ value[sample, seen]
        parts.append(part)
    return np.concatenate(parts, -1)


def turned(x: Array, heads: int, base: float) -> Array:
    """Rotary positions: the halves of a head are real and imaginary parts, which are multiplied."""
    n, t, d = x.shape
    half = d // heads // 2
    parts = x.reshape(n, t, heads, 2, half)
    angles = np.arange(t)[:, None, None] / base ** (np.arange(half) / half)
    numbers = (parts[:, :, :, 0] + 1j * parts[:, :, :, 1]) * np.exp(1j * angles)
    return np.stack([numbers.real, numbers.imag], 3).reshape(n, t, d)


def with_offsets(scores: Array, table: Array, height: int, width: int) -> Array:
    """The bias of windows, for each pair of places."""
    result = scores.copy()
    places = list(product(range(height), range(width)))
    for (i, (a, b)), (j, (c, d)) in product(enumerate(places), enumerate(places)):
        row = (a - c + height - 1) * (2 * width - 1) + b - d + width - 1
        result[..., i, j] += table[row]
    return result


def with_buckets(scores: Array, table: Array, distance: int, causal: bool) -> Array:
    """The bias of T5, for each pair of tokens."""
    result = scores.copy()
    for i, j in product(range(scores.shape[-2]), range(scores.shape[-1])):
        side = len(table) if causal else len(table) // 2
        away = max(i - j, 0) if causal else abs(j - i)
        single = side // 2
        if away >= single:
            share = math.log(away / single) / math.log(distance / single)
            away = min(single + math.floor(round(share * (side - single), 9)), side - 1)
        result[..., i, j] += table[away + (side if j > i and not causal else 0)]
    return result


def gated(x: Array, k: int) -> Array:
    """Softmax over the k largest of each row, the first where they are equal."""
    result = np.zeros_like(x)
    for place in np.ndindex(x.shape[:-1]):
        picked = sorted(range(x.shape[-1]), key=lambda i: (-x[place][i], i))[:k]
        result[place][picked] = exponentials(x[place][picked])
    return result


def numbers_of(bits: int, signed: bool, exponent: int) -> Array:
    """All numbers of a format, in order."""
    if exponent == 0:
        top = 2 ** (bits - 1) - 1 if signed else 2**bits - 1
        return np.arange(-top if signed else 0, top + 1, dtype=float)
    mantissa = bits - 1 - exponent
    bias = 2 ** (exponent - 1) - 1
    positive = []
    for e, m in product(range(2**exponent), range(2**mantissa)):
        if (exponent == 5 and e == 31) or (exponent, mantissa, e, m) == (4, 3, 15, 7):
            continue  # infinities and NaN
        positive.append(2.0 ** (e - bias) * (1 + m / 2**mantissa) if e else 2.0 ** (1 - bias) * m / 2**mantissa)
    return np.array(sorted({*positive, *(-value for value in positive)}))


def rounded(x: Array, bits: int, signed: bool = True, axes: tuple[int, ...] = (), exponent: int = 0) -> Array:
    """Every element as the nearest number of a format, scaled to the largest magnitude."""
    numbers = numbers_of(bits, signed, exponent)
    x = x if signed else np.maximum(x, 0)
    others = tuple(axis for axis in range(x.ndim) if axis not in [a % x.ndim for a in axes])
    scale = np.abs(x).max(others, keepdims=True) / numbers.max()
    nearest = np.abs((x / scale)[..., None] - numbers).argmin(-1)
    return numbers[nearest] * scale
