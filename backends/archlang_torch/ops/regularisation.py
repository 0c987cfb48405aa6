"""Ops that act in training only."""

import torch.nn.functional as F
from torch import Tensor

from archlang_torch.lowering import function


@function("dropout")
def dropout(x: Tensor, *, rate: float = 0.5, training: bool) -> Tensor:
    return F.dropout(x, rate, training)


@function("drop_path")
def drop_path(x: Tensor, *, rate: float = 0.0, training: bool) -> Tensor:
    """Zeroes whole samples with probability `rate` in training, scaling up the others."""
    if not training or rate == 0:
        return x
    kept = x.new_empty((x.shape[0],) + (1,) * (x.ndim - 1)).bernoulli_(1 - rate)
    return x * kept / max(1 - rate, 1e-12)
