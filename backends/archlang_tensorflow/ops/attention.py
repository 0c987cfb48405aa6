"""Attention without its projections (linear layers of their own), and what tells places apart."""

from typing import Any

import numpy as np
from archlang.lowering.formulas import bucket_bounds
from keras import initializers, ops, saving

from archlang_tensorflow.lowering import function, layer
from archlang_tensorflow.ops.weighted import Weighted


@function("attention")
def attention(
    q: Any,
    k: Any,
    v: Any,
    *,
    heads: int,
    causal: bool = False,
    kv_heads: int | None = None,
    window: int = 0,
) -> Any:
    """Scaled dot-product attention of several heads: q [n, t, d], k [n, s, g], v [n, s, e]."""
    served = heads if kv_heads is None else kv_heads
    q = ops.reshape(q, (-1, q.shape[1], served, heads // served, q.shape[2] // heads))
    k, v = [ops.reshape(x, (-1, x.shape[1], served, x.shape[2] // served)) for x in (k, v)]
    scores = ops.einsum("ntgrd,nsgd->ngrts", q, k) * q.shape[-1] ** -0.5
    if causal or window > 0:
        seen = seen_places(q.shape[1], k.shape[1], causal, window)
        scores = ops.where(seen, scores, float("-inf"))
    mixed = ops.einsum("ngrts,nsgd->ntgrd", ops.softmax(scores), v)
    return ops.reshape(mixed, (-1, mixed.shape[1], heads * mixed.shape[4]))


def seen_places(queries: int, keys: int, causal: bool, window: int) -> Any:
    """Whether a query sees a key: not after it, or fewer than `window` places away."""
    back = np.arange(queries)[:, None] - np.arange(keys)
    near = abs(back) < window if window > 0 else np.ones_like(back, bool)
    return near & (back >= 0) if causal else near


@function("rotary")
def rotary(x: Any, *, heads: int = 1, base: float = 10000.0) -> Any:
    """Turns pairs from both halves of each head by angles that grow with the place."""
    t, d = x.shape[1:]
    half = d // heads // 2
    angles = np.arange(t)[:, None, None] * base ** (-np.arange(half) / half)
    cos, sin = ops.cast(np.cos(angles), x.dtype), ops.cast(np.sin(angles), x.dtype)
    pairs = ops.reshape(x, (-1, t, heads, 2, half))
    a, b = pairs[:, :, :, 0], pairs[:, :, :, 1]
    return ops.reshape(ops.stack([a * cos - b * sin, b * cos + a * sin], axis=3), (-1, t, d))


@layer("window_bias", init={"table": ("trunc_normal", 0.0, 0.02)})
@saving.register_keras_serializable("archlang")
class WindowBias(Weighted):
    """Adds a row of a learned table for the offset of two places of a window of rows."""

    def __init__(self, height: int, width: int = 1, **settings: Any) -> None:
        super().__init__(**settings)
        self.height, self.width = height, width

    def build(self, shape: Any) -> None:
        rows = (2 * self.height - 1) * (2 * self.width - 1)
        start = initializers.TruncatedNormal(0.0, 0.02)
        self.table = self.weight("table", (rows, shape[-3]), start)

    def call(self, scores: Any) -> Any:
        row, column = np.divmod(np.arange(self.height * self.width), self.width)
        down = row[:, None] - row + self.height - 1
        right = column[:, None] - column + self.width - 1
        bias = ops.take(self.table, down * (2 * self.width - 1) + right, axis=0)
        return scores + ops.transpose(bias, (2, 0, 1))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "height": self.height, "width": self.width}


@layer("bucket_bias", init={"table": ("trunc_normal", 0.0, 0.02)})
@saving.register_keras_serializable("archlang")
class BucketBias(Weighted):
    """Adds a row of a learned table for the bucket of the distance from query to key."""

    def __init__(
        self, buckets: int = 32, distance: int = 128, causal: bool = False, **settings: Any
    ) -> None:
        super().__init__(**settings)
        self.buckets, self.distance, self.causal = buckets, distance, causal

    def build(self, shape: Any) -> None:
        start = initializers.TruncatedNormal(0.0, 0.02)
        self.table = self.weight("table", (self.buckets, shape[-3]), start)

    def call(self, scores: Any) -> Any:
        t, s = scores.shape[-2:]
        side = self.buckets if self.causal else self.buckets // 2
        back = np.arange(t)[:, None] - np.arange(s)
        away = np.maximum(back, 0) if self.causal else abs(back)
        bucket = np.minimum(away, side // 2)
        for bound in bucket_bounds(side, self.distance):
            bucket = bucket + (away >= bound)
        if not self.causal:
            bucket = bucket + side * (back < 0)
        return scores + ops.transpose(ops.take(self.table, bucket, axis=0), (2, 0, 1))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "buckets": self.buckets,
            "distance": self.distance,
            "causal": self.causal,
        }
