"""Drawing, mutating, crossing and listing choices; and refusing those that do not fit."""

from collections import Counter
from random import Random

import pytest

import archlang as al
from archlang.semantics.fault import Entangled
from archlang.space.by_trial import ByTrial
from archlang.space.resolver import EachAnew

TEXT = """
use std.nn
space s(image: f32[n, 3, 8, 8]) {
  width = choose [4, 8]
  op = choose { conv: conv2d(width, kernel=choose [1, 3]), skip: identity }
  depth = choose 1..3
  require not (width == 8 and depth == 3), "budget"
  image |> op |> repeat(depth, relu)
}
"""


@pytest.fixture(scope="module")
def space() -> al.Space:
    return al.loads(TEXT.replace('  require not (width == 8 and depth == 3), "budget"\n', ""))


def test_draws_are_even_per_decision(space: al.Space) -> None:
    random = Random(1)
    drawn = [space.draw(random) for _ in range(3_000)]
    depths = Counter(choices["depth"] for choices in drawn)
    assert all(abs(count - 1_000) < 120 for count in depths.values())
    assert all(("width" in choices) == (choices["op"] == "conv") for choices in drawn)


def test_one_seed_fixes_all(space: al.Space) -> None:
    assert space.sample(7).choices == space.sample(7).choices
    assert len({space.sample(seed).choices for seed in range(50)}) > 5


def test_a_mutation_is_another_program_one_decision_away(space: al.Space) -> None:
    random = Random(2)
    for seed in range(200):
        before = space.draw(Random(seed))
        after = space.mutate(before, random)
        assert after != before
        assert space.choices(after) == after
        common = [address for address in before if address in after]
        assert sum(before[address] != after[address] for address in common) == 1


def test_crossover_takes_from_the_parents(space: al.Space) -> None:
    random = Random(3)
    for seed in range(100):
        a, b = space.draw(Random(seed)), space.draw(Random(seed + 1_000))
        child = space.crossover(a, b, random)
        for address, pick in child.items():
            if address in a or address in b:
                assert pick in (a.get(address), b.get(address))


def test_neighbours_differ_in_one_decision(space: al.Space) -> None:
    choices = space.choices({"width": 4, "op": "conv", "op:conv.kernel": 3, "depth": 2})
    found = set(space.neighbours(choices))
    assert found == {
        space.choices({"width": 8, "op": "conv", "op:conv.kernel": 3, "depth": 2}),
        space.choices({"width": 4, "op": "conv", "op:conv.kernel": 1, "depth": 2}),
        space.choices({"op": "skip", "depth": 2}),
        space.choices({"width": 4, "op": "conv", "op:conv.kernel": 3, "depth": 1}),
        space.choices({"width": 4, "op": "conv", "op:conv.kernel": 3, "depth": 3}),
    }


def test_a_space_of_one_program_has_no_other() -> None:
    space = al.loads("space s() { choose [3] }")
    with pytest.raises(al.ArchError, match="E0411"):
        space.mutate(space.sample().choices, Random(0))


def test_requirements_hold_in_every_move() -> None:
    space = al.loads(TEXT.replace("repeat(depth, relu)", "repeat(depth, relu) |> conv2d(width)"))
    random = Random(4)
    choices = space.draw(random)
    for _ in range(200):
        assert not (choices["width"] == 8 and choices["depth"] == 3)
        choices = space.crossover(space.mutate(choices, random), space.draw(random), random)


def test_choices_that_do_not_fit_are_refused_with_address_and_domain(space: al.Space) -> None:
    good = {"width": 4, "op": "conv", "op:conv.kernel": 3, "depth": 2}
    for wrong, code, told in [
        ({**good, "width": 5}, "E0407", "4, 8"),
        ({**good, "depth": 2.0}, "E0407", "1..3"),
        ({**good, "depth": -1}, "E0407", "1..3"),
        ({**good, "depth": True}, "E0407", "1..3"),
        ({**good, "op": "convv"}, "E0407", "conv, skip"),
        ({**good, "dept": 1}, "E0406", "depth"),
        ({"op": "skip", "depth": 1, "width": 4}, "E0406", "width"),
        ({"op": "conv", "depth": 1, "width": 4}, "E0410", "op:conv.kernel"),
    ]:
        with pytest.raises(al.ArchError) as refused:
            space.program(wrong)
        assert code in [found.code for found in refused.value.diagnostics]
        assert told in str(refused.value)


def test_json_both_ways(space: al.Space) -> None:
    for seed in range(20):
        choices = space.sample(seed).choices
        assert al.Choices.from_json(choices.to_json()) == choices
        assert space.choices(al.Choices.from_json(choices.to_json())) == choices
    subset = al.loads("space s() { xs = choose 2 of [5, 6, 7] ordered\n xs }")
    choices = subset.choices({"xs": [2, 0]})
    assert subset.program(choices).values == {"": [7, 5]}
    assert choices.to_json() == '{"xs": [2, 0]}'


