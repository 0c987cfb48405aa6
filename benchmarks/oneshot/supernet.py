"""What all supernets here are: a module, and architecture tensors beside its parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

import torch
from torch import Tensor, nn


class Supernet(nn.Module):
    """A network whose architecture is a list of tensors that `parameters()` and `state_dict()` leave out."""

    architecture: list[Tensor]

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Takes the architecture along to devices and types; an optimiser that holds it keeps it."""
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        for tensor in self.architecture:
            tensor.data = fn(tensor.data)
        return self


def new_architecture(*shape: int) -> Tensor:
    """A leaf of small normal numbers, as all these methods begin with: almost even, with no ties."""
    return (1e-3 * torch.randn(shape)).requires_grad_()
