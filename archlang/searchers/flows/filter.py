"""A searcher of which only some proposals are made."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, Any

import attrs

from archlang.diagnostics import ArchError
from archlang.searchers.base import Exhausted
from archlang.searchers.flows.flow import Flow
from archlang.searchers.objectives import Scores
from archlang.searchers.recipe import Recipe

if TYPE_CHECKING:
    from archlang.space import Choices

ATTEMPTS = 1_000


@attrs.frozen(kw_only=True)
class FilterSettings:
    """`searcher`: whose proposals. `condition`: on costs, in the language (`"macs <= 300M"`), or from
    Python a function that takes a `Program` and says whether to keep it."""

    searcher: Recipe
    condition: str | Callable[[Any], bool]

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.condition, str) and not callable(self.condition):
            raise ValueError('the condition is a text such as "macs <= 300M", or a function of a program')


class Filter(Flow):
    """The proposals of a searcher that meet a condition; it is told of no others.

    One in the language narrows the space that it searches. What a function refuses it is told as
    failed, and asked again; after a thousand refusals nothing is left.
    """

    name = "filter"
    Settings = FilterSettings

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        condition = self.settings.condition
        self._narrowed = self.space
        if isinstance(condition, str):
            self._narrowed = self.space.narrowed(condition)
            self._narrowed.draw(Random(0))  # there is a program, or an error says that there is none
        self._searcher = self.child(self.settings.searcher, "", self._narrowed)
        self._known: dict[Choices, bool] = {}

    def suggest(self, random: Random) -> Choices:
        for _ in range(ATTEMPTS):
            choices = self.take(self._searcher)
            if self._is_kept(choices):
                return choices
            self._searcher.observe(choices, None)
        raise Exhausted

    def learn(self, choices: Choices, scores: Scores | None) -> None:
        if self._is_kept(choices):
            self._searcher.observe(choices, scores)

    def _is_kept(self, choices: Choices) -> bool:
        if choices not in self._known:
            self._known[choices] = self._meets(choices)
        return self._known[choices]

    def _meets(self, choices: Choices) -> bool:
        if not isinstance(self.settings.condition, str):
            return bool(self.settings.condition(self.space.program(choices)))
        try:
            self._narrowed.choices(choices)
        except ArchError:
            return False
        return True
