"""Functions of single elements, and of what stands along one dimension."""

from __future__ import annotations

from math import isclose, prod
from typing import Any

import torch

from archlang.conversion.data import Data, Unsupported
from archlang_torch.capture.onnx.lowerer import Call, OnnxLowerer, data, known, node, number, plain
from archlang_torch.capture.values import Known, Pending

_SAME = {
    "Relu": "relu",
    "Sigmoid": "sigmoid",
    "Tanh": "tanh",
    "Softplus": "softplus",
    "Mish": "mish",
    "HardSwish": "hardswish",
    "Abs": "abs",
    "Neg": "neg",
    "Sqrt": "sqrt",
}


@node(*_SAME)
def same(lo: OnnxLowerer, call: Call, x: Any) -> Any:
    return lo.call(_SAME[call.op], x)


@node("Selu")
def selu(lo: OnnxLowerer, call: Call, x: Any) -> Any:
    alpha, gamma = call.get("alpha", 1.6732632), call.get("gamma", 1.0507009)
    if not (isclose(alpha, 1.6732632, rel_tol=1e-5) and isclose(gamma, 1.0507009, rel_tol=1e-5)):
        raise Unsupported("`Selu` with factors of its own")
    return lo.call("selu", x)


@node("Elu")
def elu(lo: OnnxLowerer, call: Call, x: Any) -> Any:
    return lo.call("elu", x, call.get("alpha", 1.0))


@node("LeakyRelu")
def leaky_relu(lo: OnnxLowerer, call: Call, x: Any) -> Any:
    return lo.call("leaky_relu", x, call.get("alpha", 0.01))


@node("HardSigmoid")
def hard_sigmoid(lo: OnnxLowerer, call: Call, x: Any) -> Any:
    alpha, beta = call.get("alpha", 0.2), call.get("beta", 0.5)
    if isclose(alpha, 1 / 6, rel_tol=1e-5) and beta == 0.5:
        return lo.call("hardsigmoid", x)
    return lo.call("clamp", lo.call("add", lo.call("mul", x, alpha), beta), 0.0, 1.0)


@node("Gelu")
def gelu(lo: OnnxLowerer, call: Call, x: Any) -> Any:
    return lo.call("gelu", x, call.get("approximate", "none"))


@node("Swish")
def swish(lo: OnnxLowerer, call: Call, x: Any) -> Any:
    alpha = call.get("alpha", 1.0)
    return lo.call("silu", x) if alpha == 1 else lo.call("mul", x, lo.call("sigmoid", lo.call("mul", x, alpha)))


@node("PRelu")
def prelu(lo: OnnxLowerer, call: Call, x: Any, slope: Any) -> Any:
    slopes = known(slope, "a slope")
    channels = data(x).shape[1]
    each = len(slopes.shape) == data(x).rank - 1 and slopes.shape[0] == channels
    if slopes.tensor.numel() not in (1, channels if each else 1):
        raise Unsupported("`PRelu` with slopes that are not of channels")
    return lo.call("prelu", x, slopes.apply(lambda t: t.reshape(-1)))


@node("Clip")
def clip(lo: OnnxLowerer, call: Call, x: Any, low: Any = None, high: Any = None) -> Any:
    bounds = [
        call.get(name) if given is None else number(given, "a bound") for name, given in (("min", low), ("max", high))
    ]
    # What has no bound is often written with the least and largest single float.
    low, high = (None if bound is None or abs(bound) > 1e38 else bound for bound in bounds)
    if low is None and high is None:
        return x
    return lo.call("clamp", x, low, high)


@node("Softmax", "LogSoftmax")
def softmax(lo: OnnxLowerer, call: Call, x: Any) -> Any:
    name = "softmax" if call.op == "Softmax" else "log_softmax"
    axis = call.get("axis", -1 if call.opset >= 13 else 1)
    if isinstance(x, Pending):
        return lo.call(name, x, axis)
    rank = data(x).rank
    axis %= rank
    if call.opset >= 13 or prod(x.shape[axis + 1 :]) == 1:
        return lo.call(name, x, -1 if axis == rank - 1 else axis)
    shape = lo.shape(x)  # once all dimensions from the axis on were one
    flat = lo.reshaped(x, (*shape[:axis], prod(shape[axis:])))
    return lo.reshaped(lo.call(name, flat, -1), shape)


@node("Dropout", "Identity", "Cast", "CastLike")
def unchanged(lo: OnnxLowerer, call: Call, x: Any, *_: Any) -> Any:
    """What changes no numbers, but for their type."""
    if call.op.startswith("Cast"):
        if isinstance(x, Pending):
            return lo.call("to", x)
        to = call.get("to") if call.op == "Cast" else None
        floating = lo.builder.type(data(x).value).dtype.startswith("f")
        if to is not None and (to in (1, 10, 11)) != floating:
            raise Unsupported("numbers made another type")
        if to == 10:
            raise Unsupported("numbers made another type")
    if call.op == "Dropout" and call.outputs > 1:
        raise Unsupported("`Dropout` whose mask is used")
    return x


@node("Erf", "IsNaN", "CumSum", "Equal")
def started(lo: OnnxLowerer, call: Call, x: Any, *others: Any) -> Any:
    """What is an op only with what follows it."""
    name = {"CumSum": "cumsum"}.get(call.op, call.op.lower())
    args = [int(number(other, "an axis")) if call.op == "CumSum" else plain(other) for other in others]
    if call.op == "CumSum" and (call.get("exclusive", 0) or call.get("reverse", 0)):
        name = "reverse cumsum"
    return lo.pending(name, x, *args, reason=f"`{call.op}`, for which there is no op")


@node("Not")
def negated(lo: OnnxLowerer, call: Call, x: Any) -> Any:
    if isinstance(x, Pending) and x.made[0] == "equal":
        return lo.pending("ne", *x.made[1], reason="`Equal`, for which there is no op")
    raise Unsupported("`Not`, for which there is no op")


@node("Where")
def where(lo: OnnxLowerer, call: Call, condition: Any, x: Any, y: Any) -> Any:
    # PyTorch's exporter guards softmax against rows of which all is masked.
    if isinstance(condition, Pending) and condition.made[0] == "isnan" and _nothing(x):
        (of,) = condition.made[1]
        if of is y or (isinstance(of, Data) and of.same(y)):
            return y
    if isinstance(condition, Known) and isinstance(y, Known | int | float):
        # Scores that a mask hides are as good as infinitely less.
        hidden = y.number() if isinstance(y, Known) else y
        if hidden is not None and hidden <= -1e4:
            mask = torch.zeros(condition.shape).masked_fill(~condition.tensor.bool(), float(hidden))
            return lo.pending("add", x, Known(mask), reason="`Where`, for which there is no op")
    raise Unsupported("`Where`, for which there is no op")


def _nothing(x: Any) -> bool:
    return isinstance(x, Known) and x.number() == 0
