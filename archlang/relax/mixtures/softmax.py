"""The continuous relaxation of DARTS."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from archlang.relax.engine import Moment, Tensor, Tensors
from archlang.relax.mixtures.mixture import Mixture


@attrs.frozen(kw_only=True)
class Softmax(Mixture):
    """Every alternative counts by the softmax of the logits (Liu et al. 2019, equation 2)."""

    def weigh(self, logits: Tensor, tensors: Tensors, moment: Moment) -> tuple[Tensor, Sequence[int] | None]:
        return tensors.softmax(logits), None
