"""Who lives on in NSGA-II and NSGA-III: against the definitions, worked out the long way."""

import itertools
import math
from fractions import Fraction
from random import Random
from statistics import fmean
from typing import ClassVar

import numpy as np
import pytest

from archlang.searchers import Constraint, Constraints, Objective, Recipe
from archlang.searchers.objectives import Scores
from archlang.searchers.pareto import ranks
from archlang.searchers.populations.nsga2 import NSGA2
from archlang.searchers.populations.nsga3 import NSGA3, associated, das_dennis, most_partitions, niched, normalised
from archlang.searchers.ranking import best_first
from archlang.space import loads
from archlang.testing.searcher import ONE, TWO, SearcherContract, make_space
from tests.conftest import DataFile
from tests.searchers.nasbench201 import Table, cell, digits, read_table


class TestNSGA2(SearcherContract):
    searcher = NSGA2
    settings: ClassVar = {"population": 6}


class TestNSGA2ByGenerations(SearcherContract):
    searcher = NSGA2
    settings: ClassVar = {"population": 4, "offspring": 4, "mix": "subtree", "dedupe": False}
    exhausts = False


class TestNSGA3(SearcherContract):
    searcher = NSGA3
    settings: ClassVar = {"population": 6, "partitions": 4}


def dominated(point: Scores, points: list[Scores]) -> bool:
    return any(
        all(a >= b for a, b in zip(other, point, strict=True)) and any(a > b for a, b in zip(other, point, strict=True))
        for other in points
    )


def peeled(points: list[Scores]) -> list[int]:
    """The number of each point's front, by taking front after front away."""
    left, found, rank = set(range(len(points))), [0] * len(points), 0
    while left:
        front = {place for place in left if not dominated(points[place], [points[other] for other in left])}
        for place in front:
            found[place] = rank
        left -= front
        rank += 1
    return found


@pytest.mark.parametrize("objectives", [1, 2, 3, 5])
def test_fronts_are_those_of_peeling(objectives: int) -> None:
    for seed in range(30):
        random = Random(seed)
        points = [tuple(float(random.randrange(6)) for _ in range(objectives)) for _ in range(25)]
        assert ranks(points) == peeled(points)


