"""Objectives, limits on metrics, and what a searcher is told of programs beyond them."""

import math
from collections.abc import Mapping

import pytest

import archlang as al
from archlang.diagnostics import ArchError
from archlang.searchers import Constraint, Constraints, Objective, Recipe, scores_of, violation
from archlang.searchers.objectives import HANDLINGS, INFEASIBLE
from archlang.space import loads

GOALS = (Objective("accuracy"), Objective("loss", maximize=False))


def constraints(*limits: str, handling: str = "domination", weight: float = 1.0) -> Constraints:
    return Constraints(limits=tuple(map(Constraint.parse, limits)), handling=handling, weight=weight)


@pytest.mark.parametrize(
    ("text", "metric", "limit", "at_most"),
    [
        ("latency <= 20", "latency", 20.0, True),
        ("latency<20", "latency", 20.0, True),
        (" accuracy >= 0.9 ", "accuracy", 0.9, False),
        ("accuracy > -1e-3", "accuracy", -1e-3, False),
        ("macs <= 600M", "macs", 600e6, True),
        ("params<=1.5k", "params", 1500.0, True),
        ("board.energy <= 2G", "board.energy", 2e9, True),
    ],
)
def test_constraints_are_read(text: str, metric: str, limit: float, at_most: bool) -> None:
    found = Constraint.parse(text)
    assert (found.metric, found.limit, found.at_most) == (metric, pytest.approx(limit), at_most)
    assert Constraint.parse(str(found)) == found


@pytest.mark.parametrize(
    "text",
    [
        "latency",
        "latency <=",
        "<= 20",
        "latency == 20",
        "latency <= fast",
        "latency <= inf",
        "latency <= nan",
        "a <= 2MM",
        "a <= 2K",
    ],
)
def test_what_is_no_constraint_is_refused(text: str) -> None:
    with pytest.raises(ArchError) as refused:
        Constraint.parse(text)
    assert [found.code for found in refused.value.diagnostics] == ["E0917"]
    assert f"`{text}`" in str(refused.value)


@pytest.mark.parametrize(
    ("text", "value", "excess"),
    [
        ("latency <= 20", 25.0, 0.25),
        ("latency <= 20", 15.0, -0.25),
        ("accuracy >= 0.8", 0.6, 0.25),
        ("accuracy >= 0.8", 1.0, -0.25),
        ("gap >= -2", -3.0, 0.5),
        ("gap <= 0", 3.0, 3.0),
    ],
)
def test_excess_is_relative_to_the_limit(text: str, value: float, excess: float) -> None:
    assert Constraint.parse(text).excess(value) == pytest.approx(excess)


def test_violation_sums_what_is_beyond() -> None:
    limits = constraints("latency <= 20", "accuracy >= 0.8").limits
    assert violation({"latency": 30, "accuracy": 0.6}, limits) == pytest.approx(0.75)
    assert violation({"latency": 10, "accuracy": 0.6}, limits) == pytest.approx(0.25)
    assert violation({"latency": 10, "accuracy": 0.9}, limits) == 0
    assert violation({"latency": 10}, limits) == math.inf
    assert violation({"latency": math.nan, "accuracy": 1}, limits) == math.inf


def test_scores_are_larger_for_what_is_better() -> None:
    assert scores_of({"accuracy": 0.5, "loss": 2.0}, GOALS) == (0.5, -2.0)
    assert scores_of({"accuracy": 0.5}, GOALS) is None
    assert scores_of({"accuracy": 0.5, "loss": math.inf}, GOALS) is None
    assert scores_of(None, GOALS) is None


@pytest.mark.parametrize("handling", HANDLINGS)
def test_programs_within_the_limits_keep_their_scores_at_first(handling: str) -> None:
    judge = constraints("latency <= 20", handling=handling).judge()
    assert judge.scores({"accuracy": 0.5, "loss": 2.0, "latency": 20}, GOALS) == (0.5, -2.0)


@pytest.mark.parametrize("handling", HANDLINGS)
def test_programs_without_the_limited_metric_have_failed(handling: str) -> None:
    judge = constraints("latency <= 20", handling=handling).judge()
    assert judge.scores({"accuracy": 0.5, "loss": 2.0}, GOALS) is None
    assert judge.scores(None, GOALS) is None


def test_domination_puts_what_is_beyond_below_everything() -> None:
    """The order of constraint domination: by violation first, and then by what counts."""
    judge = constraints("latency <= 20", "size <= 10").judge()
    within = judge.scores({"accuracy": -1e6, "loss": 1e6, "latency": 20, "size": 10}, GOALS)
    little = judge.scores({"accuracy": 0.9, "loss": 0.0, "latency": 22, "size": 10}, GOALS)
    more = judge.scores({"accuracy": 1.0, "loss": 0.0, "latency": 22, "size": 11}, GOALS)
    assert within == (-1e6, -1e6)
    assert little == pytest.approx((INFEASIBLE * 1.1,) * 2)
    assert more == pytest.approx((INFEASIBLE * 1.2,) * 2)


def test_penalty_takes_off_what_is_beyond() -> None:
    judge = constraints("latency <= 20", "size <= 10", handling="penalty", weight=3).judge()
    # 5 of 20 beyond the first limit; what the second leaves over does not count.
    assert judge.scores({"accuracy": 0.9, "loss": 1.0, "latency": 25, "size": 1}, GOALS) == pytest.approx((0.15, -1.75))
    # 5 of 20 and 5 of 10
    assert judge.scores({"accuracy": 0.9, "loss": 1.0, "latency": 25, "size": 15}, GOALS) == pytest.approx(
        (0.9 - 2.25, -1.0 - 2.25)
    )


