"""Policies: their distributions against numeric sums, differences and counts; what each method learns."""

from __future__ import annotations

import math
import random
from collections import Counter
from statistics import fmean
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from archlang.searchers import Objective, Searcher
from archlang.searchers.policies.cem import CrossEntropy
from archlang.searchers.policies.distributions import Distribution, Elements, Squashed, Table, distribution
from archlang.searchers.policies.policy import Policy, PolicySearch, Sample
from archlang.searchers.policies.ppo import PPO, clipped_weight
from archlang.searchers.policies.reinforce import Reinforce, importance
from archlang.searchers.random import RandomSearch
from archlang.searchers.rewards import MeanShare
from archlang.semantics.decision import Domain, Integers, OneOf, Reals, Subsets
from archlang.space import Choices, Space, loads
from archlang.testing.searcher import SearcherContract
from tests.conftest import DataFile
from tests.searchers.nasbench201 import cell, read_table, regret

GOAL = (Objective("score"),)
DOMAINS: list[Domain] = [
    OneOf(("a", "b", "c")),
    Integers(0, 6),
    Integers(0, 999, 3),
    Integers(0, 10**9),
    Reals(-1.0, 3.0),
    Reals(1e-4, 1e-1, log=True),
    Subsets(4, 1, 2),
    Subsets(12, 4, 5),
    Subsets(7, 4, 4, ordered=True),
    Subsets(9, 3, 4, repeated=True),
    Subsets(6, 0, 4, ordered=True, repeated=True),
]
LISTED = [domain for domain in DOMAINS if domain.size <= 10_000]


def learned(domain: Domain, seed: int) -> Distribution:
    """A distribution with some parameters."""
    found = distribution(domain)
    chance = random.Random(seed)
    found.climb([chance.uniform(-1, 1) for _ in found.parameters], 1.0)
    return found


def picks_of(domain: Domain) -> tuple[Any, ...]:
    return tuple(map(domain.pick, range(int(domain.size))))


class TestReinforce(SearcherContract):
    searcher = Reinforce


class TestReinforceWithRepeats(SearcherContract):
    searcher = Reinforce
    settings: ClassVar = {"dedupe": False, "batch": 4}
    exhausts = False


class TestPPO(SearcherContract):
    searcher = PPO
    settings: ClassVar = {"batch": 5}


class TestCrossEntropy(SearcherContract):
    searcher = CrossEntropy
    settings: ClassVar = {"batch": 6}


# ------------------------------------------------------------------ distributions


@pytest.mark.parametrize("domain", DOMAINS, ids=str)
def test_kinds_of_distributions(domain: Domain) -> None:
    kind = Table if domain.size <= 256 else Elements if isinstance(domain, Subsets) else Squashed
    assert type(distribution(domain)) is kind


@pytest.mark.parametrize("domain", LISTED, ids=str)
def test_distributions_begin_even(domain: Domain) -> None:
    even = distribution(domain)
    for pick in picks_of(domain):
        assert even.log_chance(pick, None) == pytest.approx(-math.log(domain.size))


@pytest.mark.parametrize("domain", LISTED, ids=str)
def test_chances_sum_to_one(domain: Domain) -> None:
    found = learned(domain, 1)
    chances = [math.exp(found.log_chance(pick, None)) for pick in picks_of(domain)]
    assert sum(chances) == pytest.approx(1)
    assert max(chances) > 1.2 * min(chances)


