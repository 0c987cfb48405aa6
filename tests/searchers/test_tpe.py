"""What TPE makes of what it is told."""

import math
from random import Random
from statistics import fmean

from archlang.searchers import Objective, Recipe, Scores, Searcher
from archlang.searchers.pareto import crowding, ranks
from archlang.searchers.ranking import best_first
from archlang.searchers.tpe import TPE
from archlang.space import Choices, loads
from archlang.testing.searcher import ONE, TWO, make_space, score
from tests.conftest import DataFile
from tests.searchers.nasbench201 import cell, read_table, regret


def told(searcher: TPE, count: int, fidelity: float = 1.0) -> list[Choices]:
    choices = [searcher.space.draw(Random(seed)).at(fidelity) for seed in range(count)]
    for number, one in enumerate(choices):
        searcher.tell(one, {"score": float(number), "cost": 0.0})
    return choices


def good_and_bad(searcher: TPE) -> tuple[list[Choices], list[Choices]]:
    programs = searcher._parzen._choices
    good, bad = searcher._good_and_bad()
    return [programs[row] for row in good], [programs[row] for row in bad]


def test_tpe_beats_random_search_on_nasbench201(data_file: DataFile) -> None:
    table = read_table(data_file("nb201_tss.csv.gz"))

    def mean(recipe: str) -> float:
        return fmean(regret(Recipe.of(recipe).make(cell(), (Objective("accuracy"),), s), table, 80) for s in range(8))

    assert mean("tpe") < mean("random") / 2


def test_tpe_narrows_down_on_numbers() -> None:
    space = loads("""
space numbers {
  { rate: choose 1e-5..1.0 log, width: choose 1..1000, kind: choose { a: { momentum: choose 0.0..1.0 }, b: 0 } }
}
""")

    def loss(choices: Choices) -> float:
        rate, width = (abs(math.log10(float(choices["rate"])) + 3) / 5, abs(int(choices["width"]) - 300) / 1000)  # type: ignore[arg-type]
        return rate + width + (abs(float(choices["kind:a.momentum"]) - 0.9) if choices["kind"] == "a" else 0.5)  # type: ignore[arg-type]

    def best(recipe: str, seed: int) -> float:
        searcher = Recipe.of(recipe).make(space, (Objective("loss", False),), seed)
        losses = []
        for _ in range(100):
            choices = searcher.ask()
            losses.append(loss(choices))
            searcher.tell(choices, {"loss": losses[-1]})
        return min(losses)

    assert fmean(best("tpe", seed) for seed in range(5)) < 0.5 * fmean(best("random", seed) for seed in range(5))


def test_good_programs_are_the_best_share() -> None:
    searcher = TPE(make_space("flat"), ONE, 0, good=0.15, most=3, dedupe=False)
    choices = told(searcher, 9)
    distinct = list(dict.fromkeys(reversed(choices)))
    assert good_and_bad(searcher) == ([], [])
    while len(distinct) < 18:
        distinct.insert(0, searcher.space.draw(Random(1000 + len(choices))))
        choices.append(distinct[0])
        searcher.tell(distinct[0], {"score": float(len(choices))})
        distinct = list(dict.fromkeys(distinct))
    good, bad = good_and_bad(searcher)
    assert good == distinct[:3]
    assert set(bad) == set(distinct[3:])


def test_failed_programs_are_bad_and_do_not_count() -> None:
    searcher = TPE(make_space("floats"), ONE, 0, startup=3)
    known = told(searcher, 3)
    failed = searcher.space.draw(Random(100))
    searcher.tell(failed, None)
    good, bad = good_and_bad(searcher)
    assert good == [known[2]]
    assert set(bad) == {known[0], known[1], failed}


def test_the_highest_fidelity_with_enough_programs_counts() -> None:
    searcher = TPE(make_space("floats"), ONE, 0, startup=5)
    low = told(searcher, 8, 1 / 9)
    for choices in low[:4]:
        searcher.tell(choices.at(1.0), {"score": 1.0})
    assert good_and_bad(searcher)[0] == [low[7]]
    searcher.tell(low[4].at(1.0), {"score": 2.0})
    good, bad = good_and_bad(searcher)
    assert good == [low[4]]
    assert set(bad) == set(low[:4])


def test_programs_in_flight_are_bad() -> None:
    """Without tells in between the proposals spread, away from the first ones."""
    space = loads("space ones { { bits: [choose { no: 0, yes: 1 } for i in 0..<12] } }")
    searcher = TPE(space, ONE, 0, dedupe=False)
    for seed in range(12):
        choices = space.draw(Random(seed))
        searcher.tell(choices, {"score": float(sum(pick == "yes" for pick in choices.values()))})

    def spread(proposals: list[Choices]) -> float:
        return fmean(sum(a[x] != b[x] for x in a) for a in proposals for b in proposals)

    waiting = [searcher.ask() for _ in range(30)]
    searcher._flying.clear()
    alone = []
    for _ in range(30):
        alone.append(searcher.ask())
        searcher._flying.clear()
    assert spread(waiting) > 1.1 * spread(alone)


def test_a_program_in_flight_twice_is_bad_until_both_are_told() -> None:
    searcher = TPE(make_space("single"), ONE, 0, dedupe=False)
    first, second = searcher.ask(), searcher.ask()
    searcher.tell(first, score(first))
    assert list(searcher._flying.values()) == [1]
    searcher.tell(second, score(second))
    assert searcher._flying == {}


def test_best_first_agrees_with_ranks_and_crowding() -> None:
    random = Random(0)
    for size in range(1, 40):
        for objectives in (1, 2, 3):
            points: list[Scores] = [tuple(float(random.randrange(6)) for _ in range(objectives)) for _ in range(size)]
            ranked = ranks(points)
            gaps = crowding(points, ranked) if objectives > 1 else [0.0] * size
            order = sorted(range(size), key=lambda p: (ranked[p], -gaps[p], p))
            for count in (0, 1, size // 2, size, size + 3):
                assert best_first(points, count) == order[:count]


def test_several_objectives_are_approached() -> None:
    """Pairs of counts that trade off: the front is where no bit is wasted."""
    space = loads("space bits { { bits: [choose { left: 0, right: 1, neither: 2 } for i in 0..<12] } }")

    def wasted(searcher: Searcher) -> float:
        counts = []
        for _ in range(150):
            choices = searcher.ask()
            picks = list(choices.values())
            searcher.tell(choices, {"score": float(picks.count("left")), "cost": -float(picks.count("right"))})
            counts.append(picks.count("neither"))
        return fmean(counts[-50:])

    assert wasted(TPE(space, TWO, 0)) < 0.4 * wasted(Recipe.of("random").make(space, TWO, 0))
