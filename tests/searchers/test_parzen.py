"""Densities over the tree of programs, against probabilities worked out one by one."""

import math
from collections import Counter
from random import Random

import numpy as np
import pytest

from archlang.searchers.parzen import CELLS, Factor, Kind, Parzen, Spread
from archlang.semantics.decision import Decision, Integers, OneOf, Reals, Subsets
from archlang.space import Choices, Space, loads
from archlang.testing.searcher import make_space

PRIOR = 1.5


def parzen_of(space: Space, count: int) -> Parzen:
    parzen = Parzen(space)
    for seed in range(count):
        parzen.add(space.draw(Random(seed)))
    return parzen


def even(space: Space, choices: Choices) -> float:
    """The probability of a program whose picks are drawn one by one, in a space without requirements."""
    return 1 / math.prod(decision.domain.size for decision, _ in space.trace(choices))


def log_densities(
    parzen: Parzen, space: Space, programs: list[Choices], spread: Spread, rows: list[int]
) -> list[float]:
    cells = [parzen._cells_of(choices, space.trace(choices)) for choices in programs]
    return list(parzen._log_density(np.array(cells), spread, rows, PRIOR))


def mass(low: float, high: float, middle: float, width: float) -> float:
    """The probability of an interval under a Gaussian."""
    return (math.erf((high - middle) / width / 2**0.5) - math.erf((low - middle) / width / 2**0.5)) / 2


def by_hand(space: Space, program: Choices, centre: Choices, spread: Spread) -> float:
    """The kernel around a program, as a product over the decisions of another."""
    around = {decision: pick for decision, pick in space.trace(centre)}
    found = 1.0
    for decision, pick in space.trace(program):
        domain = decision.domain
        size = int(domain.size)
        if decision not in around:
            found /= size
        elif isinstance(domain, Subsets):
            rate = spread.even / 2

            def flips(a: object, b: object, of: int = domain.of, rate: float = rate) -> float:
                return math.prod(rate if (e in a) != (e in b) else 1 - rate for e in range(of))  # type: ignore[operator]

            total = sum(flips(other, around[decision]) for other in domain.picks())
            found *= flips(pick, around[decision]) / total
        else:
            same = float(pick == around[decision])
            numbers = isinstance(domain, Integers) or not any(isinstance(x, bool | str) for x in domain.labels)  # type: ignore[union-attr]
            if numbers:
                middle, here = ((domain.index(x) + 0.5) / size for x in (around[decision], pick))
                same = mass(here - 0.5 / size, here + 0.5 / size, middle, spread.width) / mass(
                    0, 1, middle, spread.width
                )
            found *= (1 - spread.even) * same + spread.even / size
    return found


@pytest.mark.parametrize("name", ["flat", "conditional"])
def test_density_is_the_mixture_of_products_of_kernels(name: str) -> None:
    space = make_space(name)
    parzen = parzen_of(space, 12)
    spread, rows = Spread(0.2, 0.3), [1, 4, 5, 9]
    programs = list(space.enumerate())
    found = log_densities(parzen, space, programs, spread, rows)
    for program, log in zip(programs, found, strict=True):
        kernels = [by_hand(space, program, parzen._choices[row], spread) for row in rows]
        wanted = (sum(kernels) + PRIOR * even(space, program)) / (len(rows) + PRIOR)
        assert math.exp(log) * even(space, program) == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize("name", ["flat", "conditional"])
def test_densities_of_all_programs_sum_to_one(name: str) -> None:
    space = make_space(name)
    parzen = parzen_of(space, 10)
    programs = list(space.enumerate())
    logs = log_densities(parzen, space, programs, Spread(0.1, 0.2), list(range(10)))
    assert sum(math.exp(log) * even(space, p) for log, p in zip(logs, programs, strict=True)) == pytest.approx(1)


@pytest.mark.parametrize("name", ["flat", "conditional"])
def test_candidates_are_drawn_from_the_density_of_the_good(name: str) -> None:
    space = make_space(name)
    parzen = parzen_of(space, 10)
    good = [0, 3, 7]
    drawn = Counter(parzen.candidates(good, [], 30_000, PRIOR, Random(0)))
    programs = list(space.enumerate())
    logs = log_densities(parzen, space, programs, Spread.of(3, PRIOR), good)
    apart = sum(abs(drawn[p] / 30_000 - math.exp(log) * even(space, p)) for p, log in zip(programs, logs, strict=True))
    assert apart / 2 < 0.03


