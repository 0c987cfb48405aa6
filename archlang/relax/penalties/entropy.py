"""A penalty for indecision."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from archlang.relax.engine import Tensor, Tensors
from archlang.relax.penalties.penalty import Penalty
from archlang.relax.settings import Schedule, as_schedule

if TYPE_CHECKING:
    from archlang.relax.session import Session

LEAST = 1e-12  # added to what a logarithm is taken of


@attrs.frozen(kw_only=True)
class Entropy(Penalty):
    """The loss plus weight times the mean entropy (in nats) of the decisions, each over the probabilities of its
    alternatives, divided by their sum; a negative weight keeps decisions open. The weight may change over the
    training."""

    weight: Schedule = attrs.field(default=as_schedule(0.01), converter=as_schedule)

    def add(self, loss: Tensor, session: Session) -> Tensor:
        tensors = session.engine.tensors
        found = [entropy(p / tensors.sum(p), tensors) for p in session.probabilities()]
        if not found:
            return loss
        return loss + self.weight.at(session.progress) / len(found) * tensors.sum(tensors.stack(found))


def entropy(p: Tensor, tensors: Tensors) -> Tensor:
    """The entropy of probabilities in nats."""
    return -tensors.sum(p * tensors.log(p + LEAST))
