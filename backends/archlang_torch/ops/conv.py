"""Convolutions and linear layers. Data is [n, c, spatial...], kernels [out, c / groups, ...]."""

import math
from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from archlang_torch.lowering import layer


def _same(attributes: Mapping[str, Any]) -> int:
    """The padding that keeps the size at stride 1 for odd kernels."""
    return int(attributes["dilation"] * (attributes["kernel"] - 1) // 2)


KERNEL = {"kernel": ("kaiming_uniform",), "bias": ("fan_in_uniform",)}
IMPLIED = {"padding": _same}


def _same_rect(attributes: Mapping[str, Any]) -> tuple[int, int]:
    """The same for height and width."""
    (kernel_h, kernel_w), (dilation_h, dilation_w) = attributes["kernel"], attributes["dilation"]
    return dilation_h * (kernel_h - 1) // 2, dilation_w * (kernel_w - 1) // 2


def draw_default(kernel: Tensor, bias: Tensor | None) -> None:
    """Fill both with the default of PyTorch's own layers: uniform within 1 / sqrt(fan-in)."""
    bound = 1 / math.sqrt(kernel[0].numel())
    for weight in (kernel, bias):
        if weight is not None:
            nn.init.uniform_(weight, -bound, bound)


@layer("linear", channels=-1, init=KERNEL)
class Linear(nn.Module):
    """Linear map of the last dimension. Weights: kernel [out, channels], bias [out]."""

    def __init__(self, channels: int, out: int, *, bias: bool = True) -> None:
        super().__init__()
        self.kernel = nn.Parameter(torch.empty(out, channels))
        self.bias = nn.Parameter(torch.empty(out)) if bias else None
        draw_default(self.kernel, self.bias)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.kernel, self.bias)


