"""Attention without its projections (linear layers of their own), and what tells places apart."""

import torch
import torch.nn.functional as F
from archlang.lowering.formulas import bucket_bounds
from torch import Tensor, nn

from archlang_torch.lowering import function, layer


@function("attention")
def attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    *,
    heads: int,
    causal: bool = False,
    kv_heads: int | None = None,
    window: int = 0,
) -> Tensor:
    """Scaled dot-product attention of several heads: q [n, t, d], k [n, s, g], v [n, s, e]."""
    served = heads if kv_heads is None else kv_heads
    q = q.reshape(*q.shape[:2], heads, -1).transpose(1, 2)
    k, v = [x.reshape(*x.shape[:2], served, -1).transpose(1, 2) for x in (k, v)]
    near = near_places(q.shape[2], window, causal, q.device) if window > 0 else None
    mixed = F.scaled_dot_product_attention(
        q, k, v, attn_mask=near, is_causal=causal and near is None, enable_gqa=served != heads
    )
    return mixed.transpose(1, 2).flatten(2)


def near_places(tokens: int, window: int, causal: bool, device: torch.device) -> Tensor:
    """Whether a token sees another one [tokens, tokens]: fewer than `window` places away."""
    places = torch.arange(tokens, device=device)
    back = places[:, None] - places
    near = back.abs() < window
    return near & (back >= 0) if causal else near


@function("rotary")
def rotary(x: Tensor, *, heads: int = 1, base: float = 10000.0) -> Tensor:
    """Turns pairs from both halves of each head by angles that grow with the place."""
    n, t, d = x.shape
    half = d // heads // 2
    wide = torch.promote_types(x.dtype, torch.float32)  # narrow floats do not hold all places
    rates = base ** (-torch.arange(half, device=x.device, dtype=wide) / half)
    angles = torch.arange(t, device=x.device, dtype=wide)[:, None, None] * rates
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    a, b = x.reshape(n, t, heads, 2, half).unbind(3)
    return torch.stack([a * cos - b * sin, b * cos + a * sin], 3).reshape(x.shape)


@layer("window_bias", heads=-3, init={"table": ("trunc_normal", 0.0, 0.02)})
class WindowBias(nn.Module):
    """Adds a row of a learned table for the offset of two places of a window of rows."""

    def __init__(self, heads: int, height: int, width: int = 1) -> None:
        super().__init__()
        self.height, self.width = height, width
        rows = (2 * height - 1) * (2 * width - 1)
        self.table = nn.Parameter(nn.init.trunc_normal_(torch.empty(rows, heads), std=0.02))

    def forward(self, scores: Tensor) -> Tensor:
        places = torch.arange(self.height * self.width, device=scores.device)
        row, column = places // self.width, places % self.width
        down = row[:, None] - row + self.height - 1
        right = column[:, None] - column + self.width - 1
        return scores + self.table[down * (2 * self.width - 1) + right].permute(2, 0, 1)


@layer("bucket_bias", heads=-3, init={"table": ("trunc_normal", 0.0, 0.02)})
class BucketBias(nn.Module):
    """Adds a row of a learned table for the bucket of the distance from query to key."""

    def __init__(
        self, heads: int, *, buckets: int = 32, distance: int = 128, causal: bool = False
    ) -> None:
        super().__init__()
        self.causal = causal
        self.side = buckets if causal else buckets // 2
        self.bounds = bucket_bounds(self.side, distance)
        self.table = nn.Parameter(nn.init.trunc_normal_(torch.empty(buckets, heads), std=0.02))

    def forward(self, scores: Tensor) -> Tensor:
        t, s = scores.shape[-2:]
        keys = torch.arange(s, device=scores.device)
        back = torch.arange(t, device=scores.device)[:, None] - keys
        away = back.clamp(min=0) if self.causal else back.abs()
        bucket = away.clamp(max=self.side // 2)
        for bound in self.bounds:
            bucket = bucket + (away >= bound)
        if not self.causal:
            bucket = bucket + self.side * (back < 0)
        return scores + self.table[bucket].permute(2, 0, 1)
