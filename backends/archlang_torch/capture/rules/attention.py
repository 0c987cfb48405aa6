"""Scaled dot-product attention."""

from math import inf, sqrt
from typing import Any

import attrs
import torch
from torch import Tensor

from archlang.conversion.data import Data, Unsupported
from archlang_torch.capture.lowerer import Lowerer, rule
from archlang_torch.capture.rules.arithmetic import add, combined, matmul, mul, swapped
from archlang_torch.capture.rules.elementwise import softmax
from archlang_torch.capture.rules.shapes import permute, reshape
from archlang_torch.capture.values import Known


@rule("scaled_dot_product_attention")
def attention(
    lo: Lowerer,
    q: Data,
    k: Data,
    v: Data,
    mask: Known | Data | None = None,
    dropout: float = 0.0,
    causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Data:
    if not all(isinstance(x, Data) for x in (q, k, v)):
        raise Unsupported("attention to what is learned")
    scale = 1 / sqrt(q.shape[-1]) if scale is None else scale
    factor = scale * sqrt(q.shape[-1])
    pattern = _masked(mask, q.shape[-2], k.shape[-2])
    if pattern is not None and q.rank == 4 and q.layout.batch == 0 and _only_batch(lo, q):
        window, masked = pattern
        heads = q.shape[1]
        served = [_served(lo, x, heads) for x in (k, v)]
        flat = [heads_joined(lo, x) for x in (q, *served)]
        if abs(factor - 1) > 1e-6:
            flat[0] = lo.add("scale", flat[0], factor=factor)
        kinds = {x.shape[1] for x in served}
        if len(kinds) == 1:
            causal = causal or masked
            made = lo.add("attention", *flat, heads=heads, causal=causal, kv_heads=kinds.pop(), window=window)
            return heads_split(lo, made, heads)
    if causal or enable_gqa or isinstance(mask, Data):
        raise Unsupported("attention with a mask that is computed, or of another form than heads")
    scores = mul(lo, matmul(lo, q, swapped(k)), scale)
    if isinstance(mask, Known) and pattern != (0, False):
        scores = _with_mask(lo, scores, mask)
    return matmul(lo, softmax(lo, scores, -1), v)


def _only_batch(lo: Lowerer, x: Data) -> bool:
    return x.shape[0] == lo.batch


def _served(lo: Lowerer, x: Data, heads: int) -> Data:
    """Keys or values without the repetition for several heads of queries each."""
    layout = x.layout.normal()
    atoms = layout.dims[1]
    if atoms and atoms[-1][1] == 0 and len(atoms) <= 2:
        dims = (layout.dims[0], atoms[:-1], *layout.dims[2:])
        return Data(x.value, attrs.evolve(layout, dims=dims))
    return x


def heads_joined(lo: Lowerer, x: Data) -> int:
    """[n, heads, tokens, width] as [n, tokens, heads * width]."""
    n, heads, tokens, width = x.shape
    return lo.plain(reshape(lo, permute(lo, x, (0, 2, 1, 3)), (n, tokens, heads * width)))


def heads_split(lo: Lowerer, value: int, heads: int) -> Data:
    """[n, tokens, heads * width] as [n, heads, tokens, width]."""
    tokens, width = lo.builder.sizes(value)
    return permute(lo, reshape(lo, lo.data(value), (lo.batch, tokens, heads, width // heads)), (0, 2, 1, 3))


def _masked(mask: Known | Data | None, t: int, s: int) -> tuple[int, bool] | None:
    """The window and causality that a mask is; (0, False) when it hides nothing, None when it is another."""
    if mask is None:
        return 0, False
    if not isinstance(mask, Known) or mask.source is not None:
        return None
    seen = _seen(mask.tensor)
    if seen is None:
        return None
    if bool(seen.all()):
        return 0, False
    if t != s:
        return None
    flat = seen.expand(*seen.shape[:-2], t, s).reshape(-1, t, s)
    if not bool((flat == flat[:1]).all()):
        return None
    back = torch.arange(t)[:, None] - torch.arange(s)
    if torch.equal(flat[0], back >= 0):
        return 0, True
    for causal, away in ((False, back.abs()), (True, back)):
        near = away[flat[0]].max().item() + 1
        if torch.equal(flat[0], (away < near) & ((back >= 0) if causal else torch.ones_like(flat[0]))):
            return int(near), causal
    return None


def _seen(mask: Tensor) -> Tensor | None:
    """Where a mask lets pass; None when it also weights."""
    if mask.dtype == torch.bool:
        return mask
    hidden = mask <= torch.finfo(mask.dtype).min / 2
    return ~hidden if bool(((mask == 0) | hidden).all()) else None


def _with_mask(lo: Lowerer, scores: Data, mask: Known) -> Data:
    """Scores and what is added to them before their softmax, whether they are hidden or weighted."""
    name = ""
    given: tuple[Any, ...] = ()
    if mask.composed and mask.made is not None:
        name, given, _ = mask.made
    if name in ("contiguous", "clone", "expand", "to", "_to_copy") and isinstance(given[0], Known):
        return _with_mask(lo, scores, given[0])
    if name in ("where", "masked_fill"):
        shown, inner, other = given if name == "where" else (Known(~given[1].tensor), given[0], given[2])
        number = other.number() if isinstance(other, Known) else other
        if isinstance(inner, Known) and isinstance(number, int | float) and number < -1e4:
            return combined(lo, "add", add(lo, scores, inner), _added(shown))
    return add(lo, scores, _added(mask))


def _added(mask: Known) -> Known:
    """The mask as numbers to add. Infinity would be no number of a weight file's readers: the least is enough."""
    if mask.source is not None:
        return mask
    if mask.tensor.dtype != torch.bool:
        return Known(mask.tensor.clamp(min=-1e9), mask.source)
    return Known(torch.zeros(mask.shape).masked_fill(~mask.tensor, -inf).clamp(min=-1e9))
