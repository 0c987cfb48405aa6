"""What all samplers of single paths have in common."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import attrs
import numpy as np

from archlang.backend import Array
from archlang.relax.engine import Batch
from archlang.relax.questions import Question
from archlang.space.choices import Choices

if TYPE_CHECKING:
    from archlang.relax.session import Session


@attrs.frozen(kw_only=True)
class Paths:
    """Runs some programs through the supernet in each step, one after the other. Nothing is mixed, so that
    there are no parameters, and so that results whose type is chosen are no hindrance."""

    def parameters(self, questions: Sequence[Question], random: np.random.Generator) -> dict[str, Array]:
        """None."""
        return {}

    def programs(self, session: Session) -> Sequence[Choices]:
        """The programs of one step, drawn with the session's `random`."""
        raise NotImplementedError

    def add_weight_gradients(self, session: Session, batch: Batch) -> float:
        """Add the gradients of the loss of each program of a step; the mean of the losses."""
        engine = session.engine
        losses = [
            engine.add_gradients(partial(engine.loss, batch, choices), weights=True)
            for choices in self.programs(session)
        ]
        return sum(losses) / len(losses)
