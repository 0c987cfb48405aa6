"""A constraint on the expected cost, by projection."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
from attrs.validators import ge, gt, optional

from archlang.relax.penalties.penalty import Penalty

if TYPE_CHECKING:
    from archlang.relax.session import Session

REACH = 1.0  # the farthest that one iteration moves the parameters: beyond, a gradient says little


@attrs.frozen(kw_only=True)
class Projection(Penalty):
    """After each step, parameters under which the expected value E of a cost is above a limit are moved to where
    it is not (RC-DARTS, Jin et al. 2019: iterative projection).

    An iteration goes to the nearest point where E would be at the limit if it were linear: against the gradient
    of E, by its excess over the gradient's norm. For the small excess that one step makes this is the
    projection; after a long way it is a feasible point, if not the nearest. It stops within the `tolerance` (a
    share of the limit) or after so many `iterations`: a limit that no parameters meet is approached. The limit
    is, by default, what programs cost on average.
    """

    cost: str = "macs"
    limit: float | None = attrs.field(default=None, validator=optional(gt(0)))
    iterations: int = attrs.field(default=20, validator=ge(1))
    tolerance: float = attrs.field(default=1e-3, validator=ge(0))

    def after_step(self, session: Session) -> None:
        engine, tensors = session.engine, session.engine.tensors
        limit = max(self.limit or session.average(self.cost), 1e-12)
        for _ in range(self.iterations):
            engine.clear(parameters=True)
            excess = engine.add_gradients(lambda: session.expected(self.cost) / limit - 1, parameters=True)
            slopes = {name: slope for name, slope in engine.parameter_gradients().items() if slope is not None}
            norm = sum(sum(number**2 for number in tensors.numbers(slope)) for slope in slopes.values()) ** 0.5
            if excess <= self.tolerance or norm < 1e-9:
                break
            step = min(excess / norm, REACH) / norm
            moved = {name: tensors.stop(engine.parameters[name]) - step * slope for name, slope in slopes.items()}
            engine.set_parameters(moved)
        engine.clear(parameters=True)
