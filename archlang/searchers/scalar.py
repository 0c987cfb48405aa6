"""Several objectives as one number, for searchers that follow a single program."""

from __future__ import annotations

from bisect import bisect_left, insort
from random import Random

from archlang.searchers.objectives import INFEASIBLE, Scores


class Scalar:
    """A weighted sum of ranks: of each objective the share of the programs seen that are worse. The weights
    are drawn anew at each `turn` (random scalarization: den Ottelander et al. 2021, "Local search is a
    remarkably strong baseline for neural architecture search"; ranks, for ranges hang on outliers).

    A single objective is taken as it is. Programs beyond constraints keep their scores, below all others.
    """

    def __init__(self, objectives: int):
        self._weights = [1.0 / objectives] * objectives
        self._seen: list[list[float]] = [[] for _ in range(objectives)]

    def turn(self, random: Random) -> None:
        """Draw other weights, evenly among those that add up to 1."""
        if len(self._weights) > 1:
            drawn = [random.expovariate(1.0) for _ in self._weights]
            self._weights = [weight / sum(drawn) for weight in drawn]

    def see(self, scores: Scores) -> None:
        """Take scores among those that others are compared with."""
        if len(scores) > 1 and scores[0] > INFEASIBLE:
            for seen, score in zip(self._seen, scores, strict=True):
                insort(seen, score)

    def __call__(self, scores: Scores) -> float:
        if len(scores) == 1 or scores[0] <= INFEASIBLE:
            return scores[0]
        worse = (bisect_left(seen, score) for seen, score in zip(self._seen, scores, strict=True))
        return sum(map(float.__mul__, self._weights, map(float, worse))) / max(1, len(self._seen[0]))
