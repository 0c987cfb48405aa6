"""Several objectives as one number, for searchers that follow a single program."""

from __future__ import annotations

from random import Random

from archlang.searchers.objectives import INFEASIBLE, Scores
from archlang.searchers.rewards import Shares


class Scalar:
    """A weighted sum of shares: of each objective that of the programs seen that are worse (`Shares`). The weights
    are drawn anew at each `turn` (random scalarization: den Ottelander et al. 2021, "Local search is a
    remarkably strong baseline for neural architecture search"; shares, for ranges hang on outliers).

    A single objective is taken as it is. Programs beyond constraints keep their scores, below all others.
    """

    def __init__(self, objectives: int):
        self._weights = [1.0 / objectives] * objectives
        self._shares = Shares(objectives)

    def turn(self, random: Random) -> None:
        """Draw other weights, evenly among those that add up to 1."""
        if len(self._weights) > 1:
            drawn = [random.expovariate(1.0) for _ in self._weights]
            self._weights = [weight / sum(drawn) for weight in drawn]

    def see(self, scores: Scores) -> None:
        """Take scores among those that others are compared with."""
        if len(scores) > 1 and scores[0] > INFEASIBLE:
            self._shares.add(scores)

    def __call__(self, scores: Scores) -> float:
        if len(scores) == 1 or scores[0] <= INFEASIBLE:
            return scores[0]
        return sum(map(float.__mul__, self._weights, self._shares.of(scores)))
