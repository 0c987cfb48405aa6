"""Random search by programs and by low-discrepancy sequences; grids with levels."""

import math
from collections import Counter
from typing import ClassVar

import pytest

from archlang.diagnostics import ArchError
from archlang.searchers import Exhausted, Recipe
from archlang.searchers.grid import GridSearch
from archlang.searchers.halton import Halton, primes
from archlang.searchers.random import RandomSearch
from archlang.space import Choices, loads
from archlang.testing.searcher import ONE, SearcherContract, make_space

FLOATS = "space s { { a: choose 0.0..1.0, b: choose 1e-4..1e-2 log, c: choose 0..5, d: choose [8, 2, 4] } }"


class TestRandomByPrograms(SearcherContract):
    searcher = RandomSearch
    settings: ClassVar = {"draws": "programs"}
    entangled = False


class TestQuasiRandom(SearcherContract):
    searcher = RandomSearch
    settings: ClassVar = {"draws": "quasi"}


class TestGridOfLevels(SearcherContract):
    searcher = GridSearch
    settings: ClassVar = {"levels": 4}
    seeded = False
    entangled = False
    spaces = ("flat", "conditional", "constrained")


def asked(recipe: str, text: str, count: int, seed: int = 0) -> list[Choices]:
    searcher = Recipe.of(recipe).make(loads(text), ONE, seed)
    return [searcher.ask() for _ in range(count)]


def test_programs_are_drawn_evenly() -> None:
    text = "space s { { m: choose { none: 0, some: [choose 0..9, choose 0..9] } } }"
    by_program = Counter(c["m"] for c in asked("random(draws=programs, dedupe=false)", text, 1_000))
    by_decision = Counter(c["m"] for c in asked("random(dedupe=false)", text, 1_000))
    assert by_program["none"] < 30, "one program of 101"
    assert abs(by_decision["none"] - 500) < 70


@pytest.mark.parametrize("base", [2, 3, 5, 31])
def test_a_sequence_fills_its_range(base: int) -> None:
    sequence = Halton(base, "seed")
    numbers = [sequence[place] for place in range(base**2)]
    assert sorted(math.floor(number * base**2) for number in numbers) == list(range(base**2))
    assert {math.floor(number * base) for number in numbers[:base]} == set(range(base))
    assert Halton(base, "seed")[7] == sequence[7]
    assert Halton(base, "other")[7] != sequence[7]
    assert all(0 <= number < 1 for number in numbers)


def test_bases_are_primes() -> None:
    found = primes()
    assert [next(found) for _ in range(12)] == [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37]


def test_quasi_random_numbers_lie_evenly() -> None:
    found = asked("random(draws=quasi)", FLOATS, 64)
    assert sorted(math.floor(float(str(c["a"])) * 64) for c in found) == list(range(64))
    logs = [(math.log10(float(str(c["b"]))) + 4) / 2 for c in found[:27]]
    assert sorted(math.floor(log * 27) for log in logs) == list(range(27))
    assert all(9 <= count <= 12 for count in Counter(c["c"] for c in found).values()), "64 in 6 parts"
    assert all(18 <= count <= 25 for count in Counter(c["d"] for c in found).values())


def test_quasi_random_pairs_are_spread_more_than_random_ones() -> None:
    """The star discrepancy at the corners of a grid of 16 x 16."""

    def worst(recipe: str, seed: int) -> float:
        points = [
            (float(str(c["a"])), (math.log10(float(str(c["b"]))) + 4) / 2) for c in asked(recipe, FLOATS, 128, seed)
        ]
        corners = [(i / 16, j / 16) for i in range(1, 17) for j in range(1, 17)]
        return max(abs(sum(x < a and y < b for x, y in points) / 128 - a * b) for a, b in corners)

    for seed in range(5):
        assert worst("random(draws=quasi)", seed) < 0.6 * worst("random", seed)


def test_categories_and_subsets_are_drawn() -> None:
    text = "space s { { a: choose { x: 0, y: 1 }, b: choose 2 of [1, 2, 3], c: choose 0..1000000 } }"
    found = asked("random(draws=quasi)", text, 200)
    assert all(70 < count < 130 for count in Counter(c["a"] for c in found).values())
    assert len({c["b"] for c in found}) == 3
    assert sorted(int(str(c["c"])) * 128 // 1_000_001 for c in found[:128]) == list(range(128))


def test_a_grid_of_levels_lists_floats() -> None:
    searcher = GridSearch(make_space("floats"), ONE, 0, levels=3)
    found = [searcher.ask() for _ in range(3 * (1 + 3))]
    assert len(set(found)) == len(found)
    with pytest.raises(Exhausted):
        searcher.ask()
    rates = sorted({float(str(c["rate"])) for c in found})
    assert rates == pytest.approx([1e-4, 10**-2.5, 1e-1])


def test_a_grid_of_levels_refuses_what_has_no_end() -> None:
    text = """
    use std.nn
    block grow(x: [n, c]) { x |> choose { stop: identity, more: linear(c) >> grow } }
    space endless(image: f32[n, 8]) { image |> grow }
    """
    text = "\n".join(line.removeprefix("    ") for line in text.splitlines())
    with pytest.raises(ArchError) as refused:
        GridSearch(loads(text), ONE, 0, levels=3)
    assert [found.code for found in refused.value.diagnostics] == ["E0910"]
