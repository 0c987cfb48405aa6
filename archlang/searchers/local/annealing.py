"""Simulated annealing."""

from __future__ import annotations

import math
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any

import attrs
from attrs.validators import ge, gt, in_

from archlang.searchers.base import Searcher, Told
from archlang.searchers.local.scalar import Scalar
from archlang.searchers.mutants import mutant
from archlang.searchers.objectives import INFEASIBLE, Scores
from archlang.searchers.unseen import Unseen

if TYPE_CHECKING:
    from archlang.space import Choices


@attrs.frozen(kw_only=True)
class AnnealingSettings:
    """`initial`: how many programs are drawn to begin with; the best is where the walk starts, and their
    spread (standard deviation of the scores) is the unit of temperature. `hot`, `cold`: the temperatures
    at the start and at the end of a cooling. `cooling`: `geometric` or `linear`. `steps`: how many
    programs a cooling proposes; after it the walk restarts, hot, from the best program. `dedupe`: propose
    no program twice (and stop when a finite space is used up)."""

    initial: int = attrs.field(default=10, validator=ge(1))
    hot: float = attrs.field(default=0.2, validator=gt(0))
    cold: float = attrs.field(default=0.01, validator=gt(0))
    cooling: str = attrs.field(default="geometric", validator=in_(("geometric", "linear")))
    steps: int = attrs.field(default=100, validator=ge(1))
    dedupe: bool = True

    def temperature(self, step: int) -> float:
        """The temperature of a step of a cooling, `hot` at 0 and `cold` at `steps` - 1."""
        share = step / max(1, self.steps - 1)
        if self.cooling == "linear":
            return self.hot + (self.cold - self.hot) * share
        return float(self.hot * (self.cold / self.hot) ** share)


class Annealing(Searcher):
    """Metropolis walk at a falling temperature (Kirkpatrick, Gelatt and Vecchi 1983, "Optimization by
    simulated annealing").

    A mutated program becomes the current one when it is better, and by the chance
    exp(-(loss of score) / temperature) when it is worse. With `dedupe` the walk goes through programs whose
    scores are known without proposing them again. Several objectives are added up by weights that are drawn
    anew at each restart (`Scalar`).
    """

    name = "annealing"
    Settings = AnnealingSettings

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self._unseen = Unseen(self.space)
        self._scalar = Scalar(len(self.objectives))
        self._told = self._walked = 0
        self._known: dict[Choices, Scores] = {}
        self._first: list[Scores] = []  # the scores that say what a unit of temperature is
        self._bearable: dict[Choices, float] = {}  # with what loss a proposal will be accepted
        self._current: Told | None = None
        self._best: Told | None = None

    def observe(self, choices: Choices, scores: Scores | None) -> None:
        self._unseen.add(choices)
        self._told += 1
        bearable = self._bearable.pop(choices, 0.0)
        if scores is None:
            return
        self._scalar.see(scores)
        self._known[choices] = scores
        if len(self._first) < self.settings.initial and scores[0] > INFEASIBLE:
            self._first.append(scores)
        if self._best is None or self._loss(self._best[1], scores) < 0:
            self._best = (choices, scores)
        if self._current is None or self._loss(self._current[1], scores) <= bearable:
            self._current = (choices, scores)

    def propose(self, random: Random) -> Choices:
        settings = self.settings
        # What was told of programs that another searcher asked for counts too.
        if max(self.asked, self._told) < settings.initial or self._current is None or self._best is None:
            draw = partial(self.space.draw, random)
            return self._unseen.find(draw, random) if settings.dedupe else draw()
        walk = self._current
        step = self._walked % settings.steps
        if not step and self._walked:
            self._scalar.turn(random)
            walk = self._best
        scale = settings.temperature(step) * self._spread()

        def walked() -> Choices:
            nonlocal walk
            choices = mutant(self.space, walk[0], random)
            known = self._known.get(choices) if settings.dedupe else None
            if known is not None and self._loss(walk[1], known) <= _borne(scale, random):
                walk = (choices, known)
            return choices

        choices = self._unseen.find(walked, random) if settings.dedupe else walked()
        self._current = walk
        self._walked += 1
        self._bearable[choices] = _borne(scale, random)
        return choices

    def _loss(self, before: Scores, after: Scores) -> float:
        return self._scalar(before) - self._scalar(after)

    def _spread(self) -> float:
        values = list(map(self._scalar, self._first))
        middle = sum(values) / max(1, len(values))
        return math.hypot(*(value - middle for value in values)) / math.sqrt(max(1, len(values)))


def _borne(scale: float, random: Random) -> float:
    """The greatest loss that is accepted: one of `loss` by the chance exp(-loss / scale)."""
    return -math.log(1.0 - random.random()) * scale
