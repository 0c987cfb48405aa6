"""Layers with weights."""

from __future__ import annotations

from typing import Any

import torch

from archlang.conversion.data import Data, Unsupported
from archlang_torch.capture.onnx.lowerer import Call, OnnxLowerer, data, known, node, shortest
from archlang_torch.capture.onnx.nodes.windows import borders, padded
from archlang_torch.capture.values import Known


@node("Conv")
def conv(lo: OnnxLowerer, call: Call, x: Any, weight: Any, bias: Any = None) -> Any:
    kernel = known(weight, "a kernel")
    space = len(kernel.shape) - 2
    steps, dilations = call.get("strides", [1] * space), call.get("dilations", [1] * space)
    before, after = borders(call, data(x).shape[2:], kernel.shape[2:], steps, dilations)
    if before != after:
        x, before = padded(lo, data(x), before, after), [0] * space
    return lo.call(f"conv{space}d", x, kernel, _bias(bias), steps, before, dilations, call.get("group", 1))


def _bias(bias: Any) -> Known | None:
    """A bias that is learned: exporters make one of zeros up."""
    if bias is None or (isinstance(bias, Known) and bias.number() == 0):
        return None
    return known(bias, "a bias")


@node("ConvTranspose")
def conv_transpose(lo: OnnxLowerer, call: Call, x: Any, weight: Any, bias: Any = None) -> Any:
    kernel = known(weight, "a kernel")
    space = len(kernel.shape) - 2
    steps, dilations = call.get("strides", [1] * space), call.get("dilations", [1] * space)
    more = call.get("output_padding", [0] * space)
    spans = [(k - 1) * d + 1 for k, d in zip(kernel.shape[2:], dilations, strict=True)]
    auto, wanted = call.get("auto_pad", "NOTSET"), call.get("output_shape")
    if wanted is None and auto.startswith("SAME"):
        wanted = [size * step for size, step in zip(data(x).shape[2:], steps, strict=True)]
    if wanted is None:
        pads = call.get("pads", [0] * 2 * space) if auto == "NOTSET" else [0] * 2 * space
        before, after = list(pads[:space]), list(pads[space:])
    else:
        sizes = zip(data(x).shape[2:], steps, more, spans, wanted[-space:], strict=True)
        totals = [step * (size - 1) + add + span - out for size, step, add, span, out in sizes]
        if any(total < 0 for total in totals):
            raise Unsupported("`ConvTranspose` with a result that is larger than what it gives")
        less = [total // 2 for total in totals]
        rest = [total - part for total, part in zip(totals, less, strict=True)]
        before, after = (less, rest) if auto == "SAME_UPPER" else (rest, less)
    cut = before != after
    y = lo.call(
        f"conv_transpose{space}d",
        x,
        kernel,
        _bias(bias),
        steps,
        [0] * space if cut else before,
        more,
        call.get("group", 1),
        dilations,
    )
    for axis in range(space) if cut else ():
        y = lo.view("slice", y, axis + 2, before[axis], y.shape[axis + 2] - after[axis])
    return y


@node("BatchNormalization")
def batch_norm(lo: OnnxLowerer, call: Call, x: Any, scale: Any, bias: Any, mean: Any, variance: Any) -> Any:
    if call.get("training_mode", 0) or call.outputs > 1:
        raise Unsupported("`BatchNormalization` as in training")
    weights = [known(w, "a weight") for w in (scale, bias, mean, variance)]
    momentum = shortest(1 - call.get("momentum", 0.9))
    return lo.call("batch_norm", x, *weights, False, momentum, call.get("epsilon", 1e-5))


@node("InstanceNormalization")
def instance_norm(lo: OnnxLowerer, call: Call, x: Any, scale: Any, bias: Any) -> Any:
    weights: list[Known | None] = [known(scale, "a weight"), known(bias, "a weight")]
    if weights[0] and weights[1] and (weights[0].number(), weights[1].number()) == (1, 0):
        weights = [None, None]
    return lo.call("instance_norm", x, *weights, None, None, True, 0.1, call.get("epsilon", 1e-5))


@node("GroupNormalization")
def group_norm(lo: OnnxLowerer, call: Call, x: Any, scale: Any, bias: Any) -> Any:
    weights = [known(weight, "a weight") for weight in (scale, bias)]
    return lo.call("group_norm", x, call.get("num_groups"), *weights, call.get("epsilon", 1e-5))


@node("LayerNormalization")
def layer_norm(lo: OnnxLowerer, call: Call, x: Any, scale: Any, bias: Any = None) -> Any:
    shape = data(x).shape[call.get("axis", -1) % data(x).rank :]
    if call.outputs > 1:
        raise Unsupported("`LayerNormalization` with its statistics")
    weights = [None if w is None else known(w, "a weight") for w in (scale, bias)]
    return lo.call("layer_norm", x, list(shape), *weights, call.get("epsilon", 1e-5))


@node("RMSNormalization")
def rms_norm(lo: OnnxLowerer, call: Call, x: Any, scale: Any) -> Any:
    shape = data(x).shape[call.get("axis", -1) % data(x).rank :]
    return lo.call("rms_norm", x, list(shape), known(scale, "a weight"), call.get("epsilon", 1e-5))


@node("LRN")
def local_response_norm(lo: OnnxLowerer, call: Call, x: Any) -> Data:
    attributes = {"alpha": call.get("alpha", 1e-4), "beta": call.get("beta", 0.75), "k": call.get("bias", 1.0)}
    made = lo.add("local_response_norm", lo.plain(data(x)), size=call.get("size"), **attributes)
    return lo.data(made)


@node("Attention")
def attention(lo: OnnxLowerer, call: Call, q: Any, k: Any, v: Any, mask: Any = None, *past: Any) -> Any:
    if any(x is not None for x in past) or call.outputs > 1 or call.get("softcap", 0):
        raise Unsupported("`Attention` with what came before, a softcap, or more results than one")
    joined = data(q).rank == 3
    counts = [call.get("q_num_heads"), call.get("kv_num_heads"), call.get("kv_num_heads")]
    tensors = [_heads(lo, data(x), heads) if joined else data(x) for x, heads in zip((q, k, v), counts, strict=True)]
    heads = tensors[0].shape[1]
    for i in (1, 2):
        n, own, tokens, width = tensors[i].shape
        if own != heads:  # each of them is for several heads of the queries
            one = lo.view("expand", lo.view("unsqueeze", tensors[i], 2), (n, own, heads // own, tokens, width))
            tensors[i] = lo.view("reshape", one, (n, heads, tokens, width))
    hidden = mask if mask is None or isinstance(mask, Data) else known(mask, "a mask")
    causal = bool(call.get("is_causal", 0))
    if causal and isinstance(hidden, Known):
        shape = (tensors[0].shape[2], tensors[1].shape[2])
        seen = torch.ones(shape).tril().bool()
        given = hidden.tensor if hidden.tensor.dtype == torch.bool else None
        less = hidden.tensor if given is None else torch.zeros(given.shape).masked_fill(~given, -torch.inf)
        hidden, causal = Known(less + torch.zeros(shape).masked_fill(~seen, -torch.inf)), False
    y = lo.call("scaled_dot_product_attention", *tensors, hidden, 0.0, causal, call.get("scale"))
    if not joined:
        return y
    n, heads, tokens, width = y.shape
    return lo.view("reshape", lo.view("permute", y, (0, 2, 1, 3)), (n, tokens, heads * width))


def _heads(lo: OnnxLowerer, x: Data, heads: int) -> Data:
    n, tokens, width = x.shape
    return lo.view("permute", lo.view("reshape", x, (n, tokens, heads, width // heads)), (0, 2, 1, 3))


@node("RotaryEmbedding")
def rotary(lo: OnnxLowerer, call: Call, x: Any, cos: Any, sin: Any, places: Any = None) -> Any:
    if call.get("interleaved", 0) or call.get("rotary_embedding_dim", 0):
        raise Unsupported("`RotaryEmbedding` of neighbours, or of a part")
    joined = data(x).rank == 3
    heads = _heads(lo, data(x), call.get("num_heads")) if joined else data(x)
    tables = []
    for table in (known(cos, "a table of cosines").tensor, known(sin, "a table of sines").tensor):
        rows = table if places is None else table[known(places, "positions").tensor]
        tables.append(Known(torch.cat([rows, rows], -1)[:1, None]))
    half = heads.shape[-1] // 2
    first, second = lo.view("slice", heads, -1, 0, half), lo.view("slice", heads, -1, half, 2 * half)
    turned = lo.call("cat", [lo.call("neg", second), first], -1)
    y = lo.call("add", lo.call("mul", heads, tables[0]), lo.call("mul", turned, tables[1]))
    if not joined:
        return y
    n, count, tokens, width = y.shape
    return lo.view("reshape", lo.view("permute", y, (0, 2, 1, 3)), (n, tokens, count * width))
