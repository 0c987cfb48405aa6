"""Scores as rewards from 0 to 1, whatever their scale and however they are spread."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort

from archlang.searchers.objectives import Scores
from archlang.searchers.pareto import dominates

MAX_COMPARED = 512  # programs that one is compared with under several objectives


class Ranks:
    """Rewards by comparison with all programs told, so that neither outliers nor the large negative
    scores of infeasible programs play a part.

    With one objective the reward is the share of these that are worse (ties count half). With several it
    is the share that do not dominate the program: 1 on the Pareto front (Fonseca and Fleming 1993).
    """

    def __init__(self) -> None:
        self._sorted: list[Scores] = []  # of one objective
        self._some: list[Scores] = []  # of several: all, or an even selection

    def add(self, scores: Scores) -> None:
        """Take a program in."""
        if len(scores) == 1:
            insort(self._sorted, scores)
            return
        self._some.append(scores)
        if len(self._some) > 2 * MAX_COMPARED:
            self._some = self._some[::2]

    def reward(self, scores: Scores) -> float:
        """The reward of a program that was taken in."""
        if len(scores) == 1:
            return (bisect_left(self._sorted, scores) + bisect_right(self._sorted, scores)) / (2 * len(self._sorted))
        return 1.0 - sum(dominates(other, scores) for other in self._some) / len(self._some)
