"""Local search: which programs it goes through, beside a walk worked out by hand."""

from random import Random
from statistics import fmean
from typing import ClassVar

import pytest

from archlang.searchers import Constraint, Constraints, Objective, Recipe
from archlang.searchers.local.local_search import LocalSearch
from archlang.searchers.local.scalar import Scalar
from archlang.space import Choices, Space, loads
from archlang.testing.searcher import ONE, SearcherContract
from tests.conftest import DataFile
from tests.searchers.nasbench201 import cell, read_table, regret


class TestLocalSearch(SearcherContract):
    searcher = LocalSearch
    settings: ClassVar = {"initial": 3}


class TestLocalSearchByBestMoves(SearcherContract):
    searcher = LocalSearch
    settings: ClassVar = {"initial": 1, "move": "best", "restart": "random", "neighbours": 5}


def space() -> Space:
    return loads("space s { { x: [choose [0, 1, 2] for i in 0..<5] } }")


def value(choices: Choices) -> float:
    """A rugged function: every program has its own value."""
    return Random(choices.to_json()).random()


def run(settings: str, trials: int, seed: int = 0) -> list[Choices]:
    searcher = Recipe.of(f"local-search({settings})").make(space(), ONE, seed)
    asked = []
    for _ in range(trials):
        asked.append(searcher.ask())
        searcher.tell(asked[-1], {"score": value(asked[-1])})
    return asked


@pytest.mark.parametrize("seed", range(5))
def test_all_neighbours_of_a_centre_come_before_a_move_to_the_best(seed: int) -> None:
    asked = run("initial=1, move=best, restart=random", 60, seed)
    centre, done = asked[0], 1
    while done < 60:
        fresh = set(space().neighbours(centre)) - set(asked[:done])
        block = asked[done : done + len(fresh)]
        assert set(block) <= fresh
        done += len(fresh)
        best = max(asked[:done], key=value)
        if best == centre:
            return
        centre = best
    raise AssertionError("no optimum was reached")


@pytest.mark.parametrize("seed", range(5))
def test_each_program_is_a_neighbour_of_the_best_open_one(seed: int) -> None:
    """First improvement, with memory: the centre is the best program that has an untried neighbour."""
    asked = run("initial=4", 150, seed)
    neighbours = {choices: set(space().neighbours(choices)) for choices in asked}
    for place in range(4, 150):
        known = set(asked[:place])
        centre = max((choices for choices in known if neighbours[choices] - known), key=value)
        assert asked[place] in neighbours[centre]


def test_a_random_restart_forgets() -> None:
    asked = run("initial=1, restart=random", 100)
    far = [
        place
        for place in range(1, 100)
        if all(asked[place] not in set(space().neighbours(before)) for before in asked[:place])
    ]
    assert far, "some program is no neighbour of any before it"


def test_many_neighbours_and_floats_are_drawn() -> None:
    many = loads("space s { { rate: choose 0.0..1.0, x: [choose 0..9 for i in 0..<30] } }")
    searcher = Recipe.of("local-search(initial=1, neighbours=20)").make(many, ONE)
    first = searcher.ask()
    searcher.tell(first, {"score": 1.0})
    for number in range(25):
        choices = searcher.ask()
        assert (sum(choices[a] != first[a] for a in first) == 1) is (number < 20)
        searcher.tell(choices, {"score": 0.0 if number < 20 else -1.0})
        if number == 20:
            break


def test_what_is_within_a_constraint_comes_first() -> None:
    constraints = Constraints(limits=(Constraint("cost", 3),))
    searcher = Recipe.of("local-search(initial=1)").make(space(), ONE, 0, constraints)
    best = 0.0
    for _ in range(60):
        choices = searcher.ask()
        total = sum(int(str(pick)) for pick in choices.values())
        searcher.tell(choices, {"score": float(total), "cost": float(total)})
        best = max(best, total if total <= 3 else 0)
    assert best == 3


def test_several_objectives_weigh_by_the_shares_they_beat() -> None:
    scalar = Scalar(2)
    for scores in ((0.0, 5.0), (1.0, 4.0), (1000.0, -9.0), (2.0, 4.5)):
        scalar.see(scores)
    assert [scalar(scores) for scores in ((0.0, 5.0), (1.0, 4.0), (1000.0, -9.0), (2.0, 4.5))] == [
        0.5 * (0.5 + 3.5) / 4,
        0.5 * (1.5 + 1.5) / 4,
        0.5 * (3.5 + 0.5) / 4,
        0.5 * (2.5 + 2.5) / 4,
    ]
    assert scalar((-2e9, -2e9)) < -1e9
    drawn = set()
    for seed in range(20):
        scalar.turn(Random(seed))
        drawn.add(max(((0.0, 5.0), (1000.0, -9.0)), key=scalar))
    assert len(drawn) == 2
    alone = Scalar(1)
    alone.turn(Random(0))
    alone.see((3.0,))
    assert alone((7.0,)) == 7.0


def test_local_search_beats_random_search_on_nasbench201(data_file: DataFile) -> None:
    table = read_table(data_file("nb201_tss.csv.gz"))

    def mean(recipe: str) -> float:
        return fmean(regret(Recipe.of(recipe).make(cell(), (Objective("accuracy"),), s), table, 100) for s in range(10))

    assert mean("local-search") < mean("random") / 3