@pytest.mark.parametrize("domain", [OneOf(("a", "b", "c", "d")), Integers(0, 999), Integers(0, 20)], ids=str)
def test_chances_among_options_sum_to_one(domain: Domain) -> None:
    options = picks_of(domain)[1 : int(domain.size) * 2 // 3]
    found = learned(domain, 2)
    assert sum(math.exp(found.log_chance(pick, options)) for pick in options) == pytest.approx(1)
    drawn = {found.draw(options, random.Random(seed)) for seed in range(300)}
    assert drawn <= set(options)


@pytest.mark.parametrize("domain", [OneOf(("a", "b", "c")), Subsets(12, 4, 5), Subsets(9, 3, 4, repeated=True)])
def test_picks_are_drawn_as_often_as_their_chances_say(domain: Domain) -> None:
    found, chance, count = learned(domain, 3), random.Random(0), 20_000
    drawn = Counter(found.draw(None, chance) for _ in range(count))
    for pick in picks_of(domain)[:: max(1, int(domain.size) // 40)]:
        expected = math.exp(found.log_chance(pick, None)) * count
        assert abs(drawn[pick] - expected) < 5 * math.sqrt(expected) + 5


@pytest.mark.parametrize("domain", [Reals(-1.0, 3.0), Integers(0, 10**9)], ids=str)
def test_shares_of_a_range_are_drawn_as_its_distribution_function_says(domain: Domain) -> None:
    found, chance = learned(domain, 4), random.Random(0)
    location, scale = found.parameters[0], math.exp(found.parameters[1])
    drawn = np.sort([float(found.draw(None, chance)) for _ in range(4_000)])  # type: ignore[arg-type]
    shares = (drawn - domain.low) / (domain.high - domain.low)  # type: ignore[union-attr]
    expected = 1 / (1 + np.exp(-(np.log(shares / (1 - shares)) - location) / scale))
    assert np.abs(expected - (np.arange(4_000) + 0.5) / 4_000).max() < 1.63 / math.sqrt(4_000)  # Kolmogorov, 1 %


@pytest.mark.parametrize("domain", DOMAINS, ids=str)
@pytest.mark.parametrize("seed", range(3))
def test_gradients_are_finite_differences(domain: Domain, seed: int) -> None:
    found, chance = learned(domain, seed), random.Random(seed)
    pick = domain.draw(chance)
    options = None
    if domain.size <= 1_000 and not isinstance(domain, Subsets):
        at = domain.index(pick)  # type: ignore[union-attr]
        options = picks_of(domain)[max(0, at - 1) : at + 3]
    for value, gradient in (
        (found.log_chance, found.gradient(pick, options)),
        (found.entropy, found.entropy_gradient(pick, options)),
    ):
        for place in range(len(found.parameters)):
            direction = [float(place == other) for other in range(len(found.parameters))]
            found.climb(direction, 1e-5)
            above = value(pick, options)
            found.climb(direction, -2e-5)
            below = value(pick, options)
            found.climb(direction, 1e-5)
            assert gradient[place] == pytest.approx((above - below) / 2e-5, rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("domain", DOMAINS, ids=str)
def test_directions_add_weighted_gradients(domain: Domain) -> None:
    found, chance = learned(domain, 5), random.Random(5)
    weighted = [(domain.draw(chance), None, chance.uniform(-1, 1)) for _ in range(6)]
    expected = np.zeros(len(found.parameters))
    for pick, options, weight in weighted:
        expected += weight * np.array(found.gradient(pick, options))
        expected += 0.3 * np.array(found.entropy_gradient(pick, options))
    assert found.direction(weighted, 0.3) == pytest.approx(expected.tolist())


def test_entropy_of_the_squashed_logistic_is_that_of_its_density() -> None:
    for seed in range(5):
        found = learned(Reals(0.0, 1.0), seed)
        inner = np.linspace(-30, 30, 200_000)
        jacobian = 1 / (2 + np.exp(inner) + np.exp(-inner))
        location, scale = found.parameters[0], math.exp(found.parameters[1])
        w = (inner - location) / scale
        mass = 60 / 200_000 / (scale * (2 + np.exp(w) + np.exp(-w)))
        density = mass / (jacobian * 60 / 200_000)
        assert mass.sum() == pytest.approx(1, abs=1e-4)
        assert found.entropy(0.5, None) == pytest.approx(-(mass * np.log(density)).sum(), abs=0.05)


@pytest.mark.parametrize("domain", DOMAINS, ids=str)
def test_fits_make_the_picks_likelier(domain: Domain) -> None:
    found, chance = distribution(domain), random.Random(1)
    picks = [(domain.draw(chance), None) for _ in range(3)]
    before = sum(found.log_chance(*each) for each in picks)
    found.fit(picks, 0.5)
    halfway = sum(found.log_chance(*each) for each in picks)
    found.fit(picks, 1.0)
    assert before < halfway < sum(found.log_chance(*each) for each in picks) + 1e-9


def test_fit_of_a_table_is_the_smoothed_frequency() -> None:
    found = distribution(OneOf(("a", "b", "c", "d")))
    found.fit([("a", None), ("a", None), ("b", None)], 0.6)
    chances = [math.exp(found.log_chance(pick, None)) for pick in "abcd"]
    assert chances == pytest.approx([0.1 + 0.4, 0.1 + 0.2, 0.1, 0.1])


# ------------------------------------------------------------------------- policies


def nested() -> Space:
    return loads(
        "space s { { kind: choose { a: choose [1, 2, 3], b: choose 0.1..1.0 log, c: 0 }, "
        "some: choose 1..2 of [1, 2, 3], depth: choose 0..999 } }"
    )


def test_steps_are_the_trace_of_a_program() -> None:
    space = nested()
    policy = Policy(space)
    for seed in range(20):
        choices = policy.draw(random.Random(seed))
        steps = policy.steps(choices)
        trace = space.trace(choices)
        assert [step.pick for step in steps] == [pick for _, pick in trace]
        assert [step.distribution for step in steps] == [policy.of(decision) for decision, _ in trace]


def test_chances_of_all_programs_sum_to_one_where_requirements_hold() -> None:
    space = loads(
        "space s {\n  a = choose 0..4\n  b = choose { x: choose [1, 2], y: 0 }\n"
        '  require a + b < 5, "few"\n  { a: a, b: b }\n}'
    )
    policy = Policy(space)
    chance = random.Random(0)
    for decision in space.all_decisions():
        found = policy.of(decision)
        found.climb([chance.uniform(-1, 1) for _ in found.parameters], 1.0)
    chances = {c: math.exp(sum(step.log_chance() for step in policy.steps(c))) for c in space.enumerate()}
    assert sum(chances.values()) == pytest.approx(1)
    drawn = Counter(policy.draw(chance) for _ in range(5_000))
    for choices, expected in chances.items():
        assert abs(drawn[choices] / 5_000 - expected) < 5 * math.sqrt(expected / 5_000)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=20))
def test_rewards_are_mean_shares_of_what_is_beaten(points: list[tuple[int, int]]) -> None:
    rewards = MeanShare(2)
    for point in points:
        rewards.add(tuple(map(float, point)))
    for point in points:
        shares = [
            sum((other[axis] < point[axis]) + (other[axis] == point[axis]) / 2 for other in points) / len(points)
            for axis in range(2)
        ]
        assert rewards.of(tuple(map(float, point))) == pytest.approx(sum(shares) / 2)


def tell_all(searcher: Searcher, scores: dict[Choices, float]) -> None:
    for choices, value in scores.items():
        searcher.tell(choices, {"score": value})


def chances_of(searcher: PolicySearch, space: Space) -> dict[Any, float]:
    found = searcher.policy.of(space.all_decisions()[0])
    return {pick: math.exp(found.log_chance(pick, None)) for pick in (0, 1, 2)}


THREE = "space s { { a: choose [0, 1, 2] } }"


def test_reinforce_follows_the_gradient_of_the_chance_times_the_advantage() -> None:
    space = loads(THREE)
    searcher = Reinforce(space, GOAL, 0, rate=0.5, baseline=0.5, entropy=0.0, dedupe=False)
    programs = [space.choices({"a": pick}) for pick in range(3)]
    logits = np.zeros(3)
    baseline, told = 0.5, []
    for pick, value in ((0, 1.0), (1, 3.0), (1, 2.0), (2, -1e9), (0, 5.0)):
        searcher.tell(programs[pick], {"score": value})
        told.append(value)
        reward = (sum(other < value for other in told) + 0.5) / len(told)
        chances = np.exp(logits) / np.exp(logits).sum()
        logits += 0.5 * (reward - baseline) * (np.eye(3)[pick] - chances)
        baseline = 0.5 * baseline + 0.5 * reward
    expected = np.exp(logits) / np.exp(logits).sum()
    assert list(chances_of(searcher, space).values()) == pytest.approx(expected.tolist())


def test_programs_of_an_earlier_policy_count_by_the_ratio_of_their_chances() -> None:
    space = loads(THREE)
    policy = Policy(space)
    choices = space.choices({"a": 1})
    steps = policy.steps(choices)
    asked = Sample(steps, (1.0,), [step.log_chance() for step in steps])
    assert importance(asked) == 1
    steps[0].distribution.climb([0.0, 1.0, 0.0], 1.0)
    assert importance(asked) == 1, "what became likelier counts no more"
    steps[0].distribution.climb([0.0, 1.0, 0.0], -3.0)
    chances = np.exp([0.0, -2.0, 0.0]) / np.exp([0.0, -2.0, 0.0]).sum()
    assert importance(asked) == pytest.approx(chances[1] * 3)
    assert importance(Sample(steps, (1.0,), None)) == 1


@given(st.floats(0.01, 3), st.floats(-2, 2), st.floats(0.05, 0.5))
def test_clipped_weight_is_the_slope_of_the_clipped_objective(ratio: float, advantage: float, clip: float) -> None:
    def objective(log_ratio: float) -> float:
        r = math.exp(log_ratio)
        return min(r * advantage, min(max(r, 1 - clip), 1 + clip) * advantage)

    assume(min(abs(ratio - 1 - clip), abs(ratio - 1 + clip)) > 1e-3)  # the kinks
    slope = (objective(math.log(ratio) + 1e-6) - objective(math.log(ratio) - 1e-6)) / 2e-6
    assert clipped_weight(ratio, advantage, clip) == pytest.approx(slope, rel=1e-3, abs=1e-5)


def test_ppo_stops_where_the_ratio_leaves_the_interval() -> None:
    space = loads(THREE)
    searcher = PPO(space, GOAL, 0, rate=0.2, batch=3, epochs=500, clip=0.2, entropy=0.0, dedupe=False)
    tell_all(searcher, {space.choices({"a": pick}): float(pick) for pick in range(3)})
    chances = chances_of(searcher, space)
    assert 1.2 / 3 < chances[2] < 1.3 / 3
    assert 0.7 / 3 < chances[0] < 0.8 / 3


def test_cross_entropy_fits_the_elite() -> None:
    space = loads(THREE)
    searcher = CrossEntropy(space, GOAL, 0, batch=3, elite=0.5, smoothing=0.5, dedupe=False)
    searcher.tell(space.choices({"a": 0}), None)
    searcher.tell(space.choices({"a": 1}), {"score": 1.0})
    assert chances_of(searcher, space)[1] == pytest.approx(1 / 3), "the batch is not complete"
    searcher.tell(space.choices({"a": 2}), {"score": 2.0})
    assert list(chances_of(searcher, space).values()) == pytest.approx([1 / 6, 1 / 6 + 1 / 4, 1 / 6 + 1 / 4])


# -------------------------------------------------------------------------- searches


@pytest.mark.parametrize("kind", [Reinforce, PPO, CrossEntropy])
def test_policies_find_what_random_search_does_not(kind: type[Searcher]) -> None:
    space = loads("space ones { { bits: [choose [0, 1] for i in 0..<20] } }")

    def best(searcher: Searcher) -> int:
        found = 0
        for _ in range(300):
            choices = searcher.ask()
            value = sum(pick == 1 for pick in choices.values())
            found = max(found, value)
            searcher.tell(choices, {"score": float(value)})
        return found

    policies = [best(kind(space, GOAL, seed)) for seed in range(3)]
    drawn = [best(RandomSearch(space, GOAL, seed)) for seed in range(3)]
    assert min(policies) >= 19
    assert min(policies) > max(drawn)


@pytest.mark.parametrize("kind", [Reinforce, PPO, CrossEntropy])
def test_policies_find_floats_large_integers_and_subsets(kind: type[Searcher]) -> None:
    space = loads(
        "space s { { rate: choose 1e-4..1e-1 log, width: choose 1..100000, kinds: choose 3 of "
        "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15] } }"
    )

    def value(choices: Choices) -> float:
        rate, width, kinds = (choices[name] for name in ("rate", "width", "kinds"))
        assert isinstance(rate, float)
        assert isinstance(width, int)
        assert isinstance(kinds, tuple)
        return -abs(math.log10(rate) + 1.5) - abs(width - 20_000) / 1e5 - 0.1 * sum(kinds)

    def mean_of_last(searcher: Searcher) -> float:
        values = []
        for _ in range(500):
            choices = searcher.ask()
            values.append(value(choices))
            searcher.tell(choices, {"score": values[-1]})
        return sum(values[-100:]) / 100

    assert mean_of_last(kind(space, GOAL, 0)) > mean_of_last(RandomSearch(space, GOAL, 0)) + 1.0


@pytest.mark.parametrize("kind", [Reinforce, PPO, CrossEntropy])
def test_unbounded_recursion_is_searched(kind: type[Searcher]) -> None:
    space = loads("def deep(n) { choose { stop: n, go: deep(n + 1) } }\nspace s { { depth: deep(0) } }")
    searcher = kind(space, GOAL, 0, dedupe=False)
    depths = []
    for _ in range(80):
        choices = searcher.ask()
        depths.append(len(choices))
        searcher.tell(choices, {"score": -float(len(choices))})
    assert sum(depths[-20:]) < sum(depths[:20])


@pytest.mark.parametrize("kind", [Reinforce, PPO, CrossEntropy])
def test_budgets_are_kept(kind: type[Searcher]) -> None:
    """The first two layers are to be wide, which the budget allows only where the others are narrow."""
    stages = " >> ".join(["linear(choose 1..20)"] * 5)
    space = loads(f"use std.nn\nspace s(x: f32[n, 4]) {{ x |> {stages} }}").narrowed("params <= 700")
    searcher = kind(space, GOAL, 0, dedupe=False)
    params, scores = [], []
    for _ in range(300):
        choices = searcher.ask()
        params.append(space.program(choices).cost().params)
        scores.append(float(sum(list(choices.values())[:2])))  # type: ignore[arg-type]
        searcher.tell(choices, {"score": scores[-1]})
    assert max(params) <= 700
    assert sum(scores[-50:]) > 1.3 * sum(scores[:50])


@pytest.mark.parametrize("kind", [Reinforce, PPO, CrossEntropy])
def test_policies_beat_random_search_on_nasbench201(kind: type[Searcher], data_file: DataFile) -> None:
    table = read_table(data_file("nb201_tss.csv.gz"))

    def mean(kind: type[Searcher]) -> float:
        return fmean(regret(kind(cell(), (Objective("accuracy"),), seed), table, 200, "c10") for seed in range(5))

    assert mean(kind) < mean(RandomSearch) - 0.1
