"""Alternatives that do not compete."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from archlang.relax.engine import Moment, Tensor, Tensors
from archlang.relax.mixtures.mixture import Mixture


@attrs.frozen(kw_only=True)
class Sigmoid(Mixture):
    """Every alternative counts by the sigmoid of its logit, whatever the others do (FairDARTS, Chu et al. 2020).
    `probabilities` are these weights; they do not sum to one."""

    def weigh(self, logits: Tensor, tensors: Tensors, moment: Moment) -> tuple[Tensor, Sequence[int] | None]:
        return tensors.sigmoid(logits), None

    def probabilities(self, logits: Tensor, tensors: Tensors) -> Tensor:
        return tensors.sigmoid(logits)
