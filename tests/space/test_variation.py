"""Near picks, subtrees exchanged, and levels of floats."""

import math
from collections import Counter
from itertools import product
from random import Random

import pytest

import archlang as al
from archlang.semantics.decision import Domain, Integers, OneOf, Pick, Reals, Subsets
from archlang.space.variation import near

TREE = """
space tree {
  a = choose { leaf: 0, node: [choose 1..3, choose { x: choose [1, 2], y: choose [3, 4] }] }
  b = choose { leaf: 0, node: [choose 1..3, choose { x: choose [1, 2], y: choose [3, 4] }] }
  { a: a, b: b }
}
"""
ENDLESS = """
use std.nn
block grow(x: [n, c]) { x |> choose { stop: identity, wide: linear(choose [4, 8]), more: linear(c) >> grow } }
space endless(image: f32[n, 8]) {
  image |> grow |> linear(choose 2..5) |> grow
}
"""
DOMAINS: list[Domain] = [
    OneOf(("a", "b", "c")),
    OneOf((True, False)),
    OneOf((16, 2, 8, 4)),
    OneOf((0.1, 0.5)),
    Integers(0, 11, 3),
    Subsets(4, 2, 2),
    Subsets(4, 0, 4),
    Subsets(3, 3, 3, ordered=True),
    Subsets(3, 1, 2, ordered=True),
    Subsets(3, 2, 2, repeated=True),
    Subsets(2, 1, 3, ordered=True, repeated=True),
    Subsets(1, 1, 3, repeated=True),
]


@pytest.mark.parametrize("domain", DOMAINS, ids=str)
def test_near_picks_are_other_picks_and_lead_everywhere(domain: Domain) -> None:
    picks = [domain.pick(index) for index in range(int(domain.size))]
    random = Random(0)
    reached: dict[Pick, set[Pick]] = {pick: {near(domain, pick, random) for _ in range(60)} for pick in picks}
    found = {picks[0]}
    for pick, others in reached.items():
        assert pick not in others
        assert others <= set(picks)
    for _ in picks:
        found |= {other for pick in found for other in reached[pick]}
    assert found == set(picks)


def test_categories_take_any_other_pick_evenly() -> None:
    random = Random(1)
    drawn = Counter(near(OneOf(("a", "b", "c", "d")), "b", random) for _ in range(3_000))
    assert set(drawn) == {"a", "c", "d"}
    assert all(abs(count - 1_000) < 120 for count in drawn.values())


def test_numbers_take_mostly_the_next_one_in_order() -> None:
    random = Random(2)
    labels = OneOf((64, 8, 32, 16, 128))
    drawn = Counter(near(labels, 32, random) for _ in range(2_000))
    assert drawn[16] + drawn[64] > 1_500
    assert set(drawn) == {8, 16, 64, 128}
    steps = [abs(int(near(Integers(0, 1000), 500, random)) - 500) for _ in range(2_000)]  # type: ignore[arg-type]
    assert 60 < sum(steps) / len(steps) < 100, "the mean of |N(0, 100)| is 80"


def test_floats_take_gaussian_steps_of_the_unit_interval() -> None:
    random = Random(3)
    domain = Reals(1e-4, 1e-1, log=True)
    steps = [math.log10(float(near(domain, 10**-2.5, random))) + 2.5 for _ in range(4_000)]  # type: ignore[arg-type]
    deviation = math.sqrt(sum(step**2 for step in steps) / len(steps))
    assert abs(deviation - 0.3) < 0.02, "a tenth of three decades"
    ends = [near(Reals(0.0, 1.0), 1.0, random) for _ in range(100)]
    assert all(0.0 <= float(end) < 1.0 for end in ends)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", [Subsets(6, 3, 3), Subsets(6, 1, 5)], ids=str)
