"""Python functions as spaces: they have the programs that the same text in the language has, and move alike."""

from __future__ import annotations

import math
from collections import Counter
from random import Random
from typing import Any

import pytest

import archlang as al
from archlang.space.traced.space import TracedSpace

CONDITIONAL = """
use std.nn

## The kind of a model, and what hangs from it.
space model {
  width = choose 8..16 step 8
  depth = choose 1..2
  head = choose { linear: [0], mlp: [choose [16, 32] as hidden, choose 1..2 as layers] }
  require width > 8 or depth == 1, "narrow networks are short"
  { width: width, units: [unit(width) for i in 0..<depth], head: head, kept: choose 1..2 of [1, 2, 3] }
}

def unit(width) {
  kind = choose { plain: width, pooled: width * (choose [2, 3] as by) }
  [kind, choose [1, 3, 5] as kernel]
}
"""


def unit(width: int) -> list[int]:
    kind = al.choose({"plain": width, "pooled": lambda: width * al.choose([2, 3], name="by")})
    return [kind, al.choose([1, 3, 5], name="kernel")]


def model() -> dict[str, Any]:
    width = al.integer(8, 16, step=8)
    depth = al.integer(1, 2)
    head = al.choose(
        {"linear": [0], "mlp": lambda: [al.choose([16, 32], name="hidden"), al.integer(1, 2, name="layers")]}
    )
    al.require(width > 8 or depth == 1, "narrow networks are short")
    return {
        "width": width,
        "units": [unit(width) for i in range(depth)],
        "head": head,
        "kept": al.choose([1, 2, 3], (1, 2)),
    }


def rates() -> tuple[float, float, str]:
    rate = al.real(1e-4, 1e-1, log=True)
    kind = al.choose({"plain": 0.0, "heavy": lambda: al.real(0.5, 0.9)})
    return rate, kind, al.choose(["a", "b"], name="name")


@pytest.fixture(scope="module")
def traced() -> TracedSpace:
    return al.space_of(model, limit=5_000)


def test_the_programs_are_those_of_the_same_text(traced: TracedSpace) -> None:
    written = al.loads(CONDITIONAL)
    assert traced.size == written.size == (9 + 9 + 9**2) * 5 * 6  # units, heads, and what is kept
    made = Counter(repr(traced.build(choices)) for choices in traced.enumerate())
    same = Counter(repr(written.program(choices).values) for choices in written.enumerate())
    assert made == same
    assert {str(each.domain) for each in traced.all_decisions()} == {
        str(each.domain) for each in written.all_decisions()
    }


def test_addresses_are_those_of_the_same_text(traced: TracedSpace) -> None:
    written = al.loads(CONDITIONAL)
    assert {each.address for each in traced.all_decisions()} == {each.address for each in written.all_decisions()}


def test_draws_follow_the_seed_and_keep_the_requirements(traced: TracedSpace) -> None:
    drawn = [traced.draw(Random(seed)) for seed in range(60)]
    assert drawn == [al.space_of(model).draw(Random(seed)) for seed in range(60)]
    assert len(set(drawn)) > 40
    assert all(choices["width"] > 8 or choices["depth"] == 1 for choices in drawn)
    assert {choices["width"] for choices in drawn} == {8, 16}


def test_neighbours_differ_in_one_decision(traced: TracedSpace) -> None:
    choices = traced.draw(Random(1))
    neighbours = list(traced.neighbours(choices))
    assert len(set(neighbours)) == len(neighbours) > 5
    for other in neighbours:
        shared = [address for address in choices if address in other and choices[address] != other[address]]
        assert len(shared) == 1
        assert traced.choices(other) == other


def test_mutants_and_children_are_programs(traced: TracedSpace) -> None:
    random = Random(0)
    for _ in range(40):
        a, b = traced.draw(random), traced.draw(random)
        for found in (traced.mutate(a, random), traced.mutate(a, random, near=True)):
            assert found != a
            assert traced.choices(found) == found
        for subtree in (False, True):
            child = traced.crossover(a, b, random, subtree)
            assert traced.choices(child) == child
            inherited = [address for address in child if child[address] in (a.get(address), b.get(address))]
            assert len(inherited) >= len(child) - 4


def test_walks_meet_decisions_as_they_are_asked(traced: TracedSpace) -> None:
    met: list[str] = []

    def last(decision: Any, options: Any) -> Any:
        met.append(decision.address)
        return options[-1]

    found = traced.walk(last, Random(0))
    assert met[:3] == ["width", "depth", "head"]
    assert [decision.address for decision, _ in traced.trace(found)] == met
    assert found["head"] == "mlp"
    with pytest.raises(ValueError, match="no option"):
        traced.walk(lambda decision, options: "nothing", Random(0))


def test_vectors_tell_programs_apart(traced: TracedSpace) -> None:
    vectors = {tuple(traced.encode(choices)) for choices in traced.enumerate()}
    assert len(vectors) == traced.size


