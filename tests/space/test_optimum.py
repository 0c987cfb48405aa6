"""The best programs and their proofs against evaluating each program by itself."""

import itertools
import sys
from collections.abc import Mapping
from fractions import Fraction
from random import Random

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import archlang as al
from archlang.cost import ADDITIVE
from archlang.space import Choices, Space, exact
from archlang.space.exact import Problem, improved
from archlang.space.paths import Paths
from tests.cost.tables import table_of
from tests.space.random_spaces import budget_spaces, static_spaces
from tests.space.test_budgets import valid_programs

relaxed = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)


def scores_of(space: Space, random: Random, few: bool) -> dict[str, dict[object, float]]:
    """A score for each pick of each decision; `few`: so few that many programs are as good."""
    found: dict[str, dict[object, float]] = {}
    for decision in space.all_decisions():
        for index in range(int(decision.domain.size)):
            score = float(random.randrange(3)) if few else random.gauss(0, 1)
            found.setdefault(decision.address, {})[decision.domain.pick(index)] = score
    return found


def scored(choices: Choices, scores: Mapping[str, Mapping[object, float]]) -> Fraction:
    return sum((Fraction(scores[address][pick]) for address, pick in choices.items()), Fraction(0))


@relaxed
@given(static_spaces(), st.integers(0, 2**32), st.booleans())
def test_ranking_is_that_of_all_programs_by_score(text: str, seed: int, few: bool) -> None:
    space, valid = valid_programs(text)
    assume(2 <= len(valid) <= 200)
    scores = scores_of(space, Random(seed), few)
    ranked = list(space.ranking(maximize=scores))
    assert all(found.exact for found in ranked)
    assert {found.choices for found in ranked} == set(valid), text
    assert len(ranked) == len(valid)
    assert [found.value for found in ranked] == sorted((float(scored(c, scores)) for c in valid), reverse=True), text
    assert [float(scored(found.choices, scores)) for found in ranked] == [found.value for found in ranked]


