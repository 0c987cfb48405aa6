"""Activations and other functions of single elements."""

from typing import Any

from archlang.conversion.data import Data, Unsupported
from archlang_torch.capture.lowerer import Lowerer, rule
from archlang_torch.capture.rules.arithmetic import at_least

_SAME = {
    "relu": "relu",
    "relu6": "relu6",
    "selu": "selu",
    "silu": "silu",
    "sigmoid": "sigmoid",
    "tanh": "tanh",
    "hardswish": "hswish",
    "hardsigmoid": "hsigmoid",
    "mish": "mish",
    "abs": "absolute",
    "square": "square",
}


def _plain(name: str, op: str) -> None:
    @rule(name)
    def lowered(lo: Lowerer, x: Data) -> Data:
        return lo.each(op, x)


for _name, _op in _SAME.items():
    _plain(_name, _op)


@rule("gelu")
def gelu(lo: Lowerer, x: Data, approximate: str = "none") -> Data:
    return lo.each("gelu", x, approximate=approximate == "tanh")


@rule("leaky_relu")
def leaky_relu(lo: Lowerer, x: Data, slope: float = 0.01) -> Data:
    return lo.each("leaky_relu", x, slope=float(slope))


@rule("elu")
def elu(lo: Lowerer, x: Data, alpha: float = 1.0, scale: float = 1.0, input_scale: float = 1.0) -> Data:
    if scale != 1 or input_scale != 1:
        raise Unsupported("an `elu` that is scaled")
    return lo.each("elu", x, alpha=float(alpha))


@rule("softplus")
def softplus(lo: Lowerer, x: Data, beta: float = 1.0, threshold: float = 20.0) -> Data:
    if beta != 1:
        raise Unsupported("a `softplus` with a beta")
    return lo.each("softplus", x)


@rule("hardtanh")
def hard_tanh(lo: Lowerer, x: Data, low: Any = -1.0, high: Any = 1.0) -> Data:
    return clamp(lo, x, low, high)


@rule("clamp", "clip")
def clamp(lo: Lowerer, x: Data, low: Any = None, high: Any = None) -> Data:
    if low == 0 and high == 6:
        return lo.each("relu6", x)
    if isinstance(low, int | float) and high is None:
        return at_least(lo, x, low)
    if isinstance(high, int | float) and low is None:
        return lo.each("scale", at_least(lo, lo.each("scale", x, factor=-1.0), -high), factor=-1.0)
    if not isinstance(low, int | float) or not isinstance(high, int | float):
        raise Unsupported("a bound that is computed")
    return lo.each("hard_tanh", x, low=float(low), high=float(high))


@rule("clamp_min")
def clamp_min(lo: Lowerer, x: Data, low: float) -> Data:
    return clamp(lo, x, low)


@rule("clamp_max")
def clamp_max(lo: Lowerer, x: Data, high: float) -> Data:
    return clamp(lo, x, None, high)


@rule("softmax", "_softmax")
def softmax(lo: Lowerer, x: Data, axis: int, *_: Any) -> Data:
    settled = lo.settle(x)
    return lo.unsettle(lo.add("softmax", settled.value, axis=_axis(settled.axis(axis), x)), settled)


@rule("log_softmax", "_log_softmax")
def log_softmax(lo: Lowerer, x: Data, axis: int, *_: Any) -> Data:
    settled = lo.settle(x)
    return lo.unsettle(lo.add("log_softmax", settled.value, axis=_axis(settled.axis(axis), x)), settled)


def _axis(axis: int, x: Data) -> int:
    """The axis as it is usually written: the last is -1."""
    rank = len(x.layout.batch_first()) + 1
    return -1 if axis == rank - 1 else axis
