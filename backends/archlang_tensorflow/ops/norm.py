"""Normalisation over the last axis, or with the channels there."""

from typing import Any

from keras import initializers, layers, ops, saving

from archlang_tensorflow.lowering import function, layer
from archlang_tensorflow.ops.weighted import Weighted

AFFINE = {"scale": ("ones",), "bias": ("zeros",)}
NAMES = {"scale": "gamma", "bias": "beta"}


@layer(
    "batch_norm",
    names={**NAMES, "mean": "moving_mean", "variance": "moving_variance"},
    init={**AFFINE, "mean": ("zeros",), "variance": ("ones",)},
)
def batch_norm(momentum: float, eps: float, affine: bool) -> layers.BatchNormalization:
    return layers.BatchNormalization(
        momentum=1 - momentum, epsilon=eps, center=affine, scale=affine
    )


@layer("layer_norm", names=NAMES, init=AFFINE)
def layer_norm(eps: float, affine: bool) -> layers.LayerNormalization:
    return layers.LayerNormalization(epsilon=eps, center=affine, scale=affine)


@layer("rms_norm", init={"scale": ("ones",)})
def rms_norm(eps: float) -> layers.RMSNormalization:
    return layers.RMSNormalization(epsilon=eps)


@layer("group_norm", names=NAMES, init=AFFINE)
def group_norm(groups: int, eps: float, affine: bool) -> layers.GroupNormalization:
    return layers.GroupNormalization(groups, epsilon=eps, center=affine, scale=affine)


@layer("instance_norm", channels=-1, ranks=(3, 4, 5), names=NAMES, init=AFFINE)
def instance_norm(channels: int, eps: float, affine: bool) -> layers.GroupNormalization:
    return layers.GroupNormalization(channels, epsilon=eps, center=affine, scale=affine)


@function("local_response_norm")
def local_response_norm(
    x: Any, *, size: int = 5, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Any:
    """Division by a power of the mean square over `size` channels around each."""
    channels = x.shape[-1]
    border = [(0, 0)] * (len(x.shape) - 1) + [(size // 2, (size - 1) // 2)]
    squares = ops.pad(ops.square(x), border)
    total = squares[..., :channels]
    for first in range(1, size):
        total = total + squares[..., first : first + channels]
    return x / (k + total * (alpha / size)) ** beta


@layer("channel_scale", init={"scale": ("constant", "init")})
@layer("feature_scale", init={"scale": ("constant", "init")})
@saving.register_keras_serializable("archlang")
class Scale(Weighted):
    """Each element of the last axis times a learned factor."""

    def __init__(self, init: float = 1.0, **settings: Any) -> None:
        super().__init__(**settings)
        self.init = init

    def build(self, shape: Any) -> None:
        self.scale = self.weight("scale", (shape[-1],), initializers.Constant(self.init))

    def call(self, x: Any) -> Any:
        return x * self.scale

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "init": self.init}


@layer("channel_bias", init={"bias": ("zeros",)})
@layer("feature_bias", init={"bias": ("zeros",)})
@saving.register_keras_serializable("archlang")
class FeatureBias(Weighted):
    """Each element of the last axis plus a learned number."""

    def build(self, shape: Any) -> None:
        self.bias = self.weight("bias", (shape[-1],), "zeros")

    def call(self, x: Any) -> Any:
        return x + self.bias
