"""Layers with weights."""

from collections.abc import Sequence
from typing import Any

from archlang.conversion.data import Data, Unsupported
from archlang_torch.capture.lowerer import Lowerer, rule
from archlang_torch.capture.rules.arithmetic import add
from archlang_torch.capture.rules.shapes import select, transpose
from archlang_torch.capture.rules.tokens import stack
from archlang_torch.capture.values import Known


@rule("conv1d", "conv2d", "conv3d")
def conv(
    lo: Lowerer,
    x: Data,
    weight: Known,
    bias: Known | None = None,
    stride: Sequence[int] | int = 1,
    padding: Sequence[int] | int | str = 0,
    dilation: Sequence[int] | int = 1,
    groups: int = 1,
) -> Data:
    space = len(weight.shape) - 2
    value = lo.plain(x, space + 2)
    kernel = tuple(weight.shape[2:])
    steps, dilations = _each(stride, space), _each(dilation, space)
    if isinstance(padding, str):
        pads = [d * (k - 1) for k, d in zip(kernel, dilations, strict=True)]
        if padding == "same" and any(total % 2 for total in pads):
            amount = [side for total in reversed(pads) for side in (total // 2, total - total // 2)]
            value = lo.builder.add("pad", value, at=lo.around, amount=tuple(amount))
            pads = [0] * space
        borders = tuple([total // 2 if padding == "same" else 0 for total in pads])
    else:
        borders = _each(padding, space)
    out, channels = weight.shape[0], x.shape[1]
    given: dict[str, Any] = {"stride": steps, "dilation": dilations, "padding": borders}
    weights = {"kernel": weight, "bias": bias}
    square = all(len(set(sizes)) == 1 for sizes in (kernel, *given.values()))
    if not square:
        if space != 2:
            raise Unsupported("a convolution with different sizes in its dimensions")
        made = lo.add(
            "conv2d_rect", value, weights=weights, out=out, kernel=kernel, groups=groups, bias=bias is not None, **given
        )
        return lo.data(made)
    single = {name: sizes[0] for name, sizes in given.items()}
    if space == 2 and groups == channels and out % channels == 0 and groups > 1:
        op, single = "depthwise_conv2d", {**single, "multiplier": out // channels}
    else:
        op, single = f"conv{space}d", {**single, "out": out, "groups": groups}
    return lo.data(lo.add(op, value, weights=weights, kernel=kernel[0], bias=bias is not None, **single))


@rule("conv_transpose1d", "conv_transpose2d")
def conv_transpose(
    lo: Lowerer,
    x: Data,
    weight: Known,
    bias: Known | None = None,
    stride: Sequence[int] | int = 1,
    padding: Sequence[int] | int = 0,
    output_padding: Sequence[int] | int = 0,
    groups: int = 1,
    dilation: Sequence[int] | int = 1,
) -> Data:
    space = len(weight.shape) - 2
    sizes = {
        "kernel": tuple(weight.shape[2:]),
        "stride": _each(stride, space),
        "padding": _each(padding, space),
        "output_padding": _each(output_padding, space),
    }
    if set(_each(dilation, space)) != {1} or any(len(set(size)) > 1 for size in sizes.values()):
        raise Unsupported("a transposed convolution with dilation, or with different sizes in its dimensions")
    made = lo.add(
        f"conv_transpose{space}d",
        lo.plain(x, space + 2),
        weights={"kernel": weight, "bias": bias},
        out=weight.shape[1] * groups,
        groups=groups,
        bias=bias is not None,
        **{name: size[0] for name, size in sizes.items()},
    )
    return lo.data(made)


def _each(sizes: Sequence[int] | int, space: int) -> tuple[int, ...]:
    found = (sizes,) if isinstance(sizes, int) else tuple(sizes)
    return found * space if len(found) == 1 else found


@rule("linear")
def linear(lo: Lowerer, x: Data, weight: Known, bias: Known | None = None) -> Data:
    if not isinstance(weight, Known) or not isinstance(bias, Known | None):
        raise Unsupported("a linear map with a kernel that is computed")
    if weight.key is not None and weight.key in lo.tables:
        y = lo.last("unembedding", x, {"table": weight}, vocabulary=weight.shape[0])
        return y if bias is None else lo.last("feature_bias", y, {"bias": bias})
    if bias is not None and bias.composed:
        return add(lo, linear(lo, x, weight), bias)
    return lo.last("linear", x, {"kernel": weight, "bias": bias}, out=weight.shape[0], bias=bias is not None)


@rule("addmm")
def addmm(lo: Lowerer, bias: Known, x: Data, weight: Known, beta: float = 1, alpha: float = 1) -> Data:
    if beta != 1 or alpha != 1 or not isinstance(bias, Known) or not isinstance(weight, Known):
        raise Unsupported("a product with what is computed")
    return linear(lo, x, weight.apply(lambda t: t.t()), bias)


@rule("batch_norm", "cudnn_batch_norm", "_native_batch_norm_legit_no_training")
def batch_norm(
    lo: Lowerer,
    x: Data,
    scale: Known | None,
    bias: Known | None,
    mean: Known | None,
    variance: Known | None,
    *rest: Any,
) -> Data:
    training, momentum, eps = rest[:3] if isinstance(rest[0], bool) else (False, *rest[:2])
    if training or mean is None or variance is None:
        raise Unsupported("a batch norm without running statistics")
    if (scale is None) != (bias is None):
        raise Unsupported("a batch norm with half of its affine map")
    weights = {"scale": scale, "bias": bias, "mean": mean, "variance": variance}
    given = {"momentum": float(momentum), "eps": float(eps), "affine": scale is not None}
    settled = lo.settle(x)
    if (settled.at, settled.rank) == (0, 2) and settled.fold > 1:
        # The batch holds the tokens of all samples: they are a dimension behind the channels.
        turned = lo.builder.add("permute", settled.value, at=lo.around, order=(0, 2, 1))
        normed = lo.add("batch_norm", turned, weights=weights, **given)
        return lo.unsettle(lo.builder.add("permute", normed, at=lo.around, order=(0, 2, 1)), settled)
    return lo.data(lo.add("batch_norm", lo.plain(x), weights=weights, **given))


@rule("layer_norm")
def layer_norm(
    lo: Lowerer,
    x: Data,
    shape: Sequence[int],
    scale: Known | None = None,
    bias: Known | None = None,
    eps: float = 1e-5,
    *_: Any,
) -> Data:
    if len(shape) > 1:
        raise Unsupported("a layer norm over several dimensions")
    if scale is not None and bias is None:
        y = lo.last("layer_norm", x, eps=float(eps), affine=False)
        return lo.last("feature_scale", y, {"scale": scale})
    return lo.last("layer_norm", x, {"scale": scale, "bias": bias}, eps=float(eps), affine=scale is not None)


@rule("rms_norm")
def rms_norm(lo: Lowerer, x: Data, shape: Sequence[int], scale: Known | None = None, eps: float | None = None) -> Data:
    if len(shape) > 1 or scale is None or eps is None:
        raise Unsupported("an rms norm over several dimensions, or without a scale or epsilon")
    return lo.last("rms_norm", x, {"scale": scale}, eps=float(eps))


@rule("group_norm")
def group_norm(
    lo: Lowerer,
    x: Data,
    groups: int,
    scale: Known | None = None,
    bias: Known | None = None,
    eps: float = 1e-5,
    *_: Any,
) -> Data:
    weights = {"scale": scale, "bias": bias}
    affine = scale is not None
    return lo.data(lo.add("group_norm", lo.plain(x), weights=weights, groups=groups, eps=float(eps), affine=affine))


@rule("instance_norm")
def instance_norm(
    lo: Lowerer,
    x: Data,
    scale: Known | None,
    bias: Known | None,
    mean: Known | None,
    variance: Known | None,
    use_input_stats: bool,
    momentum: float,
    eps: float,
    *_: Any,
) -> Data:
    if not use_input_stats:
        raise Unsupported("an instance norm with running statistics")
    weights = {"scale": scale, "bias": bias}
    return lo.data(lo.add("instance_norm", lo.plain(x), weights=weights, eps=float(eps), affine=scale is not None))


@rule("prelu")
def prelu(lo: Lowerer, x: Data, slope: Known) -> Data:
    shared = slope.shape[0] == 1
    return lo.data(lo.add("prelu", lo.plain(x), weights={"slope": slope}, shared=shared))


@rule("lstm")
def lstm(lo: Lowerer, x: Data, states: Sequence[Known], weights: Sequence[Known], *how: Any) -> Any:
    return (*_recurrent(lo, "lstm", x, states, weights, *how), None)


@rule("gru")
def gru(lo: Lowerer, x: Data, state: Known, weights: Sequence[Known], *how: Any) -> Any:
    return _recurrent(lo, "gru", x, [state], weights, *how)


_GATES = ("input_kernel", "recurrent_kernel", "input_bias", "recurrent_bias")


def _recurrent(
    lo: Lowerer,
    op: str,
    x: Data,
    states: Sequence[Known],
    weights: Sequence[Known],
    biased: bool,
    layers: int,
    dropout: float,
    training: bool,
    both: bool,
    batch_first: bool,
) -> tuple[Data, Data]:
    """The states of the last layer at all tokens, and the last state of every layer and direction."""
    if not biased or len(weights) != 4 * layers * (1 + both):
        raise Unsupported("a recurrent layer without biases, or with a projection")
    if any(not isinstance(state, Known) or state.number() != 0 for state in states):
        raise Unsupported("a recurrent layer that does not start at zeros")
    value = lo.plain(x if batch_first else transpose(lo, x, 0, 1), 3)
    units = weights[1].shape[1]
    parts = iter(weights)
    last: list[Data | Known] = []
    for _ in range(layers):
        found = []
        for reverse in (False, True)[: 1 + both]:
            given: dict[str, Known | None] = {gate: next(parts) for gate in _GATES}
            found.append(lo.add(op, value, weights=given, units=units, reverse=reverse))
            last.append(select(lo, lo.data(found[-1]), 1, 0 if reverse else -1))
        value = lo.add("concat", *found, axis=2) if both else found[0]
    y = lo.data(value)
    return y if batch_first else transpose(lo, y, 0, 1), stack(lo, last, 0)
