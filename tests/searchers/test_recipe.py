"""Searchers as text: reading, writing, and what is refused."""

import json
from pathlib import Path

import pytest

from archlang.diagnostics import ArchError
from archlang.searchers import SEARCHERS, Objective, Recipe, registry
from archlang.searchers.populations.evolution import Evolution
from archlang.searchers.random import RandomSearch
from archlang.testing.searcher import make_space

GOAL = (Objective("score"),)


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        ("evolution", {}),
        ("evolution()", {}),
        ("  evolution ( 30 , sample=4 )  ", {"population": 30, "sample": 4}),
        ("evolution(30, dedupe=false)", {"population": 30, "dedupe": False}),
        ('evolution(crossover="0.5")', {"crossover": "0.5"}),
        ("evolution(crossover=1e-1)", {"crossover": 0.1}),
    ],
)
def test_searchers_are_read(text: str, settings: dict[str, object]) -> None:
    assert Recipe.of(text) == Recipe(Evolution, settings)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("random", "random"),
        ("evolution(30, crossover=0.5)", "evolution(population=30, crossover=0.5)"),
        ("then(random, 50, evolution)", "then(random, 50, evolution)"),
        ("then(random, 50, evolution, 200, random(dedupe=false))", None),
        ("alternate(random, retry(evolution, 3))", "alternate(random, retry(searcher=evolution, times=3))"),
        ('parts([("a.b/c[0]", random), ("b", evolution(sample=3))])', None),
        ('parts([("é \\"x\\"", random)], rest=none)', None),
        ('filter(random, "macs <= 300M and depth < 4")', None),
        ('nested(outer=random, inner=evolution, part="a", trials=3, continues=true)', None),
        ("then(stages=[random, 5, evolution])", "then(random, 5, evolution)"),
    ],
)
def test_text_makes_the_recipe_again(text: str, written: str | None) -> None:
    recipe = Recipe.of(text)
    assert Recipe.of(str(recipe)) == recipe
    assert written is None or str(recipe) == written


@pytest.mark.parametrize("name", SEARCHERS)
def test_every_searcher_of_the_registry_is_a_recipe(name: str) -> None:
    assert Recipe.of(name).kind.name == name
    assert str(Recipe.of(name)) == name
    assert Recipe.of(f"retry({name})").settings == {"searcher": name}


def test_names_with_hyphens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.SEARCHERS, "half-random", "archlang.searchers.random:RandomSearch")
    assert Recipe.of("half-random") == Recipe(RandomSearch)
    recipe = Recipe.of('then(half-random, 5, filter(half-random(dedupe=false), "half-random"))')
    stages = recipe.settings["stages"]
    assert stages[0] == "half-random"
    assert stages[2].settings == {"searcher": Recipe(RandomSearch, {"dedupe": False}), "condition": "half-random"}


def test_settings_are_added() -> None:
    assert Recipe.of("evolution(population=3)", {"sample": 2, "population": 4}) == Recipe(
        Evolution, {"population": 4, "sample": 2}
    )
    assert Recipe.of(Evolution, {"sample": 2}) == Recipe(Evolution, {"sample": 2})
    assert Recipe.of(Recipe(Evolution)) == Recipe(Evolution)


def test_recipe_makes_the_searcher() -> None:
    made = Recipe.of("evolution(population=3)").make(make_space("small"), GOAL, 7)
    assert isinstance(made, Evolution)
    assert (made.seed, made.objectives, made.settings.population) == (7, GOAL, 3)


@pytest.mark.parametrize(
    ("text", "code", "shown"),
    [
        ("evolutoin", "E0901", "did you mean `evolution`?"),
        ("evolutoin(3)", "E0901", "did you mean `evolution`?"),
        ("then(random, 5, evolutoin(3))", "E0901", "did you mean `evolution`?"),
        ("random + evolution", "E0918", "`random + evolution` is not a searcher"),
        ("evolution(", "E0918", "`evolution(` is not a searcher"),
        ("", "E0918", "`` is not a searcher"),
        ("[random]", "E0918", "`[random]` is not a searcher"),
        ("std.random(3)", "E0918", "is not a searcher"),
        ("grid(3, 2)", "E0918", "`grid` takes at most 1 settings"),
        ("evolution(population=1 + 1)", "E0414", "is not a constant"),
    ],
)
def test_what_is_no_searcher_is_refused(text: str, code: str, shown: str) -> None:
    with pytest.raises(ArchError) as refused:
        Recipe.of(text)
    assert [found.code for found in refused.value.diagnostics] == [code]
    assert shown in str(refused.value)


def test_functions_in_settings_are_not_written() -> None:
    recipe = Recipe.of("filter", {"searcher": RandomSearch, "condition": lambda program: True})
    assert str(recipe) == "filter(searcher=random, condition=…)"
    with pytest.raises(ArchError, match="is not a searcher"):
        Recipe.of(str(recipe))


def test_recipes_are_kept_by_a_store(tmp_path: Path) -> None:
    import archlang as al

    store = tmp_path / "study.db"
    space = make_space("flat")
    text = "then(random, 3, evolution(population=2, sample=1))"
    study = al.search(space, lambda program: 1.0, searcher=text, maximize="value", trials=4, store=store)
    assert study.record.searcher == text
    again = al.resume(store, evaluator=lambda program: 1.0, trials=8)
    whole = al.search(space, lambda program: 1.0, searcher=Recipe.of(text), maximize="value", trials=8)
    assert [trial.choices_json for trial in again.trials] == [trial.choices_json for trial in whole.trials]
    json.dumps(dict(study.record.settings))
