"""Brackets of successive halving, against the tables of the papers and the algorithm read literally."""

import hashlib
from collections import Counter
from random import Random
from statistics import fmean

import pytest

from archlang.diagnostics import ArchError
from archlang.searchers import Exhausted, Objective, Recipe, Searcher
from archlang.searchers.fidelities.asha import ASHA
from archlang.searchers.fidelities.hyperband import BOHB, Hyperband, SuccessiveHalving
from archlang.searchers.fidelities.rungs import ByRungs, fidelities
from archlang.searchers.tpe import TPE
from archlang.space import Choices, Space, loads
from archlang.testing.searcher import make_space
from tests.conftest import DataFile
from tests.searchers.nasbench201 import Table, cell, digits, read_table

ONE = (Objective("score"),)
LEAST = 1 / 81


def wide() -> Space:
    return loads("space wide { { picks: [choose 0..9 for i in 0..<8] } }")


def score(choices: Choices) -> float:
    """Without order, and without equals."""
    digest = hashlib.sha256(f"{choices.to_json()} {choices.fidelity}".encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48


def all_of(searcher: Searcher) -> list[Choices]:
    """What a searcher proposes until it has nothing left."""
    asked: list[Choices] = []
    while True:
        try:
            asked.append(searcher.ask())
        except Exhausted:
            return asked
        searcher.tell(asked[-1], {"score": score(asked[-1]), "cost": 0.0})


def in_turn(searcher: ByRungs, trials: int) -> list[Choices]:
    asked = []
    for _ in range(trials):
        asked.append(searcher.ask())
        searcher.tell(asked[-1], {"score": score(asked[-1])})
    return asked


def test_rungs_are_powers_of_eta() -> None:
    assert fidelities(3, 1 / 81) == [1 / 81, 1 / 27, 1 / 9, 1 / 3, 1.0]
    assert fidelities(3, 0.05) == [1 / 9, 1 / 3, 1.0], "none is below the least"
    assert fidelities(4, 0.06) == [1 / 16, 1 / 4, 1.0]
    assert fidelities(2, 1.0) == [1.0]
    for eta in range(2, 12):
        for steps in range(6):
            assert len(fidelities(eta, 1 / eta**steps)) == steps + 1


# Li et al. 2018, algorithm 1 with R = 81 and eta = 3: n = ceil(5 / (s + 1) * 3^s), then n_i = floor(n / 3^i),
# as pairs of programs and resource.
BRACKETS = [
    [(81, 1), (27, 3), (9, 9), (3, 27), (1, 81)],
    [(34, 3), (11, 9), (3, 27), (1, 81)],
    [(15, 9), (5, 27), (1, 81)],
    [(8, 27), (2, 81)],
    [(5, 81)],
]


def test_hyperband_has_the_brackets_of_the_paper() -> None:
    searcher = Hyperband(wide(), ONE, 0, least=LEAST)
    for bracket in BRACKETS * 2:
        asked = in_turn(searcher, sum(programs for programs, _ in bracket))
        steps = list(dict.fromkeys(choices.fidelity for choices in asked))
        assert [(Counter(c.fidelity for c in asked)[f], round(81 * f)) for f in steps] == bracket


def test_the_best_of_a_rung_go_on() -> None:
    searcher = SuccessiveHalving(wide(), ONE, 0, programs=30)
    asked = in_turn(searcher, 30 + 10 + 3)
    low, middle, full = asked[:30], asked[30:40], asked[40:]
    assert middle == sorted(low, key=score, reverse=True)[:10]
    assert full == sorted(middle, key=score, reverse=True)[:3]
    assert [{c.fidelity for c in rung} for rung in (low, middle, full)] == [{1 / 9}, {1 / 3}, {1.0}]


def test_only_some_brackets() -> None:
    searcher = Hyperband(wide(), ONE, 0, least=LEAST, brackets=2)
    trials = [sum(programs for programs, _ in bracket) for bracket in BRACKETS]
    in_turn(searcher, trials[0] + trials[1])
    assert searcher.ask().fidelity == LEAST


def test_a_new_bracket_begins_while_the_first_waits() -> None:
    searcher = SuccessiveHalving(wide(), ONE, 0)
    asked = [searcher.ask() for _ in range(9)]
    for choices in asked[1:]:
        searcher.tell(choices, {"score": score(choices)})
    between = [searcher.ask() for _ in range(4)]
    assert {choices.fidelity for choices in between} == {1 / 9}
    searcher.tell(asked[0], {"score": 2.0})
    promoted = [searcher.ask() for _ in range(3)]
    assert promoted[0] == asked[0]
    assert {choices.fidelity for choices in promoted} == {1 / 3}
    assert searcher.ask().fidelity == 1 / 9


def test_failed_programs_leave_their_bracket() -> None:
    searcher = SuccessiveHalving(wide(), ONE, 0)
    asked = [searcher.ask() for _ in range(9)]
    for number, choices in enumerate(asked):
        searcher.tell(choices, {"score": 1.0} if number in (2, 5) else None)
    assert [searcher.ask() for _ in range(2)] == [asked[2], asked[5]]
    assert searcher.ask().fidelity == 1 / 9, "a third is not to be had, so others begin"


def test_a_bracket_of_failures_is_given_up() -> None:
    searcher = Hyperband(wide(), ONE, 0)
    for _ in range(9):
        searcher.tell(searcher.ask(), None)
    assert [searcher.ask().fidelity for _ in range(5)] == [1 / 3] * 5
    assert len(searcher._brackets) == 1


class LiteralASHA:
    """Li et al. 2020, algorithm 2, over plain lists."""

    def __init__(self, eta: int, rungs: int):
        self.eta = eta
        self.told: list[list[tuple[float, int, Choices]]] = [[] for _ in range(rungs)]
        self.promoted: list[list[Choices]] = [[] for _ in range(rungs)]
        self.count = 0

    def job(self) -> tuple[Choices, int] | None:
        """A program to promote and its rung, or None for a new one."""
        for k in range(len(self.told) - 2, -1, -1):
            candidates = sorted(self.told[k], key=lambda item: (-item[0], item[1]))[: len(self.told[k]) // self.eta]
            for value, _, choices in candidates:
                if choices not in self.promoted[k] and value > float("-inf"):
                    self.promoted[k].append(choices)
                    return choices, k + 1
        return None

    def tell(self, choices: Choices, rung: int, value: float) -> None:
        self.told[rung].append((value, self.count, choices))
        self.count += 1


@pytest.mark.parametrize("parallel", [1, 4, 20])
@pytest.mark.parametrize("eta", [2, 3, 4])
def test_asha_promotes_as_the_paper_says(parallel: int, eta: int) -> None:
    chance = Random(eta)
    searcher, literal = ASHA(wide(), ONE, 0, eta=eta, least=1 / eta**3), LiteralASHA(eta, 4)
    flying: list[tuple[Choices, int]] = []
    reached: Counter[int] = Counter()
    for _ in range(800):
        if len(flying) < parallel and (not flying or chance.random() < 0.6):
            choices, wanted = searcher.ask(), literal.job()
            rung = 0 if wanted is None else wanted[1]
            assert choices.fidelity == 1 / eta ** (3 - rung)
            assert wanted is None or choices == wanted[0]
            flying.append((choices, rung))
            reached[rung] += 1
        else:
            choices, rung = flying.pop(chance.randrange(len(flying)))
            failed = chance.random() < 0.15
            searcher.tell(choices, None if failed else {"score": score(choices)})
            literal.tell(choices, rung, float("-inf") if failed else score(choices))
    assert reached[3] > 0


def test_new_programs_come_from_the_inner_searcher_which_is_told_all() -> None:
    searcher = Hyperband(wide(), ONE, 7, searcher="evolution(population=4, sample=2)")
    alone = Recipe.of("evolution(population=4, sample=2)").make(wide(), ONE, 7)
    for _ in range(60):
        choices = searcher.ask()
        if choices.fidelity == 1 / 9:
            assert choices == alone.ask()
            searcher.tell(choices, {"score": score(choices)})
            alone.tell(choices, {"score": score(choices)})
        elif choices.fidelity == 1 / 3 and searcher._begun > 1:
            break
        else:
            searcher.tell(choices, {"score": score(choices)})
            alone.tell(choices, {"score": score(choices)})


def test_bohb_models_the_highest_fidelity_with_enough_results() -> None:
    searcher = BOHB(wide(), ONE, 0, searcher=Recipe.of("tpe(startup=3)"))
    model = searcher._inner
    assert isinstance(model, TPE)
    seen = set()
    for choices in (searcher.ask() for _ in range(60)):
        searcher.tell(choices, {"score": score(choices)})
        full = [told for told, scores in model._told.get(1.0, {}).items() if scores is not None]
        good, bad = model._good_and_bad()
        seen.add(len(full) >= 3)
        if len(full) >= 3:
            assert {*good, *bad} == set(full)
    assert seen == {True, False}


def test_several_objectives_promote_the_front() -> None:
    searcher = SuccessiveHalving(wide(), (Objective("a"), Objective("b")), 0)
    asked = [searcher.ask() for _ in range(9)]
    values = [(0, 9), (1, 1), (9, 0), (2, 2), (5, 5), (0, 1), (1, 0), (2, 1), (1, 2)]
    for choices, (a, b) in zip(asked, values, strict=True):
        searcher.tell(choices, {"a": float(a), "b": float(b)})
    assert {searcher.ask() for _ in range(3)} == {asked[0], asked[2], asked[4]}


def test_equal_programs_of_a_searcher_that_repeats_are_left_out() -> None:
    searcher = ASHA(make_space("small"), ONE, 0, searcher="random(dedupe=false)")
    pairs = [(choices, choices.fidelity) for choices in all_of(searcher)]
    assert len(pairs) == len(set(pairs))
    assert len({choices for choices, _ in pairs}) == 6


def test_least_and_eta_are_checked() -> None:
    with pytest.raises(ArchError) as refused:
        ASHA(make_space("small"), ONE, 0, eta=1, least=0)
    assert str(refused.value).split("\n\n") == [
        "error[E0903]: the setting `eta` of the searcher `asha` is 1, expected a number >= 2",
        "error[E0903]: the setting `least` of the searcher `asha` is 0, expected a number > 0",
    ]


def regret_for_cost(recipe: str, seed: int, table: Table, budget: float) -> float:
    """The regret that evaluations of so much cost lead to: by 12 epochs at the low fidelity, else by 200."""
    searcher = Recipe.of(recipe).make(cell(), ONE, seed)
    cost, best, ops = 0.0, (0, 0.0), ""
    while cost < budget:
        choices = searcher.ask()
        epochs = 200 if choices.fidelity == 1 else 12
        row = table[digits(choices)]
        searcher.tell(choices, {"score": row[f"c100_val_{epochs}"]})
        cost += epochs / 200
        if (epochs, row[f"c100_val_{epochs}"]) > best:
            best, ops = (epochs, row[f"c100_val_{epochs}"]), digits(choices)
    return max(row["c100_test_200"] for row in table.values()) - table[ops]["c100_test_200"]


@pytest.mark.parametrize("name", ["successive_halving", "hyperband", "asha", "bohb"])
def test_less_is_spent_than_by_random_search(name: str, data_file: DataFile) -> None:
    """With two rungs, of 12 and 200 epochs, half the cost leads further."""
    table = read_table(data_file("nb201_tss.csv.gz"))

    def mean(recipe: str, budget: float) -> float:
        return fmean(regret_for_cost(recipe, seed, table, budget) for seed in range(10))

    assert mean(f"{name}(eta=16, least=0.0625)", 25) < mean("random", 50)
