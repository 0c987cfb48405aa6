"""Attention without its projections, which are linear layers of their own."""

import math

import numpy as np

from archlang_numpy.lowering import Array, function
from archlang_numpy.ops.activation import softmax


@function("attention")
def attention(q: Array, k: Array, v: Array, *, heads: int, causal: bool = False) -> Array:
    """Scaled dot-product attention of several heads: q [n, t, d], k [n, s, d], v [n, s, e].

    Vaswani et al. (2017), section 3.2.
    """
    q, k, v = [x.reshape(*x.shape[:2], heads, -1).swapaxes(1, 2) for x in (q, k, v)]
    scores = np.matmul(q, k.swapaxes(2, 3)) / math.sqrt(q.shape[-1])
    if causal:
        scores = np.where(np.tril(np.ones(scores.shape[-2:], bool)), scores, -np.inf)
    mixed = np.matmul(softmax(scores), v).swapaxes(1, 2)
    return mixed.reshape(*mixed.shape[:2], -1)