def test_enumeration_is_complete_and_in_a_fixed_order(space: al.Space) -> None:
    found = list(space.enumerate())
    assert len(found) == len(set(found)) == space.size == 15
    assert found == list(space.enumerate())


def test_draws_meet_requirements_that_almost_nothing_meets() -> None:
    space = al.loads('space s() {\n  xs = [choose 0..1 for i in 0..<60]\n  require sum(xs) <= 1, "few"\n  xs\n}')
    assert space.size == 61
    random = Random(5)
    drawn = Counter(sum(space.draw(random).values()) for _ in range(610))
    # The program of zeros alone is 1 of 61.
    assert drawn[0] + drawn[1] == 610
    assert 1 <= drawn[0] <= 30


def test_draws_under_requirements_are_those_that_rejection_gives() -> None:
    text = """
    space s() {
      a = choose { p: choose 1..4, q: 9 }
      b = choose 1..3
      require a != b and a + b > 4, "together"
      { a: a, b: b }
    }
    """
    space = al.loads(text)
    random = Random(6)
    exact = Counter(space.draw(random) for _ in range(6_000))
    one_by_one = ByTrial(EachAnew(space.module, space.declaration, {}), space.analysis.resolve)
    rejected = Counter(one_by_one.draw(random, False) for _ in range(6_000))
    assert set(rejected) == set(exact) == set(space.enumerate())
    for choices in exact:
        assert abs(exact[choices] - rejected[choices]) < 6 * (2 * rejected[choices]) ** 0.5


def test_an_address_may_have_other_alternatives_under_other_choices() -> None:
    text = """
    space s() {
      n = choose [2, 5]
      k = choose 1..n
      m = if k > 1 { choose 0..k } else { 0 }
      { m: m, k: k }
    }
    """
    space = al.loads(text)
    assert space.size == (1 + 3) + (1 + 3 + 4 + 5 + 6)
    for choices in space.enumerate():
        assert space.program(choices).choices == choices
    with pytest.raises(al.ArchError, match=r"takes an integer in 1\.\.2"):
        space.program({"n": 2, "k": 5, "m": 0})


TOO_MUCH = 'space s() {\n  a = choose 1..3\n  b = choose 1..3\n  require a + b > 2, "big"\n  { a: a, b: b }\n}'


@pytest.mark.parametrize("part", ["__init__", "regions"])
def test_a_space_that_cannot_be_counted_is_tried_and_says_so(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def give_up(*_: object) -> None:
        raise Entangled("it is too much")

    monkeypatch.setattr(f"archlang.space.compiled.Compiled.{part}", give_up)
    space = al.loads(TOO_MUCH)
    # Paths are not needed to see that no program is wrong.
    assert space.unproved == ("it is too much" if part == "__init__" else None)
    assert space.sample().values
    with pytest.raises(al.ArchError, match="it is too much"):
        _ = space.size


def test_repair_keeps_what_is_held() -> None:
    space = al.loads('space s() { a = choose 0..7\n b = choose 0..7\n require a < b, "in order"\n { a: a, b: b } }')
    for a in range(8):
        for b in range(1, 8):
            fewest = 0 if a < b else 1
            for held in ((), ("b",)):
                found = space.repair({"a": a, "b": b}, 3, held)
                assert (found["a"] != a) + (found["b"] != b) == fewest
                assert found["b"] == b or not held
    with pytest.raises(al.ArchError, match="meets its requirements"):
        space.repair({"a": 1, "b": 0}, 0, ("b",))


def test_a_part_and_the_others_divide_the_decisions(space: al.Space) -> None:
    part, others = space.part("op"), space.part("op", others=True)
    everything = {decision.address for decision in space.all_decisions()}
    assert {address for address in everything if part.owns(address)} == {"op", "op:conv.kernel"}
    assert {address for address in everything if others.owns(address)} == {"width", "depth"}
    random = Random(1)
    choices = space.choices({"width": 4, "op": "conv", "op:conv.kernel": 3, "depth": 2})
    assert dict(part.own(choices)) == {"op": "conv", "op:conv.kernel": 3}
    assert dict(others.own(choices)) == {"width": 4, "depth": 2}
    for _ in range(30):
        assert part.mutate(choices, random)["depth"] == 2
        assert part.mutate(choices, random).get("width", 4) == 4, "without the convolution there is none"
        assert part.own(others.mutate(choices, random)) == part.own(choices)


def test_a_part_of_a_part_is_a_part_of_that(space: al.Space) -> None:
    inner = space.part("op").part("op:conv.kernel", others=True)
    assert [d.address for d in space.all_decisions() if inner.owns(d.address)] == ["op"]
    assert inner.narrowed("macs <= 10M").owns("op")
    assert not inner.narrowed("macs <= 10M").owns("width")
    assert inner.is_part
    assert not space.is_part
