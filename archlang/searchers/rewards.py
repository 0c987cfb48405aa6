"""Scores as rewards from 0 to 1, whatever their scale and however they are spread.

Programs are compared with all that were told, so that neither outliers nor the large negative scores of
infeasible programs play a part.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort

from archlang.searchers.objectives import Scores
from archlang.searchers.pareto import dominates

MAX_COMPARED = 512  # programs that one is compared with under several objectives


class Shares:
    """Of each objective the share of the programs told that a program beats (ties count half)."""

    def __init__(self, objectives: int):
        self._told: list[list[float]] = [[] for _ in range(objectives)]

    def add(self, scores: Scores) -> None:
        """Count a program among those told."""
        for told, score in zip(self._told, scores, strict=True):
            insort(told, score)

    def of(self, scores: Scores) -> list[float]:
        """The share of each objective, from 0 to 1; 0 while nothing is told."""
        return [
            (bisect_left(told, score) + bisect_right(told, score)) / max(1, 2 * len(told))
            for told, score in zip(self._told, scores, strict=True)
        ]


class MeanShare:
    """The mean over the objectives of the shares of programs that a program beats."""

    def __init__(self, objectives: int):
        self._shares = Shares(objectives)

    def add(self, scores: Scores) -> None:
        """Count a program among those told."""
        self._shares.add(scores)

    def of(self, scores: Scores) -> float:
        """The reward of scores, by what is told now."""
        shares = self._shares.of(scores)
        return sum(shares) / len(shares)


class Undominated:
    """With one objective the share of programs that a program beats; with several the share that do not
    dominate it: 1 on the Pareto front (Fonseca and Fleming 1993)."""

    def __init__(self, objectives: int) -> None:
        self._shares = Shares(objectives) if objectives == 1 else None
        self._some: list[Scores] = []  # of several objectives: all, or an even selection

    def add(self, scores: Scores) -> None:
        """Count a program among those told."""
        if self._shares is not None:
            self._shares.add(scores)
            return
        self._some.append(scores)
        if len(self._some) > 2 * MAX_COMPARED:
            self._some = self._some[::2]

    def of(self, scores: Scores) -> float:
        """The reward of scores that were told, by what is told now."""
        if self._shares is not None:
            return self._shares.of(scores)[0]
        return 1.0 - sum(dominates(other, scores) for other in self._some) / len(self._some)
