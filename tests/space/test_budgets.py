"""Requirements on costs, counts, bounds, draws and batches against evaluating each program by itself."""

from collections import Counter
from itertools import pairwise
from math import comb
from random import Random

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

import archlang as al
from archlang.semantics import costs
from archlang.space import Choices, Space
from tests.space.random_spaces import budget_spaces
from tests.space.test_against_enumeration import choices_of, collect, each_program, space_in

relaxed = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)


@pytest.fixture(params=["sums", "diagrams"])
def kept_as(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Costs in requirements kept as sums, always; or added up, as they are when they take few values."""
    if request.param == "sums":
        monkeypatch.setattr(costs, "MAX_SUMS", 0)
    return str(request.param)


def valid_programs(text: str) -> tuple[Space, list[Choices]]:
    """A space without errors, and its programs by brute force."""
    space = space_in(text)
    programs = collect(space)
    assume(all(resolved.fault is None or resolved.fault.excluded for resolved in programs))
    return space, [choices_of(resolved) for resolved in programs if resolved.fault is None]


def test_programs_within_budgets_are_counted_listed_and_told(kept_as: str) -> None:
    @relaxed
    @given(budget_spaces())
    def compare(text: str) -> None:
        space, valid = valid_programs(text)
        if not valid:
            with pytest.raises(al.ArchError, match="E0503"):
                space.check()
            return
        space.check()
        assert space.unproved is None
        assert space.size == len(valid), text
        assert set(space.enumerate()) == set(valid), text
        picks: dict[str, set[object]] = {}
        for choices in valid:
            for address, pick in choices.items():
                picks.setdefault(address, set()).add(pick)
        assert space.analysis.programs is not None
        compiled = space.analysis.programs.compiled
        for place, taken in enumerate(space.analysis.programs.taken()):
            told = {compiled.picks[place][pick] for pick in taken}
            assert told == picks.get(compiled.addresses[place], set()), text

    compare()


def test_bounds_are_those_of_all_programs(kept_as: str) -> None:
    @relaxed
    @given(budget_spaces())
    def compare(text: str) -> None:
        space, valid = valid_programs(text)
        assume(valid)
        found = [space.program(choices).cost() for choices in valid]
        for name in (*costs.ADDITIVE, "depth"):
            values = [getattr(cost, name) for cost in found]
            bounds = space.bounds(name)
            assert bounds.least.proven <= min(values) <= bounds.least.value, (text, name)
            assert bounds.most.value <= max(values) <= bounds.most.proven, (text, name)
            if name != "peak_memory":
                assert (bounds.least.value, bounds.most.value) == (min(values), max(values)), (text, name)
            for extreme in (bounds.least, bounds.most):
                assert getattr(space.program(extreme.choices).cost(), name) == extreme.value

    compare()


def test_moves_stay_within_requirements(kept_as: str) -> None:
    @relaxed
    @given(budget_spaces(), st.integers(0, 2**32))
    def compare(text: str, seed: int) -> None:
        space, valid = valid_programs(text)
        assume(valid)
        random = Random(seed)
        programs = set(valid)
        a, b = random.choice(valid), random.choice(valid)
        assert {space.draw(random) for _ in range(5)} | {space.draw(random, evenly=True) for _ in range(5)} <= programs
        assert space.crossover(a, b, random) in programs
        assert set(space.neighbours(a)) <= programs - {a}
        if len(valid) > 1:
            changed = space.mutate(a, random)
            assert changed in programs - {a}
        else:
            with pytest.raises(al.ArchError, match="E0411"):
                space.mutate(a, random)
        # The nearest program differs from the wanted picks no more than any other does.
        wanted = {decision.address: decision.domain.draw(random) for decision in space.all_decisions()}
        repaired = space.repair(wanted, seed)
        assert repaired in programs
        fewest = min(_changes(wanted, choices) for choices in valid)
        assert _changes(wanted, repaired) == fewest, text

    compare()


def _changes(wanted: dict[str, object], choices: Choices) -> int:
    return sum(wanted[address] != pick for address, pick in choices.items())


def test_batches_price_as_programs_do() -> None:
    @relaxed
    @given(budget_spaces())
    def compare(text: str) -> None:
        space, valid = valid_programs(text)
        assume(valid)
        found = space.costs(valid)
        for name, values in found.items():
            assert values.tolist() == [getattr(space.program(choices).cost(), name) for choices in valid], (text, name)
        drawn = space.sample_many(20, seed=1)
        again = space.costs(list(drawn))
        for name, values in space.costs(drawn).items():
            assert values.tolist() == again[name].tolist()

    compare()


BUDGETED = """
use std.nn
space s(image: f32[n, 3, 8, 8]) {
  x = image
  for i in 0..<3 {
    x = x |> choose { conv: conv2d(choose [4, 8, 12], kernel=choose [1, 3]), skip: identity, pool: max_pool2d(3) }
  }
  y = x |> global_avg_pool >> linear(2)
  require macs(y) <= 20k and params(y) >= 60, "budget"
  y
}
"""


@pytest.mark.parametrize("evenly", [True, False], ids=["over programs", "by decision"])
@pytest.mark.parametrize("many", [True, False], ids=["batch", "one by one"])
def test_draws_within_a_budget_have_the_right_chances(
    evenly: bool, many: bool, kept_as: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if kept_as == "sums":
        monkeypatch.setattr("archlang.space.draws.MAX_DRAWN", 400)  # so that costs are rounded
    space = al.loads(BUDGETED)
    programs = list(space.enumerate())
    assert len(programs) == space.size > 50
    weights = np.array([1.0 if evenly else 1 / _ways(space, choices) for choices in programs])
    draws = 12_000
    if many:
        drawn = Counter(space.sample_many(draws, seed=3, evenly=evenly))
    else:
        random = Random(3)
        draws = 3_000
        drawn = Counter(space.draw(random, evenly) for _ in range(draws))
    assert set(drawn) <= set(programs)
    seen = np.array([drawn[choices] for choices in programs])
    expected = weights / weights.sum() * draws
    kept = expected >= 5
    if not kept.all():
        seen = np.append(seen[kept], seen[~kept].sum())
        expected = np.append(expected[kept], expected[~kept].sum())
    assert chisquare(seen, expected).pvalue > 1e-4


def _ways(space: Space, choices: Choices) -> int:
    return int(np.prod([decision.domain.size for decision in space.decisions(choices)]))


def test_a_condition_from_outside_is_a_requirement() -> None:
    space = al.loads(BUDGETED.replace('  require macs(y) <= 20k and params(y) >= 60, "budget"\n', ""))
    for condition in ("macs <= 20k and params >= 60", "not (macs > 20k or params < 60)"):
        assert space.narrowed(condition).size == al.loads(BUDGETED).size
    small = space.narrowed("macs / 1k <= 20.5").narrowed("2 * params - 10 < 300").narrowed("depth <= 2")
    wanted = [
        choices
        for choices in space.enumerate()
        for cost in [space.program(choices).cost()]
        if cost.macs <= 20_500 and 2 * cost.params - 10 < 300 and cost.depth <= 2
    ]
    assert 0 < small.size == len(wanted) < space.size
    assert set(small.enumerate()) == set(wanted)
    assert small.digest != space.digest
    for condition, code in (("mac < 1", "E0201"), ("macs <", "E0110"), ("macs", "E0301"), ("macs < 0", "E0503")):
        with pytest.raises(al.ArchError, match=code):
            space.narrowed(condition).check()


def test_a_rare_program_is_found_at_once() -> None:
    text = """
    use std.nn
    space s(image: f32[n, 8, 8, 8]) {
      x = image
      for i in 0..<24 {
        x = x |> choose { a: conv2d(8, kernel=1), b: conv2d(8, kernel=3), c: conv2d(8, kernel=5), d: identity }
      }
      require macs(x) <= 8k, "tiny"
      x
    }
    """
    space = al.loads(text)
    # One op of kernel 1 has 64 * 64 = 4,096 multiply-adds: one or none of them, the others left out.
    assert space.size == 1 + 24
    drawn = Counter(space.sample_many(2_500, evenly=True))
    assert len(drawn) == 25
    assert chisquare([drawn[choices] for choices in space.enumerate()]).pvalue > 1e-4


def test_counts_on_a_rounded_lattice_hold_the_exact_one(monkeypatch: pytest.MonkeyPatch) -> None:
    layers = "\n".join(f"  x{i + 1} = x{i} |> conv2d({4 + 3 * i}, kernel=choose [1, 3, 5, 7])" for i in range(6))
    space = al.loads(f"use std.nn\nspace s(x0: f32[n, 3, 9, 9]) {{\n{layers}\n  x6\n}}")
    channels = [3, 4, 7, 10, 13, 16, 19]
    sums = np.zeros(1, dtype=np.int64)
    for before, after in pairwise(channels):
        sums = np.add.outer(sums, 81 * before * after * np.array([1, 9, 25, 49])).reshape(-1)
    for share in (0.001, 0.3, 0.9):
        limit = int(np.quantile(sums, share))
        narrowed = space.narrowed(f"macs <= {limit}")
        assert narrowed.size == (sums <= limit).sum()
        with monkeypatch.context() as patch:
            patch.setattr("archlang.space.tables.MAX_COUNTED", 1)
            for size in (60, 400, 3_000):
                patch.setattr("archlang.space.tables.MAX_BOUNDED", size)
                rough = narrowed.count()
                assert rough.low <= (sums <= limit).sum() <= rough.high
                assert size > 60 or not rough.exact


def test_counts_larger_than_a_machine_word_are_exact() -> None:
    text = """
    use std.nn
    space s(image: f32[n, 8, 4, 4]) {
      x = image
      for i in 0..<90 { x = x |> choose { a: conv2d(8, kernel=1), d: identity, e: relu } }
      require macs(x) <= 32768, "at most 32 of them"
      x
    }
    """
    space = al.loads(text)
    assert space.size == sum(comb(90, n) * 2 ** (90 - n) for n in range(33))
    assert space.size > 2**128


def test_spaces_that_a_budget_decides_more_about() -> None:
    text = """
    use std.nn
    space s(image: f32[n, 3, 8, 8]) {
      x = image |> conv2d(choose [4, 8, 12], kernel=choose [1, 3]) |> conv2d(choose [4, 8], kernel=choose [1, 3])
      tail = if macs(x) > 30k { x |> relu } else { x |> conv2d(choose [2, 4], kernel=1) }
      tail |> global_avg_pool
    }
    """
    space = al.loads(text)
    valid = [choices_of(resolved) for resolved in each_program(space)]
    assert space.size == len(valid)
    assert set(space.enumerate()) == set(valid)
    assert set(space.sample_many(500, evenly=True)) == set(valid)
