"""Searchers one after the other."""

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
class ThenSettings:
    """`stages`: searchers, and after each but the last the number of its proposals."""

    stages: tuple[int | Recipe, ...] = attrs.field(default=(), metadata={"rest": True})

    def __attrs_post_init__(self) -> None:
        kinds = [isinstance(stage, Recipe) for stage in self.stages]
        numbers = [stage for stage in self.stages if not isinstance(stage, Recipe)]
        if (
            not kinds
            or not kinds[-1]
            or kinds != [not place % 2 for place in range(len(kinds))]
            or min(numbers, default=1) < 1
        ):
            raise ValueError(
                "there are searchers, with a number of proposals between two: `then(random, 50, evolution)`"
            )


class Then(Flow):
    """Proposals of a first searcher, so many or as many as it has, then those of the next, and so on.

    Each searcher is told everything, from the first trial on; what is in flight when one takes over too.
    """

    name = "then"
    Settings = ThenSettings

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        stages = self.settings.stages
        self._stages = [self.child(recipe, str(place)) for place, recipe in enumerate(stages[::2])]
        self._numbers = [*stages[1::2], None]
        self._at = 0

    def suggest(self, random: Random) -> Choices:
        for at in range(self._at, len(self._stages)):
            stage, number = self._stages[at], self._numbers[at]
            if number is not None and stage.asked >= number:
                continue
            try:
                choices = self.take(stage)
            except Exhausted:
                continue
            self._at = at
            return choices
        raise Exhausted

    def learn(self, choices: Choices, scores: Scores | None) -> None:
        for stage in self._stages[self._at :]:
            stage.observe(choices, scores)
