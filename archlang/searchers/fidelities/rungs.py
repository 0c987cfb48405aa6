"""What the searchers that evaluate by several fidelities share: rungs, and the searcher of new programs."""

from __future__ import annotations

import math
from abc import abstractmethod
from random import Random
from typing import TYPE_CHECKING, Any, final

import attrs
from attrs.validators import and_, ge, gt, le

from archlang.searchers.base import Exhausted, Searcher
from archlang.searchers.objectives import Scores
from archlang.searchers.ranking import best_first
from archlang.searchers.recipe import Recipe
from archlang.searchers.unseen import Unseen

if TYPE_CHECKING:
    from archlang.space import Choices


@attrs.define(eq=False)
class Entry:
    """A program on a rung: told or in flight, promoted or not."""

    choices: Choices
    scores: Scores | None = None
    is_told: bool = False
    is_promoted: bool = False


class Rung:
    """The programs that are evaluated by one fidelity."""

    def __init__(self, fidelity: float):
        self.fidelity = fidelity
        self.entries: list[Entry] = []
        self.told = 0
        self._measured: list[Entry] = []
        self._best: tuple[int, int, list[Entry]] = (0, 0, [])  # of so many, so many

    @property
    def measured(self) -> int:
        """How many programs were told and have not failed."""
        return len(self._measured)

    def add(self, choices: Choices) -> Entry:
        """Let a program in, which is now in flight."""
        self.entries.append(Entry(choices))
        return self.entries[-1]

    def tell(self, entry: Entry, scores: Scores | None) -> None:
        """Take what came of a program; None: it failed."""
        entry.scores, entry.is_told = scores, True
        self.told += 1
        if scores is not None:
            self._measured.append(entry)

    def promotable(self, count: int) -> Entry | None:
        """The best program among the `count` best measured that is not promoted yet."""
        of, many, best = self._best
        if (of, many) != (self.measured, count):
            scores = [entry.scores for entry in self._measured if entry.scores is not None]
            best = [self._measured[position] for position in best_first(scores, count)]
            self._best = self.measured, count, best
        return next((entry for entry in best if not entry.is_promoted), None)


@attrs.frozen(kw_only=True)
class RungSettings:
    """`eta`: one in so many programs goes on to the next rung, which is as many times as costly. `least`: the
    lowest rung is the first of 1, 1/eta, 1/eta², … that is not below this share of a full evaluation.
    `searcher`: what proposes new programs."""

    eta: int = attrs.field(default=3, validator=ge(2))
    least: float = attrs.field(default=1 / 9, validator=and_(gt(0), le(1)))
    searcher: Recipe = attrs.field(factory=lambda: Recipe.of("random"))


def fidelities(eta: int, least: float) -> list[float]:
    """The fidelities of the rungs, the lowest first: powers of 1/eta, the last of them 1."""
    steps = math.floor(math.log(1 / least, eta) * (1 + 1e-9) + 1e-9)
    return [1 / eta**step for step in range(steps, -1, -1)]


class ByRungs(Searcher):
    """The base of searchers that evaluate many programs by a low fidelity, and the best of them by higher ones.

    New programs come from another searcher. It is told every result in its turn, with the fidelity: a
    program that was promoted is told again. `tpe` compares programs at one fidelity; the other searchers
    do not look at it, and compare a program by what it was told last.

    A proposal is a program at a fidelity, and none is made twice. A program that failed is not promoted.
    """

    Settings = RungSettings

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.fidelities = fidelities(self.settings.eta, self.settings.least)
        self._inner = self.settings.searcher.make(self.space, self.objectives, self.seed)
        self._unseen = Unseen(self.space)
        self._flying: dict[tuple[Choices, float], list[tuple[Rung, Entry]]] = {}

    @final
    def observe(self, choices: Choices, scores: Scores | None) -> None:
        asked = self._flying.get((choices, choices.fidelity))
        if asked:
            rung, entry = asked.pop(0)
            rung.tell(entry, scores)
            if not asked:
                del self._flying[choices, choices.fidelity]
        self._unseen.add(choices)
        self._inner.observe(choices, scores)

    def _promoted(self, entry: Entry, rung: Rung) -> Choices:
        """The proposal of a program for the next rung."""
        entry.is_promoted = True
        return self._let_in(entry.choices, rung)

    def _new(self, random: Random) -> Choices:
        """A program that was not proposed before."""
        return self._unseen.find(self._inner.ask, random)

    def _let_in(self, choices: Choices, rung: Rung) -> Choices:
        choices = choices.at(rung.fidelity)
        self._flying.setdefault((choices, rung.fidelity), []).append((rung, rung.add(choices)))
        return choices

    @final
    def propose(self, random: Random) -> Choices:
        waiting = self._promotion(is_closed=False)
        if waiting is not None:
            return self._promoted(*waiting)
        try:
            choices = self._new(random)
        except Exhausted:
            waiting = self._promotion(is_closed=True)
            if waiting is None:
                raise
            return self._promoted(*waiting)
        return self._let_in(choices, self._entrance())

    @abstractmethod
    def _promotion(self, is_closed: bool) -> tuple[Entry, Rung] | None:
        """A program that may go on, and where to; `is_closed`: there are no new programs any more."""

    @abstractmethod
    def _entrance(self) -> Rung:
        """Where a new program begins."""
