"""Regularized evolution."""

from __future__ import annotations

from collections import deque
from operator import itemgetter
from random import Random
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
from attrs.validators import ge

from archlang.searchers.base import Told
from archlang.searchers.objectives import Scores
from archlang.searchers.pareto import crowding
from archlang.searchers.populations.population import PopulationSearcher, PopulationSettings

if TYPE_CHECKING:
    from archlang.space import Choices


@attrs.frozen(kw_only=True)
class EvolutionSettings(PopulationSettings):
    """`sample`: how many of the population a tournament compares; and what `PopulationSettings` has."""

    sample: int = attrs.field(default=10, validator=ge(1))


class Evolution(PopulationSearcher):
    """Aging evolution (Real et al. 2019, "Regularized evolution for image classifier architecture search").

    A random sample of the population holds a tournament, the winner is mutated, and the child, once
    evaluated, takes the place of the oldest. Failed programs do not enter the population. With several
    objectives the winner is dominated by the fewest of the population (Fonseca and Fleming 1993), and of
    those with as many, in the least crowded place (crowding distance: Deb et al. 2002, NSGA-II).
    """

    name = "evolution"
    Settings = EvolutionSettings

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self._population: deque[Told] = deque(maxlen=self.settings.population)

    def enter(self, member: Told) -> None:
        self._population.append(member)

    def parent(self, random: Random) -> Choices | None:
        count = len(self._population)
        if not count:
            return None
        sample = random.sample(range(count), min(self.settings.sample, count))
        if len(self.objectives) == 1:
            return max((self._population[place] for place in sample), key=itemgetter(1))[0]
        return self._population[winner(sample, [scores for _, scores in self._population])][0]


def winner(sample: list[int], points: list[Scores]) -> int:
    """Of the positions of some points that which the fewest dominate, among equals with the most room."""
    matrix = np.array(points)
    above, below = matrix[None] >= matrix[sample][:, None], matrix[None] > matrix[sample][:, None]
    worse_than = (above.all(axis=2) & below.any(axis=2)).sum(axis=1).tolist()
    fewest = min(worse_than)
    best = [place for place, others in zip(sample, worse_than, strict=True) if others == fewest]
    room = crowding([points[place] for place in best], [0] * len(best))
    return best[room.index(max(room))]
