"""What evolution, NSGA-II and NSGA-III share: first draws, and children of a population."""

from __future__ import annotations

from abc import abstractmethod
from random import Random
from typing import TYPE_CHECKING, Any

import attrs
from attrs.validators import and_, ge, in_, le

from archlang.searchers.base import Searcher, Told
from archlang.searchers.mutants import MUTATIONS, mutant
from archlang.searchers.objectives import Scores
from archlang.searchers.unseen import Unseen

if TYPE_CHECKING:
    from archlang.space import Choices


@attrs.frozen(kw_only=True)
class PopulationSettings:
    """`population`: how many programs live; so many are drawn at random to begin with. `crossover`: how
    often a second parent is mixed in before the mutation. `mix`: what it gives: `uniform` each decision by
    chance, or one `subtree` of the program tree. `near`: numbers mutate mostly to near ones, subsets by an
    element; else to any other pick. `start`: a condition on costs that the programs drawn to begin with
    meet, such as `params <= 5M` (early exit population initialisation: Termritthikun et al. 2021,
    "EEEA-Net"). `dedupe`: propose no program twice (and stop when a finite space is used up)."""

    population: int = attrs.field(default=30, validator=ge(1))
    crossover: float = attrs.field(default=0.0, validator=and_(ge(0), le(1)))
    mix: str = attrs.field(default="uniform", validator=in_(("uniform", "subtree")))
    near: bool = True
    start: str | None = None
    dedupe: bool = True


class PopulationSearcher(Searcher):
    """The base of searchers that breed: a subclass says which programs live, and which of them breed."""

    Settings = PopulationSettings

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self._start = self.space
        if self.settings.start is not None:
            self._start = self.space.narrowed(self.settings.start)
            self._start.draw(Random(0))  # a condition that is none, or never met, is refused now
        self._unseen = Unseen(self.space)
        self._told = 0

    @abstractmethod
    def parent(self, random: Random) -> Choices | None:
        """A living program chosen to breed; None while none lives."""

    @abstractmethod
    def enter(self, member: Told) -> None:
        """Take in a program that was evaluated."""

    def propose(self, random: Random) -> Choices:
        # What was told of programs that another searcher asked for counts too.
        first = max(self.asked, self._told) < self.settings.population
        if not self.settings.dedupe:
            return self._start.draw(random) if first else self._child(random)
        if first:
            return self._unseen.find(lambda: self._start.draw(random), random)
        return self._unseen.find(lambda: self._child(random), random, MUTATIONS)

    def observe(self, choices: Choices, scores: Scores | None) -> None:
        self._unseen.add(choices)
        self._told += 1
        if scores is not None:
            self.enter((choices, scores))

    def _child(self, random: Random) -> Choices:
        parent = self.parent(random)
        if parent is None:
            return self._start.draw(random)
        settings = self.settings
        if settings.crossover and random.random() < settings.crossover:
            other = self.parent(random)
            assert other is not None
            parent = self.space.crossover(parent, other, random, settings.mix == "subtree")
        return mutant(self.space, parent, random, settings.near)
