"""What searchers that breed have in common: how they begin, and how children come about."""

import pytest

from archlang.diagnostics import ArchError
from archlang.searchers import Objective, Recipe
from archlang.space import loads
from archlang.testing.searcher import TWO, make_space, score

NET = """
use std.nn
space net(image: f32[n, 16]) {
  image |> linear(choose [8, 16, 32, 64]) |> linear(choose [8, 16, 32, 64]) |> linear(choose [8, 16, 32, 64])
}
"""
BREEDING = ("evolution", "nsga2", "nsga3")


@pytest.mark.parametrize("name", BREEDING)
def test_first_programs_meet_the_condition_and_later_ones_need_not(name: str) -> None:
    space = loads(NET)
    searcher = Recipe.of(f'{name}(population=8, start="params <= 1500")').make(space, (Objective("params"),))
    params = []
    for _ in range(40):
        choices = searcher.ask()
        params.append(float(space.costs([choices])["params"][0]))
        searcher.tell(choices, {"params": params[-1]})
    assert max(params[:8]) <= 1500 < max(params[8:])


@pytest.mark.parametrize("name", BREEDING)
def test_few_programs_to_begin_with_do_not_stop_the_search(name: str) -> None:
    space = loads(NET)
    count = space.narrowed("params <= 400").size
    assert 0 < count < 10
    searcher = Recipe.of(f'{name}(population=10, start="params <= 400")').make(space, TWO)
    asked = []
    for _ in range(30):
        asked.append(searcher.ask())
        searcher.tell(asked[-1], score(asked[-1]))
    assert len(set(asked)) == 30


@pytest.mark.parametrize(("condition", "code"), [("parms <= 3", "E0201"), ("params <= 3", "E0505")])
def test_a_condition_that_is_none_or_never_met_is_refused(condition: str, code: str) -> None:
    with pytest.raises(ArchError) as refused:
        Recipe.of(f'evolution(start="{condition}")').make(loads(NET), TWO)
    assert [found.code for found in refused.value.diagnostics] == [code]


@pytest.mark.parametrize(("near", "expected"), [("true", 0.7), ("false", 0.05)])
def test_children_are_near_unless_told_otherwise(near: str, expected: float) -> None:
    space = loads("space s { { a: choose 0..30, b: choose 0..30 } }")
    searcher = Recipe.of(f"evolution(population=1, near={near}, dedupe=false)").make(space, (Objective("score"),))
    first = searcher.ask()
    searcher.tell(first, {"score": 1.0})
    steps = []
    for _ in range(300):
        child = searcher.ask()
        searcher.tell(child, None)
        steps += [abs(int(str(child[a])) - int(str(first[a]))) for a in first if child[a] != first[a]]
    assert len(steps) == 300
    share = sum(step <= 4 for step in steps) / 300
    assert share >= expected
    assert near == "true" or share < 0.5


@pytest.mark.parametrize("mix", ["uniform", "subtree"])
def test_children_have_two_parents_with_crossover(mix: str) -> None:
    space = loads("space s { { bits: [choose [0, 1] for i in 0..<12] } }")
    recipe = f"evolution(population=2, sample=1, crossover=1, mix={mix}, dedupe=false)"
    searcher = Recipe.of(recipe).make(space, (Objective("score"),))
    zeros, ones = (space.choices({f"bits[{i}]": bit for i in range(12)}) for bit in (0, 1))
    for _ in range(2):
        searcher.ask()
    for parent in (zeros, ones):
        searcher.tell(parent, {"score": 1.0})
    sums = []
    for _ in range(100):
        child = searcher.ask()
        searcher.tell(child, None)
        sums.append(sum(map(int, map(str, child.values()))))
    between = sum(3 <= total <= 9 for total in sums)
    assert (between > 20) is (mix == "uniform"), "one subtree of flat choices is one choice"


def test_text_settings_are_read() -> None:
    with pytest.raises(ArchError) as refused:
        Recipe.of("nsga2(mix=single)").make(make_space("small"), TWO)
    assert [found.code for found in refused.value.diagnostics] == ["E0903"]


@pytest.mark.parametrize("name", [*BREEDING, "local-search", "annealing"])
def test_what_another_searcher_asked_for_counts(name: str) -> None:
    """Told enough, a new searcher goes on from there at once."""
    space = loads("space s { { x: [choose 0..9 for i in 0..<8] } }")
    settings = "population=4, crossover=0" if name in BREEDING else "initial=4"
    searcher = Recipe.of(f"{name}({settings})").make(space, (Objective("score"),))
    told = list(space.sample_many(4, seed=1))
    for choices in told:
        searcher.tell(choices, score(choices))
    child = searcher.ask()
    assert min(sum(child[a] != parent[a] for a in child) for parent in told) == 1
