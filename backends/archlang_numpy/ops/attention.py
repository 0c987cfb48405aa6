"""Attention without its projections (linear layers of their own), and what tells places apart."""

import math

import numpy as np

from archlang_numpy.lowering import Array, function
from archlang_numpy.ops.activation import softmax


@function("attention")
def attention(
    q: Array,
    k: Array,
    v: Array,
    *,
    heads: int,
    causal: bool = False,
    kv_heads: int | None = None,
    window: int = 0,
) -> Array:
    """Scaled dot-product attention of several heads: q [n, t, d], k [n, s, g], v [n, s, e].

    Vaswani et al. (2017), section 3.2; each head of k and v serves as many of q: Ainslie et al.
    (2023).
    """
    served = heads if kv_heads is None else kv_heads
    q, k, v = [split_heads(x, count) for x, count in ((q, heads), (k, served), (v, served))]
    k, v = k.repeat(heads // served, axis=1), v.repeat(heads // served, axis=1)
    scores = np.matmul(q, k.swapaxes(2, 3)) / math.sqrt(q.shape[-1])
    back = places_back(*scores.shape[-2:])
    if causal:
        scores = np.where(back >= 0, scores, -np.inf)
    if window > 0:
        scores = np.where(np.abs(back) < window, scores, -np.inf)
    mixed = np.matmul(softmax(scores), v).swapaxes(1, 2)
    return mixed.reshape(*mixed.shape[:2], -1)


def split_heads(x: Array, heads: int) -> Array:
    """[n, t, d] -> [n, heads, t, d / heads]."""
    return x.reshape(*x.shape[:2], heads, -1).swapaxes(1, 2)


def places_back(queries: int, keys: int) -> Array:
    """How many places each key is before each query [queries, keys]; negative for those after."""
    return np.arange(queries)[:, None] - np.arange(keys)


@function("rotary")
def rotary(x: Array, *, heads: int = 1, base: float = 10000.0) -> Array:
    """Turns pairs from both halves of each head by angles that grow with the place.

    Su et al. (2021), equation 34.
    """
    n, t, d = x.shape
    half = d // heads // 2
    angles = np.arange(t)[:, None, None] * base ** (-np.arange(half) / half)
    cos, sin = np.cos(angles).astype(x.dtype), np.sin(angles).astype(x.dtype)
    pairs = x.reshape(n, t, heads, 2, half)
    a, b = pairs[:, :, :, 0], pairs[:, :, :, 1]
    return np.stack([a * cos - b * sin, b * cos + a * sin], axis=3).reshape(x.shape)


@function("window_bias", weights=("table",))
def window_bias(scores: Array, *, table: Array, height: int, width: int = 1) -> Array:
    """Adds the row of a learned table [offsets, heads] for the offset of two places of a window.

    Liu et al. (2021), section 3.2.
    """
    row, column = np.divmod(np.arange(height * width), width)
    down = row[:, None] - row + height - 1
    right = column[:, None] - column + width - 1
    return scores + table[down * (2 * width - 1) + right].transpose(2, 0, 1)


@function("bucket_bias", weights=("table",))
def bucket_bias(
    scores: Array, *, table: Array, buckets: int = 32, distance: int = 128, causal: bool = False
) -> Array:
    """Adds the row of a learned table [buckets, heads] for the distance from query to key.

    Raffel et al. (2020), section 2.1.
    """
    side = buckets if causal else buckets // 2
    back = places_back(*scores.shape[-2:])
    away = np.maximum(back, 0) if causal else np.abs(back)
    bucket = np.array([bucket_of(i, side, distance) for i in range(max(scores.shape[-2:]))])[away]
    if not causal:
        bucket = bucket + side * (back < 0)
    return scores + table[bucket].transpose(2, 0, 1)


def bucket_of(away: int, buckets: int, distance: int) -> int:
    """The bucket of a distance: itself below `single`, half of the buckets, else
    single + floor(log(away / single) / log(distance / single) * wide), at most the last.

    Whole numbers are compared, as the logarithms of floats may fall on either side of a bound.
    """
    single = buckets // 2
    wide = buckets - single
    if away < single:
        return away
    bounds = [distance**k * single ** (wide - k) for k in range(1, wide)]
    return single + sum(away**wide >= bound for bound in bounds)
