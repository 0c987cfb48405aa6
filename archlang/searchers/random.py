"""Random search: the baseline that every searcher has to beat."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

import attrs

from archlang.searchers.base import Searcher
from archlang.searchers.objectives import Scores
from archlang.searchers.unseen import Unseen

if TYPE_CHECKING:
    from archlang.space import Choices


@attrs.frozen(kw_only=True)
class RandomSettings:
    """`dedupe`: propose no program twice (and stop when a finite space is used up)."""

    dedupe: bool = True


class RandomSearch(Searcher):
    """Draws programs decision by decision, each pick equally likely (Bergstra and Bengio 2012)."""

    name = "random"
    Settings = RandomSettings

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self._unseen = Unseen(self.space)

    def propose(self, random: Random) -> Choices:
        if not self.settings.dedupe:
            return self.space.draw(random)
        return self._unseen.find(lambda: self.space.draw(random), random)

    def observe(self, choices: Choices, scores: Scores | None) -> None:
        self._unseen.add(choices)
