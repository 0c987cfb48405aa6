"""NSGA-II: a population that is kept spread along the Pareto front."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import TYPE_CHECKING, Any

import attrs
from attrs.validators import and_, ge, le

from archlang.searchers.base import Told
from archlang.searchers.objectives import Scores
from archlang.searchers.pareto import crowding, ranks
from archlang.searchers.populations.population import PopulationSearcher, PopulationSettings
from archlang.searchers.ranking import best_first

if TYPE_CHECKING:
    from archlang.space import Choices


@attrs.frozen(kw_only=True)
class NSGA2Settings(PopulationSettings):
    """`offspring`: after so many evaluated children it is settled who lives on (as many as the
    population: the published generations); and what `PopulationSettings` has."""

    crossover: float = attrs.field(default=0.9, validator=and_(ge(0), le(1)))
    offspring: int = attrs.field(default=1, validator=ge(1))


class NSGA2(PopulationSearcher):
    """Non-dominated sorting (Deb et al. 2002, "A fast and elitist multiobjective genetic algorithm: NSGA-II").

    Of parents and children together the best fronts live on, and of the last one that has room only in part
    the programs in the least crowded places. Parents win a tournament of two by front, then by crowding.
    Programs beyond constraints come after all others, those that violate them less first (constraint
    domination, as the scores have it).
    """

    name = "nsga2"
    Settings = NSGA2Settings

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self._living: list[Told] = []
        self._children: list[Told] = []
        self._fitness: list[tuple[float, ...]] = []

    def enter(self, member: Told) -> None:
        self._children.append(member)

    def parent(self, random: Random) -> Choices | None:
        if len(self._children) >= self.settings.offspring:
            self._settle(random)
        if not self._living:
            return None
        one, other = random.randrange(len(self._living)), random.randrange(len(self._living))
        return self._living[max(one, other, key=self._fitness.__getitem__)][0]

    def _settle(self, random: Random) -> None:
        everyone = self._living + self._children
        self._children = []
        points = [scores for _, scores in everyone]
        kept = self.survivors(points, random) if len(points) > self.settings.population else range(len(points))
        self._living = [everyone[place] for place in kept]
        self._fitness = self.fitness([points[place] for place in kept])

    def survivors(self, points: list[Scores], random: Random) -> Sequence[int]:
        """The positions of those that live on."""
        return sorted(best_first(points, self.settings.population))

    def fitness(self, points: list[Scores]) -> list[tuple[float, ...]]:
        """What the tournament compares, larger is better."""
        ranked = ranks(points)
        return [(-rank, distance) for rank, distance in zip(ranked, crowding(points, ranked), strict=True)]
