"""Normalisation, and layers that do something only in training."""

from __future__ import annotations

from typing import Any

from keras import layers

from archlang.conversion.data import Data, Unsupported
from archlang_tensorflow.capture.known import Known
from archlang_tensorflow.capture.lowerer import Lowerer, layer


@layer(layers.BatchNormalization)
def batch_norm(lo: Lowerer, of: layers.BatchNormalization, x: Data) -> Data:
    _of_the_last(of.axis, x)
    moving = lo.weights(of, "batch_norm", mean="moving_mean", variance="moving_variance")
    attributes = {"momentum": round(1 - of.momentum, 12), "eps": float(of.epsilon)}
    return _affine(lo, of, "batch_norm", x, moving, attributes)


@layer(layers.GroupNormalization)
def group_norm(lo: Lowerer, of: layers.GroupNormalization, x: Data) -> Data:
    _of_the_last(of.axis, x)
    groups = x.shape[-1] if of.groups == -1 else of.groups
    return _affine(lo, of, "group_norm", x, {}, {"groups": groups, "eps": float(of.epsilon)})


def _affine(
    lo: Lowerer, of: Any, op: str, x: Data, states: dict[str, Known | None], attributes: dict[str, Any]
) -> Data:
    """A norm with a scale and a bias, of which one alone is an op of its own."""
    scale, bias = (lo.variable(of, "gamma"), lo.variable(of, "beta"))
    if scale is not None and bias is not None:
        return lo.space(op, x, weights={"scale": scale, "bias": bias, **states}, **attributes)
    y = lo.space(op, x, weights=states, affine=False, **attributes)
    if scale is not None:
        return lo.space("channel_scale", y, weights={"scale": scale})
    return y if bias is None else lo.space("channel_bias", y, weights={"bias": bias})


def _of_the_last(axis: Any, x: Data) -> None:
    axes = [axis] if isinstance(axis, int) else list(axis)
    if [found % x.rank for found in axes] != [x.rank - 1]:
        raise Unsupported("a norm over other dimensions than the last")


@layer(layers.LayerNormalization)
def layer_norm(lo: Lowerer, of: layers.LayerNormalization, x: Data) -> Data:
    _of_the_last(of.axis, x)
    scale, bias = (lo.variable(of, "gamma"), lo.variable(of, "beta"))
    eps = float(of.epsilon)
    if getattr(of, "rms_scaling", False):
        raise Unsupported("a layer norm that is scaled by the root mean square")
    if scale is not None and bias is not None:
        return lo.last("layer_norm", x, {"scale": scale, "bias": bias}, eps=eps)
    y = lo.last("layer_norm", x, eps=eps, affine=False)
    if scale is not None:
        return lo.last("feature_scale", y, {"scale": scale})
    return y if bias is None else lo.last("feature_bias", y, {"bias": bias})


@layer(layers.RMSNormalization)
def rms_norm(lo: Lowerer, of: layers.RMSNormalization, x: Data) -> Data:
    _of_the_last(of.axis, x)
    return lo.last("rms_norm", x, {"scale": lo.variable(of, "scale")}, eps=float(of.epsilon))


_TRAINING = [
    getattr(layers, name)
    for name in dir(layers)
    if name.startswith("Random") or name in ("AutoContrast", "AugMix", "CutMix", "MixUp", "RandAugment")
]


@layer(
    layers.Dropout,
    layers.SpatialDropout1D,
    layers.SpatialDropout2D,
    layers.SpatialDropout3D,
    layers.AlphaDropout,
    layers.GaussianDropout,
    layers.GaussianNoise,
    layers.ActivityRegularization,
    layers.Identity,
    *[kind for kind in _TRAINING if isinstance(kind, type) and issubclass(kind, layers.Layer)],
)
def unchanged(lo: Lowerer, of: Any, x: Data) -> Data:
    """What changes no numbers outside training."""
    return x
