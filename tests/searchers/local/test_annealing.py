"""Simulated annealing: its temperatures, and which losses it accepts."""

import math
from statistics import fmean
from typing import ClassVar

import pytest

from archlang.searchers import Objective, Recipe
from archlang.searchers.local.annealing import Annealing, AnnealingSettings
from archlang.space import Choices, loads
from archlang.testing.searcher import ONE, SearcherContract
from tests.conftest import DataFile
from tests.searchers.nasbench201 import cell, read_table, regret


class TestAnnealing(SearcherContract):
    searcher = Annealing
    settings: ClassVar = {"initial": 3, "steps": 8}


class TestAnnealingWithRepeats(SearcherContract):
    searcher = Annealing
    settings: ClassVar = {"initial": 2, "cooling": "linear", "dedupe": False}
    exhausts = False


def test_temperatures_fall() -> None:
    geometric = AnnealingSettings(hot=1.0, cold=0.01, steps=5)
    assert [geometric.temperature(step) for step in range(5)] == pytest.approx([1, 10**-0.5, 0.1, 10**-1.5, 0.01])
    linear = AnnealingSettings(hot=1.0, cold=0.2, steps=5, cooling="linear")
    assert [linear.temperature(step) for step in range(5)] == pytest.approx([1.0, 0.8, 0.6, 0.4, 0.2])
    assert AnnealingSettings(hot=1.0, cold=0.2, steps=1).temperature(0) == 1.0


def distance(a: Choices, b: Choices) -> int:
    return sum(a[address] != b[address] for address in a)


@pytest.mark.parametrize("loss", [0.5, 1.0, 2.0])
def test_a_loss_is_accepted_by_the_chance_of_metropolis(loss: float) -> None:
    space = loads("space s { { x: [choose [0, 1, 2, 3] for i in 0..<10] } }")
    accepted = 0
    for seed in range(400):
        # Scores of 2 and 0 deviate by 1 from their mean: that is the temperature.
        searcher = Recipe.of("annealing(initial=2, hot=1, cold=1, dedupe=false)").make(space, ONE, seed)
        current, other = searcher.ask(), searcher.ask()
        searcher.tell(current, {"score": 2.0})
        searcher.tell(other, {"score": 0.0})
        child = searcher.ask()
        assert distance(child, current) == 1
        searcher.tell(child, {"score": 2.0 - loss})
        # Whose children come next: those of the other are mostly two changes away.
        following = [searcher.ask() for _ in range(20)]
        accepted += all(distance(one, child) == 1 for one in following)
    chance = math.exp(-loss)
    assert abs(accepted - 400 * chance) < 4 * math.sqrt(400 * chance * (1 - chance))


def test_gains_are_always_accepted_and_failures_never() -> None:
    space = loads("space s { { x: [choose [0, 1, 2, 3] for i in 0..<10] } }")
    searcher = Recipe.of("annealing(initial=1)").make(space, ONE)
    current = searcher.ask()
    searcher.tell(current, {"score": 0.0})
    for number in range(1, 80):
        child = searcher.ask()
        assert distance(child, current) == 1
        failed = number % 2 == 0
        searcher.tell(child, None if failed else {"score": float(number)})
        current = current if failed else child


def test_a_walk_restarts_from_the_best() -> None:
    space = loads("space s { { x: [choose [0, 1, 2, 3] for i in 0..<10] } }")
    searcher = Recipe.of("annealing(initial=2, steps=10, hot=1e6, cold=1e6, dedupe=false)").make(space, ONE)
    best = child = searcher.ask()
    other = searcher.ask()
    searcher.tell(best, {"score": 100.0})
    searcher.tell(other, {"score": 0.0})
    for number in range(40):
        child = searcher.ask()
        if number % 10 == 0:
            assert distance(child, best) == 1
        searcher.tell(child, {"score": 50.0})  # at this temperature accepted all the same
    assert distance(child, best) > 1


def test_known_programs_are_walked_through() -> None:
    space = loads("space s { { x: [choose [0, 1] for i in 0..<6] } }")
    searcher = Recipe.of("annealing(initial=1, hot=1e6, cold=1e6)").make(space, ONE)
    asked = []
    for _ in range(64):
        asked.append(searcher.ask())
        searcher.tell(asked[-1], {"score": float(len(asked) % 7)})
    assert len(set(asked)) == 64


def test_annealing_beats_random_search_on_nasbench201(data_file: DataFile) -> None:
    table = read_table(data_file("nb201_tss.csv.gz"))

    def mean(recipe: str) -> float:
        return fmean(regret(Recipe.of(recipe).make(cell(), (Objective("accuracy"),), s), table, 100) for s in range(10))

    assert mean("annealing") < mean("random") / 2
