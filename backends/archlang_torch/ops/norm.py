"""Normalisation. Channels are axis 1, except for layer_norm and rms_norm: the last."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from archlang_torch.lowering import function, layer

AFFINE = {"scale": ("ones",), "bias": ("zeros",)}


@layer("batch_norm", channels=1, init={**AFFINE, "mean": ("zeros",), "variance": ("ones",)})
class BatchNorm(nn.Module):
    """Batch normalisation for any number of dimensions, with running mean and variance."""

    def __init__(
        self, channels: int, *, momentum: float = 0.1, eps: float = 1e-5, affine: bool = True
    ) -> None:
        super().__init__()
        self.momentum, self.eps = momentum, eps
        self.scale = nn.Parameter(torch.ones(channels)) if affine else None
        self.bias = nn.Parameter(torch.zeros(channels)) if affine else None
        self.mean: Tensor
        self.variance: Tensor
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("variance", torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        return F.batch_norm(
            x,
            self.mean,
            self.variance,
            self.scale,
            self.bias,
            self.training,
            self.momentum,
            self.eps,
        )


@layer("layer_norm", channels=-1, init=AFFINE)
class LayerNorm(nn.Module):
    """Layer normalisation over the last dimension."""

    def __init__(self, channels: int, *, eps: float = 1e-5, affine: bool = True) -> None:
        super().__init__()
        self.eps = eps
        self.scale = nn.Parameter(torch.ones(channels)) if affine else None
        self.bias = nn.Parameter(torch.zeros(channels)) if affine else None

    def forward(self, x: Tensor) -> Tensor:
        return F.layer_norm(x, x.shape[-1:], self.scale, self.bias, self.eps)


@layer("rms_norm", channels=-1, init={"scale": ("ones",)})
class RMSNorm(nn.Module):
    """Division by the root mean square over the last dimension."""

    def __init__(self, channels: int, *, eps: float = 1e-6) -> None:
        super().__init__()
        self.eps = eps
        self.scale = nn.Parameter(torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x, x.shape[-1:], self.scale, self.eps)


@layer("group_norm", channels=1, init=AFFINE)
class GroupNorm(nn.Module):
    """Normalisation over groups of channels and space, per sample."""

    def __init__(
        self, channels: int, groups: int = 32, *, eps: float = 1e-5, affine: bool = True
    ) -> None:
        super().__init__()
        self.groups, self.eps = groups, eps
        self.scale = nn.Parameter(torch.ones(channels)) if affine else None
        self.bias = nn.Parameter(torch.zeros(channels)) if affine else None

    def forward(self, x: Tensor) -> Tensor:
        return F.group_norm(x, self.groups, self.scale, self.bias, self.eps)


@layer("instance_norm", channels=1, init=AFFINE)
class InstanceNorm(nn.Module):
    """Normalisation over space, per sample and channel."""

    def __init__(self, channels: int, *, eps: float = 1e-5, affine: bool = False) -> None:
        super().__init__()
        self.eps = eps
        self.scale = nn.Parameter(torch.ones(channels)) if affine else None
        self.bias = nn.Parameter(torch.zeros(channels)) if affine else None

    def forward(self, x: Tensor) -> Tensor:
        return F.instance_norm(x, weight=self.scale, bias=self.bias, eps=self.eps)


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


@layer("feature_scale", channels=-1, init={"scale": ("constant", "init")})
class FeatureScale(nn.Module):
    """Each element of the last dimension times a learned factor."""

    def __init__(self, channels: int, *, init: float = 1.0) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.full((channels,), init))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale
