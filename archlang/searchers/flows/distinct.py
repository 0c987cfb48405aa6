"""A searcher whose programs are all different."""

from __future__ import annotations

import json
from collections.abc import Hashable
from random import Random
from typing import TYPE_CHECKING, Any

import attrs
from attrs.validators import ge, in_

from archlang.searchers.base import Exhausted
from archlang.searchers.flows.flow import Flow, Known
from archlang.searchers.objectives import Scores
from archlang.searchers.recipe import Recipe

if TYPE_CHECKING:
    from archlang.space import Choices


@attrs.frozen(kw_only=True)
class DistinctSettings:
    """`searcher`: whose proposals. `by`: what makes two programs the same, their `choices` or their
    `function`: networks that compute the same, with equal values beside them. `attempts`: how many
    repeats in a row end the search."""

    searcher: Recipe
    by: str = attrs.field(default="choices", validator=in_(("choices", "function")))
    attempts: int = attrs.field(default=1_000, validator=ge(1))


class Distinct(Flow):
    """The proposals of a searcher without those that repeat an earlier program (by the same fidelity).

    The searcher is told of a repeat what came of the first, and asked again.
    """

    name = "distinct"
    Settings = DistinctSettings

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self._searcher = self.child(self.settings.searcher, "")
        self._known = Known()
        self._functions: dict[Choices, Hashable] = {}

    def suggest(self, random: Random) -> Choices:
        for _ in range(self.settings.attempts):
            choices = self.take(self._searcher)
            if self._known.is_new(self._key(choices), choices, self._searcher):
                return choices
        raise Exhausted

    def learn(self, choices: Choices, scores: Scores | None) -> None:
        self._searcher.observe(choices, scores)
        for repeated in self._known.learn(self._key(choices), scores):
            self._searcher.observe(repeated, scores)

    def _key(self, choices: Choices) -> Hashable:
        if self.settings.by == "choices":
            return choices, choices.fidelity
        if choices not in self._functions:
            program = self.space.program(choices)
            network = _function_of(program) if program.has_graph else ""
            self._functions[choices] = network, json.dumps(program.values, sort_keys=True, default=str)
        return self._functions[choices], choices.fidelity


def _function_of(program: Any) -> str:
    found: str = getattr(program, "functional_hash", None) or program.canonical_hash
    return found
