"""A searcher whose failed programs are tried again."""

from __future__ import annotations

from collections import Counter, deque
from random import Random
from typing import TYPE_CHECKING, Any

import attrs
from attrs.validators import ge

from archlang.searchers.flows.flow import Flow, Key, key_of
from archlang.searchers.objectives import Scores
from archlang.searchers.recipe import Recipe

if TYPE_CHECKING:
    from archlang.space import Choices


@attrs.frozen(kw_only=True)
class RetrySettings:
    """`searcher`: whose proposals. `times`: how often a failed one is proposed again."""

    searcher: Recipe
    times: int = attrs.field(default=2, validator=ge(0))


class Retry(Flow):
    """The proposals of a searcher; one that failed is made again before any other. Only when that was
    done so many times in vain is the searcher told that it failed."""

    name = "retry"
    Settings = RetrySettings

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self._searcher = self.child(self.settings.searcher, "")
        self._left: Counter[Key] = Counter()
        self._again: deque[Choices] = deque()

    def suggest(self, random: Random) -> Choices:
        if self._again:
            return self._again.popleft()
        choices = self.take(self._searcher)
        self._left[key_of(choices)] += self.settings.times
        return choices

    def learn(self, choices: Choices, scores: Scores | None) -> None:
        if scores is None and self._left[key_of(choices)] > 0:
            self._left[key_of(choices)] -= 1
            self._again.append(choices)
            return
        self._left.pop(key_of(choices), None)
        self._searcher.observe(choices, scores)
