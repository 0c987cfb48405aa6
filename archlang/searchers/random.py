"""Random search: the baseline that every searcher has to beat."""

from __future__ import annotations

import math
from random import Random
from typing import TYPE_CHECKING, Any

import attrs
from attrs.validators import in_

from archlang.searchers.base import Searcher
from archlang.searchers.halton import Halton, primes
from archlang.searchers.objectives import Scores
from archlang.searchers.unseen import Unseen
from archlang.semantics.decision import Decision, OneOf, Pick, Reals, Subsets

if TYPE_CHECKING:
    from archlang.space import Choices
    from archlang.space.moves import Options


@attrs.frozen(kw_only=True)
class RandomSettings:
    """`draws`: even over the picks of each decision (`decisions`), or over the programs (`programs`); or
    (`quasi`) as by decisions, but each decision of numbers takes the points of a low-discrepancy sequence,
    which fill its range evenly. `dedupe`: propose no program twice (and stop when a finite space is used up)."""

    draws: str = attrs.field(default="decisions", validator=in_(("decisions", "programs", "quasi")))
    dedupe: bool = True


class RandomSearch(Searcher):
    """Draws programs (Bergstra and Bengio 2012, "Random search for hyper-parameter optimization"; there
    too: low-discrepancy sequences).

    With `quasi` the numeric decisions are the coordinates of a scrambled Halton sequence, in the order in
    which the search comes to them; each goes on to its next point when a program makes the decision.
    Where requirements forbid what that gives, it is the nearest program.
    """

    name = "random"
    Settings = RandomSettings

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self._unseen = Unseen(self.space)
        self._sequences: dict[str, Halton] = {}
        self._bases = primes()
        self._taken: dict[str, int] = {}

    def propose(self, random: Random) -> Choices:
        if not self.settings.dedupe:
            return self._drawn(random)
        return self._unseen.find(lambda: self._drawn(random), random)

    def observe(self, choices: Choices, scores: Scores | None) -> None:
        self._unseen.add(choices)

    def _drawn(self, random: Random) -> Choices:
        if self.settings.draws != "quasi":
            return self.space.draw(random, evenly=self.settings.draws == "programs")

        def choose(decision: Decision, options: Options | None) -> Pick:
            domain = decision.domain
            if isinstance(domain, Subsets) or (isinstance(domain, OneOf) and not domain.of_numbers):
                return domain.draw(random) if options is None else random.choice(options)
            share = self._next(decision.address)
            if isinstance(domain, Reals):
                return domain.at(share)
            if options is None:
                return domain.pick(math.floor(share * domain.size))
            ranked: list[Any] = sorted(options)
            found: Pick = ranked[math.floor(share * len(ranked))]
            return found

        return self.space.walk(choose, random)

    def _next(self, address: str) -> float:
        sequence = self._sequences.get(address)
        if sequence is None:
            sequence = self._sequences[address] = Halton(next(self._bases), f"{self.seed}/{address}")
        taken = self._taken[address] = self._taken.get(address, -1) + 1
        return sequence[taken]