def test_candidates_come_by_the_ratio_of_the_densities() -> None:
    space = make_space("flat")
    parzen = parzen_of(space, 12)
    good, bad = [0, 1, 2], list(range(3, 12))
    found = parzen.candidates(good, bad, 40, PRIOR, Random(1))
    near = log_densities(parzen, space, found, Spread.of(3, PRIOR), good)
    far = log_densities(parzen, space, found, Spread.of(9, PRIOR), bad)
    ratios = [a - b for a, b in zip(near, far, strict=True)]
    assert ratios == sorted(ratios, reverse=True)


def test_rows_know_decisions_that_came_up_later() -> None:
    space = make_space("conditional")
    none = space.choices({"model": "none"})
    parzen = Parzen(space)
    parzen.add(none)
    for seed in range(6):
        parzen.add(space.draw(Random(seed)))
    logs = log_densities(parzen, space, list(space.enumerate()), Spread(0.1, 0.2), [0])
    assert all(map(math.isfinite, logs))
    for program, log in zip(space.enumerate(), logs, strict=True):
        wanted = (by_hand(space, program, none, Spread(0.1, 0.2)) / even(space, program) + PRIOR) / (1 + PRIOR)
        assert math.exp(log) == pytest.approx(wanted, rel=1e-5)


def test_requirements_are_kept() -> None:
    space = make_space("constrained")
    parzen = parzen_of(space, 10)
    for choices in parzen.candidates([0, 1], [2, 3, 4], 200, 1.0, Random(0)):
        assert choices["a"] < choices["b"]


def decision(domain: OneOf | Integers | Reals | Subsets) -> Factor:
    return Factor(Decision("x", domain), 0, 0)


@pytest.mark.parametrize(
    "domain",
    [
        Reals(1e-4, 1e-1, True),
        Reals(-2.0, 5.0),
        Integers(10, 10_000, 10),
        OneOf(tuple(range(900, 0, -3))),
        OneOf(tuple(f"name{i}" for i in range(300))),
        Subsets(12, 5, 6),
        Subsets(6, 2, 4, ordered=True),
        Subsets(9, 4, 4, repeated=True),
        Subsets(6, 4, 4, ordered=True, repeated=True),
    ],
)
def test_picks_near_another_are_of_the_domain_and_near(domain: Reals | Integers | OneOf | Subsets) -> None:
    factor, random = decision(domain), Random(0)
    assert not factor.is_listed
    centre = domain.draw(random)
    cells = factor.cells_of(centre)
    assert len(cells) == factor.cells
    drawn = [factor.near(centre, Spread(0.1, 0.05), random) for _ in range(300)]
    for pick in drawn:
        domain.check(pick) if isinstance(domain, Reals) else domain.index(pick)
        assert all(0 <= cell < factor.kind.size for cell in factor.cells_of(pick))

    def apart(pick: object) -> float:
        other = factor.cells_of(pick)  # type: ignore[arg-type]
        if factor.kind.ordered:
            return abs(other[0] - cells[0]) / CELLS
        return sum(a != b for a, b in zip(cells, other, strict=True))

    evenly = [domain.draw(random) for _ in range(300)]
    assert sum(map(apart, drawn)) < 0.75 * sum(map(apart, evenly))


def test_numbers_of_any_order_are_cells_by_rank() -> None:
    factor = decision(OneOf((64, 16, 32)))
    assert factor.kind == Kind(3, True)
    assert [factor.cells_of(pick) for pick in (16, 32, 64)] == [[0], [1], [2]]


def test_true_and_one_are_different_names() -> None:
    factor = decision(OneOf((1, True)))
    assert factor.cells_of(1) != factor.cells_of(True)


def test_programs_of_a_space_without_end_have_candidates() -> None:
    space = loads("""
def grow(depth: int) { choose { leaf: 0, end: choose [1, 2, 3], node: [grow(depth + 1), grow(depth + 1)] } }
space tree {
  { tree: grow(0) }
}
""")
    parzen = Parzen(space)
    for seed in range(8):
        parzen.add(space.draw(Random(seed)))
    for choices in parzen.candidates([0, 1], [2, 3], 20, 1.0, Random(0)):
        assert space.choices(choices) == choices
