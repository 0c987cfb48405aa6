"""Attention without its projections, which are linear layers of their own."""

import torch.nn.functional as F
from torch import Tensor

from archlang_torch.lowering import function


@function("attention")
def attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    *,
    heads: int,
    causal: bool = False,
) -> Tensor:
    """Scaled dot-product attention of several heads: q [n, t, d], k [n, s, d], v [n, s, e]."""
    q, k, v = [x.reshape(*x.shape[:2], heads, -1).transpose(1, 2) for x in (q, k, v)]
    mixed = F.scaled_dot_product_attention(q, k, v, is_causal=causal)
    return mixed.transpose(1, 2).flatten(2)
