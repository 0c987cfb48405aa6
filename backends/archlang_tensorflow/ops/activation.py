"""Activations. `axis` is a dimension's number."""

from typing import Any

from keras import layers, ops

from archlang_tensorflow.lowering import function, layer


@function("identity")
def identity(x: Any) -> Any:
    return x


@function("relu")
def relu(x: Any) -> Any:
    return ops.relu(x)


@function("relu6")
def relu6(x: Any) -> Any:
    return ops.relu6(x)


@function("leaky_relu")
def leaky_relu(x: Any, *, slope: float = 0.01) -> Any:
    return ops.leaky_relu(x, negative_slope=slope)


@function("elu")
def elu(x: Any, *, alpha: float = 1.0) -> Any:
    return ops.elu(x, alpha=alpha)


@function("selu")
def selu(x: Any) -> Any:
    return ops.selu(x)


@function("gelu")
def gelu(x: Any, *, approximate: bool = False) -> Any:
    return ops.gelu(x, approximate=approximate)


@function("silu", "swish")
def silu(x: Any) -> Any:
    return ops.silu(x)


@function("sigmoid")
def sigmoid(x: Any) -> Any:
    return ops.sigmoid(x)


@function("tanh")
def tanh(x: Any) -> Any:
    return ops.tanh(x)


@function("hard_tanh")
def hard_tanh(x: Any, *, low: float = -1.0, high: float = 1.0) -> Any:
    return ops.clip(x, low, high)


@function("hswish")
def hswish(x: Any) -> Any:
    return ops.hard_silu(x)


@function("hsigmoid")
def hsigmoid(x: Any) -> Any:
    return ops.hard_sigmoid(x)


@function("softplus")
def softplus(x: Any) -> Any:
    return ops.softplus(x)


@function("mish")
def mish(x: Any) -> Any:
    return x * ops.tanh(ops.softplus(x))


@function("softmax")
def softmax(x: Any, *, axis: int = -1) -> Any:
    return ops.softmax(x, axis=axis)


@function("log_softmax")
def log_softmax(x: Any, *, axis: int = -1) -> Any:
    return ops.log_softmax(x, axis=axis)


@function("top_k_gate")
def top_k_gate(x: Any, *, k: int) -> Any:
    """Softmax over the k largest of the last dimension, zeros elsewhere; ties go to the first."""
    _, places = ops.top_k(x, k)
    kept = ops.any(ops.one_hot(places, x.shape[-1], dtype="bool"), axis=-2)
    return ops.softmax(ops.where(kept, x, float("-inf")))


@layer("prelu", names={"slope": "alpha"}, init={"slope": ("zeros",)})
def prelu(rank: int, shared: bool) -> layers.PReLU:
    return layers.PReLU(shared_axes=list(range(1, rank if shared else rank - 1)) or None)
