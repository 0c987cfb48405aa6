"""A penalty for concentrations far from even."""

from __future__ import annotations

from math import lgamma
from typing import TYPE_CHECKING

import attrs
from attrs.validators import ge, in_

from archlang.relax.engine import Tensor, Tensors
from archlang.relax.mixtures.dirichlet import concentration
from archlang.relax.penalties.penalty import Penalty

if TYPE_CHECKING:
    from archlang.relax.session import Session


@attrs.frozen(kw_only=True)
class Concentration(Penalty):
    """The loss plus weight times the distance of the Dirichlet distributions from the even one, whose
    concentration is one (DrNAS, Chen et al. 2021).

    The distance is, summed over decisions, half the squared norm of the logits ("l2": as the authors' decay of
    that rate, which `ArchitectureSettings.decay` would be added to), or the divergence ("kl") of the
    distribution from the even one.
    """

    weight: float = attrs.field(default=1e-3, validator=ge(0))
    distance: str = attrs.field(default="l2", validator=in_(("l2", "kl")))

    def add(self, loss: Tensor, session: Session) -> Tensor:
        tensors = session.engine.tensors
        parts = []
        for question in session.questions:
            if question.by_pick:
                logits = session.engine.parameters[question.name]
                squared = self.distance == "l2"
                parts.append(tensors.sum(logits * logits) / 2 if squared else divergence(logits, tensors))
        return loss + self.weight * tensors.sum(tensors.stack(parts)) if parts else loss


def divergence(logits: Tensor, tensors: Tensors) -> Tensor:
    """The Kullback-Leibler divergence of a Dirichlet distribution from the even one."""
    each = concentration(logits, tensors)
    total = tensors.sum(each)
    apart = tensors.sum((each - 1) * (tensors.digamma(each) - tensors.digamma(total)))
    return tensors.lgamma(total) - tensors.sum(tensors.lgamma(each)) - lgamma(each.shape[0]) + apart
