"""Weighted sums of alternatives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


class _WeightedSum(torch.autograd.Function):
    """Keeps the alternatives for the weights' gradient only, and no products."""

    @staticmethod
    def forward(ctx: Any, weights: Tensor, *values: Tensor) -> Tensor:
        ctx.trains_weights = weights.requires_grad
        ctx.save_for_backward(weights, *(values if weights.requires_grad else ()))
        parts = weights.unbind()
        total = values[0] * parts[0]
        for value, weight in zip(values[1:], parts[1:], strict=True):
            total.addcmul_(value, weight)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        weights, *values = ctx.saved_tensors
        for_weights = None
        if ctx.needs_input_grad[0]:
            is_last = gradient.ndim == 4 and gradient.is_contiguous(memory_format=torch.channels_last)
            first, *others = (x.movedim(1, -1) if is_last else x for x in (gradient, *values))  # no copies
            flat = first.reshape(-1)
            for_weights = torch.stack([torch.dot(flat, value.reshape(-1)) for value in others])
        for_values = [
            gradient * weight if needed else None
            for weight, needed in zip(weights.unbind(), ctx.needs_input_grad[1:], strict=True)
        ]
        return for_weights, *for_values


def weighted_sum(weights: Tensor | None, values: Sequence[Tensor]) -> Tensor:
    """The sum of tensors of one shape, each times its entry of a vector; without one the plain sum."""
    if weights is not None:
        return _WeightedSum.apply(weights, *values)  # type: ignore[no-any-return, no-untyped-call]
    total = values[0]
    for value in values[1:]:
        total = total + value
    return total