def test_subsets_differ_by_an_element(kind: Subsets) -> None:
    random = Random(4)
    before = {0, 2, 4}
    for _ in range(100):
        after = near(kind, (0, 2, 4), random)
        assert isinstance(after, tuple)
        assert list(after) == sorted(after)
        assert len(before - set(after)) <= 1
        assert len(set(after) - before) <= 1


@pytest.mark.parametrize("text", [TREE, ENDLESS])
def test_near_mutations_are_other_programs(text: str) -> None:
    space = al.loads(text)
    random = Random(5)
    choices = space.draw(random)
    for _ in range(200):
        other = space.mutate(choices, random, near=True)
        assert other != choices
        assert space.choices(other) == other
        choices = other


def test_near_mutations_keep_requirements() -> None:
    space = al.loads("""
    space ordered {
      a = choose 0..9
      b = choose 0..9
      rate = choose 1e-3..1.0 log
      require a < b, "in order"
      { a: a, b: b, rate: rate, picks: choose 2 of [1, 2, 3, 4] }
    }
    """)
    random = Random(6)
    choices = space.draw(random)
    moved = set()
    for _ in range(300):
        other = space.mutate(choices, random, near=True)
        assert int(str(other["a"])) < int(str(other["b"]))
        moved |= {address for address in choices if choices[address] != other[address]}
        choices = other
    assert moved == {"a", "b", "rate", "picks"}


def exchanged(space: al.Space, a: al.Choices, b: al.Choices) -> set[al.Choices]:
    """All programs that are `a` with one differing subtree from `b`, worked out from what is asked where."""
    parents = {d.address: d.parents for choices in (a, b) for d in space.decisions(choices)}

    def subtree(choices: al.Choices, root: str) -> dict[str, Pick]:
        return {address: pick for address, pick in choices.items() if root == address or root in parents[address]}

    found = set()
    for root in (address for address in a if address in b):
        if subtree(a, root) != subtree(b, root):
            rest = {address: pick for address, pick in a.items() if address not in subtree(a, root)}
            found.add(space.choices({**rest, **subtree(b, root)}))
    return found


@pytest.mark.parametrize("text", [TREE, ENDLESS])
def test_a_subtree_is_taken_whole(text: str) -> None:
    space = al.loads(text)
    random = Random(7)
    seen_all = 0
    for seed in range(40):
        a, b = space.draw(Random(seed)), space.draw(Random(seed + 100))
        expected = exchanged(space, a, b) or {a}
        children = {space.crossover(a, b, random, subtree=True) for _ in range(12 * len(expected))}
        assert children <= expected
        seen_all += children == expected
    assert seen_all >= 38


def test_a_mixed_child_has_no_decision_of_an_alternative_not_taken() -> None:
    space = al.loads(TREE)
    random = Random(8)
    for seed in range(60):
        a, b = space.draw(Random(seed)), space.draw(Random(seed + 100))
        child = space.crossover(a, b, random)
        assert space.choices(child) == child
        for decision in space.decisions(child):
            owners = [parent for parent in (a, b) if decision.address in parent]
            assert owners, "what hangs from a pick comes from the parent that has it"
            assert any(parent[decision.address] == child[decision.address] for parent in owners)


def test_floats_are_listed_by_levels() -> None:
    space = al.loads("space s { { rate: choose 1e-4..1e-2 log, width: choose [1, 2], drop: choose 0.0..0.5 } }")
    listed = [(c["rate"], c["width"], c["drop"]) for c in space.enumerate(levels=3)]
    expected = list(product([1e-4, 1e-3, 1e-2], [1, 2], [0.0, 0.25, 0.5]))
    assert len(set(listed)) == len(expected) == 18
    for found, wanted in zip(sorted(listed), sorted(expected), strict=True):
        assert found == pytest.approx(wanted)
    assert [c["drop"] for c in space.enumerate(levels=1)] == [0.25, 0.25]
    with pytest.raises(al.ArchError) as refused:
        next(space.enumerate())
    assert [found.code for found in refused.value.diagnostics] == ["E0412"]
