"""Statistics of batch norms, worked out anew for one way through a supernet."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode


class BatchStatistics(TorchFunctionMode):
    """While it is entered, batch norms take the statistics of their batch, in whatever mode they are, and leave
    those that they keep alone. What they take is averaged by the size of the batch (as Once-for-All does:
    the variance is the biased one), for `write`.
    """

    def __init__(self) -> None:
        super().__init__()
        # Batch norms of a path hold slices of the shared statistics: what is in the same place in memory
        # is the same number. By storage: the sum for each number, and the samples in it.
        self._sums: dict[int, tuple[Tensor, Tensor]] = {}

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if func is F.batch_norm:
            return self._normalised(*args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))

    def _normalised(
        self,
        input: Tensor,
        running_mean: Tensor | None,
        running_var: Tensor | None,
        weight: Tensor | None = None,
        bias: Tensor | None = None,
        training: bool = False,
        momentum: float = 0.1,
        eps: float = 1e-5,
    ) -> Tensor:
        if running_mean is not None and running_var is not None:
            dims = [dim for dim in range(input.dim()) if dim != 1]
            variance, mean = torch.var_mean(input, dims, correction=0)
            self._add(running_mean, mean, len(input))
            self._add(running_var, variance, len(input))
        return F.batch_norm(input, None, None, weight, bias, True, momentum, eps)

    def _add(self, kept: Tensor, seen: Tensor, samples: int) -> None:
        storage = kept.untyped_storage()
        if storage.data_ptr() not in self._sums:
            zeros = torch.zeros(storage.nbytes() // kept.element_size(), dtype=torch.float64, device=kept.device)
            self._sums[storage.data_ptr()] = zeros, zeros.clone()
        total, count = self._sums[storage.data_ptr()]
        _at(kept, total).add_(seen.double() * samples)
        _at(kept, count).add_(samples)

    @torch.no_grad()
    def write(self, buffers: Iterable[Tensor]) -> None:
        """Set the statistics to what was seen, where anything was."""
        for buffer in buffers:
            found = self._sums.get(buffer.untyped_storage().data_ptr())
            if found is not None:
                total, samples = (_at(buffer, whole) for whole in found)
                buffer.copy_(torch.where(samples > 0, total / samples.clamp(min=1), buffer.double()))


def _at(kept: Tensor, whole: Tensor) -> Tensor:
    """The part of a tensor that is like a storage where a tensor lies in that."""
    return whole.as_strided(kept.shape, kept.stride(), kept.storage_offset())
