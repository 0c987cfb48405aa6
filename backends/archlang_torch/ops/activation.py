"""Activations. Those of `n` inputs of any shape; `axis` is a dimension's number."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from archlang_torch.lowering import function, layer


@function("identity")
def identity(x: Tensor) -> Tensor:
    return x


@function("relu")
def relu(x: Tensor) -> Tensor:
    return F.relu(x)


@function("relu6")
def relu6(x: Tensor) -> Tensor:
    return F.relu6(x)


@function("leaky_relu")
def leaky_relu(x: Tensor, *, slope: float = 0.01) -> Tensor:
    return F.leaky_relu(x, slope)


@function("elu")
def elu(x: Tensor, *, alpha: float = 1.0) -> Tensor:
    return F.elu(x, alpha)


@function("selu")
def selu(x: Tensor) -> Tensor:
    return F.selu(x)


@function("gelu")
def gelu(x: Tensor, *, approximate: bool = False) -> Tensor:
    return F.gelu(x, approximate="tanh") if approximate else F.gelu(x)


@function("silu", "swish")
def silu(x: Tensor) -> Tensor:
    return F.silu(x)


@function("sigmoid")
def sigmoid(x: Tensor) -> Tensor:
    return torch.sigmoid(x)


@function("tanh")
def tanh(x: Tensor) -> Tensor:
    return torch.tanh(x)


@function("hard_tanh")
def hard_tanh(x: Tensor, *, low: float = -1.0, high: float = 1.0) -> Tensor:
    return F.hardtanh(x, low, high)


@function("hswish")
def hswish(x: Tensor) -> Tensor:
    return F.hardswish(x)


@function("hsigmoid")
def hsigmoid(x: Tensor) -> Tensor:
    return F.hardsigmoid(x)


@function("softplus")
def softplus(x: Tensor) -> Tensor:
    return F.softplus(x)


@function("mish")
def mish(x: Tensor) -> Tensor:
    return F.mish(x)


@function("softmax")
def softmax(x: Tensor, *, axis: int = -1) -> Tensor:
    return F.softmax(x, dim=axis)


@function("log_softmax")
def log_softmax(x: Tensor, *, axis: int = -1) -> Tensor:
    return F.log_softmax(x, dim=axis)


@function("top_k_gate")
def top_k_gate(x: Tensor, *, k: int) -> Tensor:
    """Softmax over the k largest of the last dimension, zeros elsewhere; ties go to the first."""
    order = x.sort(dim=-1, descending=True, stable=True).indices
    kept = torch.zeros_like(x, dtype=torch.bool).scatter(-1, order[..., :k], True)
    return x.masked_fill(~kept, float("-inf")).softmax(-1)


@layer("prelu", channels=1, names={"slope": "weight"}, init={"slope": ("constant", 0.25)})
def prelu(channels: int, shared: bool) -> nn.PReLU:
    return nn.PReLU(1 if shared else channels)