def test_those_in_the_crowd_die_first() -> None:
    front = [(float(x), 10.0 - x) for x in (0, 3, 4, 5, 10)]
    behind = [(-1.0, -1.0), (-2.0, -2.0)]
    assert sorted(best_first([*behind, *front], 5)) == [2, 3, 4, 5, 6]
    assert sorted(best_first([*behind, *front], 4)) == [2, 3, 5, 6], "4 has neighbours at 3 and 5; 3 at 0, 5 at 10"
    assert sorted(best_first([*behind, *front], 6)) == [0, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(("objectives", "partitions"), [(1, 3), (2, 5), (3, 4), (4, 3), (5, 2)])
def test_reference_points_are_all_on_the_simplex(objectives: int, partitions: int) -> None:
    steps = [Fraction(step, partitions) for step in range(partitions + 1)]
    expected = {tuple(map(float, p)) for p in itertools.product(steps, repeat=objectives) if sum(p) == 1}
    found = list(das_dennis(objectives, partitions))
    assert set(found) == expected
    assert len(found) == len(expected) == math.comb(partitions + objectives - 1, partitions)


def test_as_many_partitions_as_the_population_has_room_for() -> None:
    for objectives, population in itertools.product((2, 3, 4, 6), (6, 30, 92)):
        most = most_partitions(objectives, population)
        assert math.comb(most + objectives - 1, most) <= population < math.comb(most + objectives, most + 1)
    assert most_partitions(10, 4) == 1
    assert most_partitions(1, 20) == 1


def test_intercepts_of_a_known_plane_become_one() -> None:
    # Points of the plane x / 2 + y / 50 + z / 0.1 = 1, its corners among them, moved by an ideal point.
    cuts, ideal = np.array([2.0, 50.0, 0.1]), np.array([7.0, -3.0, 1.0])
    shares = np.array([*np.eye(3), *np.random.default_rng(0).dirichlet(np.ones(3), 20)])
    costs = shares * cuts + ideal
    assert np.allclose(normalised(costs, np.ones(23, dtype=bool), ideal), shares, atol=1e-5)


def test_without_intercepts_the_worst_of_the_front_becomes_one() -> None:
    costs = np.array([[0.0, 4.0], [0.0, 4.0], [0.0, 8.0]])
    found = normalised(costs, np.array([True, True, False]), np.zeros(2))
    assert found.tolist() == [[0.0, 1.0], [0.0, 1.0], [0.0, 2.0]]


def test_points_belong_to_the_line_at_the_least_distance() -> None:
    generator = np.random.default_rng(1)
    references, points = np.array(list(das_dennis(3, 4))), generator.random((40, 3))
    nearest, distances = associated(points, references)
    along = np.linspace(0, 3, 30_001)
    for point, reference, distance in zip(points[:8], nearest, distances, strict=False):
        by_line = []
        for line in references:
            shifts = along[:, None] * (line / np.linalg.norm(line)) - point
            by_line.append(np.sqrt((shifts**2).sum(axis=1)).min())
        assert by_line[reference] == pytest.approx(min(by_line), abs=1e-3)
        assert distance == pytest.approx(min(by_line), abs=1e-3)


def test_niches_are_filled_from_the_emptiest() -> None:
    nearest = np.array([0, 0, 1, 0, 1, 2, 2, 2])  # the first three live on already
    distances = np.array([0.0, 0.0, 0.0, 0.1, 0.3, 0.9, 0.2, 0.4])
    for seed in range(20):
        assert niched(nearest, distances, 3, 1, 4, Random(seed)) == [6], "the nearest of the niche that is empty"
        two = niched(nearest, distances, 3, 2, 4, Random(seed))
        assert two[0] == 6
        assert two[1] in (4, 5, 7), "niches 1 and 2 have one each"
        assert sorted(niched(nearest, distances, 3, 5, 4, Random(seed))) == [3, 4, 5, 6, 7]
    assert {niched(nearest, distances, 3, 2, 4, Random(seed))[1] for seed in range(40)} == {4, 5, 7}


def test_a_direction_each_lives_on() -> None:
    searcher = NSGA3(make_space("floats"), (*TWO, Objective("third")), 0, population=6, partitions=2)
    corners = [tuple(-share for share in point) for point in das_dennis(3, 2)]
    near_first = [(-0.02 * k, -0.02 * k, -1.0 + 0.03 * k) for k in range(1, 8)]
    points: list[Scores] = [*near_first, *corners]
    assert set(ranks(points)) == {0}
    assert [points[place] for place in searcher.survivors(points, Random(0))] == corners


@pytest.mark.parametrize("recipe", ["nsga2", "nsga3"])
def test_programs_beyond_a_constraint_die_before_all_others(recipe: str) -> None:
    """Constraint domination: feasible by front; then by violation alone."""
    space = loads("space s { { a: choose 0..99, b: choose 0..99 } }")
    constraints = Constraints(limits=(Constraint("cost", 50),))
    searcher = Recipe.of(f"{recipe}(population=4, offspring=4)").make(space, TWO, 0, constraints)
    costs = [80.0, 60.0, 40.0, 70.0, 90.0, 30.0, 55.0, 58.0]
    programs = [space.choices({"a": number, "b": 0}) for number in range(8)]
    for number, cost in enumerate(costs[:4]):
        searcher.tell(programs[number], {"score": 100.0 - cost, "cost": cost})
    for _ in range(5):  # after what is drawn to begin with comes the first child
        searcher.ask()
    assert isinstance(searcher, NSGA2)
    assert {choices["a"] for choices, _ in searcher._living} == {0, 1, 2, 3}
    for number, cost in list(enumerate(costs))[4:]:
        searcher.tell(programs[number], {"score": 100.0 - cost, "cost": cost})
    searcher.ask()
    assert {choices["a"] for choices, _ in searcher._living} == {2, 5, 6, 7}


def missing(recipe: str, table: Table, seed: int) -> float:
    """The share of the hypervolume of all programs that 200 evaluations do not cover: error and FLOPs, from
    the worst of each."""
    searcher = Recipe.of(recipe).make(cell(), (Objective("error", False), Objective("flops", False)), seed)
    costs = {ops: (100 - row["c10_val_200"], row["c10_flops_m"]) for ops, row in table.items()}
    seen = []
    for _ in range(200):
        choices = searcher.ask()
        seen.append(costs[digits(choices)])
        searcher.tell(choices, {"error": seen[-1][0], "flops": seen[-1][1]})

    worst = tuple(map(max, zip(*costs.values(), strict=True)))

    def volume(points: list[tuple[float, float]]) -> float:
        total, low = 0.0, worst[1]
        for error, flops in sorted(points):
            total += (worst[0] - error) * max(0.0, low - flops)
            low = min(low, flops)
        return total

    return 1 - volume(seen) / volume(list(costs.values()))


def test_both_beat_random_search_on_nasbench201(data_file: DataFile) -> None:
    table = read_table(data_file("nb201_tss.csv.gz"))
    found = {name: fmean(missing(name, table, seed) for seed in range(8)) for name in ("nsga2", "nsga3", "random")}
    assert found["nsga2"] < 0.75 * found["random"]
    assert found["nsga3"] < 0.85 * found["random"]


def test_one_objective_is_no_special_case() -> None:
    space = loads("space ones { { bits: [choose [0, 1] for i in 0..<20] } }")
    for recipe in ("nsga2", "nsga3"):
        searcher = Recipe.of(recipe).make(space, ONE)
        best = 0
        for _ in range(200):
            choices = searcher.ask()
            ones = sum(pick == 1 for pick in choices.values())
            best = max(best, ones)
            searcher.tell(choices, {"score": ones})
        assert best >= 18
