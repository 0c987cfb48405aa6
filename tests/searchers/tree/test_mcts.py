"""Monte-Carlo tree search: its contract, its rules against formulas and brute force, and what it finds."""

import math
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from random import Random
from statistics import fmean
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

import archlang as al
from archlang.searchers import Exhausted, Objective, Searcher
from archlang.searchers.pareto import dominates
from archlang.searchers.random import RandomSearch
from archlang.searchers.rewards import Undominated
from archlang.searchers.tree.mcts import MCTS
from archlang.searchers.tree.nodes import Node, Question, beneath
from archlang.semantics.decision import Decision, Integers, Pick, Reals, Subsets
from archlang.space import Choices
from archlang.testing.searcher import ONE, TWO, SearcherContract, drive, make_space, score
from tests.conftest import DataFile
from tests.searchers.nasbench201 import cell, read_table, regret

CELL = "space cell { [choose { none: 0, skip: 1, conv1: 2, conv3: 3, pool3: 4 } for i in 0..<6] }"
NUMBERS = """
space numbers {
  { rate: choose 1e-4..1.0 log, momentum: choose 0.0..1.0, units: choose 1..100_000, depth: choose 1..64 }
}
"""


class TestMCTS(SearcherContract):
    searcher = MCTS


class TestMCTSWithBisection(SearcherContract):
    searcher = MCTS
    settings: ClassVar = {"bisection": "all", "rule": "puct", "local": 1}


class TestMCTSWithoutRapidValues(SearcherContract):
    searcher = MCTS
    settings: ClassVar = {"rave": 0, "widening": 2.0}


class TestMCTSWithRepeats(SearcherContract):
    searcher = MCTS
    settings: ClassVar = {"playout": "even", "dedupe": False}
    exhausts = False


def nodes_of(node: Node) -> list[Node]:
    return [node, *(found for kid in node.kids.values() for found in nodes_of(kid))]


def told(searcher: Searcher, steps: int, worth: Any) -> list[Choices]:
    asked = []
    for _ in range(steps):
        asked.append(searcher.ask())
        searcher.tell(asked[-1], {"score": worth(asked[-1])})
    return asked


@given(st.lists(st.integers(0, 9).map(float), min_size=1, max_size=30))
def test_reward_is_the_share_of_worse_programs(values: list[float]) -> None:
    rewards = Undominated(1)
    for value in values:
        rewards.add((value,))
    for value in values:
        worse = sum(other < value for other in values) + sum(other == value for other in values) / 2
        assert rewards.of((value,)) == pytest.approx(worse / len(values))


@given(st.lists(st.tuples(*[st.integers(0, 5).map(float)] * 2), min_size=1, max_size=30))
def test_reward_of_several_objectives_is_the_share_that_does_not_dominate(values: list[tuple[float, ...]]) -> None:
    rewards = Undominated(2)
    for value in values:
        rewards.add(value)
    for value in values:
        assert rewards.of(value) == pytest.approx(sum(not dominates(v, value) for v in values) / len(values))


def test_picks_are_those_of_the_largest_upper_confidence_bound() -> None:
    """One decision, so the bounds can be worked out from the history alone."""
    worth = {"p": 0.1, "q": 0.5, "r": 0.45, "s": 0.3}
    space = al.loads("space s() { { x: choose { p: 1, q: 2, r: 3, s: 4 } } }")
    searcher = MCTS(space, ONE, 0, rave=0, exploration=0.4, sharpness=2, dedupe=False)
    history: list[str] = []
    for number in range(60):
        pick = str(searcher.ask()["x"])
        if number < 4:
            assert pick not in history, "each is tried once to begin with"
        else:
            then = history[:1]  # the programs by which rewards were worked out last: half as many again as before
            for count in range(1, number + 1):
                if count >= 1.5 * len(then):
                    then = history[:count]

            def reward(at: int, then: Sequence[str] = tuple(then)) -> float:
                known = history[: max(len(then), at + 1)]
                own = worth[history[at]]
                worse = sum((worth[o] < own) + (worth[o] == own) / 2 for o in known)
                return float((worse / len(known)) ** 2)

            bounds = {}
            for option in worth:
                places = [at for at in range(number) if history[at] == option]
                mean = sum(map(reward, places)) / len(places)
                bounds[option] = mean + 0.4 * math.sqrt(math.log(number + 1) / len(places))
            assert bounds[pick] == pytest.approx(max(bounds.values()))
        history.append(pick)
        searcher.tell(space.choices({"x": pick}), {"score": worth[pick]})
    assert Counter(history).most_common(1)[0][0] == "q"


