"""Steps of a searcher between those of the weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
from attrs.validators import ge

from archlang.relax.engine import Batch
from archlang.relax.paths.controlled import Controlled
from archlang.relax.updates.update import Update

if TYPE_CHECKING:
    from archlang.relax.session import Session


@attrs.frozen(kw_only=True)
class Reinforce(Update):
    """A step of the weights on a program of the searcher's, then `programs` of its proposals are evaluated on
    a batch of validation data, which it learns from (Pham et al. 2018, section 2.2). The sampler is
    `Controlled`. The paper has an epoch of the former before some of the latter."""

    programs: int = attrs.field(default=1, validator=ge(1))

    def step(self, session: Session, train: Batch, validation: Batch) -> float:
        sampler = session.method.sampler
        assert isinstance(sampler, Controlled)
        loss = session.train_weights(train)
        for _ in range(self.programs):
            sampler.learn(session, validation)
        return loss
