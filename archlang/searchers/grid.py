"""Exhaustive search: every program of a finite space, in the space's own order."""

from __future__ import annotations

import math
from random import Random
from typing import TYPE_CHECKING, Any

from archlang.diagnostics import ArchError, error
from archlang.searchers.base import Exhausted, Searcher
from archlang.searchers.unseen import size_of

if TYPE_CHECKING:
    from archlang.space import Choices


class GridSearch(Searcher):
    """Proposes all programs, each once, in the order of `Space.enumerate`; the seed plays no part.

    ArchError (E0910) for a space that is not finite, or not known to be, and for a part of one.
    """

    name = "grid"

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        if self.space.is_part:
            hints = ("search it with `random`, which proposes no part twice as long as there are others",)
            raise ArchError(
                error("E0910", f"the searcher `grid` walks through all of `{self.space.name}`, not a part", hints=hints)
            )
        if math.isinf(size_of(self.space)):
            raise ArchError(
                error(
                    "E0910",
                    f"the searcher `grid` cannot walk through `{self.space.name}`: "
                    "its programs are infinitely many or cannot be counted",
                    hints=(
                        "replace `choose a..b` of floats by a list of values, bound recursion with `limit`, "
                        "or search with `random` or `evolution`",
                    ),
                )
            )
        self._programs = self.space.enumerate()

    def propose(self, random: Random) -> Choices:
        for choices in self._programs:
            return choices
        raise Exhausted
