"""A penalty for weights far from zero and one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
from attrs.validators import ge, in_

from archlang.relax.engine import Tensor
from archlang.relax.penalties.penalty import Penalty

if TYPE_CHECKING:
    from archlang.relax.session import Session


@attrs.frozen(kw_only=True)
class ZeroOne(Penalty):
    """The loss less weight times the mean squared (`power` 2; or absolute, 1) distance of all alternatives'
    probabilities from one half: the zero-one loss of FairDARTS (Chu et al. 2020; weight and powers are those of
    the authors' code)."""

    weight: float = attrs.field(default=10.0, validator=ge(0))
    power: int = attrs.field(default=2, validator=in_((1, 2)))

    def add(self, loss: Tensor, session: Session) -> Tensor:
        tensors = session.engine.tensors
        found = session.probabilities()
        if not found:
            return loss
        distances = [tensors.sum(abs(p - 0.5) ** self.power) for p in found]
        return loss - self.weight / sum(p.shape[0] for p in found) * tensors.sum(tensors.stack(distances))
