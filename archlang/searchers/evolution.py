"""Regularized evolution."""

from __future__ import annotations

from collections import deque
from random import Random
from typing import TYPE_CHECKING, Any

import attrs
from attrs.validators import ge

from archlang.searchers.pareto import crowding, front
from archlang.searchers.population import Member, PopulationSearcher, PopulationSettings

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
    objectives the winner is, of the programs of the sample that no other of it dominates, the one in the
    least crowded place (crowding distance: Deb et al. 2002, NSGA-II).
    """

    name = "evolution"
    Settings = EvolutionSettings

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self._population: deque[Member] = deque(maxlen=self.settings.population)

    def enter(self, member: Member) -> None:
        self._population.append(member)

    def parent(self, random: Random) -> Choices | None:
        population = self._population
        if not population:
            return None
        sample = [
            population[place]
            for place in random.sample(range(len(population)), min(self.settings.sample, len(population)))
        ]
        return winner(sample)[0]


def winner(sample: list[Member]) -> Member:
    """The best of some programs, the first of equals."""
    if len(sample[0][1]) == 1:
        return max(sample, key=lambda member: member[1])
    best = [sample[place] for place in front([scores for _, scores in sample])]
    distances = crowding([scores for _, scores in best], [0] * len(best))
    return best[distances.index(max(distances))]
