"""Regularized evolution."""

from __future__ import annotations

from collections import deque
from random import Random
from typing import TYPE_CHECKING, Any

import attrs
from attrs.validators import and_, ge, le

from archlang.diagnostics import ArchError
from archlang.searchers.base import Searcher
from archlang.searchers.objectives import Scores
from archlang.searchers.pareto import crowding, ranks
from archlang.searchers.unseen import Unseen

if TYPE_CHECKING:
    from archlang.space import Choices

MUTATIONS = 20


@attrs.frozen(kw_only=True)
class EvolutionSettings:
    """`population`: how many programs live; so many are drawn at random to begin with. `sample`: how
    many of them a tournament compares. `crossover`: how often a second tournament gives the first
    winner a partner. `dedupe`: propose no program twice (and stop when a finite space is used up)."""

    population: int = attrs.field(default=20, validator=ge(1))
    sample: int = attrs.field(default=5, validator=ge(1))
    crossover: float = attrs.field(default=0.0, validator=and_(ge(0), le(1)))
    dedupe: bool = True


class Evolution(Searcher):
    """Aging evolution (Real et al. 2019, "Regularized evolution for image classifier architecture search").

    A random sample of the population holds a tournament, the winner is mutated, and the child, once
    evaluated, takes the place of the oldest. Failed programs do not enter the population. With several
    objectives the tournament goes by Pareto rank in the population and, within a rank, by crowding
    distance (Deb et al. 2002, NSGA-II).
    """

    name = "evolution"
    Settings = EvolutionSettings

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self._unseen = Unseen(self.space)
        self._population: deque[tuple[Choices, Scores]] = deque(maxlen=self.settings.population)
        self._fitness: list[tuple[float, ...]] = []
        self._told = 0

    def propose(self, random: Random) -> Choices:
        # What was told of programs that another searcher asked for counts too.
        if max(self.asked, self._told) < self.settings.population or not self._population:
            if not self.settings.dedupe:
                return self.space.draw(random)
            return self._unseen.find(lambda: self.space.draw(random), random)
        if not self.settings.dedupe:
            return self._child(random)
        return self._unseen.find(lambda: self._child(random), random, MUTATIONS)

    def observe(self, choices: Choices, scores: Scores | None) -> None:
        self._unseen.add(choices)
        self._told += 1
        if scores is not None:
            self._population.append((choices, scores))
            self._fitness = _fitness([member for _, member in self._population])

    def _child(self, random: Random) -> Choices:
        parent = self._winner(random)
        if self.settings.crossover and random.random() < self.settings.crossover:
            parent = self.space.crossover(parent, self._winner(random), random)
        try:
            return self.space.mutate(parent, random)
        except ArchError:  # requirements may leave a program without neighbours
            return self.space.draw(random)

    def _winner(self, random: Random) -> Choices:
        count = len(self._population)
        sample = random.sample(range(count), min(self.settings.sample, count))
        return self._population[max(sample, key=lambda member: self._fitness[member])][0]


def _fitness(population: list[Scores]) -> list[tuple[float, ...]]:
    """What the tournament compares, larger is better."""
    if len(population[0]) == 1:
        return list(population)
    ranked = ranks(population)
    return [(-rank, distance) for rank, distance in zip(ranked, crowding(population, ranked), strict=True)]
