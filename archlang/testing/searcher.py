"""The contract of a searcher, as a suite of tests to subclass.

    class TestMySearcher(SearcherContract):
        searcher = MySearcher
        settings = {"population": 8}

pytest then runs everything below on it. A searcher that passes can be interrupted, resumed, run in
parallel, and used on any space.
"""

from __future__ import annotations

import hashlib
import json
import random
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar

import attrs
import pytest

from archlang.diagnostics import ArchError
from archlang.searchers import Exhausted, Objective, Searcher

if TYPE_CHECKING:
    from archlang.space import Choices, Space

SPACES = {
    # 4 * 3 * 2 * 3 programs
    "flat": """
space flat {
  a = choose [1, 2, 3, 4]
  b = choose { x: 0, y: 1, z: 2 }
  { a: a, b: b, c: choose [true, false], d: choose 2 of [10, 20, 30] }
}
""",
    # 1 + 3 * (2 + 4) programs
    "conditional": """
space conditional {
  model = choose {
    none: 0,
    some: [choose 1..3, choose { few: choose [1, 2], many: choose [1, 2, 3, 4] }],
  }
  { model: model }
}
""",
    # the pairs a < b of 0..7: 28 programs
    "constrained": """
space constrained {
  a = choose 0..7
  b = choose 0..7
  require a < b, "in order"
  { a: a, b: b }
}
""",
    "small": """
space small {
  { a: choose [1, 2], b: choose [1, 2, 3] }
}
""",
    "single": """
space single {
  { a: choose [1] }
}
""",
    "floats": """
space floats {
  rate = choose 1e-4..1e-1 log
  { rate: rate, kind: choose { plain: 0.0, heavy: choose 0.5..0.9 } }
}
""",
}
SIZES = {"flat": 72, "conditional": 19, "constrained": 28, "small": 6, "single": 1}

ONE = (Objective("score", True),)
TWO = (Objective("score", True), Objective("cost", False))


def make_space(name: str) -> Space:
    """One of the spaces of the suite."""
    from archlang.space import loads

    return loads(SPACES[name])


def score(choices: Choices) -> dict[str, float]:
    """Metrics that look random and are the same everywhere."""
    digest = hashlib.sha256(choices.to_json().encode()).digest()
    return {"score": digest[0] / 255, "cost": float(digest[1] % 16)}


@attrs.frozen
class Event:
    """An ask with the proposal's text and fidelity, or a tell of the proposal of an earlier ask."""

    ask: str | None
    of: int = 0
    metrics: Mapping[str, float] | None = None
    fidelity: float = 1.0


def drive(searcher: Searcher, steps: int, seed: int, parallel: int = 1, failing: float = 0.0) -> list[Event]:
    """Ask and tell so many times, up to `parallel` in flight, told in any order, some of them as failed;
    what happened. Asks that find nothing left are tried but are no events."""
    chance = random.Random(seed)
    events: list[Event] = []
    flying: list[tuple[int, Choices]] = []
    asked = 0
    for _ in range(steps):
        if len(flying) < parallel and (not flying or chance.random() < 0.6):
            try:
                choices = searcher.ask()
            except Exhausted:
                if not flying:
                    break
            else:
                flying.append((asked, choices))
                events.append(Event(choices.to_json(), fidelity=choices.fidelity))
                asked += 1
                continue
        number, choices = flying.pop(chance.randrange(len(flying)))
        metrics = None if chance.random() < failing else score(choices)
        searcher.tell(choices, metrics)
        events.append(Event(None, number, metrics))
    return events


def replay(searcher: Searcher, events: Sequence[Event]) -> list[Choices]:
    """The proposals of a searcher that is led through events."""
    proposals: list[Choices] = []
    for event in events:
        if event.ask is not None:
            proposals.append(searcher.ask())
        else:
            searcher.tell(proposals[event.of], event.metrics)
    return proposals


def proposals_of(events: Sequence[Event]) -> list[str]:
    """The proposals among events."""
    return [event.ask for event in events if event.ask is not None]


def trace(searcher: str, space: str, settings: str, steps: int) -> str:
    """The proposals of a run as JSON, everything given as text: what a second process is asked for."""
    module, _, name = searcher.partition(":")
    kind = getattr(import_module(module), name)
    made = kind(make_space(space), TWO, 3, **json.loads(settings))
    return json.dumps(proposals_of(drive(made, steps, seed=5, parallel=3, failing=0.2)))


