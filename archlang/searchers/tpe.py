"""Tree-structured Parzen estimators."""

from __future__ import annotations

import math
from collections.abc import Iterator
from random import Random
from typing import TYPE_CHECKING, Any

import attrs
from attrs.validators import and_, ge, gt, le

from archlang.searchers.base import Searcher
from archlang.searchers.objectives import Scores
from archlang.searchers.parzen import Parzen
from archlang.searchers.ranking import best_first
from archlang.searchers.unseen import Unseen

if TYPE_CHECKING:
    from archlang.space import Choices

BAD = 500  # programs at most that tell what is bad: more of them cost time and tell little more
BATCHES = 3  # of candidates, before a program that is still new is drawn


@attrs.frozen(kw_only=True)
class TPESettings:
    """`startup`: how many programs are measured before there is a model. `good`: the share of them that
    counts as good, `most` of them at most. `candidates`: how many are drawn to propose one. `prior`: how
    many programs the even density counts for. `explore`: the share of proposals that are drawn evenly.
    `dedupe`: propose no program twice (and stop when a finite space is used up)."""

    startup: int = attrs.field(default=10, validator=ge(1))
    good: float = attrs.field(default=0.1, validator=and_(gt(0), le(1)))
    most: int = attrs.field(default=25, validator=ge(1))
    candidates: int = attrs.field(default=24, validator=ge(1))
    prior: float = attrs.field(default=1.0, validator=gt(0))
    explore: float = attrs.field(default=0.0, validator=and_(ge(0), le(1)))
    dedupe: bool = True


class TPE(Searcher):
    """The tree-structured Parzen estimator (Bergstra et al. 2011), over all decisions at once.

    The measured programs are split in good and bad; of candidates from the density around the good ones it
    proposes the one that is likeliest there relative to the density around the bad ones. Kernels span all
    decisions of a program ("multivariate": Falkner et al. 2018; Watanabe 2023 compares the settings).
    Failed programs and those in flight are among the bad. Several objectives go by Pareto rank, then by
    crowding distance, as in MOTPE (Ozaki et al. 2020, who break ties by hypervolume).

    Programs are compared at one fidelity: the highest at which `startup` were measured.
    """

    name = "tpe"
    Settings = TPESettings

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self._unseen = Unseen(self.space)
        self._parzen = Parzen(self.space)
        self._row: dict[Choices, int] = {}
        self._told: dict[float, dict[int, Scores | None]] = {}  # by fidelity, then by row
        self._flying: dict[int, int] = {}  # how often a row is in flight
        self._split: tuple[list[int], list[int]] | None = None

    def propose(self, random: Random) -> Choices:
        proposals = self._proposals(random)
        if self.settings.dedupe:
            attempts = BATCHES * self.settings.candidates
            choices = self._unseen.find(lambda: next(proposals), random, attempts)
        else:
            choices = next(proposals)
        row = self._row_of(choices)
        self._flying[row] = self._flying.get(row, 0) + 1
        return choices

    def observe(self, choices: Choices, scores: Scores | None) -> None:
        self._unseen.add(choices)
        row = self._row_of(choices)
        self._told.setdefault(choices.fidelity, {})[row] = scores
        if self._flying.get(row, 0) > 1:
            self._flying[row] -= 1
        else:
            self._flying.pop(row, None)
        self._split = None

    def _row_of(self, choices: Choices) -> int:
        if choices not in self._row:
            self._row[choices] = self._parzen.add(choices)
        return self._row[choices]

    def _proposals(self, random: Random) -> Iterator[Choices]:
        if self._split is None:
            self._split = self._good_and_bad()
        good, bad = self._split
        bad = [*bad, *(row for row in self._flying if row not in good)]
        explores = self.settings.explore and random.random() < self.settings.explore
        while not good or explores:
            yield self.space.draw(random)
        while True:
            settings = self.settings
            yield from self._parzen.candidates(good, bad, settings.candidates, settings.prior, random)

    def _good_and_bad(self) -> tuple[list[int], list[int]]:
        """The rows of the good programs, best first, and of the bad ones; none where too few are measured."""
        for fidelity in sorted(self._told, reverse=True):
            told = self._told[fidelity]
            measured = [(row, scores) for row, scores in told.items() if scores is not None]
            if len(measured) >= self.settings.startup:
                count = min(math.ceil(self.settings.good * len(measured)), self.settings.most)
                best = best_first([scores for _, scores in measured], count)
                good = [measured[position][0] for position in best]
                bad = [row for row in told if row not in good]
                return good, bad[:: math.ceil(len(bad) / BAD) or 1]
        return [], []
