"""Picks that boosted trees find bad."""

from random import Random

import numpy as np

from archlang.searchers.smbo import pruning
from archlang.searchers.smbo.boosting import Boosting
from archlang.searchers.smbo.features import Features
from archlang.space import Choices, loads

TEXT = """
space planted {
  { a: choose { good: 0, fine: 1, bad: 2 }, b: choose { x: 0, y: 1 }, n: choose 0..9, some: choose 1..2 of [1, 2, 3] }
}
"""
SPACE = loads(TEXT)


def drawn(count: int) -> list[Choices]:
    random = Random(0)
    return [SPACE.draw(random) for _ in range(count)]


def found(programs: list[Choices], most: int, *scores: dict[str, float]) -> pruning.Banned:
    features = Features(SPACE)
    trees = []
    for each in scores:
        trees.append(Boosting())
        values = [sum(worth * (choices["a"] == pick) for pick, worth in each.items()) for choices in programs]
        noise = np.random.default_rng(0).normal(size=len(programs)) * 0.05
        trees[-1].fit(features, programs, np.array(values) + noise, 0)
    return pruning.worst_picks(trees, features, programs, most)


def test_the_planted_pick_is_banned_and_draws_avoid_it() -> None:
    banned = found(drawn(80), 1, {"bad": -3.0})
    assert banned == {"a": {"bad"}}
    random = Random(1)
    programs = [pruning.draw(SPACE, banned, random) for _ in range(60)]
    assert not any(pruning.is_banned(choices, banned) for choices in programs)
    assert {choices["a"] for choices in programs} == {"good", "fine"}
    assert pruning.is_banned(SPACE.choices({"a": "bad", "b": "x", "n": 0, "some": (0,)}), banned)


def test_the_best_pick_that_was_made_and_what_was_not_made_stay() -> None:
    banned = found(drawn(80), 100, {"bad": -3.0, "fine": -1.0})
    assert {"bad"} <= banned["a"] <= {"bad", "fine"}
    assert set(banned) <= {"a", "b"}
    assert len(banned.get("b", ())) <= 1
    few = [choices for choices in drawn(80) if choices["a"] != "good"]
    assert found(few, 100, {"bad": -3.0})["a"] == {"bad"}


def test_of_several_objectives_only_what_is_bad_for_each_is_banned() -> None:
    both = {"bad": -3.0}, {"bad": -2.0, "fine": 1.0}
    assert "bad" in found(drawn(80), 1, *both)["a"]
    assert "bad" not in found(drawn(80), 100, {"bad": -3.0}, {"bad": 3.0}).get("a", ())


def test_nothing_is_banned_where_picks_make_no_difference() -> None:
    assert found(drawn(80), 0, {"bad": -3.0}) == {}
