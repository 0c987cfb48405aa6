"""One training of a supernet by a method, as its parts see it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import TYPE_CHECKING, Any

import attrs

from archlang.relax.engine import Batch, Draw, Engine, Moment, Tensor
from archlang.relax.expectation import Expectation, chances, evenly
from archlang.relax.feeding import Feeding
from archlang.relax.mixtures.mixture import Mixture
from archlang.relax.questions import Question
from archlang.space.space import Space

if TYPE_CHECKING:
    from archlang.relax.method import Method


@attrs.define(eq=False)
class Session:
    """`progress` is the share of the training that is done, `steps` the steps, `rate` the learning rate of the
    weights now.
    `random` is for whatever draws without the engine; it begins anew with every epoch. `derived` is the space
    of the programs that are wanted, which are those of `space` but for how they are written there (see
    `supernet_space`). `decided` has, by variable, the positions of picks that are settled: of these decisions
    nothing else runs any more. `drawn` is the last draw for the architecture; `notes` are what
    parts go on from, by the part's name: plain data, which a checkpoint holds; `known` what they worked out, and
    can again. `stepped` is told the number and loss of a step of training; `selecting` how far a selection has
    come, whenever it could go on from the engine's state and the notes as they are then."""

    method: Method
    space: Space
    engine: Engine
    questions: Sequence[Question]
    random: Random
    feeding: Feeding
    progress: float = 0.0
    steps: int = 0
    rate: float = 0.0
    derived: Space = attrs.field(default=attrs.Factory(lambda session: session.space, takes_self=True))
    decided: dict[int, int] = attrs.field(factory=dict)
    drawn: Draw = attrs.field(factory=lambda: Draw({}), init=False)
    notes: dict[str, Any] = attrs.field(factory=dict)
    known: dict[str, Any] = attrs.field(factory=dict)
    stepped: Callable[[int, float], None] = lambda step, loss: None
    selecting: Callable[[str], None] = lambda done: None
    _expectations: dict[str, Expectation] = attrs.field(factory=dict, init=False, repr=False)
    _averages: dict[str, float] = attrs.field(factory=dict, init=False, repr=False)

    @property
    def mixture(self) -> Mixture:
        """The sampler of a method that has a mixture."""
        mixture = self.method.sampler
        assert isinstance(mixture, Mixture)
        return mixture

    def draw(self, of_weights: bool) -> Draw:
        """Weights of the mixture for one forward pass."""
        moment = Moment(self.progress, of_weights)
        found = self.mixture.draw(self.engine.parameters, self.questions, self.engine.tensors, moment)
        found = self.settled(found)
        if not of_weights:
            self.drawn = found
        return found

    def settled(self, draw: Draw) -> Draw:
        """The draw with the picks that are decided, at weight one."""
        if not self.decided:
            return draw
        weights, active = dict(draw.weights), dict(draw.active)
        for question in self.questions:
            position = self.decided.get(question.variable)
            if position is not None:
                alone = [float(other == position) for other in range(question.picks)]
                weights[question.variable, False] = self.engine.tensors.constant(alone)
                active[question.variable] = (position,)
        return Draw(weights, active, draw.ghosts)

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

    def train_epoch(self, number: int, rate: float | None = None) -> float:
        """One epoch, of the weights alone as long as the method says so; the mean loss of its steps. Epochs after
        the last of the method have a `rate` of their own."""
        method = self.method
        self.rate = method.weights.rate(number / method.epochs) if rate is None else rate
        self.random = Random(f"{self.feeding.seed}/{number}")
        losses = []
        for step, (train, validation) in enumerate(self.feeding.epoch(number)):
            self.progress = min((number + step / self.feeding.steps) / method.epochs, 1.0)
            self.steps = number * self.feeding.steps + step
            if number >= method.architecture_from * method.epochs:
                losses.append(method.update.step(self, train, validation))
            else:
                losses.append(self.train_weights(train))
            self.stepped(step + 1, losses[-1])
        self.progress = min((number + 1) / method.epochs, 1.0)
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

    def step_parameters(self) -> None:
        """A step of the parameters of the mixture, by the gradients that are kept."""
        self.mixture.step_parameters(self)
        for penalty in self.method.penalties:
            penalty.after_step(self)

    def probabilities(self) -> list[Tensor]:
        """How likely the alternatives of each decision are by what has been learnt, a null among them."""
        parameters, tensors = self.engine.parameters, self.engine.tensors
        asked = [question for question in self.questions if question.by_pick]
        return [self.mixture.probabilities(parameters[question.name], tensors) for question in asked]

    # ------------------------------------------------------------------ costs

    def expected(self, cost: str, drawn: Draw | None = None) -> Tensor:
        """The expected cost of the program that the mixture stands for; see `Expectation` and `chances`."""
        expectation, engine = self._expectation(cost), self.engine
        likely = chances(self.mixture, engine.parameters, self.questions, expectation.sizes, engine.tensors, drawn)
        return expectation.value(likely, engine.tensors)

    def average(self, cost: str) -> float:
        """The expected cost of a program when every decision is drawn evenly."""
        if cost not in self._averages:
            expectation, tensors = self._expectation(cost), self.engine.tensors
            even = evenly(self.questions, expectation.sizes, tensors)
            (self._averages[cost],) = tensors.numbers(tensors.stack([expectation.value(even, tensors)]))
        return self._averages[cost]

    def _expectation(self, cost: str) -> Expectation:
        if cost not in self._expectations:
            self._expectations[cost] = Expectation(self.space, cost)
        return self._expectations[cost]

    # ---------------------------------------------------------------- weights

    def train_weights(self, batch: Batch) -> float:
        """A step of the weights on a batch; the loss before it."""
        self.engine.clear(weights=True)
        loss: float = self.method.sampler.add_weight_gradients(self, batch)
        self.engine.step_weights(self.rate)
        return loss
