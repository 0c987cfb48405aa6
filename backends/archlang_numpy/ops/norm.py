"""Normalisation. Channels are axis 1, except for layer_norm and rms_norm: the last."""

import numpy as np

from archlang_numpy.lowering import Array, function
from archlang_numpy.ops.channels import affine, per_channel


def normalised(x: Array, axes: tuple[int, ...], eps: float) -> Array:
    """Mean 0 and variance 1 over the axes."""
    centred = x - x.mean(axis=axes, keepdims=True)
    return centred / np.sqrt(np.square(centred).mean(axis=axes, keepdims=True) + eps)


@function(
    "batch_norm", weights=("scale", "bias", "mean", "variance"), unused=("momentum", "affine")
)
def batch_norm(
    x: Array,
    *,
    mean: Array,
    variance: Array,
    scale: Array | None = None,
    bias: Array | None = None,
    eps: float = 1e-5,
) -> Array:
    """With running statistics: Ioffe and Szegedy (2015), algorithm 2."""
    x = (x - per_channel(mean, x)) / np.sqrt(per_channel(variance, x) + eps)
    return affine(x, scale, bias)


@function("layer_norm", weights=("scale", "bias"), unused=("affine",))
def layer_norm(
    x: Array, *, scale: Array | None = None, bias: Array | None = None, eps: float = 1e-5
) -> Array:
    """Over the last dimension: Ba et al. (2016)."""
    x = normalised(x, (-1,), eps)
    x = x if scale is None else x * scale
    return x if bias is None else x + bias


@function("rms_norm", weights=("scale",))
def rms_norm(x: Array, *, scale: Array, eps: float = 1e-6) -> Array:
    """Over the last dimension: Zhang and Sennrich (2019)."""
    return x / np.sqrt(np.square(x).mean(axis=-1, keepdims=True) + eps) * scale


@function("group_norm", weights=("scale", "bias"), unused=("affine",))
def group_norm(
    x: Array,
    *,
    groups: int,
    scale: Array | None = None,
    bias: Array | None = None,
    eps: float = 1e-5,
) -> Array:
    """Over groups of channels and space: Wu and He (2018)."""
    grouped = normalised(x.reshape(x.shape[0], groups, -1), (2,), eps)
    return affine(grouped.reshape(x.shape), scale, bias)


@function("instance_norm", weights=("scale", "bias"), unused=("affine",))
def instance_norm(
    x: Array, *, scale: Array | None = None, bias: Array | None = None, eps: float = 1e-5
) -> Array:
    """Over space, for each channel: Ulyanov et al. (2016)."""
    return affine(normalised(x, tuple(range(2, x.ndim)), eps), scale, bias)


@function("local_response_norm")
def local_response_norm(
    x: Array, *, size: int = 5, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Array:
    """Krizhevsky et al. (2012), section 3.3, with the mean of the squares instead of their sum."""
    around = [(0, 0), (size // 2, (size - 1) // 2), *[(0, 0)] * (x.ndim - 2)]
    squares = np.pad(np.square(x), around)
    mean = sum(squares[:, i : i + x.shape[1]] for i in range(size)) / size
    return x / (k + alpha * mean) ** beta


@function("channel_scale", weights=("scale",), unused=("init",))
def channel_scale(x: Array, *, scale: Array) -> Array:
    return x * per_channel(scale, x)


@function("channel_bias", weights=("bias",))
def channel_bias(x: Array, *, bias: Array) -> Array:
    return x + per_channel(bias, x)


@function("feature_scale", weights=("scale",), unused=("init",))
def feature_scale(x: Array, *, scale: Array) -> Array:
    return x * scale


@function("feature_bias", weights=("bias",))
def feature_bias(x: Array, *, bias: Array) -> Array:
    return x + bias
