"""What integer programming proposes."""

import random
from typing import ClassVar

import numpy as np
import pytest

import archlang as al
from archlang.searchers import Exhausted, Objective
from archlang.searchers.milp import IntegerProgramming
from archlang.searchers.objectives import Constraint, Constraints
from archlang.searchers.random import RandomSearch
from archlang.testing.searcher import SearcherContract, make_space


class TestIntegerProgramming(SearcherContract):
    searcher = IntegerProgramming
    settings: ClassVar = {"start": 4, "candidates": 3}
    entangled = False
    traced = False


NETWORK = """
use std.nn
space s(image: f32[n, 3, 8, 8]) {
  x = image
  for i in 0..<3 {
    x = x |> choose { conv: conv2d(choose [4, 8, 12], kernel=choose [1, 3]), skip: identity }
  }
  x |> global_avg_pool >> linear(2)
}
"""


def test_known_costs_are_proposed_in_their_order() -> None:
    space = al.loads(NETWORK).narrowed("params >= 300")
    searcher = IntegerProgramming(space, (Objective("macs", maximize=False),))
    found = [space.program(searcher.ask()).cost().macs for _ in range(int(space.size))]
    with pytest.raises(Exhausted):
        searcher.ask()
    assert found == sorted(space.program(choices).cost().macs for choices in space.enumerate())
    assert len(set(found)) > 10


def test_weights_add_up_objectives() -> None:
    space = al.loads(NETWORK)
    objectives = (Objective("macs", maximize=False), Objective("params"))
    costs = space.costs(space.sample_many(1_000))
    spread = {name: costs[name].std() for name in ("macs", "params")}

    def weighed(choices: al.Choices, weight: float) -> float:
        cost = space.program(choices).cost()
        return float(weight * cost.params / spread["params"] - cost.macs / spread["macs"])

    firsts = []
    for weight in (0.1, 0.8, 4.0):
        first = IntegerProgramming(space, objectives, weights=[1, weight]).ask()
        best = max(weighed(choices, weight) for choices in space.enumerate())
        assert weighed(first, weight) == pytest.approx(best)
        firsts.append(first)
    assert len(set(firsts)) == 3
    with pytest.raises(al.ArchError, match="E0903"):
        IntegerProgramming(space, objectives, weights=[1])


HIDDEN = """
space hidden {
  parts = [
    choose { a: [choose [1, 2, 3, 4], choose [1, 2, 3]], b: choose [1, 2, 3, 4, 5], c: 0 } as part for i in 0..<6
  ]
  { parts: parts }
}
"""


def hidden(seed: int) -> tuple[al.Space, dict[tuple[str, object], float]]:
    """A space, and a score for each of its picks."""
    space, chance = al.loads(HIDDEN), random.Random(seed)
    picks = ((d.address, d.domain.pick(index)) for d in space.all_decisions() for index in range(int(d.domain.size)))
    return space, {each: chance.gauss(0, 1) for each in picks}


@pytest.mark.parametrize("seed", range(3))
def test_additive_objective_is_learned(seed: int) -> None:
    space, scores = hidden(seed)

    def value(choices: al.Choices) -> float:
        return sum(scores[address, pick] for address, pick in choices.items())

    def searched(searcher: IntegerProgramming | RandomSearch) -> float:
        best = -np.inf
        for _ in range(100):
            choices = searcher.ask()
            best = max(best, value(choices))
            searcher.tell(choices, {"score": value(choices)})
        return float(best)

    by_address: dict[str, dict[object, float]] = {}
    for (address, pick), score in scores.items():
        by_address.setdefault(address, {})[pick] = score
    optimum = space.optimum(maximize=by_address)
    goal = (Objective("score"),)
    learned = searched(IntegerProgramming(space, goal, seed, start=70, ridge=0.1))
    assert learned == pytest.approx(optimum.value, rel=0.02)
    assert searched(RandomSearch(space, goal, seed)) < 0.8 * optimum.value


def test_ridge_is_that_of_the_normal_equations() -> None:
    space = make_space("flat")
    searcher = IntegerProgramming(space, (Objective("score"),), ridge=0.7)
    chance = random.Random(0)
    told = [(space.draw(chance), chance.random()) for _ in range(15)]
    for choices, score in told:
        searcher.tell(choices, {"score": score})
    places = {d.address: list(map(d.domain.pick, range(int(d.domain.size)))) for d in space.all_decisions()}
    columns = [(address, pick) for address, picks in places.items() for pick in picks]
    rows = np.array([[choices[address] == pick for address, pick in columns] for choices, _ in told], float)
    values = np.array([score for _, score in told])
    values = (values - values.mean()) / values.std()
    expected = np.linalg.solve(rows.T @ rows + 0.7 * np.eye(rows.shape[1]), rows.T @ values)
    fitted = [float(score) for each in searcher._fitted() for score in each]
    assert np.allclose(sorted(fitted), sorted(expected), atol=1e-6)
    # What is asked next is best by it among the programs that were not told.
    best = max(
        (sum(expected[columns.index(each)] for each in choices.items()), choices.to_json())
        for choices in space.enumerate()
        if choices not in {known for known, _ in told}
    )
    searcher.asked = 20  # the design is over
    assert searcher.ask().to_json() == best[1]


def test_design_has_the_greatest_variance() -> None:
    space = make_space("flat")
    searcher = IntegerProgramming(space, (Objective("score"),), start=30, candidates=12, ridge=0.5)
    for number in range(10):
        before = list(searcher._asked_rows)
        known, seen = set(searcher._seen), random.Random(f"0/{number}")
        drawn = [choices for choices in (space.draw(seen) for _ in range(12)) if choices not in known]
        asked = searcher.ask()
        rows = [searcher._row(choices) for choices in drawn]
        information = sum((np.outer(row, row) for row in before), 0.5 * np.eye(len(rows[0])))
        gains = [np.linalg.slogdet(information + np.outer(row, row))[1] for row in rows]
        row = searcher._row(asked)
        assert np.linalg.slogdet(information + np.outer(row, row))[1] == pytest.approx(max(gains))


def test_constraints_known_only_afterwards_turn_the_search() -> None:
    space, scores = hidden(5)
    limits = Constraints(limits=(Constraint("size", 14),))
    searcher = IntegerProgramming(space, (Objective("score"),), 0, limits, start=40, ridge=0.1)
    within = []
    for _ in range(80):
        choices = searcher.ask()
        size = sum(pick for pick in choices.values() if isinstance(pick, int))
        searcher.tell(choices, {"score": sum(scores[each] for each in choices.items()), "size": size})
        within.append(size <= 14)
    assert sum(within[40:]) > sum(within[:40]) > 0


def test_space_that_is_not_followed_is_refused() -> None:
    text = "space s {\n  x = [choose 1..100 as n for i in 0..<30]\n  require sum([n ^ 3 for n in x]) % 7 == 3\n  x\n}"
    with pytest.raises(al.ArchError, match="E0504"):
        IntegerProgramming(al.loads(text), (Objective("score"),))
