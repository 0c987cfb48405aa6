"""Model-based searchers keep to the contract of searchers, by each surrogate and acquisition."""

import json
from typing import ClassVar

import pytest

from archlang.searchers import Recipe
from archlang.searchers.smbo import boosting, ensemble, forest
from archlang.searchers.smbo.search import Smbo
from archlang.space import Choices
from archlang.testing.searcher import ONE, THREE, TWO, SearcherContract, drive, make_space, proposals_of
from archlang.testing.searcher import score as metrics

SMALL = "initial=5, pool=8, parents=2, children=4"


class TestGaussianProcess(SearcherContract):
    searcher = Smbo
    settings: ClassVar = {"initial": 10, "pool": 10, "parents": 2, "children": 4}
    spaces = ("conditional",)
    steps = 22


@pytest.mark.parametrize(
    ("recipe", "name"),
    [
        (f"smbo({SMALL}, acquisition=ucb, same=choices)", "constrained"),
        (f"smbo({SMALL}, acquisition=thompson, same=none)", "floats"),
        (f"smbo({SMALL}, acquisition=its)", "recursive"),
        (f"smbo({SMALL}, acquisition=mean, rounds=0)", "flat"),
        (f"smbo({SMALL}, acquisition=ehvi, encoding=graph, screened=3)", "budget"),
        (f"smbo({SMALL}, encoding=both)", "budget"),
        (f"smbo({SMALL}, surrogate=forest)", "conditional"),
        (f"smbo({SMALL}, surrogate=boosting, acquisition=thompson, encoding=graph)", "budget"),
        (f"smbo({SMALL}, surrogate=ensemble)", "recursive"),
        ("bananas(initial=5, parents=2, children=4)", "floats"),
        (f"gbdt-nas({SMALL}, prune=2)", "conditional"),
        ("neural-predictor(initial=5, pool=10)", "constrained"),
        ("smbo(surrogate=forest, initial=3, same=none)", "single"),
        ("smbo(initial=3, same=none)", "single"),
    ],
)
def test_each_part_repeats_itself_within_the_space(recipe: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module, constant, less in ((ensemble, "STEPS", 15), (forest, "TREES", 6), (boosting, "MEMBERS", 2)):
        monkeypatch.setattr(module, constant, less)
    by_process = "surrogate" not in recipe and recipe.startswith("smbo")
    goals, steps = (TWO, 20) if by_process else (ONE, 16)
    runs = [
        drive(Recipe.of(recipe).make(make_space(name), goals, 3), steps, seed=1, parallel=2, failing=0.1)
        for _ in range(2)
    ]
    assert runs[0] == runs[1]
    found = proposals_of(runs[0])
    assert len(found) > 6
    space = make_space(name)
    for text in found:
        assert space.choices(json.loads(text)).to_json() == text
    if "same=none" not in recipe:
        assert len(set(found)) == len(found)


def test_three_objectives_and_parts() -> None:
    def evaluate(choices: Choices) -> dict[str, float]:
        return {**metrics(choices), "length": float(len(choices))}

    part = make_space("flat").part("a", "d")
    searcher = Recipe.of(f"smbo({SMALL})").make(part, THREE, 0)
    found = proposals_of(drive(searcher, 20, seed=2, parallel=2, evaluate=evaluate))
    assert len({(picks["a"], tuple(picks["d"])) for picks in map(json.loads, found)}) == len(found) >= 9
