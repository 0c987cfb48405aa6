"""Batch norms of images, alone or as summands of a mixture, by few passes over their inputs.

A mixture of batch norms without trained weights is one operation: a factor for each channel of each input, then the
sum. What is normalised is neither written nor kept, and the pass over an input that its gradient needs anyway gives
the gradient of its weight too.

On a CPU torch's own loops over images whose channels come last take three times as long as need be where channels
are few. Here rows are joined to be about `WIDTH` numbers wide, each a channel of its own as far as torch can tell.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from archlang_torch.supernet.mixing import weighted_sum

WIDTH = 256
FEW = 4096  # places; torch's loops sum more than that too inexactly
LAST = torch.channels_last

_backward = torch.ops.aten.native_batch_norm_backward


def batch_norm(layer: nn.BatchNorm2d, x: Tensor) -> Tensor:
    """What the layer computes."""
    if not _fits(x, layer) or x.numel() <= FEW * x.shape[1]:
        result: Tensor = layer(x)
        return result
    x = x.contiguous(memory_format=LAST)
    means, scales = _statistics([layer], [x])
    weights = torch.ones_like(means) if layer.weight is None else layer.weight[None]
    return _normalised_sum(weights, layer.bias, means, scales, [True], x)


def mixed_norms(layers: Sequence[nn.BatchNorm2d | None], weights: Tensor | None, values: Sequence[Tensor]) -> Tensor:
    """The sum of values, each times its entry of a vector (None: of ones); those with a layer, which has no
    trained weights, are normalised first."""
    if weights is None or not all(map(_fits, values, layers)):
        return weighted_sum(weights, [layer(x) if layer else x for layer, x in zip(layers, values, strict=True)])
    values = [x.contiguous(memory_format=LAST) for x in values]
    means, scales = _statistics(layers, values)
    normed = [layer is not None for layer in layers]
    return _normalised_sum(weights[:, None], None, means, scales, normed, *values)


def _fits(x: Tensor, layer: nn.BatchNorm2d | None) -> bool:
    """Whether there is an image of several numbers by channel, of which a batch norm takes the statistics."""
    many = x.ndim == 4 and x.device.type == "cpu" and x.numel() > x.shape[1]
    return many and (layer is None or layer.training)


class _NormalisedSum(torch.autograd.Function):
    """The sum of values, less their means, times their scales and weights: matrices by value and channel."""

    @staticmethod
    def forward(
        ctx: Any,
        weights: Tensor,
        bias: Tensor | None,
        means: Tensor,
        scales: Tensor,
        normed: list[bool],
        *values: Tensor,
    ) -> Tensor:
        kept = [x if norm or ctx.needs_input_grad[0] else None for norm, x in zip(normed, values, strict=True)]
        ctx.save_for_backward(weights, means, scales, *kept)
        ctx.normed = normed
        factors = weights * scales
        shift = (means * factors).sum(0).neg_()
        first, *others = [_rows(x) for x in values]
        factors = _wide(factors, first)
        total = torch.addcmul(_wide(shift if bias is None else shift + bias, first), first, factors[0])
        for rows, factor in zip(others, factors[1:], strict=True):
            total.addcmul_(rows, factor)
        return _image(total, values[0])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        weights, means, scales, *values = ctx.saved_tensors
        gradient = gradient.contiguous(memory_format=LAST)
        rows, count = _rows(gradient), gradient.numel() // gradient.shape[1]
        wide_means, wide_scales = _wide(means, rows), _wide(scales, rows)
        total = torch.zeros_like(wide_means[0])  # of the gradient
        dots = [total] * len(values)  # of the gradient and what is normalised
        for k, x in enumerate(values):
            if x is not None:
                given = _channels(rows), _channels(_rows(x)), None, None, None, wide_means[k], wide_scales[k]
                _, dots[k], total = _backward(*given, True, 0.0, [False, True, True])
        dot, total = _folded(torch.stack(dots), means), _folded(total, means)
        factors = weights * scales
        slopes = factors * scales * dot / -count
        shifts = factors * total / -count - slopes * means
        factors, slopes, shifts = (_wide(each, rows) for each in (factors, slopes, shifts))
        found: list[Tensor | None] = []
        for k, (x, norm) in enumerate(zip(values, ctx.normed, strict=True)):
            if not ctx.needs_input_grad[5 + k]:
                found.append(None)
            elif norm:
                moved = torch.addcmul(shifts[k], _rows(x), slopes[k])
                found.append(_image(moved.addcmul_(rows, factors[k]), gradient))
            else:
                found.append(_image(rows * factors[k], gradient))
        return dot.sum_to_size(weights.shape), total if ctx.needs_input_grad[1] else None, None, None, None, *found


_normalised_sum: Callable[..., Tensor] = _NormalisedSum.apply


def _statistics(layers: Sequence[nn.BatchNorm2d | None], values: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Means, and one over standard deviations, by value and channel; zeros and ones for values without a layer.
    Layers count the batch."""
    channels = values[0].shape[1]
    count = values[0].numel() // channels
    found = []
    for layer, x in zip(layers, values, strict=True):
        rows = _rows(x.detach())
        if layer is None:
            found.append((rows.new_zeros(rows.shape[1]), rows.new_ones(rows.shape[1])))
        else:
            found.append(torch.batch_norm_update_stats(_channels(rows), None, None, 0.0))
    by_column = (torch.stack(each).view(len(values), -1, channels) for each in zip(*found, strict=True))
    some_means, within = by_column
    between, means = torch.var_mean(some_means, 1, correction=0)
    variances = within.mean(1) + between
    _count(layers, means, variances * (count / (count - 1)))
    epsilons = [0.0 if layer is None else layer.eps for layer in layers]
    return means, (variances + means.new_tensor(epsilons)[:, None]).rsqrt_()