class SearcherContract:
    """What every searcher keeps to. Set `searcher` (importable by its name) and what differs of the rest.

    `spaces` are the names of `SPACES` to run on; `seeded`: another seed gives other proposals;
    `exhausts`: a finite space is used up, each of its programs proposed once.
    """

    searcher: ClassVar[type[Searcher]]
    settings: ClassVar[Mapping[str, Any]] = {}
    spaces: ClassVar[Sequence[str]] = ("flat", "conditional", "constrained", "floats")
    seeded: ClassVar[bool] = True
    exhausts: ClassVar[bool] = True
    steps: ClassVar[int] = 60

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Runs each test that takes `space_name` on all spaces."""
        if "space_name" in metafunc.fixturenames:
            metafunc.parametrize("space_name", self.spaces)

    def make(self, space: Space, objectives: Sequence[Objective] = ONE, seed: int = 3) -> Searcher:
        """A new searcher."""
        return self.searcher(space, objectives, seed, **self.settings)

    def test_same_seed_gives_same_proposals(self, space_name: str) -> None:
        space = make_space(space_name)
        first = drive(self.make(space), self.steps, seed=1, failing=0.2)
        assert drive(self.make(make_space(space_name)), self.steps, seed=1, failing=0.2) == first
        assert len(proposals_of(first)) > 5

    def test_other_seed_gives_other_proposals(self, space_name: str) -> None:
        space = make_space(space_name)
        one, other = (proposals_of(drive(self.make(space, seed=seed), self.steps, seed=1)) for seed in (1, 2))
        assert (one != other) is self.seeded

    def test_second_process_gives_same_proposals(self, space_name: str) -> None:
        kind = self.searcher
        arguments = [f"{kind.__module__}:{kind.__qualname__}", space_name, json.dumps(dict(self.settings)), self.steps]
        script = (
            f"import sys; sys.path[:] = {sys.path!r}; "
            f"from archlang.testing.searcher import trace; print(trace(*{arguments!r}))"
        )
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120)
        assert json.loads(done.stdout) == json.loads(trace(*arguments))  # type: ignore[arg-type]

    @pytest.mark.parametrize("parallel", [1, 5])
    def test_replay_leads_to_the_same_place(self, space_name: str, parallel: int) -> None:
        for cut in random.Random(parallel).sample(range(self.steps), 4):
            original, again = self.make(make_space(space_name), TWO), self.make(make_space(space_name), TWO)
            events = drive(original, cut, seed=cut, parallel=parallel, failing=0.2)
            proposals = replay(again, events)
            assert [choices.to_json() for choices in proposals] == proposals_of(events)
            for number in sorted(set(range(len(proposals))) - {event.of for event in events if event.ask is None}):
                for searcher in (original, again):
                    searcher.tell(proposals[number], score(proposals[number]))
            rest = drive(original, 30, seed=9, parallel=parallel, failing=0.2)
            assert drive(again, 30, seed=9, parallel=parallel, failing=0.2) == rest

    def test_proposals_are_choices_of_the_space(self, space_name: str) -> None:
        space = make_space(space_name)
        events = drive(self.make(space, TWO), self.steps, seed=4, parallel=4, failing=0.3)
        for text in proposals_of(events):
            assert space.choices(json.loads(text)).to_json() == text

    def test_many_in_flight(self, space_name: str) -> None:
        space = make_space(space_name)
        searcher = self.make(space)
        flying = [searcher.ask() for _ in range(12)]
        for choices in reversed(flying):
            searcher.tell(choices, score(choices))
        searcher.ask()
        assert searcher.asked == 13

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

    @pytest.mark.parametrize("name", ["small", "constrained", "conditional"])
    def test_finite_space_is_used_up(self, name: str) -> None:
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

    def test_programs_that_were_never_asked_may_be_told(self) -> None:
        space = make_space("flat")
        searcher = self.make(space)
        known = space.draw(random.Random(0))
        searcher.tell(known, score(known))
        assert proposals_of(drive(searcher, 20, seed=1))

    def test_unknown_setting_is_refused(self) -> None:
        with pytest.raises(ArchError) as refused:
            self.searcher(make_space("small"), ONE, 0, **{**self.settings, "no_such_setting": 1})
        assert [found.code for found in refused.value.diagnostics] == ["E0902"]