def test_parts_leave_the_rest_to_chance(traced: TracedSpace) -> None:
    part = traced.part("head")
    choices = part.draw(Random(0))
    assert set(part.own(choices)) <= {"head", "head:mlp.hidden", "head:mlp.layers"}
    changed = part.mutate(choices, Random(0))
    differing = {address for address in {**choices, **changed} if choices.get(address) != changed.get(address)}
    assert differing <= {"head", "head:mlp.hidden", "head:mlp.layers"}


def test_picks_are_repaired_to_the_nearest_program(traced: TracedSpace) -> None:
    choices = next(one for one in traced.enumerate() if one["width"] == 16 and one["depth"] == 2)
    assert traced.repair(choices) == choices
    broken = {**choices, "width": 8}
    repaired = traced.repair(broken)
    assert sum(broken[at] != pick for at, pick in repaired.items() if at in broken) == 1
    held = traced.repair(broken, held=("width",))
    assert (held["width"], held["depth"]) == (8, 1)


def test_draws_are_even_over_programs_where_these_are_listed() -> None:
    def lopsided() -> Any:
        return al.choose({"one": 0, "many": lambda: al.integer(1, 9)}, name="kind")

    space, random = al.space_of(lopsided), Random(0)
    drawn = Counter(space.draw(random, evenly=True)["kind"] for _ in range(1_000))
    assert 60 < drawn["one"] < 145  # a tenth, within 5 standard deviations
    with pytest.raises(al.ArchError, match="E0504"):
        al.space_of(rates).draw(random, evenly=True)


def test_floats_make_a_space_endless() -> None:
    space = al.space_of(rates)
    assert space.size == math.inf
    assert [each.address for each in space.all_decisions()] == ["kind", "kind:heavy", "name", "rate"]
    values = [space.sample(seed).value for seed in range(50)]
    assert all(1e-4 <= rate <= 1e-1 for rate, _, _ in values)
    assert 15 < sum(rate < 10**-2.5 for rate, _, _ in values) < 35  # half of the logarithm
    assert len(list(space.enumerate(levels=2))) == 2 * (1 + 2) * 2


def test_large_spaces_are_not_counted_but_searched() -> None:
    def large() -> Any:
        return [al.integer(0, 9) for _ in range(30)]

    space = al.space_of(large)
    for question in (lambda: space.size, space.all_decisions, lambda: space.draw(Random(0), evenly=True)):
        with pytest.raises(al.ArchError, match="E0504") as refused:
            question()
        assert "write the space in the language" in refused.value.diagnostics[0].hints[0]
    assert len(space.sample(3).value) == 30
    with pytest.raises(al.ArchError, match="E0504"):
        space.narrowed("params <= 1000")


def test_the_limit_is_on_programs() -> None:
    def ten() -> Any:
        return al.integer(1, 10)

    assert al.space_of(ten, limit=10).size == 10
    with pytest.raises(al.ArchError, match="more than 9"):
        _ = al.space_of(ten, limit=9).size


def test_each_way_is_run_once() -> None:
    runs = []

    def counted() -> Any:
        found = al.choose([1, 2]), al.choose([3, 4, 5])
        runs.append(found)
        return found

    space = al.space_of(counted)
    assert space.size == 6
    space.mutate(space.draw(Random(0)), Random(1))
    assert len(runs) == len(set(runs)) == 6
    space.sample(0).value  # noqa: B018
    assert len(runs) == 7


def test_other_decisions_for_the_same_picks_are_an_error() -> None:
    calls = []

    def changing() -> Any:
        calls.append(0)
        return al.choose([1, 2], name="first"), al.choose([1, 2, 2 + len(calls)], name="second")

    space = al.space_of(changing)
    choices = space.draw(Random(0))
    with pytest.raises(al.ArchError, match="E0417") as refused:
        space.build(choices)
    (note,) = refused.value.diagnostics[0].notes
    assert note == "it was `second`, one of 1, 2, 3, now it is `second`, one of 1, 2, 4"

    def forgetful() -> Any:
        calls.append(0)
        return al.choose([1, 2], name="first") if len(calls) == 1 else 1

    calls.clear()
    space = al.space_of(forgetful)
    choices = space.draw(Random(0))
    calls.append(0)
    with pytest.raises(al.ArchError, match="now it is not asked"):
        space.build(choices)


def test_what_a_function_raises_is_raised_when_it_is_built() -> None:
    def broken() -> Any:
        if al.choose([1, 2], name="kind") == 2:
            raise OverflowError("too wide")
        return al.choose([3, 4], name="rest")

    space = al.space_of(broken)
    assert space.size == 3
    with pytest.raises(OverflowError, match="too wide"):
        space.build({"kind": 2})

    def hopeless() -> Any:
        raise OverflowError("at once")

    with pytest.raises(OverflowError, match="at once"):
        al.space_of(hopeless).sample(0)


def test_requirements_hold_where_the_function_catches_all() -> None:
    def careless() -> Any:
        width = al.choose([1, 2, 3])
        try:
            al.require(width != 2)
        except Exception:
            width = 0
        return width

    assert sorted(al.space_of(careless).build(c) for c in al.space_of(careless).enumerate()) == [1, 3]
    with pytest.raises(al.ArchError, match="E0501"):
        al.space_of(careless).choices({"width": 2})


def test_candidates_are_labelled() -> None:
    def labelled() -> Any:
        return (
            al.choose([int, float], name="names"),
            al.choose([None, 3], name="positions"),
            al.choose([True, "x", 2.5], name="constants"),
            al.choose(range(6, 0, -2), name="range"),
            al.choose({"f": abs, "g": lambda x: -x}, name="functions"),
        )

    space = al.space_of(labelled)
    domains = {each.address: str(each.domain) for each in space.all_decisions()}
    assert domains == {
        "names": "one of int, float",
        "positions": "one of 0, 1",
        "constants": "one of true, x, 2.5",
        "range": "an integer in 2..6 step 2",
        "functions": "one of f, g",
    }
    picks = {"names": "float", "positions": 0, "constants": 2.5, "range": 4, "functions": "g"}
    kind, nothing, constant, number, function = space.build(picks)
    assert (kind, nothing, constant, number, function(3)) == (float, None, 2.5, 4, -3)


def test_subsets_come_in_order() -> None:
    def chosen() -> Any:
        return al.choose(["a", "b", "c"], 2, name="two"), al.choose([5, 6], (0, 2), ordered=True, name="ordered")

    space = al.space_of(chosen)
    assert space.size == 3 * 5
    assert space.build({"two": [0, 2], "ordered": [1, 0]}) == (["a", "c"], [6, 5])


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        (lambda: al.choose([]), "E0402"),
        (lambda: al.choose("abc"), "E0401"),
        (lambda: al.choose(5), "E0401"),  # type: ignore[arg-type]
        (lambda: al.choose([1, 2], 3), "E0402"),
        (lambda: al.integer(3, 2), "E0402"),
        (lambda: al.real(2.0, 1.0), "E0402"),
        (lambda: al.real(0.0, 1.0, log=True), "E0403"),
        (lambda: al.space_of(3), "E0401"),  # type: ignore[arg-type]
        (lambda: al.space_of(al.choose([1, 2])), "E0416"),
        (lambda: al.require(False, "no"), "E0501"),
    ],
)
def test_what_cannot_be_asked_is_refused(asked: Any, code: str) -> None:
    with pytest.raises(al.ArchError) as refused:
        asked()
    assert [found.code for found in refused.value.diagnostics] == [code]
    if code not in ("E0416",) and "space_of" not in str(asked.__code__.co_names):
        with pytest.raises(al.ArchError):
            al.space_of(lambda: (al.choose([1, 2], name="other"), asked())).sample(0)


def test_choices_are_checked(traced: TracedSpace) -> None:
    with pytest.raises(al.ArchError, match="E0407"):
        traced.choices({**traced.draw(Random(0)), "width": 9})
    with pytest.raises(al.ArchError, match="E0406"):
        traced.choices({**traced.draw(Random(0)), "height": 9})
    with pytest.raises(al.ArchError, match="E0410"):
        traced.program({})
    with pytest.raises(al.ArchError, match="E0409"):
        _ = traced.sample(0).graph


def test_recursion_is_followed_as_far_as_picks_lead() -> None:
    def grow(x: int) -> Any:
        return al.choose({"stop": x, "more": lambda: grow(x + al.choose([1, 2], name="step"))})

    space = al.space_of(lambda: grow(al.choose([1, 2], name="start")), limit=50)
    found = [space.draw(Random(seed)) for seed in range(300)]
    assert 0.4 < sum(len(choices) == 2 for choices in found) / 300 < 0.6
    assert max(map(len, found)) > 8
    assert space.build({"start": 1, "grow": "more", "grow:more.step": 2, "grow:more/grow": "stop"}) == 3
    with pytest.raises(al.ArchError, match="more than 50"):
        _ = space.size
    assert space.mutate(found[0], Random(0)) != found[0]


def test_a_bound_name_in_each_branch_is_a_decision_of_its_own() -> None:
    def branches() -> int:
        if al.choose([True, False], name="wide"):
            width = al.choose([8, 16])
            assert width in (8, 16)
        else:
            width = al.integer(1, 3)
        return width

    space = al.space_of(branches)
    assert [decision.address for decision in space.all_decisions()] == ["wide", "width#1", "width#2"]
    assert sorted(space.build(choices) for choices in space.enumerate()) == [1, 2, 3, 8, 16]
