"""Scaled dot-product attention."""

from __future__ import annotations

from math import sqrt
from typing import Any

import numpy as np
from keras import layers

from archlang.conversion.data import Data, Unsupported
from archlang_tensorflow.capture.known import Known
from archlang_tensorflow.capture.lowerer import Lowerer, layer, permuted
from archlang_tensorflow.capture.rules.activation import softmax
from archlang_tensorflow.capture.rules.arithmetic import product
from archlang_tensorflow.capture.rules.dense import linear


@layer(layers.MultiHeadAttention)
def multi_head_attention(
    lo: Lowerer,
    of: Any,
    query: Data,
    value: Data,
    key: Data | None = None,
    attention_mask: Any = None,
    return_attention_scores: bool = False,
    use_causal_mask: bool = False,
    **others: Any,
) -> Data:
    key = value if key is None else key
    known = {name: given for name, given in others.items() if not isinstance(given, bool)}
    if lo.masked or known or return_attention_scores or getattr(of, "_use_gate", False):
        raise Unsupported("attention with a gate, masks of tokens, or whose scores are a result")
    if getattr(of, "_sliding_window", None) is not None or any(x.rank != 3 for x in (query, key, value)):
        raise Unsupported("attention within a window, or along several dimensions")
    causal = bool(use_causal_mask) | _is_causal(attention_mask, query.shape[1], key.shape[1])
    given = [_projected(lo, of, name, x) for name, x in (("query", query), ("key", key), ("value", value))]
    values = [lo.plain(x, 3) for x in given]
    made = lo.data(lo.add("attention", *values, heads=of.num_heads, causal=causal))
    return _projected(lo, of, "output", made, kept=1)


def _projected(lo: Lowerer, of: Any, name: str, x: Data, kept: int = 2) -> Data:
    """The projection of that name, whose kernel is [d, heads, width] or, for the result, [heads, width, d]."""
    inner = getattr(of, f"_{name}_dense")
    kernel, bias = lo.variable(inner, "kernel"), lo.variable(inner, "bias")
    assert kernel is not None
    flat = (x.shape[-1], kernel.array.size // x.shape[-1])
    with lo.within(name):
        return linear(lo, x, kernel.reshaped(flat), bias and bias.reshaped((flat[1],)))


def _is_causal(mask: Any, t: int, s: int) -> bool:
    """Whether a mask hides what comes later; it may hide nothing, and nothing else."""
    if mask is None:
        return False
    seen = np.asarray(mask.array).astype(bool) if isinstance(mask, Known) and mask.source is None else None
    if seen is not None and seen.all():
        return False
    causal = np.tril(np.ones((t, s), bool))
    if seen is None or t != s or not all(np.array_equal(one, causal) for one in seen.reshape(-1, *seen.shape[-2:])):
        raise Unsupported("attention with a mask that is computed, or another than the causal one")
    return True


@layer(layers.Attention)
def attention(lo: Lowerer, of: Any, xs: Any, use_causal_mask: bool = False, **others: Any) -> Data:
    """softmax(q @ k) @ v, without the usual scale."""
    query, value, *rest = xs
    key = rest[0] if rest else value
    if lo.masked or others or of.use_scale or of.score_mode != "dot" or any(x.rank != 3 for x in xs):
        raise Unsupported("attention with masks, a learned scale, or scores that are no products")
    factor = sqrt(query.shape[-1])
    if use_causal_mask:
        scaled = lo.each("scale", query, factor=factor)
        made = lo.add("attention", *[lo.plain(x, 3) for x in (scaled, key, value)], heads=1, causal=True)
        return lo.data(made)
    scores = product(lo, query, permuted(key, (0, 2, 1)))
    return product(lo, softmax(lo, "softmax", scores, -1), value)
