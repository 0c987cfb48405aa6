"""One level, with two networks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import attrs
from attrs.validators import ge, gt

from archlang.relax.engine import Batch, Tensor
from archlang.relax.updates.update import Update

if TYPE_CHECKING:
    from archlang.relax.session import Session


@attrs.frozen(kw_only=True)
class Rarts(Update):
    """Two sets of weights, w and v, of one architecture a go down the slope of L_val(v, a) + share * L_train(w, a)
    + pull / 2 * |v - w|^2, one after the other: w, then v, then a (RARTS, Xue, Qi and Xin 2022).

    w has the training data and v those for validation, so that the architecture learns from both and nothing
    is derived through a step of the weights. Each set has its own batch statistics and momentum; that of the
    engine is w. The architecture's penalties are added to L_val.
    """

    share: float = attrs.field(default=1.0, validator=gt(0))
    pull: float = attrs.field(default=0.1, validator=ge(0))

    def step(self, session: Session, train: Batch, validation: Batch) -> float:
        engine = session.engine

        def shared(of_weights: bool) -> Tensor:
            return self.share * engine.loss(train, session.draw(of_weights))

        loss = self._step_weights(session, lambda: shared(of_weights=True)) / self.share
        engine.exchange()
        self._step_weights(session, session.loss(validation))
        engine.clear(parameters=True)
        engine.add_gradients(session.objective(validation), parameters=True)
        engine.exchange()
        engine.add_gradients(lambda: shared(of_weights=False), parameters=True)
        session.step_parameters()
        return loss

    def _step_weights(self, session: Session, loss: Callable[[], Tensor]) -> float:
        engine = session.engine
        engine.clear(weights=True)
        value = engine.add_gradients(loss, weights=True)
        engine.pull(self.pull)
        engine.step_weights(session.rate)
        return value
