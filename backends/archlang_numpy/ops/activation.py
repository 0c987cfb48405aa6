"""Activations. Their forms neither overflow nor lose digits where x is far from zero."""

import math

import numpy as np

from archlang_numpy.lowering import Array, function
from archlang_numpy.ops.channels import per_channel


@function("identity")
def identity(x: Array) -> Array:
    return x


@function("relu")
def relu(x: Array) -> Array:
    return np.maximum(x, 0)


@function("relu6")
def relu6(x: Array) -> Array:
    return np.clip(x, 0, 6)


@function("leaky_relu")
def leaky_relu(x: Array, *, slope: float = 0.01) -> Array:
    return np.where(x > 0, x, slope * x)


@function("elu")
def elu(x: Array, *, alpha: float = 1.0) -> Array:
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


@function("selu")
def selu(x: Array) -> Array:
    """Klambauer et al. (2017), equation 2."""
    scale, alpha = 1.0507009873554805, 1.6732632423543772
    return scale * np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


@function("gelu")
def gelu(x: Array, *, approximate: bool = False) -> Array:
    """x times the normal distribution function, by Hendrycks and Gimpel (2016)."""
    if approximate:
        return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)))
    return 0.5 * x * erfc(-x / math.sqrt(2))


def erfc(x: Array) -> Array:
    """The complementary error function, which numpy does not have: the standard library's."""
    return np.vectorize(math.erfc, otypes=[x.dtype])(x)


@function("silu")
def silu(x: Array) -> Array:
    return x * sigmoid(x)


@function("sigmoid")
def sigmoid(x: Array) -> Array:
    return np.exp(-np.logaddexp(0, -x))


@function("tanh")
def tanh(x: Array) -> Array:
    return np.tanh(x)


@function("hard_tanh")
def hard_tanh(x: Array, *, low: float = -1.0, high: float = 1.0) -> Array:
    return np.clip(x, low, high)


@function("hswish")
def hswish(x: Array) -> Array:
    return x * np.clip(x + 3, 0, 6) / 6


@function("hsigmoid")
def hsigmoid(x: Array) -> Array:
    return np.clip(x + 3, 0, 6) / 6


@function("softplus")
def softplus(x: Array) -> Array:
    return np.logaddexp(0, x)


@function("mish")
def mish(x: Array) -> Array:
    return x * np.tanh(np.logaddexp(0, x))


@function("prelu", weights=("slope",), unused=("shared",))
def prelu(x: Array, *, slope: Array) -> Array:
    return np.where(x > 0, x, x * per_channel(slope, x))


@function("softmax")
def softmax(x: Array, *, axis: int = -1) -> Array:
    powers = np.exp(x - x.max(axis=axis, keepdims=True))
    return powers / powers.sum(axis=axis, keepdims=True)


@function("log_softmax")
def log_softmax(x: Array, *, axis: int = -1) -> Array:
    x = x - x.max(axis=axis, keepdims=True)
    return x - np.log(np.exp(x).sum(axis=axis, keepdims=True))


@function("top_k_gate")
def top_k_gate(x: Array, *, k: int) -> Array:
    """Softmax over the k largest of the last dimension, the first of equal ones; zeros elsewhere.

    Shazeer et al. (2017), equations 3 and 5, without noise.
    """
    places = np.argsort(-x, axis=-1, kind="stable")[..., :k]
    found = np.zeros_like(x)
    np.put_along_axis(found, places, softmax(np.take_along_axis(x, places, -1)), -1)
    return found
