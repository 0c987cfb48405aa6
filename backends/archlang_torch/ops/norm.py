"""Normalisation. Channels are axis 1, except for layer_norm and rms_norm: the last."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from archlang_torch.lowering import function, layer

AFFINE = {"scale": ("ones",), "bias": ("zeros",)}
NAMES = {"scale": "weight"}


@layer(
    "batch_norm",
    channels=1,
    ranks=(2, 3, 4, 5),
    names={**NAMES, "mean": "running_mean", "variance": "running_var"},
    init={**AFFINE, "mean": ("zeros",), "variance": ("ones",)},
)
def batch_norm(
    rank: int, channels: int, momentum: float, eps: float, affine: bool
) -> nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d:
    return (nn.BatchNorm2d if rank == 4 else nn.BatchNorm3d if rank == 5 else nn.BatchNorm1d)(
        channels, eps=eps, momentum=momentum, affine=affine
    )


@layer("layer_norm", channels=-1, names=NAMES, init=AFFINE)
def layer_norm(channels: int, eps: float, affine: bool) -> nn.LayerNorm:
    return nn.LayerNorm(channels, eps=eps, elementwise_affine=affine)


@layer("rms_norm", channels=-1, names=NAMES, init={"scale": ("ones",)})
def rms_norm(channels: int, eps: float) -> nn.RMSNorm:
    return nn.RMSNorm(channels, eps=eps)


@layer("group_norm", channels=1, names=NAMES, init=AFFINE)
def group_norm(channels: int, groups: int, eps: float, affine: bool) -> nn.GroupNorm:
    return nn.GroupNorm(groups, channels, eps=eps, affine=affine)


@layer("instance_norm", channels=1, ranks=(3, 4, 5), names=NAMES, init=AFFINE)
def instance_norm(
    rank: int, channels: int, eps: float, affine: bool
) -> nn.InstanceNorm1d | nn.InstanceNorm2d | nn.InstanceNorm3d:
    return (
        nn.InstanceNorm2d if rank == 4 else nn.InstanceNorm3d if rank == 5 else nn.InstanceNorm1d
    )(channels, eps=eps, affine=affine)


@function("local_response_norm")
def local_response_norm(
    x: Tensor, *, size: int = 5, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Tensor:
    return F.local_response_norm(x, size, alpha=alpha, beta=beta, k=k)


@layer("channel_scale", channels=1, init={"scale": ("constant", "init")})
class ChannelScale(nn.Module):
    """Each channel times a learned factor."""

    def __init__(self, channels: int, *, init: float = 1.0) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.full((channels,), init))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale.view(-1, *(1,) * (x.ndim - 2))


@layer("channel_bias", channels=1, init={"bias": ("zeros",)})
class ChannelBias(nn.Module):
    """Each channel plus a learned number."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.bias.view(-1, *(1,) * (x.ndim - 2))


@layer("feature_scale", channels=-1, init={"scale": ("constant", "init")})
class FeatureScale(nn.Module):
    """Each element of the last dimension times a learned factor."""

    def __init__(self, channels: int, *, init: float = 1.0) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.full((channels,), init))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale


@layer("feature_bias", channels=-1, init={"bias": ("zeros",)})
class FeatureBias(nn.Module):
    """Each element of the last dimension plus a learned number."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.bias