@layer("conv1d", channels=1, init=KERNEL, implied=IMPLIED)
class Conv1d(nn.Module):
    """1-D convolution, padded by default so that stride 1 keeps the size for odd kernels."""

    def __init__(
        self,
        channels: int,
        out: int,
        kernel: int = 3,
        *,
        stride: int = 1,
        dilation: int = 1,
        groups: int = 1,
        bias: bool = False,
        padding: int | None = None,
    ) -> None:
        super().__init__()
        self.stride, self.dilation, self.groups = stride, dilation, groups
        self.padding = dilation * (kernel - 1) // 2 if padding is None else padding
        self.kernel = nn.Parameter(torch.empty(out, channels // groups, kernel))
        self.bias = nn.Parameter(torch.empty(out)) if bias else None
        draw_default(self.kernel, self.bias)

    def forward(self, x: Tensor) -> Tensor:
        return F.conv1d(
            x, self.kernel, self.bias, self.stride, self.padding, self.dilation, self.groups
        )


@layer("conv2d", channels=1, init=KERNEL, implied=IMPLIED)
class Conv2d(nn.Module):
    """2-D convolution, padded by default so that stride 1 keeps the size for odd kernels."""

    def __init__(
        self,
        channels: int,
        out: int,
        kernel: int = 3,
        *,
        stride: int = 1,
        dilation: int = 1,
        groups: int = 1,
        bias: bool = False,
        padding: int | None = None,
    ) -> None:
        super().__init__()
        self.stride, self.dilation, self.groups = stride, dilation, groups
        self.padding = dilation * (kernel - 1) // 2 if padding is None else padding
        self.kernel = nn.Parameter(torch.empty(out, channels // groups, kernel, kernel))
        self.bias = nn.Parameter(torch.empty(out)) if bias else None
        draw_default(self.kernel, self.bias)

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(
            x, self.kernel, self.bias, self.stride, self.padding, self.dilation, self.groups
        )


@layer("conv2d_rect", channels=1, init=KERNEL, implied={"padding": _same_rect})
class Conv2dRect(nn.Module):
    """2-D convolution by a kernel [height, width], padded by default so that stride 1 keeps the
    size for odd kernels."""

    def __init__(
        self,
        channels: int,
        out: int,
        kernel: tuple[int, int],
        *,
        stride: tuple[int, int] = (1, 1),
        dilation: tuple[int, int] = (1, 1),
        groups: int = 1,
        bias: bool = False,
        padding: tuple[int, int] | None = None,
    ) -> None:
        super().__init__()
        self.stride, self.dilation, self.groups = stride, dilation, groups
        same = dilation[0] * (kernel[0] - 1) // 2, dilation[1] * (kernel[1] - 1) // 2
        self.padding = same if padding is None else padding
        self.kernel = nn.Parameter(torch.empty(out, channels // groups, *kernel))
        self.bias = nn.Parameter(torch.empty(out)) if bias else None
        draw_default(self.kernel, self.bias)

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(
            x, self.kernel, self.bias, self.stride, self.padding, self.dilation, self.groups
        )


@layer("conv3d", channels=1, init=KERNEL, implied=IMPLIED)
class Conv3d(nn.Module):
    """3-D convolution, padded by default so that stride 1 keeps the size for odd kernels."""

    def __init__(
        self,
        channels: int,
        out: int,
        kernel: int = 3,
        *,
        stride: int = 1,
        dilation: int = 1,
        groups: int = 1,
        bias: bool = False,
        padding: int | None = None,
    ) -> None:
        super().__init__()
        self.stride, self.dilation, self.groups = stride, dilation, groups
        self.padding = dilation * (kernel - 1) // 2 if padding is None else padding
        self.kernel = nn.Parameter(torch.empty(out, channels // groups, kernel, kernel, kernel))
        self.bias = nn.Parameter(torch.empty(out)) if bias else None
        draw_default(self.kernel, self.bias)

    def forward(self, x: Tensor) -> Tensor:
        return F.conv3d(
            x, self.kernel, self.bias, self.stride, self.padding, self.dilation, self.groups
        )


@layer("depthwise_conv2d", channels=1, init=KERNEL, implied=IMPLIED)
class DepthwiseConv2d(nn.Module):
    """2-D convolution of each channel by itself, into `multiplier` channels."""

    def __init__(
        self,
        channels: int,
        kernel: int = 3,
        *,
        stride: int = 1,
        dilation: int = 1,
        multiplier: int = 1,
        bias: bool = False,
        padding: int | None = None,
    ) -> None:
        super().__init__()
        self.channels, self.stride, self.dilation = channels, stride, dilation
        self.padding = dilation * (kernel - 1) // 2 if padding is None else padding
        out = channels * multiplier
        self.kernel = nn.Parameter(torch.empty(out, 1, kernel, kernel))
        self.bias = nn.Parameter(torch.empty(out)) if bias else None
        draw_default(self.kernel, self.bias)

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(
            x, self.kernel, self.bias, self.stride, self.padding, self.dilation, self.channels
        )


@layer("conv_transpose2d", channels=1, init=KERNEL)
class ConvTranspose2d(nn.Module):
    """Transposed 2-D convolution. Weights: kernel [channels, out / groups, k, k], bias [out]."""

    def __init__(
        self,
        channels: int,
        out: int,
        kernel: int = 2,
        *,
        stride: int = 2,
        padding: int = 0,
        output_padding: int = 0,
        bias: bool = False,
        groups: int = 1,
    ) -> None:
        super().__init__()
        self.stride, self.padding, self.output_padding = stride, padding, output_padding
        self.groups = groups
        self.kernel = nn.Parameter(torch.empty(channels, out // groups, kernel, kernel))
        self.bias = nn.Parameter(torch.empty(out)) if bias else None
        draw_default(self.kernel, self.bias)

    def forward(self, x: Tensor) -> Tensor:
        return F.conv_transpose2d(
            x, self.kernel, self.bias, self.stride, self.padding, self.output_padding, self.groups
        )
