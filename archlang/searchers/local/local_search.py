"""Local search: from a program to a better neighbour, and on."""

from __future__ import annotations

from itertools import islice
from random import Random
from typing import TYPE_CHECKING, Any

import attrs
from attrs.validators import ge, in_

from archlang.diagnostics import ArchError
from archlang.searchers.base import Searcher, Told
from archlang.searchers.local.scalar import Scalar
from archlang.searchers.mutants import MUTATIONS
from archlang.searchers.objectives import Scores
from archlang.searchers.unseen import Unseen
from archlang.semantics.decision import Reals

if TYPE_CHECKING:
    from archlang.space import Choices


@attrs.frozen(kw_only=True)
class LocalSearchSettings:
    """`initial`: how many programs are drawn to begin with; the best is the first centre. `move`: on to
    the `first` neighbour that is better, or to the `best` of all neighbours. `restart`: where none is
    better, on from the best program whose neighbours are not all known (`memory`), or from one drawn
    (`random`). `neighbours`: of a program with more, or with float decisions, so many are tried: near
    mutations, drawn."""

    initial: int = attrs.field(default=10, validator=ge(1))
    move: str = attrs.field(default="first", validator=in_(("first", "best")))
    restart: str = attrs.field(default="memory", validator=in_(("memory", "random")))
    neighbours: int = attrs.field(default=200, validator=ge(1))


class LocalSearch(Searcher):
    """Hill climbing that evaluates the neighbours of a centre in random order, each program once (White,
    Nolen and Savani 2021, "Exploring the loss landscape in neural architecture search").

    Several objectives are added up by weights that are drawn anew for each centre (`Scalar`).
    """

    name = "local-search"
    Settings = LocalSearchSettings

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self._unseen = Unseen(self.space)
        self._scalar = Scalar(len(self.objectives))
        self._open: list[Told] = []  # evaluated programs that may become the centre
        self._told = 0
        self._centre: Told | None = None
        self._waiting: list[Choices] = []  # neighbours of the centre
        self._to_draw = 0  # how many more of its neighbours to draw, where they are not listed
        self._improved = False

    def observe(self, choices: Choices, scores: Scores | None) -> None:
        self._unseen.add(choices)
        self._told += 1
        if scores is None:
            return
        self._scalar.see(scores)
        self._open.append((choices, scores))
        if self._centre is not None and self._scalar(scores) > self._scalar(self._centre[1]):
            self._improved = True

    def propose(self, random: Random) -> Choices:
        # What was told of programs that another searcher asked for counts too.
        if max(self.asked, self._told) >= self.settings.initial:
            neighbour = self._neighbour(random)
            if neighbour is not None:
                return neighbour
        return self._unseen.find(lambda: self.space.draw(random), random)

    def _neighbour(self, random: Random) -> Choices | None:
        """A neighbour of the centre, which moves where it has to; None where a program is to be drawn."""
        if self._centre is None or (self._improved and self.settings.move == "first"):
            self._move(random)
        while self._centre is not None:
            found = self._untried(self._centre[0], random)
            if found is not None:
                return found
            self._open.remove(self._centre)
            if not self._improved and self.settings.restart == "random":
                self._open.clear()
            self._move(random)
        return None

    def _move(self, random: Random) -> None:
        """Make the best open program the centre."""
        self._scalar.turn(random)
        self._improved = False
        self._centre = max(self._open, key=lambda member: self._scalar(member[1]), default=None)
        if self._centre is None:
            return
        most = self.settings.neighbours
        choices = self._centre[0]
        floats = any(isinstance(decision.domain, Reals) for decision, _ in self.space.trace(choices))
        self._waiting = [] if floats else list(islice(self.space.neighbours(choices), most + 1))
        self._to_draw = 0
        if floats or len(self._waiting) > most:
            self._waiting, self._to_draw = [], most
        random.shuffle(self._waiting)

    def _untried(self, centre: Choices, random: Random) -> Choices | None:
        """A neighbour of the centre that was not proposed before."""
        if not self._to_draw:
            return self._unseen.first_new(self._waiting.pop() for _ in range(len(self._waiting)))
        self._to_draw -= 1
        try:
            return self._unseen.first_new(self.space.mutate(centre, random, near=True) for _ in range(MUTATIONS))
        except ArchError:  # requirements leave it without neighbours
            return None
