"""Training of the weights alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from archlang.relax.engine import Batch
from archlang.relax.updates.update import Update

if TYPE_CHECKING:
    from archlang.relax.session import Session


@attrs.frozen(kw_only=True)
class WeightsOnly(Update):
    """A step of the weights; the architecture is left to the selection (Guo et al. 2020, "Single path one-shot")."""

    uses_validation = False

    def step(self, session: Session, train: Batch, validation: Batch) -> float:
        return session.train_weights(train)
