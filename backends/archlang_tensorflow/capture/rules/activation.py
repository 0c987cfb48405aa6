"""Activations: functions of single elements, and softmax."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import keras
from keras import layers

from archlang.conversion.data import Data, Unsupported
from archlang_tensorflow.capture.lowerer import Lowerer, layer, operation, rule_of

# The functions of `keras.activations` by name, and the ops that they are.
_SAME = {
    "linear": "identity",
    "relu": "relu",
    "relu6": "relu6",
    "selu": "selu",
    "silu": "silu",
    "sigmoid": "sigmoid",
    "tanh": "tanh",
    "softplus": "softplus",
    "mish": "mish",
    "hard_silu": "hswish",
    "hard_sigmoid": "hsigmoid",
    "softmax": "softmax",
    "log_softmax": "log_softmax",
    "gelu": "gelu",
    "elu": "elu",
}


def activated(lo: Lowerer, x: Data, function: Any) -> Data:
    """What a layer's activation makes of its result."""
    if function is None:
        return x
    if isinstance(function, keras.Layer):
        rule = rule_of(function)
        if rule is None:
            raise Unsupported(f"the activation `{function.name}`")
        made: Data = rule(lo, function, x)
        return made
    name = getattr(function, "__name__", "")
    if getattr(keras.activations, name, None) is not function:
        raise Unsupported(f"the activation `{name}`")
    if name == "linear":
        return x
    if name in ("softmax", "log_softmax"):
        return softmax(lo, name, x, -1)
    if name == "leaky_relu":
        return lo.each("leaky_relu", x, slope=0.2)
    if name not in _SAME:
        raise Unsupported(f"the activation `{name}`, for which there is no op")
    return lo.each(_SAME[name], x)


def softmax(lo: Lowerer, op: str, x: Data, axis: Any) -> Data:
    if not isinstance(axis, int):
        raise Unsupported("a softmax along several dimensions")
    order = lo.order(x)
    at = order.index(axis % x.rank)
    if at == 0:
        raise Unsupported("an operation along the batch")
    y = lo.result(lo.add(op, lo.value(x, order), axis=-1 if at == x.rank - 1 else at), order)
    return attrs.evolve(y, made=("Softmax", (x,))) if op == "softmax" and axis % x.rank == x.rank - 1 else y


@layer(layers.Activation)
def activation(lo: Lowerer, of: layers.Activation, x: Data) -> Data:
    return activated(lo, x, of.activation)


@layer(layers.ReLU)
def relu(lo: Lowerer, of: layers.ReLU, x: Data) -> Data:
    highest = None if of.max_value is None else float(of.max_value)
    if of.threshold:
        raise Unsupported("a `relu` with a threshold")
    if of.negative_slope:
        if highest is not None:
            raise Unsupported("a `relu` with a slope and a largest value")
        return lo.each("leaky_relu", x, slope=float(of.negative_slope))
    return clipped(lo, x, 0.0, highest)


def clipped(lo: Lowerer, x: Data, low: float | None, high: float | None) -> Data:
    if low == 0 and high is None:
        return lo.each("relu", x)
    if low == 0 and high == 6:
        return lo.each("relu6", x)
    if low is None or high is None:
        raise Unsupported("a bound on one side")
    return lo.each("hard_tanh", x, low=float(low), high=float(high))


@layer(layers.LeakyReLU)
def leaky_relu(lo: Lowerer, of: layers.LeakyReLU, x: Data) -> Data:
    return lo.each("leaky_relu", x, slope=float(of.negative_slope))


@layer(layers.ELU)
def elu(lo: Lowerer, of: layers.ELU, x: Data) -> Data:
    return lo.each("elu", x, alpha=float(of.alpha))


@layer(layers.Softmax)
def softmax_layer(lo: Lowerer, of: layers.Softmax, x: Data) -> Data:
    return softmax(lo, "softmax", x, of.axis)


@layer(layers.PReLU)
def prelu(lo: Lowerer, of: layers.PReLU, x: Data) -> Data:
    """Slopes for each channel or one for all; others are x >= 0 less slope times the rest."""
    slope = lo.variable(of, "alpha")
    assert slope is not None
    space = slope.shape[:-1]
    if all(size == 1 for size in space):
        flat = slope.reshaped((slope.shape[-1],))
        return lo.space("prelu", x, weights={"slope": flat}, shared=slope.shape[-1] == 1 != x.shape[-1])
    order = lo.order(x)
    value = lo.value(x, order)
    slopes = lo.learned(lo.for_each_sample(slope, x.rank, order), value)
    below = lo.add("relu", lo.add("scale", value, factor=-1.0))
    return lo.result(lo.add("sub", lo.add("relu", value), lo.add("mul", below, slopes)), order)


def _plain(name: str, op: str) -> None:
    @operation(name)
    def lowered(lo: Lowerer, of: Any, x: Data) -> Data:
        return lo.each(op, x)


for _name, _op in {
    "Relu": "relu",
    "Relu6": "relu6",
    "Selu": "selu",
    "Silu": "silu",
    "Sigmoid": "sigmoid",
    "Tanh": "tanh",
    "Softplus": "softplus",
    "HardSilu": "hswish",
    "HardSigmoid": "hsigmoid",
    "Absolute": "absolute",
    "Abs": "absolute",
    "Square": "square",
}.items():
    _plain(_name, _op)


def _with(name: str, op: str, attribute: str, own: str, kind: Callable[[Any], Any]) -> None:
    @operation(name)
    def lowered(lo: Lowerer, of: Any, x: Data) -> Data:
        return lo.each(op, x, **{attribute: kind(getattr(of, own))})


_with("LeakyRelu", "leaky_relu", "slope", "negative_slope", float)
_with("Elu", "elu", "alpha", "alpha", float)
_with("Gelu", "gelu", "approximate", "approximate", bool)


@operation("Softmax")
def softmax_operation(lo: Lowerer, of: Any, x: Data) -> Data:
    return softmax(lo, "softmax", x, of.axis)


@operation("LogSoftmax")
def log_softmax_operation(lo: Lowerer, of: Any, x: Data) -> Data:
    return softmax(lo, "log_softmax", x, of.axis)


@operation("Clip")
def clip(lo: Lowerer, of: Any, x: Data) -> Data:
    if not all(isinstance(bound, int | float | None) for bound in (of.x_min, of.x_max)):
        raise Unsupported("bounds that are computed")
    return clipped(lo, x, of.x_min, of.x_max)
