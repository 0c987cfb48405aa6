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


@function("global_avg_pool")
def global_avg_pool(x: Tensor) -> Tensor:
    return x.flatten(2).mean(dim=2)


@function("global_max_pool")
def global_max_pool(x: Tensor) -> Tensor:
    return x.flatten(2).amax(dim=2)


@function("adaptive_avg_pool2d")
def adaptive_avg_pool2d(x: Tensor, *, out: int) -> Tensor:
    return F.adaptive_avg_pool2d(x, out)
