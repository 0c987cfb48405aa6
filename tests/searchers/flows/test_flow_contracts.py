"""Every flow keeps the contract of searchers, with others inside that keep it."""

import json
from collections.abc import Mapping
from typing import Any, ClassVar

import pytest

from archlang.searchers.flows.alternate import Alternate
from archlang.searchers.flows.distinct import Distinct
from archlang.searchers.flows.filter import Filter
from archlang.searchers.flows.nested import Nested
from archlang.searchers.flows.parts import Parts
from archlang.searchers.flows.retry import Retry
from archlang.searchers.flows.then import Then
from archlang.space import Program, Space
from archlang.testing.searcher import SIZES, SearcherContract, drive, make_space, proposals_of

EVOLUTION = "evolution(population=4, sample=2)"
REPEATING = "evolution(population=4, sample=2, dedupe=false)"


def addresses(space: Space) -> list[str]:
    return [decision.address for decision in space.all_decisions()]


class TestThen(SearcherContract):
    searcher = Then
    settings: ClassVar = {"stages": ["random", 7, EVOLUTION, 9, "random(dedupe=false)"]}
    exhausts = False  # in flight at a hand-over may come again


class TestAlternate(SearcherContract):
    searcher = Alternate
    settings: ClassVar = {"members": ["random(dedupe=false)", EVOLUTION, REPEATING]}
    exhausts = False


class TestDistinct(SearcherContract):
    searcher = Distinct
    settings: ClassVar = {"searcher": f"alternate(random, {EVOLUTION}, {REPEATING})", "attempts": 100}


class TestDistinctFunctions(SearcherContract):
    searcher = Distinct
    settings: ClassVar = {"searcher": "then(random, 6, evolution(population=6, sample=2))", "by": "function"}
    spaces = ("flat", "constrained", "floats", "budget")

    @pytest.mark.parametrize("name", ["small", "constrained", "conditional"])
    def test_finite_space_is_used_up(self, name: str) -> None:
        space = make_space(name)
        different = {json.dumps(space.program(choices).values) for choices in space.enumerate()}
        events = drive(self.make(space), 4 * SIZES[name], seed=1, parallel=3)
        found = [json.dumps(space.program(json.loads(text)).values) for text in proposals_of(events)]
        assert len(found) == len(set(found))
        assert set(found) == different


class TestRetry(SearcherContract):
    searcher = Retry
    settings: ClassVar = {"searcher": EVOLUTION, "times": 1}


class TestParts(SearcherContract):
    searcher = Parts
    exhausts = False
    entangled = False

    def settings_for(self, space: Space) -> Mapping[str, Any]:
        first, *_, last = [*addresses(space), *addresses(space)]
        return {"parts": [[first, REPEATING], [last, "random(dedupe=false)"]], "rest": REPEATING}


class TestNested(SearcherContract):
    searcher = Nested
    exhausts = False
    entangled = False

    def settings_for(self, space: Space) -> Mapping[str, Any]:
        return {"outer": REPEATING, "inner": REPEATING, "part": addresses(space)[0], "trials": 4}


class TestNestedThatContinues(TestNested):
    def settings_for(self, space: Space) -> Mapping[str, Any]:
        return {**super().settings_for(space), "continues": True, "inner": "random(dedupe=false)"}


def keeps(program: Program) -> bool:
    """Whether a program is kept: all are where there is no other condition."""
    return bool(program.choices)


class TestFilter(SearcherContract):
    """By a condition on costs where there are any, else by a function."""

    searcher = Filter
    spaces = ("budget",)

    def settings_for(self, space: Space) -> Mapping[str, Any]:
        return {"searcher": EVOLUTION, "condition": "macs <= 4k" if space.name == "budget" else keeps}