@pytest.mark.parametrize("settings", [{}, {"bisection": "all"}, {"rave": 3, "local": 1}])
@pytest.mark.parametrize("name", ["flat", "conditional", "constrained", "floats"])
def test_counts_in_the_tree_are_those_of_the_trials(name: str, settings: dict[str, Any]) -> None:
    searcher = MCTS(make_space(name), TWO, 1, **settings)
    events = drive(searcher, 70, seed=2, parallel=4, failing=0.2)
    searcher.tell(searcher.space.draw(Random(5)), {"score": 0.5, "cost": 1.0})
    asked = sum(event.ask is not None for event in events)
    assert asked <= searcher.root.visits <= asked + 1
    for node in nodes_of(searcher.root):
        below = beneath(node)
        assert sum(trial.reward for trial in below) == pytest.approx(node.total)
        assert node.visits >= len(below)  # and what walks in vain counted
        if node.tallies is not None:
            expected: Counter[Any] = Counter(key for trial in below for key in trial.keys)
            assert {key: tally[0] for key, tally in node.tallies.items()} == expected
            for key, tally in node.tallies.items():
                assert tally[1] == pytest.approx(sum(trial.reward for trial in below if key in trial.keys))


def test_the_tree_has_a_few_nodes_a_trial_however_deep_the_space_is() -> None:
    space = al.loads("space deep() { [choose 0..3 for i in 0..<300] }")
    searcher = MCTS(space, ONE, 0)
    told(searcher, 100, lambda choices: score(choices)["score"])
    assert len(nodes_of(searcher.root)) <= 3 * 100
    assert sum(node.tallies is not None for node in nodes_of(searcher.root)) <= 100 / 2


def test_what_is_in_flight_counts_as_a_loss() -> None:
    searcher = MCTS(al.loads(CELL), ONE, 0, rave=0)
    flying = [searcher.ask() for _ in range(5)]
    address = next(iter(flying[0]))
    assert len({choices[address] for choices in flying}) == 5


def test_wide_decisions_are_widened_as_visits_grow() -> None:
    space = al.loads("space s() { { rate: choose 0.0..1.0 } }")
    searcher = MCTS(space, ONE, 0, widening=1.5, exponent=0.4, dedupe=False)
    for visits in range(1, 80):
        told(searcher, 1, lambda choices: -abs(choices["rate"] - 0.3))
        assert len(searcher.root.kids) <= math.ceil(1.5 * visits**0.4)
    assert len(searcher.root.kids) == math.ceil(1.5 * 78**0.4)


@given(
    st.sampled_from([Reals(0.5, 2.5), Reals(1e-4, 1.0, True), Integers(-7, 10**9, 3), Subsets(20, 3, 9, True)]),
    st.data(),
)
def test_ranges_that_halving_leads_to_hold_the_picks(domain: Any, data: st.DataObject) -> None:
    question = Question(Decision("d", domain), None)
    random = Random(data.draw(st.integers(0, 10**6)))
    low, high = 0, question.size
    pick = domain.draw(random)
    position = question.position(pick)
    for part in question.cells(pick):
        middle = (low + high) // 2
        low, high = (middle, high) if position >= middle else (low, middle)
        assert low <= position < high
        assert question.cell(low, high) == part
        drawn = question.pick(low, high, random)
        assert low - 1 <= question.position(drawn) <= high  # floats may round to the next cell
    assert question.is_one(low, high)


