"""What an update does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from archlang.relax.engine import Batch

if TYPE_CHECKING:
    from archlang.relax.session import Session


@attrs.frozen(kw_only=True)
class Update:
    """How one batch for the weights and one for the architecture train a supernet."""

    uses_validation = True  # whether the architecture is trained on data of its own

    def step(self, session: Session, train: Batch, validation: Batch) -> float:
        """One step; the loss on the batch for the weights. Without the architecture (as long as only the
        weights are trained) `session.train_weights` is all there is."""
        raise NotImplementedError
