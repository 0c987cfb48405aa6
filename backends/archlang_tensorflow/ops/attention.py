"""Attention without its projections, which are linear layers of their own."""

from typing import Any

import numpy as np
from keras import ops

from archlang_tensorflow.lowering import function


@function("attention")
def attention(
    q: Any,
    k: Any,
    v: Any,
    *,
    heads: int,
    causal: bool = False,
) -> Any:
    """Scaled dot-product attention of several heads: q [n, t, d], k [n, s, d], v [n, s, e]."""
    q, k, v = [ops.reshape(x, (-1, x.shape[1], heads, x.shape[2] // heads)) for x in (q, k, v)]
    scores = ops.einsum("nthd,nshd->nhts", q, k) * q.shape[-1] ** -0.5
    if causal:
        scores = ops.where(np.tri(*scores.shape[2:]) > 0, scores, float("-inf"))
    mixed = ops.einsum("nhts,nshd->nthd", ops.softmax(scores), v)
    return ops.reshape(mixed, (-1, mixed.shape[1], heads * mixed.shape[3]))
