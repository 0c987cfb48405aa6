"""Exhaustive search: every program of a finite space, in the space's own order."""

from __future__ import annotations

import math
from random import Random
from typing import TYPE_CHECKING, Any

import attrs
from attrs.validators import ge, optional

from archlang.diagnostics import ArchError, error
from archlang.searchers.base import Exhausted, Searcher
from archlang.searchers.unseen import size_of

if TYPE_CHECKING:
    from archlang.space import Choices


@attrs.frozen(kw_only=True)
class GridSettings:
    """`levels`: how many values of each float decision are tried, spread evenly over its range (of the
    logarithm, where that varies evenly); none: a space with float decisions is refused."""

    levels: int | None = attrs.field(default=None, validator=optional(ge(1)))


class GridSearch(Searcher):
    """Proposes all programs, each once, in the order of `Space.enumerate`; the seed plays no part.

    ArchError (E0910) for a space that is not finite, or not known to be, but for float decisions of which
    so many `levels` are tried, and for a part of a space.
    """

    name = "grid"
    Settings = GridSettings

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        if self.space.is_part:
            hints = ("search it with `random`, which proposes no part twice as long as there are others",)
            raise ArchError(
                error("E0910", f"the searcher `grid` walks through all of `{self.space.name}`, not a part", hints=hints)
            )
        if not self._ends():
            raise ArchError(
                error(
                    "E0910",
                    f"the searcher `grid` cannot walk through `{self.space.name}`: "
                    "its programs are infinitely many or cannot be counted",
                    hints=(
                        "set `levels`, how many values of each float decision are tried (or replace "
                        "`choose a..b` by a list), bound recursion with `limit`, "
                        "or search with `random` or `evolution`",
                    ),
                )
            )
        self._programs = self.space.enumerate(self.settings.levels)

    def _ends(self) -> bool:
        if self.settings.levels is None:
            return not math.isinf(size_of(self.space))
        try:
            self.space.all_decisions()
        except ArchError:
            return False
        return True

    def propose(self, random: Random) -> Choices:
        for choices in self._programs:
            return choices
        raise Exhausted
