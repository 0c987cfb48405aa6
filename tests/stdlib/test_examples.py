"""The examples are valid, and have as many programs as their texts say when counted by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

import archlang as al

EXAMPLES = Path(__file__).parents[2] / "examples"

LAYER = 2 + 2 + 2 + 1
STAGE = sum(LAYER**depth for depth in (1, 2, 3)) * 2
SUBSETS = 5 + 10 + 10
SIZES = {
    "digits": 3 * STAGE * 3 * STAGE,
    "gunpoint": 3 * sum(SUBSETS**depth + SUBSETS for depth in (1, 2, 3)),
    "characters": 3 * 4 * 3 * 2 * 2,
    "recipe": (8 * 9 + 4 * 9 + 4 * 6) * 3 * 2**3,
}


def test_every_example_is_counted() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.arch")} == set(SIZES)


@pytest.mark.parametrize("name", SIZES)
def test_size(name: str) -> None:
    assert al.load(str(EXAMPLES / f"{name}.arch")).size == SIZES[name]


@pytest.mark.parametrize("name", ["digits", "gunpoint", "characters"])
def test_programs_have_graphs(name: str) -> None:
    space = al.load(str(EXAMPLES / f"{name}.arch"))
    costs = {space.sample(seed).cost().params for seed in range(5)}
    assert len(costs) > 1


def test_the_recipe_holds_values_only() -> None:
    program = al.load(str(EXAMPLES / "recipe.arch")).sample(0)
    assert not program.has_graph
    assert program.values["batch"] <= 128 or program.values["optimizer"]["lr"] >= 0.001
