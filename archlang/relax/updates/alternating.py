"""First-order alternating steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from archlang.relax.engine import Batch
from archlang.relax.updates.update import Update

if TYPE_CHECKING:
    from archlang.relax.session import Session


@attrs.frozen(kw_only=True)
class Alternating(Update):
    """A step of the architecture on validation data, as if the weights were the best for it, and one of the
    weights (Liu et al. 2019, section 2.3, xi = 0). `weights_first` takes them in the other order (GDAS). The
    architecture is trained in the last of every `interval` steps (Cai et al. 2019 take 5)."""

    weights_first: bool = False
    interval: int = attrs.field(default=1, validator=attrs.validators.ge(1))

    def step(self, session: Session, train: Batch, validation: Batch) -> float:
        if self.weights_first:
            loss = session.train_weights(train)
            self._train_architecture(session, train, validation)
            return loss
        self._train_architecture(session, train, validation)
        return session.train_weights(train)

    def _train_architecture(self, session: Session, train: Batch, validation: Batch) -> None:
        if (session.steps + 1) % self.interval:
            return
        engine = session.engine
        engine.clear(parameters=True)
        self._add_gradients(session, train, validation)
        session.step_parameters()

    def _add_gradients(self, session: Session, train: Batch, validation: Batch) -> None:
        session.engine.add_gradients(session.objective(validation), parameters=True)
