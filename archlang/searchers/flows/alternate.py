"""Searchers in turn."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

import attrs

from archlang.searchers.base import Exhausted
from archlang.searchers.flows.flow import Flow
from archlang.searchers.objectives import Scores
from archlang.searchers.recipe import Recipe

if TYPE_CHECKING:
    from archlang.space import Choices


@attrs.frozen(kw_only=True)
class AlternateSettings:
    """`members`: the searchers."""

    members: tuple[Recipe, ...] = attrs.field(default=(), metadata={"rest": True})

    def __attrs_post_init__(self) -> None:
        if not self.members:
            raise ValueError("it alternates between searchers: `alternate(random, evolution)`")


class Alternate(Flow):
    """One proposal of each searcher in turn; all are told everything. One that has nothing left is
    passed over."""

    name = "alternate"
    Settings = AlternateSettings

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self._members = [self.child(recipe, str(place)) for place, recipe in enumerate(self.settings.members)]

    def suggest(self, random: Random) -> Choices:
        turn = self.asked % len(self._members)
        for member in (*self._members[turn:], *self._members[:turn]):
            try:
                return self.take(member)
            except Exhausted:
                continue
        raise Exhausted

    def learn(self, choices: Choices, scores: Scores | None) -> None:
        for member in self._members:
            member.observe(choices, scores)
