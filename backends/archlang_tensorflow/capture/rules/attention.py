"""Scaled dot-product attention."""

from __future__ import annotations

from math import isclose, sqrt
from typing import Any

import numpy as np
from keras import layers

from archlang.conversion.data import Data, Unsupported
from archlang_tensorflow.capture.known import Known
from archlang_tensorflow.capture.lowerer import Lowerer, layer, operation, permuted
from archlang_tensorflow.capture.rules.activation import softmax
from archlang_tensorflow.capture.rules.arithmetic import number, plain_matmul, product
from archlang_tensorflow.capture.rules.dense import linear
from archlang_tensorflow.capture.rules.shapes import reshaped

_GATED = "attention with a gate, masks of tokens, or whose scores are a result"


@layer(layers.MultiHeadAttention, layers.GroupQueryAttention)
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
    grouped = isinstance(of, layers.GroupQueryAttention)
    if others or return_attention_scores or getattr(of, "use_gate" if grouped else "_use_gate", False):
        raise Unsupported(_GATED)
    if getattr(of, "sliding_window" if grouped else "_sliding_window", None) is not None:
        raise Unsupported("attention within a window")
    causal = _is_causal(attention_mask, query, value) or bool(use_causal_mask)
    heads, kv_heads = (of.num_query_heads, of.num_key_value_heads) if grouped else (of.num_heads, of.num_heads)
    return _heads(lo, of, (query, value if key is None else key, value), heads, kv_heads, causal)


def _heads(lo: Lowerer, of: Any, xs: tuple[Data, ...], heads: int, kv_heads: int, causal: bool) -> Data:
    """Queries, keys and values projected, and the result of their attention too."""
    if any(x.rank != 3 for x in xs):
        raise Unsupported("attention along several dimensions")
    given = [_projected(lo, of, name, x) for name, x in zip(("query", "key", "value"), xs, strict=True)]
    values = [lo.plain(x, 3) for x in given]
    made = lo.add("attention", *values, heads=heads, causal=causal, kv_heads=kv_heads)
    return _projected(lo, of, "output", lo.data(made))


def _projected(lo: Lowerer, of: Any, name: str, x: Data) -> Data:
    """The projection of that name, whose kernel is [d, heads, width] or, for the result, [heads, width, d]."""
    inner = getattr(of, f"_{name}_dense")
    kernel, bias = lo.variable(inner, "kernel"), lo.variable(inner, "bias")
    assert kernel is not None
    flat = (x.shape[-1], kernel.array.size // x.shape[-1])
    with lo.within(name):
        return linear(lo, x, kernel.reshaped(flat), bias and bias.reshaped((flat[1],)))


def _is_causal(mask: Any, query: Data, key: Data) -> bool:
    """Whether a mask hides what comes later; it may hide nothing, and nothing else."""
    t, s = query.shape[1], key.shape[1]
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
    if others or of.use_scale or of.score_mode != "dot" or any(x.rank != 3 for x in xs):
        raise Unsupported("attention with masks, a learned scale, or scores that are no products")
    factor = sqrt(query.shape[-1])
    if use_causal_mask:
        scaled = lo.each("scale", query, factor=factor)
        made = lo.add("attention", *[lo.plain(x, 3) for x in (scaled, key, value)], heads=1, causal=True)
        return lo.data(made)
    scores = product(lo, query, permuted(key, (0, 2, 1)))
    return product(lo, softmax(lo, "softmax", scores, -1), value)


# ------------------------------------------------------------------ written with operations


@operation("DotProductAttention")
def dot_product_attention(
    lo: Lowerer, of: Any, q: Data, k: Data, v: Data, bias: Any = None, mask: Any = None, scale: Any = None
) -> Data:
    """Attention of heads: [n, tokens, heads, width]."""
    if bias is not None or of.attn_logits_soft_cap is not None or not all(isinstance(x, Data) for x in (q, k, v)):
        raise Unsupported("attention with a bias, or to what is learned")
    factor = 1.0 if scale is None else float(scale) * sqrt(q.shape[-1])
    causal = _is_causal(mask, q, k) or bool(of.is_causal)
    flat = [reshaped(lo, x, (*x.shape[:2], x.shape[2] * x.shape[3])) for x in (_scaled(lo, q, factor), k, v)]
    values = [lo.plain(x, 3) for x in flat]
    made = lo.add("attention", *values, heads=q.shape[2], causal=causal, kv_heads=k.shape[2])
    return reshaped(lo, lo.data(made), (*q.shape[:3], v.shape[3]))


def _scaled(lo: Lowerer, x: Data, factor: float) -> Data:
    return x if isclose(factor, 1.0, rel_tol=1e-5) else lo.each("scale", x, factor=factor)


@operation("Matmul")
def matmul(lo: Lowerer, of: Any, a: Any, b: Any) -> Data:
    """A product; softmax(scale * q @ transposed k) @ v of heads [n, heads, tokens, width] is `attention`."""
    weights = _given(a, "Softmax")
    scores, factor = _unscaled(weights[0]) if weights else (None, 1.0)
    pair = _given(scores, "Matmul")
    if not pair or not isinstance(a, Data) or a.rank != 4 or not all(isinstance(x, Data) for x in (*pair, b)):
        return plain_matmul(lo, of, a, b)
    q, more = _unscaled(pair[0])
    key = permuted(pair[1], (0, 1, 3, 2))
    if any(x.shape[1] != q.shape[1] for x in (key, b)):
        return plain_matmul(lo, of, a, b)
    q = _scaled(lo, q, factor * more * sqrt(q.shape[-1]))
    values = [_joined(lo, x) for x in (q, key, b)]
    made = lo.data(lo.add("attention", *values, heads=q.shape[1]))
    split = reshaped(lo, made, (made.shape[0], made.shape[1], q.shape[1], b.shape[3]))
    return permuted(split, (0, 2, 1, 3))


def _joined(lo: Lowerer, x: Data) -> int:
    """[n, heads, tokens, width] as [n, tokens, heads * width]."""
    n, heads, tokens, width = x.shape
    return lo.plain(reshaped(lo, permuted(x, (0, 2, 1, 3)), (n, tokens, heads * width)), 3)


def _given(x: Any, name: str) -> tuple[Any, ...]:
    """What an operation was given that gave x; nothing when another did."""
    return x.made[1] if isinstance(x, Data) and x.made is not None and x.made[0] == name else ()


def _unscaled(x: Any) -> tuple[Any, float]:
    """What a product or quotient with a number is of, and the factor."""
    for name, power in (("Multiply", 1), ("Divide", -1), ("TrueDivide", -1)):
        given = _given(x, name)
        if given and isinstance(given[0], Data) and number(given[1]):
            return given[0], float(number(given[1]) or 1.0) ** power
    return x, 1.0
