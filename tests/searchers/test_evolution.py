"""What regularized evolution does with its population."""

import random

from archlang.searchers import Objective
from archlang.searchers.evolution import Evolution, _fitness
from archlang.searchers.random import RandomSearch
from archlang.space import Choices, Space, loads

ONES = """
space ones {
  { bits: [choose [0, 1] for i in 0..<20] }
}
"""


def ones(choices: Choices) -> float:
    return float(sum(pick == 1 for pick in choices.values()))


def best_of(searcher: RandomSearch | Evolution, trials: int) -> float:
    best = 0.0
    for _ in range(trials):
        choices = searcher.ask()
        best = max(best, ones(choices))
        searcher.tell(choices, {"ones": ones(choices)})
    return best


def space() -> Space:
    return loads(ONES)


def test_evolution_finds_what_random_search_does_not() -> None:
    goal = (Objective("ones"),)
    evolved = [best_of(Evolution(space(), goal, seed), 200) for seed in range(3)]
    drawn = [best_of(RandomSearch(space(), goal, seed), 200) for seed in range(3)]
    assert min(evolved) >= 19
    assert min(evolved) > max(drawn)


def test_children_differ_from_a_living_parent_by_one_decision() -> None:
    searcher = Evolution(space(), (Objective("ones"),), 0, population=5, sample=2)
    told: list[Choices] = []
    for number in range(40):
        choices = searcher.ask()
        if number >= 5:
            distances = [sum(choices[a] != parent[a] for a in choices) for parent in told[-5:]]
            assert 1 in distances, "only the five youngest may have children"
        searcher.tell(choices, {"ones": ones(choices)})
        told.append(choices)


def test_failed_programs_have_no_children() -> None:
    searcher = Evolution(space(), (Objective("ones"),), 0, population=4, sample=4)
    good = space().draw(random.Random(1))
    for _ in range(4):
        searcher.tell(searcher.ask(), None)
    searcher.tell(good, {"ones": 1.0})
    for _ in range(10):
        child = searcher.ask()
        assert sum(child[a] != good[a] for a in child) == 1
        searcher.tell(child, None)


def test_tournament_goes_by_rank_then_by_crowding() -> None:
    fitness = _fitness([(0.0, 10.0), (4.0, 6.0), (5.0, 5.0), (5.1, 4.9), (10.0, 0.0), (1.0, 1.0)])
    order = sorted(range(6), key=lambda member: fitness[member], reverse=True)
    assert set(order[:2]) == {0, 4}, "the ends of the front come first"
    assert order[2] in (1, 3)
    assert order[-1] == 5, "what is dominated comes last"
