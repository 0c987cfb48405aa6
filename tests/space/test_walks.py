"""Walking and tracing the program tree, parts of spaces, and vectors of programs, against all programs."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from random import Random

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import archlang as al
from archlang.semantics import costs
from archlang.semantics.decision import Decision, Pick
from archlang.semantics.fault import Entangled
from archlang.space import Choices, Space
from archlang.space.base import inside
from tests.space.random_spaces import budget_spaces, network_spaces, static_spaces
from tests.space.test_against_enumeration import choices_of, collect, space_in

relaxed = settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)
spaces = st.one_of(static_spaces(), network_spaces(), budget_spaces())

# With floats, wide integers and subsets, of which some decisions hang; evaluated as a whole.
MIXED = """
space mixed() {
  rate = choose { fixed: 0.1, free: choose 1e-4..1e-1 log }
  units = choose 1..1_000_000
  kept = choose 0..2 of [1, 2, 3]
  order = choose 1..3 of [1, 2, 3] ordered repeated
  require sum(kept) != 3, "not three"
  { rate: rate, units: units, kept: kept, order: order }
}
"""
# Recursion without a limit: only evaluated program by program.
ENDLESS = """
def more(n) { choose { stop: n, go: more(n + 1) } }
space endless() {
  a = choose 1..4
  require a != 2, "not two"
  { depth: more(0), a: a, rate: choose 0.1..0.9 }
}
"""
REGIONS = """
use std.nn
space regions(image: f32[n, 4, 8, 8]) {
  width = choose [4, 6]
  y = image |> conv2d(choose [4, 6, 8], kernel=choose [1, 3]) |> conv2d(choose [4, 6]) |> conv2d(width)
  require params(y) <= 500 or width == 4, "small"
  y |> global_avg_pool >> linear(2)
}
"""
# Whether each of `a` and `b` is made, the other says.
MUTUAL = """
space mutual() {
  a = choose [0, 1]
  b = choose [0, 1, 2]
  { r: choose { first: if a > 0 { b } else { 0 }, second: if b > 0 { a } else { 5 } } }
}
"""


def programs_of(text: str) -> tuple[Space, list[Choices]]:
    """A space without errors, and its programs, found one by one."""
    space = space_in(text)
    programs = collect(space)
    assume(all(resolved.fault is None or resolved.fault.excluded for resolved in programs))
    valid = [choices_of(resolved) for resolved in programs if resolved.fault is None]
    assume(valid)
    try:
        assume(space.analysis.programs is not None)
    except (Entangled, al.ArchError):
        assume(False)
    return space, valid


def evenly(random: Random):  # type: ignore[no-untyped-def]
    def choose(decision: Decision, options: tuple[Pick, ...] | None) -> Pick:
        if options is None:
            return decision.domain.draw(random)
        assert len(set(options)) == len(options) > 1
        return random.choice(options)

    return choose


def followed(space: Space, program: Choices) -> Choices:
    """Where a walk comes to that takes the picks of the trace of a program."""
    wanted = {decision.address: pick for decision, pick in space.trace(program)}

    def choose(decision: Decision, options: tuple[Pick, ...] | None) -> Pick:
        if decision.address in wanted:
            assert options is None or wanted[decision.address] in options
            return wanted[decision.address]
        assert options is not None
        return options[0]  # asked, but no decision of the program

    return space.walk(choose, Random(0))


def all_walks(space: Space) -> Iterator[Choices]:
    """The ends of all walks: each repeats the last up to a decision, and takes the next option there."""
    prefix: list[int] = []
    while True:
        counts: list[int] = []

        def choose(_: Decision, options: tuple[Pick, ...] | None, counts: list[int] = counts) -> Pick:
            assert options is not None
            counts.append(len(options))
            return options[prefix[len(counts) - 1] if len(counts) <= len(prefix) else 0]  # noqa: B023

        yield space.walk(choose, Random(0))
        prefix += [0] * (len(counts) - len(prefix))
        while prefix and prefix[-1] + 1 == counts[len(prefix) - 1]:
            prefix.pop()
        if not prefix:
            return
        prefix[-1] += 1


@given(budget_spaces())
@settings(relaxed, max_examples=30)
def test_walks_within_budgets_kept_as_sums(text: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(costs, "MAX_SUMS", 0)
        space, valid = programs_of(text)
        assert set(all_walks(space)) == set(valid), text
        assert all(followed(space, program) == program for program in valid[:100]), text


@relaxed
@given(spaces, st.randoms(use_true_random=False))
def test_walks_end_in_programs_and_reach_all(text: str, random: Random) -> None:
    space, valid = programs_of(text)
    programs = set(valid)
    for _ in range(20):
        assert space.walk(evenly(random), random) in programs, text
    ends = list(all_walks(space))
    assert set(ends) == programs, text
    paths = space.analysis.programs
    assert paths is not None
    if len(paths.regions) == 1 and paths.free and not paths.compiled.layout.unsure:
        assert len(ends) == len(programs), "where all that leads on is listed, no two walks end in one program"


@relaxed
@given(spaces)
def test_a_walk_along_the_trace_ends_in_the_program(text: str) -> None:
    space, valid = programs_of(text)
    traces = []
    for program in valid[:200]:
        trace = space.trace(program)
        traces.append(tuple((decision.address, pick) for decision, pick in trace))
        assert all(program[decision.address] == pick and decision.domain.size > 1 for decision, pick in trace)
        assert followed(space, program) == program, text
    assert len(set(traces)) == len(traces), "traces tell programs apart"


@relaxed
@given(spaces, st.data())
def test_a_part_changes_nothing_outside_where_it_need_not(text: str, data: st.DataObject) -> None:
    space, valid = programs_of(text)
    assume(len(valid) > 1)
    known = sorted({address for program in valid for address in program})
    part = data.draw(st.sampled_from(known))
    mine = space.part(part)

    def apart(one: Choices, other: Choices) -> set[str]:
        """The decisions of both programs that differ."""
        return {address for address in one if address in other and one[address] != other[address]}

    def within(one: Choices, other: Choices) -> bool:
        return all(inside(address, part) for address in apart(one, other))

    random = Random(data.draw(st.integers(0, 99)))
    for program in data.draw(st.lists(st.sampled_from(valid), min_size=1, max_size=5)):
        assert all(inside(decision.address, part) for decision, _ in mine.trace(program))
        changed_inside = [other for other in valid if within(program, other)]
        # A change within the part is one of a decision that both have: another way round, that is no change of it.
        can = [other for other in changed_inside if apart(program, other)]
        for _ in range(5):
            try:
                found = mine.mutate(program, random)
            except al.ArchError:
                assert not can, text
                continue
            assert found in valid
            assert found != program
            assert any(inside(address, part) for address in apart(program, found))
            assert within(program, found) or not can, text
        for other in mine.neighbours(program):
            assert within(program, other)
            assert other in valid
        partner = data.draw(st.sampled_from(valid))
        child = mine.crossover(program, partner, random)
        assert child in valid
        assert within(program, child), "the first parent is such a program"

    asked: set[str] = set()

    def choose(decision: Decision, options: tuple[Pick, ...] | None) -> Pick:
        asked.add(decision.address)
        return evenly(random)(decision, options)

    for _ in range(10):
        assert mine.walk(choose, random) in valid
    assert all(inside(address, part) for address in asked)


@relaxed
@given(spaces)
def test_vectors_tell_programs_apart(text: str) -> None:
    space, valid = programs_of(text)
    vectors = space.encoder.many(valid)
    assert vectors.shape == (len(valid), space.encoder.width)
    assert vectors.min(initial=0.0) >= 0.0
    assert vectors.max(initial=0.0) <= 1.0
    assert len(np.unique(vectors, axis=0)) == len(valid), text
    again = space_in(text).encoder.many(valid[::-1])[::-1]  # what was seen first plays no part
    np.testing.assert_array_equal(vectors, again)


@pytest.mark.parametrize(
    "subset",
    [
        "choose 2 of [1, 2, 3, 4]",
        "choose 0..3 of [1, 2, 3]",
        "choose 0..3 of [1, 2, 3] ordered",
        "choose 1..3 of [1, 2, 3] repeated",
        "choose 0..2 of [1, 2] ordered repeated",
        "choose 3 of [1, 2] ordered repeated",
    ],
)
def test_vectors_tell_subsets_apart(subset: str) -> None:
    space = al.loads(f"space s() {{ x = choose {{ yes: {subset}, no: [5] }}\n {{ x: x }} }}")
    programs = list(space.enumerate())
    vectors = space.encoder.many(programs)
    assert 0.0 <= vectors.min() <= vectors.max() <= 1.0
    assert all(not np.allclose(one, other) for one, other in combinations(vectors, 2))


def test_vectors_of_numbers_lie_as_the_numbers_do() -> None:
    space = al.loads("space s() { { n: choose 1..1_000_001, r: choose 0.01..1.0 log, w: choose [16, 8, 64] } }")
    blocks = {block.decision.address: block.start for block in space.encoder.blocks}

    def at(n: int, r: float, w: int) -> dict[str, float]:
        vector = space.encode({"n": n, "r": r, "w": w})
        assert all(vector[start] == 1.0 for start in blocks.values())
        return {address: float(vector[start + 1]) for address, start in blocks.items()}

    assert at(1, 0.01, 8) == pytest.approx({"n": 0.0, "r": 0.0, "w": 0.0})
    assert at(500_001, 0.1, 16) == pytest.approx({"n": 0.5, "r": 0.5, "w": 0.5})
    assert at(1_000_001, 1.0, 64) == pytest.approx({"n": 1.0, "r": 1.0, "w": 1.0})


def test_walks_where_picks_are_too_many_to_list() -> None:
    space = al.loads(MIXED)
    random = Random(1)
    wide: set[str] = set()

    def choose(decision: Decision, options: tuple[Pick, ...] | None) -> Pick:
        if options is None:
            wide.add(decision.address)
        return evenly(random)(decision, options)

    for _ in range(200):
        program = space.walk(choose, random)
        assert space.choices(program) == program
        assert followed(space, program) == program
    assert wide == {"rate:free", "units"}


def test_walks_where_programs_are_evaluated_one_by_one() -> None:
    space = al.loads(ENDLESS)
    assert space.analysis.programs is None
    random = Random(2)
    depths = set()
    for _ in range(100):
        program = space.walk(evenly(random), random)
        assert space.choices(program) == program
        assert program["a"] != 2
        assert followed(space, program) == program
        depths.add(len(program))
    assert len(depths) > 3
    with pytest.raises(al.ArchError, match="E0504"):
        space.encode(program)


def test_walks_of_several_regions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(costs, "MAX_SUMS", 0)
    space = al.loads(REGIONS)
    assert space.analysis.programs is not None
    assert len(space.analysis.programs.regions) > 1
    programs = set(space.enumerate())
    assert set(all_walks(space)) == programs
    assert all(followed(space, program) == program for program in programs)


def test_walks_where_decisions_hang_from_each_other() -> None:
    space = al.loads(MUTUAL)
    assert space.analysis.programs is not None
    assert space.analysis.programs.compiled.layout.unsure
    programs = set(space.enumerate())
    assert len(programs) == (1 + 3) + (1 + 2 * 2)
    assert set(all_walks(space)) == programs
    assert all(followed(space, program) == program for program in programs)
    for program in programs:
        assert all(decision.address in program for decision, _ in space.trace(program))
    for seed in range(30):
        found = space.part("a").mutate({"r": "second", "b": 1, "a": 0}, Random(seed))
        assert dict(found) == {"r": "second", "b": 1, "a": 1}


def test_walks_within_a_budget_that_few_programs_keep() -> None:
    space = al.load("std.spaces.mobile").narrowed("macs <= 150M")
    random = Random(3)
    for _ in range(10):
        program = space.walk(evenly(random), random)
        assert space.program(program).cost().macs <= 150e6
        assert followed(space, program) == program


def test_a_pick_that_leads_nowhere_is_refused() -> None:
    text = 'space s() {\n  a = choose 0..3\n  b = choose 0..3\n  require a < b, "in order"\n  { a: a, b: b }\n}'
    wide = "space s() { { n: choose 1..1_000_000 } }"
    for space, wrong in [(al.loads(text), 3), (al.loads(wide), 0)]:
        with pytest.raises(ValueError, match=f"no option {wrong}"):
            space.walk(lambda decision, options, wrong=wrong: wrong, Random(0))  # type: ignore[misc]


def test_a_part_of_no_decision_is_refused_and_narrowing_keeps_parts() -> None:
    space = al.loads(REGIONS)
    with pytest.raises(al.ArchError, match="E0406"):
        space.part("widht")
    narrow = space.part("width").narrowed("params <= 600")
    assert narrow.is_part
    for program in narrow.enumerate():
        assert {decision.address for decision, _ in narrow.trace(program)} <= {"width"}
