"""Pooling over space."""

import torch.nn.functional as F
from torch import Tensor

from archlang_torch.lowering import function


@function("max_pool1d")
def max_pool1d(x: Tensor, *, kernel: int, stride: int, padding: int, ceil: bool = False) -> Tensor:
    return (
        F.max_pool1d(x, kernel, stride=stride, padding=padding, ceil_mode=True)
        if ceil
        else F.max_pool1d(x, kernel, stride=stride, padding=padding)
    )


@function("max_pool2d")
def max_pool2d(x: Tensor, *, kernel: int, stride: int, padding: int, ceil: bool = False) -> Tensor:
    return (
        F.max_pool2d(x, kernel, stride=stride, padding=padding, ceil_mode=True)
        if ceil
        else F.max_pool2d(x, kernel, stride=stride, padding=padding)
    )


@function("max_pool3d")
def max_pool3d(x: Tensor, *, kernel: int, stride: int, padding: int, ceil: bool = False) -> Tensor:
    return (
        F.max_pool3d(x, kernel, stride=stride, padding=padding, ceil_mode=True)
        if ceil
        else F.max_pool3d(x, kernel, stride=stride, padding=padding)
    )


@function("avg_pool1d")
def avg_pool1d(
    x: Tensor,
    *,
    kernel: int,
    stride: int,
    padding: int,
    count_padding: bool,
    ceil: bool = False,
) -> Tensor:
    return (
        F.avg_pool1d(
            x,
            kernel,
            stride=stride,
            padding=padding,
            ceil_mode=True,
            count_include_pad=count_padding,
        )
        if ceil
        else F.avg_pool1d(
            x, kernel, stride=stride, padding=padding, count_include_pad=count_padding
        )
    )


@function("avg_pool2d")
def avg_pool2d(
    x: Tensor,
    *,
    kernel: int,
    stride: int,
    padding: int,
    count_padding: bool,
    ceil: bool = False,
) -> Tensor:
    return (
        F.avg_pool2d(
            x,
            kernel,
            stride=stride,
            padding=padding,
            ceil_mode=True,
            count_include_pad=count_padding,
        )
        if ceil
        else F.avg_pool2d(
            x, kernel, stride=stride, padding=padding, count_include_pad=count_padding
        )
    )


@function("avg_pool3d")
def avg_pool3d(
    x: Tensor,
    *,
    kernel: int,
    stride: int,
    padding: int,
    count_padding: bool,
    ceil: bool = False,
) -> Tensor:
    """The mean of each window, first over height and width, then over depth.

    F.avg_pool3d refuses kernels larger than the input, whatever the padding.
    """
    flat = F.avg_pool2d(x.flatten(1, 2), kernel, stride, padding, ceil, count_padding)
    deep = F.avg_pool2d(
        flat.reshape(*x.shape[:3], -1), (kernel, 1), (stride, 1), (padding, 0), ceil, count_padding
    )
    return deep.reshape(*deep.shape[:3], *flat.shape[2:])


@function("global_avg_pool")
def global_avg_pool(x: Tensor) -> Tensor:
    return x.flatten(2).mean(dim=2)


@function("global_max_pool")
def global_max_pool(x: Tensor) -> Tensor:
    return x.flatten(2).amax(dim=2)


@function("adaptive_avg_pool1d")
def adaptive_avg_pool1d(x: Tensor, *, out: int) -> Tensor:
    return F.adaptive_avg_pool1d(x, out)


@function("adaptive_avg_pool2d")
def adaptive_avg_pool2d(x: Tensor, *, out: int) -> Tensor:
    return F.adaptive_avg_pool2d(x, out)


@function("adaptive_avg_pool3d")
def adaptive_avg_pool3d(x: Tensor, *, out: int) -> Tensor:
    """The mean of each window, first over height and width, then over depth: so ONNX can do it."""
    flat = F.adaptive_avg_pool2d(x.flatten(1, 2), out)
    deep = F.adaptive_avg_pool2d(flat.reshape(*x.shape[:3], -1), (out, None))
    return deep.reshape(*x.shape[:2], out, out, out)
