"""Convolutions and linear layers. Data is [n, c, spatial...], kernels [out, c / groups, ...]."""

from torch import nn

from archlang_torch.lowering import layer


def same(kernel: int, dilation: int) -> int:
    """The padding that keeps the size at stride 1 for odd kernels."""
    return dilation * (kernel - 1) // 2


def same_rect(kernel: tuple[int, int], dilation: tuple[int, int]) -> tuple[int, int]:
    """The same for height and width."""
    return (dilation[0] * (kernel[0] - 1) // 2, dilation[1] * (kernel[1] - 1) // 2)


UNIFORM = {"kernel": ("kaiming_uniform",), "bias": ("fan_in_uniform",)}
NAMES = {"kernel": "weight"}
SAME = {"padding": same}


@layer("linear", channels=-1, names=NAMES, init=UNIFORM)
def linear(channels: int, out: int, bias: bool) -> nn.Linear:
    return nn.Linear(channels, out, bias=bias)


@layer("conv1d", channels=1, names=NAMES, init=UNIFORM, implied=SAME)
def conv1d(
    channels: int,
    out: int,
    kernel: int,
    stride: int,
    dilation: int,
    groups: int,
    bias: bool,
    padding: int,
) -> nn.Conv1d:
    return nn.Conv1d(
        channels,
        out,
        kernel,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
        bias=bias,
    )


@layer("conv2d", channels=1, names=NAMES, init=UNIFORM, implied=SAME)
def conv2d(
    channels: int,
    out: int,
    kernel: int,
    stride: int,
    dilation: int,
    groups: int,
    bias: bool,
    padding: int,
) -> nn.Conv2d:
    return nn.Conv2d(
        channels,
        out,
        kernel,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
        bias=bias,
    )


@layer("conv2d_rect", channels=1, names=NAMES, init=UNIFORM, implied={"padding": same_rect})
def conv2d_rect(
    channels: int,
    out: int,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    dilation: tuple[int, int],
    groups: int,
    bias: bool,
    padding: tuple[int, int],
) -> nn.Conv2d:
    return nn.Conv2d(
        channels,
        out,
        kernel,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
        bias=bias,
    )


@layer("conv3d", channels=1, names=NAMES, init=UNIFORM, implied=SAME)
def conv3d(
    channels: int,
    out: int,
    kernel: int,
    stride: int,
    dilation: int,
    groups: int,
    bias: bool,
    padding: int,
) -> nn.Conv3d:
    return nn.Conv3d(
        channels,
        out,
        kernel,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
        bias=bias,
    )


@layer("depthwise_conv2d", channels=1, names=NAMES, init=UNIFORM, implied=SAME)
def depthwise_conv2d(
    channels: int,
    kernel: int,
    stride: int,
    dilation: int,
    multiplier: int,
    bias: bool,
    padding: int,
) -> nn.Conv2d:
    return nn.Conv2d(
        channels,
        channels * multiplier,
        kernel,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=channels,
        bias=bias,
    )


@layer("conv_transpose2d", channels=1, names=NAMES, init=UNIFORM)
def conv_transpose2d(
    channels: int,
    out: int,
    kernel: int,
    stride: int,
    padding: int,
    output_padding: int,
    groups: int,
    bias: bool,
) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(
        channels,
        out,
        kernel,
        stride=stride,
        padding=padding,
        output_padding=output_padding,
        groups=groups,
        bias=bias,
    )


@layer("conv_transpose1d", channels=1, names=NAMES, init=UNIFORM)
def conv_transpose1d(
    channels: int,
    out: int,
    kernel: int,
    stride: int,
    padding: int,
    output_padding: int,
    groups: int,
    bias: bool,
) -> nn.ConvTranspose1d:
    return nn.ConvTranspose1d(
        channels,
        out,
        kernel,
        stride=stride,
        padding=padding,
        output_padding=output_padding,
        groups=groups,
        bias=bias,
    )