@relaxed
@given(budget_spaces(), st.integers(0, 2**32), st.booleans())
def test_optimum_within_budgets_is_that_of_all_programs(text: str, seed: int, few: bool) -> None:
    space, valid = valid_programs(text)
    assume(valid)
    random = Random(seed)
    known = space.with_table(table_of(space.operations()[0], seed))
    prices = {choices: known.program(choices).cost().totals() | known.program(choices).measured() for choices in valid}
    limits = {}
    for name in random.sample(["params", "macs", "activations", "memory_traffic", "latency"], random.randrange(1, 4)):
        values = sorted(price[name] for price in prices.values())
        limits[name] = values[random.randrange(len(values) // 2, len(values))]
    narrow = known.narrowed(" and ".join(f"{name} <= {limit!r}" for name, limit in limits.items()))
    within = [c for c in valid if all(prices[c][name] <= limit for name, limit in limits.items())]
    name = random.choice([*ADDITIVE, "latency"])
    scores = scores_of(space, random, few)
    weights: dict[str, float] = {name: random.choice([1, 0.001]), random.choice(ADDITIVE): -2}

    def total(choices: Choices, costs: Mapping[str, float], with_scores: bool) -> Fraction:
        parts = 10**6  # costs are whole millionths, or whole
        priced = (Fraction(round(prices[choices][n] * parts), parts) * Fraction(w) for n, w in costs.items())
        return sum(priced, scored(choices, scores) if with_scores else Fraction(0))

    for goal, costs in ((name, {name: 1}), ({**weights, **scores}, weights)):
        worth = {choices: total(choices, costs, goal is not name) for choices in valid}
        for side, best in (("minimize", min), ("maximize", max)):
            if not within:
                with pytest.raises(al.ArchError, match="E0505"):
                    narrow.optimum(**{side: goal})  # type: ignore[arg-type]
                continue
            found = narrow.optimum(**{side: goal})  # type: ignore[arg-type]
            assert found.exact
            assert found.choices in within, text
            assert worth[found.choices] == best(worth[c] for c in within), (text, goal, side, limits)
            assert found.value == found.proven == float(worth[found.choices])


@relaxed
@given(budget_spaces(), st.integers(0, 2**32))
def test_ranking_within_budgets_is_that_of_all_programs(text: str, seed: int) -> None:
    space, valid = valid_programs(text)
    assume(len(valid) > 2)
    costs = [space.program(choices).cost() for choices in valid]
    limits = {name: sorted(getattr(cost, name) for cost in costs)[len(costs) // 2] for name in ("macs", "params")}
    kept = [c for c, cost in zip(valid, costs, strict=True) if all(getattr(cost, n) <= x for n, x in limits.items())]
    scores = scores_of(space, Random(seed), few=False)
    narrow = space.narrowed(" and ".join(f"{name} <= {limit}" for name, limit in limits.items()))
    ranked = list(itertools.islice(narrow.ranking(minimize=scores), 25))
    expected = sorted(float(scored(choices, scores)) for choices in kept)[:25]
    assert [found.value for found in ranked] == expected, text
    assert len({found.choices for found in ranked}) == len(ranked)
    assert {found.choices for found in ranked} <= set(kept)


@st.composite
def problems(draw: st.DrawFn) -> tuple[Paths, tuple[int, ...]]:
    """Layered paths with small numbers, so that ties are many, and limits."""
    random = Random(draw(st.integers(0, 2**32)))
    axes, layers = draw(st.integers(0, 3)), draw(st.integers(1, 5))
    big = draw(st.sampled_from([3, 50, 10**9, 10**20]))
    places, kids, costs = [-1], [()], [()]
    below = [0]
    for layer in range(layers):
        here = []
        for _ in range(random.randrange(1, 4) if layer < layers - 1 else 1):
            edges = [random.choice(below) if random.random() < 0.9 else -1 for _ in range(random.randrange(1, 4))]
            edges[0] = random.choice(below)
            here.append(len(places))
            places.append(layers - 1 - layer)
            kids.append(tuple(edges))
            amounts = [
                (*(random.randrange(-3, 4) * 7 for _ in range(axes)), random.randrange(-big, big)) for _ in edges
            ]
            costs.append(tuple(amounts))
        below = here
    paths = Paths(below[0], places, kids, costs, (1,) * (axes + 1), frozenset(), tuple(range(layers)))  # type: ignore[arg-type]
    paths = paths._reached()
    return paths, tuple(random.randrange(-20, 30) for _ in range(axes))


def every(paths: Paths) -> list[tuple[list[int], tuple[int, ...]]]:
    """All paths with their sums."""
    found, stack = [], [(paths.root, [], paths.base)]
    while stack:
        node, picks, total = stack.pop()
        if node == 0:
            found.append((picks, total))
        for pick, kid in enumerate(paths.kids[node]):
            if kid >= 0:
                sums = tuple(a + b for a, b in zip(total, paths.costs[node][pick], strict=True))
                stack.append((kid, [*picks, pick], sums))
    return found


@settings(max_examples=300, deadline=None)
@given(problems(), st.lists(st.integers(0, 2**50), min_size=3, max_size=3), st.integers(0, 3))
def test_search_in_whole_numbers(given_problem: tuple[Paths, tuple[int, ...]], prices: list[int], above: int) -> None:
    paths, limits = given_problem
    within = [sums[-1] for _, sums in every(paths) if all(a <= b for a, b in zip(sums, limits, strict=False))]
    problem = Problem.of(paths, limits)
    if problem is None:
        assert not within
        return
    prices = prices[: len(problem.slack)]
    found, certain = improved(problem, prices, None)
    assert certain
    if not within:
        assert found is None
        return
    assert found is not None
    least = problem.value(found)
    assert least is not None
    assert problem.base + problem.unit * least == min(within)
    assert problem.bound(prices) <= least
    # From a path that is known the search finds a better one exactly where there is one.
    better, certain = improved(problem, prices, least + above)
    assert certain
    assert (better is not None) is (above > 0)
    assert better is None or problem.value(better) == least


@settings(max_examples=100, deadline=None)
@given(problems(), st.integers(0, 2**32))
def test_paths_without_some(given_problem: tuple[Paths, tuple[int, ...]], seed: int) -> None:
    paths, _ = given_problem
    left = every(paths)
    random = Random(seed)
    while left:
        assert sorted(every(paths)) == sorted(left)
        paths = paths.without(left.pop(random.randrange(len(left)))[0])
    assert paths.root == -1


def test_large_space_is_proved_best() -> None:
    space = al.load("std.spaces.proxylessnas").narrowed("macs <= 300M and params <= 5M")
    found = space.optimum(maximize="params")
    cost = space.program(found.choices).cost()
    assert found.exact
    assert (cost.params, found.value) == (4_605_088, 4_605_088)
    assert cost.macs <= 300_000_000
    drawn = space.sample_many(20_000, seed=1)
    assert space.costs(drawn)["params"].max() <= found.value


def test_bound_is_told_where_labels_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exact, "MAX_LABELS", 10)
    space = al.load("std.spaces.proxylessnas").narrowed("macs <= 300M")
    found = space.optimum(maximize="params")
    assert not found.exact
    assert found.value < found.proven < 1.01 * found.value
    monkeypatch.undo()
    assert found.value <= space.optimum(maximize="params").value <= found.proven


FLOATS = """
space s {
  rate = choose 0.1..0.9
  { a: choose [1, 2, 3], many: choose 0..10_000_000, b: choose { plain: rate, none: 0 }, c: choose 1 of [5, 6] }
}
"""


def test_decisions_of_any_value_take_one() -> None:
    space = al.loads(FLOATS)
    found = space.optimum(maximize={"a": {3: 1.0}, "b": {"plain": 0.5}, "c": {(1,): 2, (0,): 1}})
    assert found.value == 3.5
    assert {name: found.choices[name] for name in "abc"} == {"a": 3, "b": "plain", "c": (1,)}
    assert space.choices(found.choices) == found.choices
    # Picks may be written as text, as in JSON.
    assert space.optimum(maximize={"a": {"2": 7}}).choices["a"] == 2
    # A ranking gives one program for all that such decisions may take.
    assert len(list(space.ranking(minimize={"a": {1: 1}}))) == 12


@pytest.mark.parametrize(
    ("goal", "code"),
    [
        ({"maximize": {"d": {1: 1}}}, "E0406"),
        ({"maximize": {"a": {4: 1}}}, "E0407"),
        ({"maximize": {"a": {True: 1}}}, "E0407"),
        ({"maximize": {"rate": {0.5: 1}}}, "E0407"),
        ({"minimize": "depth"}, "E0506"),
        ({"minimize": "latency"}, "E0506"),
        ({"minimize": {"a": {1: float("nan")}}}, "E0911"),
        ({"minimize": {"macs": "much"}}, "E0911"),
        ({}, "E0911"),
        ({"minimize": "macs", "maximize": "params"}, "E0911"),
    ],
)
def test_goals_that_the_space_does_not_have(goal: dict[str, object], code: str) -> None:
    with pytest.raises(al.ArchError, match=code):
        al.loads(FLOATS).optimum(**goal)  # type: ignore[arg-type]


def test_entangled_space_is_refused() -> None:
    text = "space s {\n  x = [choose 1..100 as n for i in 0..<30]\n  require sum([n ^ 3 for n in x]) % 7 == 3\n  x\n}"
    with pytest.raises(al.ArchError, match="E0504"):
        al.loads(text).optimum(minimize="macs")


def test_without_scipy_budgets_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    space = al.load("std.spaces.proxylessnas")
    monkeypatch.setitem(sys.modules, "scipy.optimize", None)
    assert space.optimum(minimize="macs").value == space.bounds("macs").least.value
    with pytest.raises(al.ArchError, match=r"archlang\[milp\]"):
        space.narrowed("macs <= 300M").optimum(maximize="params")


def test_undominated_labels_are_kept() -> None:
    random = np.random.default_rng(0)
    for axes, high in ((1, 5), (2, 5), (3, 4), (2, 100)):
        values, uses = random.integers(0, high, 200), random.integers(0, high, (200, axes))
        kept = exact._undominated(values, uses)
        rows = [(int(value), *map(int, used)) for value, used in zip(values, uses, strict=True)]
        best = {row for row in rows if not any(o != row and all(map(int.__le__, o, row)) for o in rows)}
        assert {rows[label] for label in kept} == best
        assert len(kept) == len(best)
