"""Integer programming: the exact optimum of what adds up over decisions, known or learned."""

from __future__ import annotations

from fractions import Fraction
from random import Random
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
from attrs.validators import ge, gt

from archlang.cost import ADDITIVE
from archlang.diagnostics import ArchError, error
from archlang.searchers.base import Exhausted, Searcher
from archlang.searchers.objectives import INFEASIBLE, Scores

if TYPE_CHECKING:
    from archlang.space import Choices

Array = np.ndarray[Any, Any]
DRAWS = 1_000  # programs that say how far a known cost varies
REPEATS = 8  # draws of decisions of any value, until a program is new
STEPS = 2**24  # of a score of 1: the model is rounded to these


@attrs.frozen(kw_only=True)
class IntegerProgrammingSettings:
    """`start`: how many programs are asked before the model is fitted. `candidates`: how many are drawn
    for each of these, of which the one is asked that the model would learn most from. `ridge`: how
    strongly scores of picks are held near 0. `weights`: one for each objective, where there are several
    (all 1 by default); scores are compared in their standard deviations."""

    start: int = attrs.field(default=20, validator=ge(0))
    candidates: int = attrs.field(default=16, validator=ge(1))
    ridge: float = attrs.field(default=1.0, validator=gt(0))
    weights: tuple[float, ...] = ()


class IntegerProgramming(Searcher):
    """The best program of an additive model that was not asked yet, as an integer program solved exactly
    under all requirements of the space.

    An objective that is an additive cost of the space is known: if all are, and nothing else is
    constrained, the programs come from the best on. Others are learned: a score for each pick of
    each decision, fitted by ridge regression to what was told (as HAO, Li et al. 2021, "Searching for
    efficient neural networks with hardware-aware optimization", fits them by measurements of blocks; and
    Molchanov et al. 2022, LANA). The first programs are chosen, among some drawn, for the greatest
    variance of their prediction: one after the other that makes the determinant of the model's
    information largest (a D-optimal design).

    ArchError (E0504) for a space that is not evaluated as a whole, (E0919) without SciPy under budgets.
    """

    name = "milp"
    Settings = IntegerProgrammingSettings

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        known = {*ADDITIVE, *self.space.tables} if not self.constraints.limits else set()
        self._weights = self.settings.weights or (1.0,) * len(self.objectives)
        if len(self._weights) != len(self.objectives):
            what = f"`weights` are {len(self._weights)} numbers, for {len(self.objectives)} objectives"
            raise ArchError(error("E0903", what, hints=["give one weight for each objective"]))
        self._learned = [number for number, each in enumerate(self.objectives) if each.metric not in known]
        goal: dict[str, float] = {}
        for number, objective in enumerate(self.objectives):
            if number not in self._learned:
                weight = self._weights[number] / self._spread(objective.metric)
                goal[objective.metric] = goal.get(objective.metric, 0.0) + objective.score(weight)
        self._ranking = self.space.ranking(maximize=goal)
        sizes = self._ranking.sizes
        self._starts = np.concatenate([[0], np.cumsum(sizes)]).tolist()
        self._seen: set[Choices] = set()
        self._asked_rows: list[Array] = []
        self._told: list[tuple[Array, Scores]] = []
        self._model: list[list[Fraction]] | None = None

    def _spread(self, metric: str) -> float:
        if len(self.objectives) == 1:
            return 1.0
        return float(np.std(self.space.costs(self.space.sample_many(DRAWS))[metric])) or 1.0

    def propose(self, random: Random) -> Choices:
        designed = self._learned and (self.asked < self.settings.start or not self._told)
        choices = self._most_telling(random) if designed else None
        if choices is None:
            choices = self._best(random)
        self._take(choices)
        self._asked_rows.append(self._row(choices))
        return choices

    def observe(self, choices: Choices, scores: Scores | None) -> None:
        self._take(choices)
        if scores is not None:
            self._told.append((self._row(choices), scores))
            self._model = None

    def _take(self, choices: Choices) -> None:
        if choices not in self._seen:
            self._seen.add(choices)
            if not self._ranking.open_ended(choices):
                self._ranking.exclude(choices)

    def _best(self, random: Random) -> Choices:
        if self._model is None and self._learned and self._told:
            self._model = self._fitted()
        found = None
        for _ in range(REPEATS):
            found = self._ranking.best(self._model, random)
            if found is None:
                raise Exhausted
            if found.choices not in self._seen:
                break
        assert found is not None
        return found.choices

    # ------------------------------------------------------------------ the model

    def _row(self, choices: Choices) -> Array:
        """A program as numbers: 1 for each pick that it makes."""
        row = np.zeros(self._starts[-1])
        for place, pick in self._ranking.positions(choices).items():
            row[self._starts[place] + pick] = 1.0
        return row

    def _most_telling(self, random: Random) -> Choices | None:
        """Of some new programs the one whose prediction is least certain; None where no draw is new."""
        drawn = [self.space.draw(random) for _ in range(self.settings.candidates)]
        new = [choices for choices in dict.fromkeys(drawn) if choices not in self._seen]
        if not new:
            return None
        rows = np.array([self._row(choices) for choices in new])
        variances = (rows * rows).sum(axis=1)
        if self._asked_rows:
            asked = np.array(self._asked_rows)
            shared = rows @ asked.T
            known = asked @ asked.T + self.settings.ridge * np.eye(len(asked))
            variances = variances - (shared * np.linalg.solve(known, shared.T).T).sum(axis=1)
        return new[int(np.argmax(variances.round(9)))]

    def _fitted(self) -> list[list[Fraction]]:
        """What each pick of each decision scores: by ridge regression of the weighted scores told."""
        rows = np.array([row for row, _ in self._told])
        wanted = np.zeros(len(rows))
        for number in self._learned:
            scores = np.array([scores[number] for _, scores in self._told])
            wanted += self._weights[number] * _standard(scores)
        wanted -= wanted.mean()
        dual = np.linalg.solve(rows @ rows.T + self.settings.ridge * np.eye(len(rows)), wanted)
        scores = rows.T @ dual
        found = [Fraction(round(score * STEPS), STEPS) for score in scores.tolist()]
        return [found[start:end] for start, end in zip(self._starts, self._starts[1:], strict=False)]


def _standard(scores: Array) -> Array:
    """Scores in standard deviations; those of programs beyond limits just below all others."""
    within = scores > INFEASIBLE / 2
    if not within.any():
        within[:] = True
    mean, spread = scores[within].mean(), scores[within].std() or 1.0
    standard: Array = np.where(within, (scores - mean) / spread, 0.0)
    standard[~within] = standard[within].min() - 1
    return standard
