"""What surrogates learn: scores brought to a scale on which outliers do no harm, and the way back."""

from __future__ import annotations

from statistics import NormalDist
from typing import Any, Protocol

import attrs
import numpy as np

from archlang.searchers.objectives import INFEASIBLE

Array = np.ndarray[Any, Any]

LEAST = 1e-9  # spread below which scores count as equal


class Scale(Protocol):
    """What surrogates learn for scores, and what scores stand for it. `worst` and `best` are of the known ones,
    the worst of those that are feasible, if any are."""

    @property
    def worst(self) -> float: ...

    @property
    def best(self) -> float: ...

    def learnt(self, scores: Array) -> Array: ...

    def score(self, learnt: Array) -> Array: ...


@attrs.frozen(eq=False)
class Plain:
    """Scores less their mean, in standard deviations: what adds up over decisions still does."""

    mean: float
    deviation: float
    worst: float
    best: float

    @classmethod
    def of(cls, scores: Array) -> Plain:
        deviation = max(float(scores.std()), LEAST)
        return cls(float(scores.mean()), deviation, _worst(scores), float(scores.max()))

    def learnt(self, scores: Array) -> Array:
        return (scores - self.mean) / self.deviation

    def score(self, learnt: Array) -> Array:
        return self.mean + self.deviation * learnt


@attrs.frozen(eq=False)
class Ranked:
    """Scores as the normal quantiles of their ranks (equal ones share the mean of theirs): any growing
    function of the scores gives the same, and how far off failures and infeasible programs are plays no part."""

    unique: Array
    quantiles: Array

    @classmethod
    def of(cls, scores: Array) -> Ranked:
        unique, counts = np.unique(scores, return_counts=True)
        middle = (np.cumsum(counts) - counts / 2) / len(scores)
        return cls(unique, np.array([NormalDist().inv_cdf(share) for share in middle]))

    @property
    def worst(self) -> float:
        return _worst(self.unique)

    @property
    def best(self) -> float:
        return float(self.unique[-1])

    def learnt(self, scores: Array) -> Array:
        """The quantiles of scores, on a line between known ones."""
        return np.interp(scores, self.unique, self.quantiles)

    def score(self, learnt: Array) -> Array:
        """The scores that quantiles stand for: beyond the best and the worst on lines with the slope of the
        better half of the feasible ones and of the worse half of all."""
        found = np.interp(learnt, self.quantiles, self.unique)
        first, last = int(np.searchsorted(self.unique, self.worst)), len(self.unique) - 1
        better, worse = learnt > self.quantiles[-1], learnt < self.quantiles[0]
        for end, middle, beyond in ((last, (first + last) // 2, better), (0, (last + 1) // 2, worse)):
            run = self.quantiles[end] - self.quantiles[middle]
            slope = (self.unique[end] - self.unique[middle]) / run if abs(run) > LEAST else 0.0
            found = np.where(beyond, self.unique[end] + slope * (learnt - self.quantiles[end]), found)
        return found


def _worst(scores: Array) -> float:
    """The least score of feasible programs; of all where none is."""
    feasible = scores[scores > INFEASIBLE]
    return float((feasible if len(feasible) else scores).min())
