"""The sandwich rule."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import attrs
from attrs.validators import ge

from archlang.relax.engine import Batch, Tensor
from archlang.relax.paths.extremes import extremes
from archlang.relax.paths.paths import Paths
from archlang.space.choices import Choices

if TYPE_CHECKING:
    from archlang.relax.session import Session


@attrs.frozen(kw_only=True)
class Sandwich(Paths):
    """The largest program, `random` ones drawn evenly by decisions, and the smallest in each step (Yu and Huang
    2019, "Universally slimmable networks"; Yu et al. 2020, "BigNAS"). The largest is trained by the labels,
    the others by what the largest gave for the same batch (distillation in place, with soft targets); the
    weights take one step with the sum of all gradients.

    Programs are compared by multiply-adds, of equal ones by parameters.
    """

    random: int = attrs.field(default=2, validator=ge(0))

    def programs(self, session: Session) -> Sequence[Choices]:
        """The largest first, the smallest last."""
        smallest, largest = extremes(session)
        return [largest, *[session.space.draw(session.random) for _ in range(self.random)], smallest]

    def add_weight_gradients(self, session: Session, batch: Batch) -> float:
        """Add the gradients of one step; the loss of the largest program."""
        engine = session.engine
        largest, *others = self.programs(session)
        teacher: Tensor = None

        def of_labels() -> Tensor:
            nonlocal teacher
            loss, teacher = engine.loss_and_outputs(batch, largest)
            return loss

        found = engine.add_gradients(of_labels, weights=True)
        for choices in others:
            engine.add_gradients(partial(engine.loss, batch, choices, teacher), weights=True)
        return found
