"""Convolutions that keep less for their gradients, and on a CPU get those of depthwise kernels faster.

The input is kept only where the weights are trained. On a CPU the gradients of depthwise kernels that have holes,
or are wider than three, come from slow loops; here they are computed by convolutions that have fast ones, which
takes a fifth of the time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

WIDEST = 3  # of the depthwise kernels whose gradients are fast

_backward = torch.ops.aten.convolution_backward
_Pair = tuple[int, int]


def convolution(layer: nn.Conv2d, x: Tensor) -> Tensor:
    """What the layer computes."""
    weight = layer.weight
    if weight.requires_grad and not (x.device.type == "cpu" and _is_slow(layer)):
        result: Tensor = layer(x)
        return result
    return _convolution(x, weight, layer.bias, layer.stride, layer.padding, layer.dilation, layer.groups)


def _is_slow(layer: nn.Conv2d) -> bool:
    is_depthwise = layer.weight.shape[:2] == (layer.groups, 1) and layer.groups > 1
    return is_depthwise and (layer.dilation != (1, 1) or layer.weight.shape[3] > WIDEST)


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        stride: _Pair,
        padding: _Pair,
        dilation: _Pair,
        groups: int,
    ) -> Tensor:
        ctx.save_for_backward(x if weight.requires_grad else None, weight)
        ctx.sizes, ctx.settings, ctx.groups = x.shape, (stride, padding, dilation), groups
        return F.conv2d(x, weight, bias, stride, padding, dilation, groups)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        x, weight = ctx.saved_tensors
        for_x, for_weight, for_bias = ctx.needs_input_grad[:3]
        sides = [{*pair} for pair in (weight.shape[2:], *ctx.settings)]
        if gradient.device.type == "cpu" and weight.shape[:2] == (ctx.groups, 1) and all(len(s) == 1 for s in sides):
            stride, padding, dilation = (one for one, _ in ctx.settings)
            found = (
                _of_input(gradient, weight, ctx.sizes, stride, padding, dilation) if for_x else None,
                _of_kernel(gradient, x, weight, stride, padding, dilation) if for_weight else None,
                gradient.sum((0, 2, 3)) if for_bias else None,
            )
        else:
            like = _unread(ctx.sizes, gradient) if x is None else x
            stride, padding, dilation = ctx.settings
            mask = [for_x, for_weight, for_bias]
            biases = [len(weight)] if for_bias else None
            found = _backward(
                gradient, like, weight, biases, stride, padding, dilation, False, (0, 0), ctx.groups, mask
            )
        return *found, None, None, None, None


_convolution: Callable[..., Tensor] = _Convolution.apply


def _unread(sizes: torch.Size, like: Tensor) -> Tensor:
    """In place of an input of which only sizes and layout matter."""
    is_last = like.is_contiguous(memory_format=torch.channels_last)
    layout = torch.channels_last if is_last else torch.contiguous_format
    return torch.empty(sizes, dtype=like.dtype, device=like.device, memory_format=layout)


# Depthwise convolutions. Those of dilation d and stride 1 or d work within classes of rows and columns: the
# places that have the same remainder by d, each as an undilated convolution.


def _of_input(gradient: Tensor, weight: Tensor, sizes: torch.Size, stride: int, padding: int, dilation: int) -> Tensor:
    """The gradient of the input: a convolution by the mirrored kernels, which is as fast as that forward."""
    mirrored, back = weight.flip(2, 3), dilation * (weight.shape[2] - 1) - padding
    if back >= 0 and stride == 1:
        return F.conv2d(gradient, mirrored, None, 1, back, dilation, len(weight))
    if back >= 0 and stride == dilation and padding % dilation == 0:
        found = _unread(sizes, gradient).zero_()
        found[:, :, ::stride, ::stride] = F.conv2d(gradient, mirrored, None, 1, back // stride, 1, len(weight))
        return found
    like = _unread(sizes, gradient)
    result: Tensor = _aten(gradient, like, weight, stride, padding, dilation, [True, False, False])[0]
    return result


def _of_kernel(gradient: Tensor, x: Tensor, weight: Tensor, stride: int, padding: int, dilation: int) -> Tensor:
    size = weight.shape[3]
    if dilation > 1 and padding % dilation == 0:
        if stride == dilation:
            x = x[:, :, ::dilation, ::dilation]
            stride, padding, dilation = 1, padding // dilation, 1
        elif stride == 1 and 2 * padding == dilation * (size - 1):
            x, gradient = _classes(x, dilation), _classes(gradient, dilation)
            padding, dilation = padding // dilation, 1
    if dilation > 1 or size <= WIDEST:
        result: Tensor = _aten(gradient, x, weight, stride, padding, dilation, [False, True, False])[1]
        return result
    reach = (gradient.shape[3] - 1) * stride
    parts = []
    for left in range(0, size, WIDEST):
        part = weight[..., left : left + WIDEST]
        first = left - padding  # of the columns of the input that these see
        after = first + reach + part.shape[3]
        if first >= x.shape[3] or after <= 0:
            parts.append(torch.zeros_like(part))
            continue
        # Padded here, as the loops are slow again where a convolution pads a small image.
        seen = F.pad(x, (-first, after - x.shape[3], padding, padding))
        parts.append(_aten(gradient, seen, part, stride, 0, 1, [False, True, False])[1])
    return torch.cat(parts, 3)


def _classes(x: Tensor, dilation: int) -> Tensor:
    """The classes one after the other in the batch."""
    rest = -x.shape[2] % dilation, -x.shape[3] % dilation
    if any(rest):
        x = F.pad(x, (0, rest[1], 0, rest[0]))
    places = range(dilation)
    return torch.cat([x[:, :, row::dilation, column::dilation] for row in places for column in places])


def _aten(
    gradient: Tensor, x: Tensor, weight: Tensor, stride: int, padding: int, dilation: int, mask: list[bool]
) -> Any:
    settings = (stride, stride), (padding, padding), (dilation, dilation)
    return _backward(gradient, x, weight, None, *settings, False, (0, 0), len(weight), mask)
