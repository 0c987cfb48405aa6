"""Weights from Dirichlet distributions."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from archlang.relax.engine import Moment, Tensor, Tensors
from archlang.relax.mixtures.mixture import Mixture

LEAST = 1e-6  # kept of a concentration that vanishes when it is rounded, which no distribution has


def concentration(logits: Tensor, tensors: Tensors) -> Tensor:
    """The concentration of the distribution over weights: elu(logits) + 1."""
    return tensors.elu(logits) + (1 + LEAST)


@attrs.frozen(kw_only=True)
class Dirichlet(Mixture):
    """Weights drawn from a Dirichlet distribution, with gradients to its concentration (DrNAS, Chen et al. 2021).
    Alternatives are as likely as the softmax of the logits says, as in the authors' code."""

    def weigh(self, logits: Tensor, tensors: Tensors, moment: Moment) -> tuple[Tensor, Sequence[int] | None]:
        return tensors.dirichlet(concentration(logits, tensors)), None