def _count(layers: Sequence[nn.BatchNorm2d | None], means: Tensor, variances: Tensor) -> None:
    """Add a batch to running statistics."""
    kept: dict[float, tuple[list[Tensor], list[Tensor]]] = {}  # by momentum the old and the new
    for layer, *found in zip(layers, means.unbind(), variances.unbind(), strict=True):
        if layer is not None:
            mean, variance = layer.running_mean, layer.running_var
            count, momentum = layer.num_batches_tracked, layer.momentum
            assert mean is not None
            assert variance is not None
            assert count is not None
            assert momentum is not None
            old, new = kept.setdefault(momentum, ([], []))
            old += [mean, variance]
            new += found
            count.add_(1)
    for momentum, (old, new) in kept.items():
        torch._foreach_lerp_(old, new, momentum)  # pyright: ignore[reportPrivateImportUsage]


def _rows(x: Tensor) -> Tensor:
    """An image whose channels come last as a matrix: in each row all channels of some places."""
    channels = x.shape[1]
    places = math.gcd(x.numel() // channels, max(1, WIDTH // channels))
    return x.permute(0, 2, 3, 1).reshape(-1, places * channels)


def _image(rows: Tensor, like: Tensor) -> Tensor:
    n, c, h, w = like.shape
    return rows.view(n, h, w, c).permute(0, 3, 1, 2)


def _channels(rows: Tensor) -> Tensor:
    """A matrix as an image in which each of its columns is a channel."""
    return rows.view(1, len(rows), 1, -1).permute(0, 3, 1, 2)


def _wide(by_channel: Tensor, rows: Tensor) -> Tensor:
    """Numbers for the channels as those for the columns of a matrix."""
    *others, channels = by_channel.shape
    wide = by_channel.unsqueeze(-2).expand(*others, rows.shape[1] // channels, channels).flatten(-2)
    return wide.contiguous()  # of one channel it is a view, which torch's loops over batch norms misread


def _folded(by_column: Tensor, like: Tensor) -> Tensor:
    """Sums over the columns of each channel."""
    return by_column.view(*by_column.shape[:-1], -1, like.shape[-1]).sum(-2)
