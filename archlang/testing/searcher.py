"""The contract of a searcher, as a suite of tests to subclass.

    class TestMySearcher(SearcherContract):
        searcher = MySearcher
        settings = {"population": 8}

pytest then runs everything below on it. A searcher that passes can be interrupted, resumed, run in
parallel, and used on any space, under any constraints.
"""

from __future__ import annotations

import json
import math
import os
import random
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from archlang.diagnostics import ArchError
from archlang.searchers import NO_CONSTRAINTS, Constraint, Constraints, Exhausted, Objective, Searcher
from archlang.searchers.objectives import HANDLINGS
from archlang.testing.driving import Event, drive, proposals_of, replay, score
from archlang.testing.spaces import BUDGETS, SIZES, SPACES, make_space

if TYPE_CHECKING:
    from archlang.space import Choices, SearchSpace

__all__ = ["SIZES", "SPACES", "Event", "SearcherContract", "drive", "make_space", "proposals_of", "replay", "score"]

ONE = (Objective("score", True),)
TWO = (Objective("score", True), Objective("cost", False))
THREE = (*TWO, Objective("length", False))
RANDOM = [str(number) for number in range(2, 7)]
MORE_RANDOM = [pytest.param(str(number), marks=pytest.mark.exhaustive) for number in range(7, 60)]


def trace(searcher: str, settings: str, spaces: Sequence[str], steps: int) -> str:
    """The proposals of runs on some spaces as JSON, everything given as text: what a second process is
    asked for."""
    module, _, name = searcher.partition(":")
    kind: type[Searcher] = getattr(import_module(module), name)
    runs = [
        drive(kind(make_space(space), TWO, 3, **given), steps, seed=5, parallel=3, failing=0.2)
        for space, given in zip(spaces, json.loads(settings), strict=True)
    ]
    return json.dumps([[(event.ask, event.fidelity) for event in run] for run in runs])