def test_a_walk_in_a_narrow_space_ends_within_it_and_no_program_comes_twice() -> None:
    space = al.loads(
        'space s() {\n  xs = [choose 0..3 for i in 0..<5]\n  require sum(xs) == 3 or sum(xs) == 14, "few"\n  xs\n}'
    )
    searcher = MCTS(space, ONE, 0)
    found = told(searcher, int(space.size), lambda choices: score(choices)["score"])
    with pytest.raises(Exhausted):
        searcher.ask()
    assert len(found) == space.size
    assert set(found) == set(space.enumerate())


def test_spaces_that_are_evaluated_program_by_program() -> None:
    text = """
    def more(n) { choose { stop: n, go: more(n + 1) } }
    space endless() {
      a = choose 1..4
      require a != 2, "not two"
      { depth: more(0), a: a, rate: choose 0.1..0.9 }
    }
    """
    space = al.loads(text)
    found = told(MCTS(space, ONE, 0), 60, lambda choices: -abs(len(choices) - 6))
    assert len(set(found)) == 60
    assert all(space.choices(choices) == choices for choices in found)
    assert sum(len(choices) == 6 for choices in found) > 20


def test_parts_of_a_space() -> None:
    space = al.loads(CELL)
    address = next(iter(space.draw(Random(0))))
    searcher = MCTS(space.part(address), ONE, 0)
    found = told(searcher, 100, lambda choices: float(choices[address] == "conv3"))
    assert sum(choices[address] == "conv3" for choices in found) > 50


def test_priors_lead_where_nothing_is_known() -> None:
    class Knowing(MCTS):
        def prior(self, decision: Decision, options: tuple[Pick, ...]) -> Sequence[float]:
            return [8.0 if option == "conv3" else 1.0 for option in options]

    for bisection in ("none", "all"):
        searcher = Knowing(al.loads(CELL), ONE, 0, rule="puct", rave=0, bisection=bisection, exploration=1.0)
        address = next(iter(searcher.space.draw(Random(0))))
        found = told(searcher, 40, lambda choices: 0.0)
        assert sum(choices[address] == "conv3" for choices in found) > 20


def numbers(choices: Choices) -> float:
    rate, momentum, units, depth = choices["rate"], choices["momentum"], choices["units"], choices["depth"]
    assert isinstance(rate, float)
    assert isinstance(momentum, float)
    assert isinstance(units, int)
    assert isinstance(depth, int)
    off = ((math.log10(rate) + 2) / 4, momentum - 0.8, units / 1e5 - 0.3, depth / 64 - 0.6)
    return -sum(each * each for each in off)


@pytest.mark.parametrize("settings", [{}, {"bisection": "numbers"}])
def test_it_comes_nearer_to_the_best_numbers_than_random_search(settings: dict[str, Any]) -> None:
    def best(kind: type[Searcher], **given: Any) -> float:
        space = al.loads(NUMBERS)
        return sum(max(map(numbers, told(kind(space, ONE, seed, **given), 150, numbers))) for seed in range(4))

    assert best(MCTS, **settings) > best(RandomSearch) / 1.5


def test_it_finds_more_of_a_front_than_random_search() -> None:
    space = al.loads("space s() { [choose [0, 1] for i in 0..<24] }")
    goals = (Objective("ones"), Objective("runs"))

    def area(kind: type[Searcher], seed: int) -> float:
        searcher, points = kind(space, goals, seed), []
        for _ in range(200):
            picks = list((choices := searcher.ask()).values())
            ones = float(picks.count(1))
            runs = float(sum(one != other for one, other in pairwise(picks)))
            points.append((ones, runs))
            searcher.tell(choices, {"ones": ones, "runs": runs})
        return sum(max((runs for ones, runs in points if ones >= least), default=0.0) for least in range(1, 25))

    assert sum(area(MCTS, seed) for seed in range(4)) > sum(area(RandomSearch, seed) for seed in range(4)) + 40


def test_it_beats_random_search_on_nasbench201(data_file: DataFile) -> None:
    table = read_table(data_file("nb201_tss.csv.gz"))

    def mean(kind: type[Searcher]) -> float:
        return fmean(regret(kind(cell(), (Objective("accuracy"),), seed), table, 100) for seed in range(10))

    assert mean(MCTS) < 0.6 * mean(RandomSearch)
