"""Steps on one level."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from archlang.relax.engine import Batch
from archlang.relax.updates.update import Update

if TYPE_CHECKING:
    from archlang.relax.session import Session


@attrs.frozen(kw_only=True)
class Joint(Update):
    """One draw of the mixture on one training batch moves the weights and the architecture (SNAS, Xie et al.
    2019). The loss that a step gives is with penalties."""

    uses_validation = False

    def step(self, session: Session, train: Batch, validation: Batch) -> float:
        engine = session.engine
        engine.clear(weights=True, parameters=True)
        loss = engine.add_gradients(session.objective(train), weights=True, parameters=True)
        engine.step_weights(session.rate)
        session.step_parameters()
        return loss
