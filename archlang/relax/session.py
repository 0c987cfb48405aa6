"""One training of a supernet by a method, as its parts see it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import TYPE_CHECKING

import attrs

from archlang.relax.engine import Batch, Draw, Engine, Moment, Tensor
from archlang.relax.feeding import Feeding
from archlang.relax.mixtures.mixture import Mixture
from archlang.relax.questions import Question
from archlang.space.space import Space

if TYPE_CHECKING:
    from archlang.relax.method import Method


@attrs.define(eq=False)
class Session:
    """`progress` is the share of the training that is done, `rate` the learning rate of the weights now.
    `random` is for whatever draws without the engine; it begins anew with every epoch."""

    method: Method
    space: Space
    engine: Engine
    questions: Sequence[Question]
    random: Random
    feeding: Feeding
    progress: float = 0.0
    rate: float = 0.0

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

    def train_epoch(self, number: int, told: Callable[[int, float], None] = lambda step, loss: None) -> float:
        """One epoch, of the weights alone as long as the method says so; the mean loss of its steps."""
        method = self.method
        self.rate = method.weights.rate(number / method.epochs)
        self.random = Random(f"{self.feeding.seed}/{number}")
        losses = []
        for step, (train, validation) in enumerate(self.feeding.epoch(number)):
            self.progress = (number + step / self.feeding.steps) / method.epochs
            if number >= method.architecture_from * method.epochs:
                losses.append(method.update.step(self, train, validation))
            else:
                losses.append(self.train_weights(train))
            told(step + 1, losses[-1])
        self.progress = (number + 1) / method.epochs
        return sum(losses) / len(losses)

    def measure(self) -> dict[str, float]:
        """What the mixture measures on the validation samples; nothing where single paths are trained."""
        if not isinstance(self.method.sampler, Mixture):
            return {}
        return self.engine.measure(self.feeding.measuring(), self.draw(of_weights=False))

    def likelihoods(self) -> dict[str, list[float]]:
        """How likely each pick of each mixed decision is, by its name."""
        mixture, tensors = self.method.sampler, self.engine.tensors
        if not isinstance(mixture, Mixture):
            return {}
        found = {}
        for question in self.questions:
            shares = mixture.likelihoods(self.engine.parameters, question, tensors)
            if shares is not None:
                found[question.name] = tensors.numbers(shares)
        return found

    def train_weights(self, batch: Batch) -> float:
        """A step of the weights on a batch; the loss before it."""
        self.engine.clear(weights=True)
        loss: float = self.method.sampler.add_weight_gradients(self, batch)
        self.engine.step_weights(self.rate)
        return loss
