"""What regularized evolution does with its population."""

import random
from statistics import fmean

from archlang.searchers import Objective, Recipe
from archlang.searchers.populations.evolution import Evolution, winner
from archlang.searchers.random import RandomSearch
from archlang.space import Choices, Space, loads
from tests.conftest import DataFile
from tests.searchers.nasbench201 import cell, read_table, regret

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


def test_the_winner_is_dominated_by_the_fewest_then_has_the_most_room() -> None:
    points = [(1.0, 1.0), (4.0, 6.0), (5.0, 5.0), (5.1, 4.9), (9.0, 1.0), (0.0, 6.5), (0.5, 0.5)]
    assert winner([0, 1, 2, 3, 4, 5], points) in (4, 5), "the ends of the front come first"
    assert winner([0, 2, 1, 3, 6], points) in (1, 3)
    assert winner([6, 0], points) == 0, "three dominate it, and it the other"
    assert winner([0], points) == 0
    # 1 is dominated by one program, which is not of the sample; 2 by none.
    assert winner([1, 2], [(3.0, 3.0), (2.0, 2.0), (0.0, 4.0)]) == 2


def test_several_objectives_are_spread() -> None:
    spread = loads("space s { { x: [choose 0..9 for i in 0..<6] } }")
    searcher = Evolution(spread, (Objective("left"), Objective("right")), 0)
    seen = set()
    for _ in range(300):
        choices = searcher.ask()
        numbers = [int(str(pick)) for pick in choices.values()]
        left, right = sum(numbers[:3]), -sum(numbers[:4])
        seen.add((left, right))
        searcher.tell(choices, {"left": left, "right": right})
    best = {left for left, right in seen if right == -left}
    assert len(best) > 12, "the front is right == -left for left from 0 to 27"


def test_evolution_beats_random_search_on_nasbench201(data_file: DataFile) -> None:
    table = read_table(data_file("nb201_tss.csv.gz"))

    def mean(recipe: str) -> float:
        return fmean(regret(Recipe.of(recipe).make(cell(), (Objective("accuracy"),), s), table, 100) for s in range(10))

    assert mean("evolution") < mean("random") / 2
