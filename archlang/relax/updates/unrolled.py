"""Second-order steps of the architecture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from archlang.relax.engine import Batch
from archlang.relax.updates.alternating import Alternating

if TYPE_CHECKING:
    from archlang.relax.session import Session


@attrs.frozen(kw_only=True)
class Unrolled(Alternating):
    """The architecture's gradient through one step of the weights (Liu et al. 2019, equations 7 and 8): the
    mixed derivative by finite differences of width `reach` over the norm of the weights' gradient."""

    reach: float = 1e-2

    def _add_gradients(self, session: Session, train: Batch, validation: Batch) -> None:
        engine = session.engine
        kept = engine.snapshot()
        engine.clear(weights=True)
        engine.add_gradients(session.loss(train), weights=True)
        engine.look_ahead(session.rate)
        engine.clear(weights=True)
        engine.add_gradients(session.objective(validation), weights=True, parameters=True)
        direction = engine.weight_gradients()
        gradients = engine.parameter_gradients()
        engine.restore(kept)
        step = self.reach / max(engine.norm(direction), 1e-12)
        sides = []
        for scale in (step, -2 * step):
            engine.move_weights(direction, scale)
            engine.clear(weights=True, parameters=True)
            engine.add_gradients(session.loss(train), parameters=True)
            sides.append(engine.parameter_gradients())
        engine.restore(kept)
        ahead, behind = sides
        for name, gradient in gradients.items():
            if gradient is not None:
                gradients[name] = gradient - session.rate * (ahead[name] - behind[name]) / (2 * step)
        engine.set_parameter_gradients(gradients)
