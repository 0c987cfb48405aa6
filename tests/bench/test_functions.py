"""Problems without tables: their optima, against other ways to find them."""

from __future__ import annotations

import math
from itertools import combinations, permutations, product

import numpy as np
import pytest

import archlang as al
from archlang.bench.problems import PROBLEMS, BestOf, Evaluation, problem
from archlang.bench.problems.synthetic import FUNCTIONS, conditional, floats, integers, mixed, orders, subsets


def best_of(name: str) -> BestOf:
    found = problem(name)
    assert isinstance(found, BestOf)
    return found


@pytest.mark.parametrize("kind", FUNCTIONS)
def test_no_program_is_better_than_the_best(kind: str) -> None:
    found = best_of(f"synthetic-{kind}")
    history = []
    for seed in range(300):
        choices = found.space.sample(seed).choices
        history.append(Evaluation(choices, found.evaluate(choices)))
        assert found.answers.scored(choices) >= found.answers.best_scored
    regrets = found.regrets(history)
    assert regrets == sorted(regrets, reverse=True)
    assert 0 <= regrets[-1] < regrets[0]


def test_floats() -> None:
    """The optimum of Hartmann's function by descent from many points (scipy), at the place that is published."""
    optimize = pytest.importorskip("scipy.optimize")
    at = (0.20169, 0.150011, 0.476874, 0.275332, 0.311652, 0.6573)
    best = best_of("synthetic-float").answers.best_scored
    assert floats({f"x[{i}]": x for i, x in enumerate(at)}) == pytest.approx(best, abs=1e-6)
    starts = np.random.default_rng(0).random((20, 6))
    ends = [
        optimize.minimize(lambda xs: floats({f"x[{i}]": x for i, x in enumerate(xs)}), start, bounds=[(0, 1)] * 6).fun
        for start in starts
    ]
    assert min(ends) == pytest.approx(best, abs=1e-8)
    assert max(ends) > best + 0.1, "there are other minima"


def test_integers() -> None:
    """Rosenbrock's function is 0 at ones alone: a sum of squares."""
    ones = {f"x[{i}]": 1 for i in range(6)}
    assert integers(ones) == best_of("synthetic-integer").answers.best_scored == 0
    grid = np.stack(np.meshgrid(*[np.arange(-5, 11)] * 3, indexing="ij"), -1).reshape(-1, 3)
    values = (100 * (grid[:, 1:] - grid[:, :-1] ** 2) ** 2 + (1 - grid[:, :-1]) ** 2).sum(1)
    assert grid[values == 0].tolist() == [[1, 1, 1]]
    assert integers({**ones, "x[5]": 2}) == pytest.approx(math.log(101))


def test_subsets() -> None:
    sets = [chosen for size in (1, 2, 3) for chosen in combinations(range(12), size)]
    values = [subsets({"early": early, "late": late}) for early in combinations(range(12), 3) for late in sets]
    assert len(values) == 220 * 298
    assert best_of("synthetic-subset").answers.best_scored == min(values)


def test_conditional() -> None:
    layers: list[dict[str, object]] = [{"": "skip"}, *({"": "pool", ":pool.size": size} for size in (2, 3))]
    layers += [
        {"": "conv", ":conv.kernel": kernel, ":conv.width": width} for kernel, width in product((1, 3, 5, 7), (1, 2, 4))
    ]
    values = []
    for depth in range(1, 5):
        for made in product(layers, repeat=depth):
            picks = {f"layer[{i}]{name}": pick for i in range(depth) for name, pick in made[i].items()}
            values.append(conditional({"depth": depth, **picks}))
    found = best_of("synthetic-conditional")
    assert len(values) == found.space.size
    assert found.answers.best_scored == min(values)


def test_mixed() -> None:
    """The best rate and momentum of all discrete picks by a fine grid: no lower, and nearly as low."""
    rates = 10 ** np.linspace(-4, 0, 401)
    values = []
    batches = (4, 5, 6, 10, 11, 12, 14)
    for optimizer, batch, augment in product(("sgd", "adam", "rmsprop"), batches, combinations(range(5), 2)):
        picks = {"optimizer": optimizer, "batch": batch, "augment": augment}
        momenta = np.linspace(0, 1, 101) if optimizer == "sgd" else [0.0]
        best = min(rates, key=lambda rate: mixed({**picks, "rate": rate, "optimizer:sgd.momentum": 0.5}))
        values += [mixed({**picks, "rate": best, "optimizer:sgd.momentum": momentum}) for momentum in momenta]
    best = best_of("synthetic-mixed").answers.best_scored
    assert min(values) >= best
    assert min(values) == pytest.approx(best, abs=1e-4)


def test_orders() -> None:
    values = [
        orders({"order": order, **{f"machine[{job}]": machine for job, machine in enumerate(machines)}})
        for order in permutations(range(6))
        for machines in product((0, 1), repeat=6)
    ]
    found = best_of("synthetic-order")
    assert len(values) == 720 * 64
    assert found.answers.best_scored == min(values)


@pytest.mark.parametrize("name", [name for name in PROBLEMS if name.startswith("cost-")])
def test_the_least_cost_is_that_of_a_program(name: str) -> None:
    """Proven by the bounds; reached by a program whose cost is counted on its graph."""
    found = best_of(name)
    (objective,) = found.objectives
    assert found.answers.proven
    least = found.space.bounds(objective.metric).least
    program = found.space.program(least.choices)
    assert program.cost().totals()[objective.metric] == found.answers.best_scored
    assert found.regret(least.choices) == 0
    drawn = found.space.sample(1)
    assert found.evaluate(drawn.choices) == {objective.metric: drawn.cost().totals()[objective.metric]}
    assert found.regret(drawn.choices) > 0


def test_the_size_space_has_no_smaller_program() -> None:
    """All 32,768 programs of a space, priced one and all."""
    space = al.load("std.spaces.nats_sss")
    costs = space.costs(list(space.enumerate()))
    allowed = np.asarray(costs["macs"])[np.asarray(costs["params"]) >= 200_000]
    assert best_of("cost-sss-macs").answers.best_scored == allowed.min()


def test_the_best_of_the_highest_share_counts() -> None:
    found = best_of("synthetic-integer")
    good, bad = ({f"x[{i}]": x for i in range(6)} for x in (1, 3))
    choices = [found.space.choices(picks) for picks in (good, bad)]
    told = [found.evaluate(each) for each in choices]
    history = [
        Evaluation(choices[1], None),
        Evaluation(choices[0], told[0], 0.1),
        Evaluation(choices[1], told[1]),
        Evaluation(choices[0], told[0], 0.1),
        Evaluation(choices[0], told[0]),
    ]
    worse = found.regret(choices[1])
    assert found.regrets(history) == [math.inf, 0, worse, worse, 0]
