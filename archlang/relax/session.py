"""One training of a supernet by a method, as its parts see it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import TYPE_CHECKING, Any

import attrs

from archlang.relax.engine import Batch, Draw, Engine, Moment, Tensor
from archlang.relax.mixtures.mixture import Mixture
from archlang.relax.questions import Question
from archlang.space.space import Space

if TYPE_CHECKING:
    from archlang.relax.method import Method


@attrs.define(eq=False)
class Session:
    """`progress` is the share of the training that is done, `rate` the learning rate of the weights now.
    `random` is for whatever draws without the engine. `notes` are what parts go on from, by the part's name:
    plain data, which a checkpoint holds; `known` what they worked out, and can again."""

    method: Method
    space: Space
    engine: Engine
    questions: Sequence[Question]
    random: Random
    progress: float = 0.0
    rate: float = 0.0
    notes: dict[str, Any] = attrs.field(factory=dict)
    known: dict[str, Any] = attrs.field(factory=dict)

    def draw(self, of_weights: bool) -> Draw:
        """Weights of the mixture for one forward pass."""
        mixture = self.method.sampler
        assert isinstance(mixture, Mixture)
        moment = Moment(self.progress, of_weights)
        return mixture.draw(self.engine.parameters, self.questions, self.engine.tensors, moment)

    def loss(self, batch: Batch) -> Callable[[], Tensor]:
        """The loss of the mixture on a batch, as the weights are trained by it."""
        return lambda: self.engine.loss(batch, self.draw(of_weights=True))

    def objective(self, batch: Batch) -> Callable[[], Tensor]:
        """What the parameters of the mixture are trained by: the loss on a batch, with all penalties."""

        def objective() -> Tensor:
            drawn = self.draw(of_weights=False)
            total = self.engine.loss(batch, drawn)
            for penalty in self.method.penalties:
                total = penalty.add(total, self)
            return total

        return objective

    def train_weights(self, batch: Batch) -> float:
        """A step of the weights on a batch; the loss before it."""
        self.engine.clear(weights=True)
        loss: float = self.method.sampler.add_weight_gradients(self, batch)
        self.engine.step_weights(self.rate)
        return loss
