"""Searchers by name, and their settings: what is refused, and how."""

import pytest

from archlang.diagnostics import ArchError
from archlang.searchers import SEARCHERS, Objective, searcher_class
from archlang.searchers.grid import GridSearch
from archlang.searchers.populations.evolution import Evolution
from archlang.testing.searcher import make_space

GOAL = (Objective("score"),)


def refusal(*settings: tuple[str, object]) -> list[str]:
    with pytest.raises(ArchError) as refused:
        Evolution(make_space("small"), GOAL, 0, **dict(settings))
    return str(refused.value).split("\n\n")


def test_searchers_are_found_by_name() -> None:
    assert searcher_class("evolution") is Evolution
    assert all(searcher_class(name).name == name for name in SEARCHERS)


def test_unknown_searcher() -> None:
    with pytest.raises(ArchError) as refused:
        searcher_class("evolutoin")
    assert str(refused.value) == ("error[E0901]: there is no searcher `evolutoin`\n  = help: did you mean `evolution`?")


def test_unknown_setting() -> None:
    assert refusal(("popluation", 3)) == [
        "error[E0902]: the searcher `evolution` has no setting `popluation`\n  = help: did you mean `population`?"
    ]


def test_setting_of_another_type_or_out_of_bounds() -> None:
    assert refusal(("population", "many"), ("sample", 0), ("crossover", 2), ("dedupe", 1)) == [
        "error[E0903]: the setting `population` of the searcher `evolution` is 'many', expected an integer",
        "error[E0903]: the setting `sample` of the searcher `evolution` is 0, expected a number >= 1",
        "error[E0903]: the setting `crossover` of the searcher `evolution` is 2, expected a number <= 1",
        "error[E0903]: the setting `dedupe` of the searcher `evolution` is 1, expected true or false",
    ]


def test_settings_may_be_text() -> None:
    searcher = Evolution(make_space("small"), GOAL, 0, population="30", crossover="0.5", dedupe="false")
    assert (searcher.settings.population, searcher.settings.crossover, searcher.settings.dedupe) == (30, 0.5, False)


def test_grid_refuses_an_infinite_space() -> None:
    with pytest.raises(ArchError) as refused:
        GridSearch(make_space("floats"), GOAL, 0)
    assert [found.code for found in refused.value.diagnostics] == ["E0910"]
    assert "`floats`" in str(refused.value)


def test_grid_keeps_the_order_of_the_space() -> None:
    space = make_space("conditional")
    searcher = GridSearch(space, GOAL, 0)
    assert [searcher.ask() for _ in range(19)] == list(space.enumerate())


def test_grid_refuses_a_part() -> None:
    with pytest.raises(ArchError) as refused:
        GridSearch(make_space("flat").part("a"), GOAL, 0)
    assert [found.code for found in refused.value.diagnostics] == ["E0910"]
    assert "not a part" in str(refused.value)


def test_searchers_of_a_part_propose_no_part_twice() -> None:
    searcher = searcher_class("random")(make_space("flat").part("b"), GOAL, 0)
    assert len({searcher.ask()["b"] for _ in range(3)}) == 3
    assert searcher.ask()["b"] in ("x", "y", "z")
