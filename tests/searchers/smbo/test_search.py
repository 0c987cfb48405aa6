"""How model-based search behaves."""

import sys
from random import Random
from statistics import fmean

import pytest

import archlang as al
from archlang.searchers import Objective, Recipe
from archlang.searchers.smbo.search import Smbo
from archlang.space import loads
from archlang.testing.searcher import ONE, make_space, score
from tests.conftest import DataFile
from tests.searchers.nasbench201 import cell, digits, read_table, regret

FEW = "pool=60, parents=5, children=10"


def test_no_two_proposals_are_the_same_function() -> None:
    space = al.load("std.spaces.nasbench201", channels=4, repeats=1, classes=3)
    searcher = Recipe.of(f"smbo({FEW}, screened=8, encoding=choices)").make(space, ONE, 0)
    found = set()
    for _ in range(60):
        choices = searcher.ask()
        found.add(space.program(choices).functional_hash)
        searcher.tell(choices, score(choices))
    assert len(found) == 60


def test_it_beats_random_search_on_nasbench201(data_file: DataFile) -> None:
    table = read_table(data_file("nb201_tss.csv.gz"))

    def mean(recipe: str, seeds: int) -> float:
        made = (Recipe.of(recipe).make(cell(), (Objective("accuracy"),), seed) for seed in range(seeds))
        return fmean(regret(searcher, table, 60) for searcher in made)

    assert mean(f"smbo({FEW})", 3) < 0.5 * mean("random", 20)


def test_programs_in_flight_are_kept_away_from(data_file: DataFile) -> None:
    """With twelve in flight it still does far better than drawing, and asks for no program twice."""
    table = read_table(data_file("nb201_tss.csv.gz"))
    searcher = Recipe.of(f"smbo({FEW})").make(cell(), ONE, 0)
    asked, late = set(), []
    for turn in range(7):
        flying = [searcher.ask() for _ in range(12)]
        asked.update(flying)
        values = [table[digits(choices)]["c100_val_200"] for choices in flying]
        for choices, value in zip(reversed(flying), reversed(values), strict=True):
            searcher.tell(choices, {"score": value})
        late += values if turn > 3 else []
    assert len(asked) == 84
    ranked = sorted(row["c100_val_200"] for row in table.values())
    assert max(late) > ranked[-150]
    assert fmean(late) > ranked[len(ranked) * 3 // 4]


def test_failed_programs_count_as_the_worst() -> None:
    space = loads("space s { { bits: [choose { no: 0, fails: 1 } for i in 0..<10] } }")
    searcher = Recipe.of(f"smbo({FEW}, initial=15)").make(space, ONE, 0)
    failed = []
    for _ in range(40):
        choices = searcher.ask()
        count = list(choices.values()).count("fails")
        failed.append(count > 4)
        searcher.tell(choices, None if count > 4 else {"score": Random(choices.to_json()).random()})
    assert sum(failed[:15]) > 3
    assert sum(failed[15:]) < 4


def test_a_proposal_told_is_no_longer_in_flight() -> None:
    searcher = Smbo(make_space("flat"), ONE, 0, initial=4)
    first, second = searcher.ask(), searcher.ask()
    assert list(searcher._flying) == [first, second]
    searcher.tell(first, score(first))
    searcher.tell(searcher.space.draw(Random(5)), None)  # never asked
    assert list(searcher._flying) == [second]


@pytest.mark.parametrize(
    ("recipe", "module"),
    [
        ("smbo(surrogate=forest, initial=3)", "sklearn.ensemble"),
        ("bananas(initial=3)", "sklearn.neural_network"),
        ("gbdt-nas(initial=3)", "lightgbm"),
    ],
)
def test_a_missing_package_is_named(recipe: str, module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    searcher = Recipe.of(recipe).make(make_space("flat"), ONE, 0)
    for _ in range(3):
        choices = searcher.ask()
        searcher.tell(choices, score(choices))
    with pytest.raises(al.ArchError, match=r"archlang\[smbo\]") as refused:
        searcher.ask()
    assert [found.code for found in refused.value.diagnostics] == ["E0919"]


def test_what_another_searcher_asked_for_is_a_beginning() -> None:
    """After so many programs as are drawn to begin with, nothing is drawn, whoever asked for them."""
    space = loads("space s { [choose 0..9 for i in 0..<4] }")
    searcher = Recipe.of(f"smbo({FEW}, initial=20)").make(space, ONE, 0)
    for seed in range(30):
        choices = space.sample(seed).choices
        searcher.tell(choices, {"score": float(sum(choices.values()))})
    assert sum(searcher.ask().values()) > 30