class SearcherContract:
    """What every searcher keeps to. Set `searcher` (importable by its name) and what differs of the rest.

    `spaces` are the names of `SPACES` to run on; `seeded`: another seed gives other proposals;
    `exhausts`: a finite space is used up, each of its programs proposed once; `infinite`: infinite spaces
    will do, else they are refused with E0910; `entangled`: spaces that are not evaluated as a whole will
    do, else they are refused with E0504 (or E0910); `traced`: spaces that are Python functions will do, else they
    are refused with E0504.
    """

    searcher: ClassVar[type[Searcher]]
    settings: ClassVar[Mapping[str, Any]] = {}
    spaces: ClassVar[Sequence[str]] = ("flat", "conditional", "constrained", "floats", "budget", "python")
    seeded: ClassVar[bool] = True
    exhausts: ClassVar[bool] = True
    infinite: ClassVar[bool] = True
    entangled: ClassVar[bool] = True
    traced: ClassVar[bool] = True
    steps: ClassVar[int] = 60

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Runs each test that takes `space_name` on all spaces, and those that take `number` on random ones."""
        if "space_name" in metafunc.fixturenames:
            metafunc.parametrize("space_name", [name for name in self.spaces if self.traced or name != "python"])
        if "number" in metafunc.fixturenames:
            metafunc.parametrize("number", [*RANDOM, *MORE_RANDOM])

    def settings_for(self, space: SearchSpace) -> Mapping[str, Any]:
        """The settings for a space, where they are not the same for all."""
        return self.settings

    def make(
        self,
        space: SearchSpace,
        objectives: Sequence[Objective] = ONE,
        seed: int = 3,
        constraints: Constraints = NO_CONSTRAINTS,
    ) -> Searcher:
        """A new searcher."""
        return self.searcher(space, objectives, seed, constraints, **self.settings_for(space))

    def _asks(self, searcher: Searcher, count: int) -> Iterator[Choices]:
        """So many proposals, or all that there are."""
        for _ in range(count):
            try:
                yield searcher.ask()
            except Exhausted:
                assert self.exhausts, "nothing is left"
                return

    # ------------------------------------------------- a function of seed and history

    def test_same_seed_gives_same_proposals(self, space_name: str) -> None:
        space = make_space(space_name)
        first = drive(self.make(space), self.steps, seed=1, failing=0.2)
        assert drive(self.make(make_space(space_name)), self.steps, seed=1, failing=0.2) == first
        assert len(proposals_of(first)) > 5

    def test_other_seed_gives_other_proposals(self, space_name: str) -> None:
        space = make_space(space_name)
        one, other = (proposals_of(drive(self.make(space, seed=seed), self.steps, seed=1)) for seed in (1, 2))
        assert (one != other) is self.seeded

    def test_second_process_gives_same_proposals(self) -> None:
        kind = self.searcher
        spaces = [name for name in self.spaces if self.traced or name != "python"]
        settings = json.dumps([dict(self.settings_for(make_space(name))) for name in spaces])
        arguments = (f"{kind.__module__}:{kind.__qualname__}", settings, tuple(spaces), self.steps)
        script = (
            f"import sys; sys.path[:] = {sys.path!r}; "
            f"from archlang.testing.searcher import trace; print(trace(*{arguments!r}))"
        )
        hashing = {**os.environ, "PYTHONHASHSEED": "1"}  # another order of sets than here
        done = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120, env=hashing
        )
        assert json.loads(done.stdout) == json.loads(trace(*arguments))

    def test_global_random_state_plays_no_part(self, space_name: str) -> None:
        space = make_space(space_name)
        before = random.getstate()
        first = drive(self.make(space), 20, seed=1)
        assert random.getstate() == before
        random.seed(99)
        try:
            assert drive(self.make(space), 20, seed=1) == first
        finally:
            random.setstate(before)

    @pytest.mark.parametrize("parallel", [1, 5])
    def test_replay_leads_to_the_same_place(self, space_name: str, parallel: int) -> None:
        for cut in random.Random(parallel).sample(range(self.steps), 3):
            original, again = self.make(make_space(space_name), TWO), self.make(make_space(space_name), TWO)
            events = drive(original, cut, seed=cut, parallel=parallel, failing=0.2)
            proposals = replay(again, events)
            assert [(choices.to_json(), choices.fidelity) for choices in proposals] == [
                (event.ask, event.fidelity) for event in events if event.ask is not None
            ]
            for number in sorted(set(range(len(proposals))) - {event.of for event in events if event.ask is None}):
                for searcher in (original, again):
                    searcher.tell(proposals[number], score(proposals[number]))
            rest = drive(original, 30, seed=9, parallel=parallel, failing=0.2)
            assert drive(again, 30, seed=9, parallel=parallel, failing=0.2) == rest

    def test_asks_that_find_nothing_change_nothing(self) -> None:
        events = []
        for tries in (0, 3):
            searcher = self.make(make_space("small"))
            flying = list(self._asks(searcher, 2 * SIZES["small"]))
            if len(flying) < 2 * SIZES["small"]:
                for _ in range(tries):
                    assert list(self._asks(searcher, 1)) == []
            for choices in flying:
                searcher.tell(choices, None)
            events.append([*flying, *self._asks(searcher, 3)])
        assert events[0] == events[1]

    # ------------------------------------------------- in flight, lost, failed, told from elsewhere

    def test_many_in_flight(self, space_name: str) -> None:
        space = make_space(space_name)
        searcher = self.make(space)
        flying = [searcher.ask() for _ in range(12)]
        for choices in reversed(flying):
            searcher.tell(choices, score(choices))
        searcher.ask()
        assert searcher.asked == 13

    def test_asks_may_be_lost(self, space_name: str) -> None:
        """The searcher goes on when two asks of three are never told."""
        space = make_space(space_name)
        searcher, again = self.make(space), self.make(space)
        found = []
        for number, choices in enumerate(self._asks(searcher, 30)):
            assert again.ask() == choices
            if number % 3 == 0:
                searcher.tell(choices, score(choices))
                again.tell(choices, score(choices))
            found.append(choices)
        assert len(found) == 30 or (self.exhausts and len(set(found)) == SIZES[space_name])

    def test_all_trials_may_fail(self, space_name: str) -> None:
        searcher = self.make(make_space(space_name), TWO)
        for _ in range(15):
            searcher.tell(searcher.ask(), None)
        assert searcher.asked == 15

    def test_metrics_that_are_not_finite_count_as_failed(self, space_name: str) -> None:
        failed, infinite = self.make(make_space(space_name)), self.make(make_space(space_name))
        for _ in range(12):
            one, other = failed.ask(), infinite.ask()
            assert one == other
            failed.tell(one, None)
            infinite.tell(other, {"score": float("nan")})

    def test_programs_that_were_never_asked_may_be_told(self, space_name: str) -> None:
        """As in a flow: many before the first ask, some as failed, some by another fidelity, some twice."""
        space = make_space(space_name)
        searcher, again = self.make(space, TWO), self.make(space, TWO)
        known = [space.draw(random.Random(number)) for number in range(8)]
        known = [choices.at(1 / 3) if number % 3 == 1 else choices for number, choices in enumerate([*known, known[0]])]
        for number, choices in enumerate(known):
            for one in (searcher, again):
                one.tell(choices, None if number % 4 == 2 else score(choices))
        events = drive(searcher, 20, seed=1, parallel=2)
        assert proposals_of(events)
        assert drive(again, 20, seed=1, parallel=2) == events

    def test_fidelities_are_shares(self, space_name: str) -> None:
        for event in drive(self.make(make_space(space_name)), self.steps, seed=4, parallel=4, failing=0.1):
            assert 0 < event.fidelity <= 1

    # ------------------------------------------------- inside the space and its constraints

    def test_proposals_are_choices_of_the_space(self, space_name: str) -> None:
        space = make_space(space_name)
        events = drive(self.make(space, TWO), self.steps, seed=4, parallel=4, failing=0.3)
        for text in proposals_of(events):
            assert space.choices(json.loads(text)).to_json() == text

    def test_requirements_and_budgets_are_kept(self, space_name: str) -> None:
        space = make_space(space_name)
        for text in proposals_of(drive(self.make(space), self.steps, seed=2, parallel=2, failing=0.1)):
            picks = json.loads(text)
            if space_name == "constrained":
                assert picks["a"] < picks["b"]
            if space_name in BUDGETS:
                cost, most = BUDGETS[space_name]
                assert getattr(space.program(picks).cost(), cost) <= most

    def test_random_spaces(self, number: str) -> None:
        space = make_space(number)
        if not self.infinite and math.isinf(space.size):
            with pytest.raises(ArchError, match="E0910"):
                self.make(space)
            return
        events = drive(self.make(space, TWO), 30, seed=7, parallel=3, failing=0.2)
        assert drive(self.make(make_space(number), TWO), 30, seed=7, parallel=3, failing=0.2) == events
        assert proposals_of(events)
        for text in proposals_of(events):
            assert space.choices(json.loads(text)).to_json() == text

    def test_space_that_is_not_evaluated_as_a_whole(self) -> None:
        space = make_space("recursive")
        if not self.entangled:
            with pytest.raises(ArchError, match=r"E0504|E0910"):
                self.make(space).ask()
            return
        events = drive(self.make(space, TWO), 40, seed=6, parallel=3, failing=0.2)
        assert drive(self.make(make_space("recursive"), TWO), 40, seed=6, parallel=3, failing=0.2) == events
        assert len(proposals_of(events)) > 10
        for text in proposals_of(events):
            assert space.choices(json.loads(text)).to_json() == text

    @pytest.mark.parametrize("handling", HANDLINGS)
    @pytest.mark.parametrize("limit", ["cost <= 5", "cost <= -1"])
    def test_limits_on_metrics(self, handling: str, limit: str) -> None:
        """Some programs, or all, are beyond a limit that only their evaluation shows."""
        limits = Constraints(limits=(Constraint.parse(limit),), handling=handling)
        for goals in (ONE, TWO):
            searcher, again = (self.make(make_space("flat"), goals, constraints=limits) for _ in range(2))
            events = drive(searcher, self.steps, seed=8, parallel=3, failing=0.2)
            assert len(proposals_of(events)) > 10
            assert [choices.to_json() for choices in replay(again, events)] == proposals_of(events)

    # ------------------------------------------------- what is told

    def test_three_objectives(self, space_name: str) -> None:
        def evaluate(choices: Choices) -> dict[str, float]:
            return {**score(choices), "length": float(len(choices))}

        events = drive(self.make(make_space(space_name), THREE), 40, seed=3, parallel=2, evaluate=evaluate)
        assert len(proposals_of(events)) > 10

    @pytest.mark.parametrize("goals", [ONE, TWO], ids=["one", "two"])
    def test_all_programs_may_be_as_good(self, space_name: str, goals: Sequence[Objective]) -> None:
        same = {"score": 0.5, "cost": 1.0}
        events = drive(self.make(make_space(space_name), goals), 40, seed=3, parallel=2, evaluate=lambda _: same)
        assert len(proposals_of(events)) > 10

    # ------------------------------------------------- when a space is used up

    @pytest.mark.parametrize("name", ["small", "constrained", "conditional", "python"])
    def test_finite_space_is_used_up(self, name: str) -> None:
        if name == "python" and not self.traced:
            with pytest.raises(ArchError, match=r"E0504|E0910"):
                self.make(make_space(name))
            return
        searcher = self.make(make_space(name))
        events = drive(searcher, 4 * SIZES[name], seed=1, parallel=3)
        proposals = proposals_of(events)
        if not self.exhausts:
            assert len(proposals) > SIZES[name]
            return
        assert len(proposals) == len(set(proposals)) == SIZES[name]
        for _ in range(2):
            with pytest.raises(Exhausted):
                searcher.ask()

    def test_space_of_one_program(self) -> None:
        space = make_space("single")
        searcher = self.make(space)
        choices = searcher.ask()
        assert choices == space.choices({"a": 1})
        searcher.tell(choices, score(choices))
        if self.exhausts:
            with pytest.raises(Exhausted):
                searcher.ask()
        else:
            assert searcher.ask() == choices

    def test_unknown_setting_is_refused(self) -> None:
        space = make_space("small")
        with pytest.raises(ArchError) as refused:
            self.searcher(space, ONE, 0, **{**self.settings_for(space), "no_such_setting": 1})
        assert [found.code for found in refused.value.diagnostics] == ["E0902"]