def test_multipliers_rise_and_fall_with_what_is_told() -> None:
    """Worked out by hand: g = (l - 20)/20 and (10 - q)/10, weight 2; a multiplier counts from the next
    program on."""
    judge = constraints("l <= 20", "q >= 10", handling="lagrangian", weight=2).judge()
    goal = (Objective("y"),)
    steps = [
        # told (l, q, y)        score told                          multipliers after
        ((30.0, 10.0, 1.0), 1.0, (1.0, 0.0)),  # g = (0.5, 0)
        ((40.0, 8.0, 1.0), 1.0 - 1.0 * 1.0, (3.0, 0.4)),  # g = (1, 0.2)
        ((10.0, 12.0, 1.0), 1.0 + 3.0 * 0.5 + 0.4 * 0.2, (2.0, 0.0)),  # g = (-0.5, -0.2)
        ((0.0, 5.0, 1.0), 1.0 + 2.0 * 1.0, (0.0, 1.0)),  # g = (-1, 0.5)
        ((20.0, 0.0, 1.0), 1.0 - 1.0 * 1.0, (0.0, 3.0)),  # g = (0, 1)
    ]
    for (latency, quality, value), score, multipliers in steps:
        assert judge.scores({"l": latency, "q": quality, "y": value}, goal) == pytest.approx((score,))
        assert judge.multipliers == pytest.approx(multipliers)
    assert judge.scores(None, goal) is None
    assert judge.multipliers == pytest.approx((0.0, 3.0)), "a failed trial tells nothing"


KNAPSACK = """
space knapsack {
  { take: [choose [0, 1] for i in 0..<12] }
}
"""
VALUES = (12, 7, 9, 4, 11, 3, 8, 6, 10, 5, 2, 13)
WEIGHTS = (8, 3, 6, 1, 9, 2, 4, 5, 7, 2, 1, 12)
MOST = 20


def knapsack(program: al.Program) -> dict[str, float]:
    taken = [place for place, pick in enumerate(program.choices.values()) if pick == 1]
    # In hundredths, so that a unit of weight too much costs more by the penalty (1/20) than it brings.
    return {"value": sum(VALUES[place] for place in taken) / 100, "weight": sum(WEIGHTS[place] for place in taken)}


def best_by_hand() -> int:
    """The best value within the weight, by dynamic programming."""
    best = [0] * (MOST + 1)
    for value, weight in zip(VALUES, WEIGHTS, strict=True):
        for room in range(MOST, weight - 1, -1):
            best[room] = max(best[room], best[room - weight] + value)
    return best[MOST]


@pytest.mark.parametrize("handling", HANDLINGS)
def test_search_finds_the_best_within_the_limits(handling: str) -> None:
    study = al.search(
        loads(KNAPSACK),
        knapsack,
        searcher="evolution(population=30)",
        maximize="value",
        constraints=[f"weight <= {MOST}"],
        handling=handling,
        trials=600,
        seed=2,
    )
    best = study.best_trial
    assert best is not None
    metrics: Mapping[str, float] = best.metrics
    assert metrics["weight"] <= MOST
    assert metrics["value"] == pytest.approx(best_by_hand() / 100)


def test_limits_on_costs_are_part_of_the_space() -> None:
    space = loads("""
use std.nn
space net(x: f32[n, 1, 4, 4]) { x |> conv2d(choose [1, 2, 4, 8, 16]) |> global_avg_pool >> linear(2) }
""")
    study = al.search(
        space,
        lambda program: float(program.cost().params),
        searcher="random",
        maximize="value",
        constraints=["params <= 0.06k"],
        trials=20,
    )
    within = [choices for choices in space.enumerate() if space.program(choices).cost().params <= 60]
    assert len(study.trials) == len(within) == 3
    assert study.record.space != {}
    assert study.record.constraints.limits == ()


def test_the_weight_of_a_penalty_may_be_set() -> None:
    """A light penalty is worth its value, a heavy one is not."""
    within = []
    for weight in (1e-6, 100.0):
        given = {"constraints": [f"weight <= {MOST}"], "handling": "penalty", "weight": weight}
        study = al.search(loads(KNAPSACK), knapsack, searcher="evolution", maximize="value", trials=150, **given)
        assert study.record.constraints.weight == weight
        within.append(sum(trial.metrics["weight"] <= MOST for trial in study.trials[-50:]))
    assert within[0] < 5
    assert within[1] > 15


def test_unknown_handling_is_refused() -> None:
    with pytest.raises(ArchError, match="expected one of 'domination', 'penalty', 'lagrangian'"):
        al.search(loads(KNAPSACK), knapsack, maximize="value", constraints=["weight <= 3"], handling="hope")


def test_limits_that_no_program_keeps_are_refused() -> None:
    space = loads("""
use std.nn
space net(x: f32[n, 1, 4, 4]) { x |> conv2d(choose [1, 2]) |> global_avg_pool >> linear(2) }
""")
    with pytest.raises(ArchError, match="E0505"):
        al.search(space, lambda program: 1.0, maximize="value", constraints=["params <= 3"])
    with pytest.raises(ArchError, match="E0505"):
        al.search(space, lambda program: 1.0, maximize="value", searcher='filter(random, "params <= 3")')
    nothing = Recipe.of("filter", {"searcher": "random", "condition": lambda program: False})
    with pytest.raises(ArchError, match="the searcher `filter` proposes no program of `net`"):
        al.search(space, lambda program: 1.0, maximize="value", searcher=nothing)
