"""The causes of errors, and how many programs they break, against programs evaluated one by one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from itertools import combinations, product
from math import prod
from typing import Any

import attrs
import pytest
from hypothesis import assume, given

from archlang.diagnostics import ArchError, Cause, Diagnostic
from archlang.semantics import costs
from archlang.semantics.diagram import at
from archlang.semantics.fault import FaultSignal
from archlang.space import causes, loads
from archlang.space.choices import show_pick
from archlang.space.resolver import OnceForAll, Resolved
from tests.space.random_spaces import network_spaces, static_spaces
from tests.space.test_against_enumeration import collect, relaxed, space_in, varied

MOST = 4_000  # assignments that are gone through
Choice = tuple[str, str]


@attrs.frozen
class Outcome:
    """What becomes of one program: the choices that it makes, and the error that it has (its code
    and places), None when it has none."""

    choices: frozenset[Choice]
    error: Any


def identity(diagnostic: Diagnostic) -> Any:
    return diagnostic.code, tuple(label.span for label in diagnostic.labels)


def outcomes(once: OnceForAll, programs: list[Resolved]) -> Iterator[Outcome]:
    """Every program that no requirement excludes, from all assignments of picks to decisions: those
    in which each decision that is not asked holds its first pick. What becomes of it is what the
    evaluation of one of `programs`, alone, came to: the one that took the same picks."""
    needs = once.evaluated.needs
    decisions = {number: once.variables[number].decision for number in needs}
    numbers = {(decision.address, decision.domain): number for number, decision in decisions.items()}
    tree: dict[str, Any] = {}  # the decision that is asked first, and what follows on each pick
    for resolved in programs:
        node = tree
        for decision, pick, _ in resolved.asked:
            node = node.setdefault("asks", (decision, {}))[1].setdefault(pick, {})
        node["ends"] = resolved
    for positions in product(*(range(int(decision.domain.size)) for decision in decisions.values())):
        picked = dict(zip(decisions, positions, strict=True))
        made = {number for number, asked in needs.items() if at(asked, partial(position, once, picked)) is True}
        if any(picked[number] for number in decisions if number not in made):
            continue
        node = tree
        while "asks" in node:
            decision, kids = node["asks"]
            number = numbers[decision.address, decision.domain]
            assert number in made
            node = kids[decision.domain.pick(picked[number])]
        fault = node["ends"].fault
        known = at(once.evaluated.ok, partial(position, once, picked))
        assert (fault is None) == (known is True)
        assert fault is not None or made == {numbers[d.address, d.domain] for d, _, _ in node["ends"].asked}
        # What is always broken may come before what is at times, when all alternatives are kept.
        assume(
            fault is None
            or (fault.excluded, identity(fault.diagnostic)) == (known.excluded, identity(known.diagnostic))
        )
        if fault is None or not fault.excluded:
            names = frozenset((decisions[n].address, show_pick(decisions[n].domain.pick(picked[n]))) for n in made)
            yield Outcome(names, None if fault is None else identity(fault.diagnostic))


def position(once: OnceForAll, picked: Mapping[int, int], number: int) -> int:
    """The position of a diagram's variable: a budget is kept (0) or not, what is never asked has its
    first pick."""
    if number in once.budgets:
        return 0 if once.budgets[number].kept(partial(position, once, picked)) else 1
    return picked.get(number, 0)


def fewest(hits: list[Outcome], misses: list[Outcome], sizes: Iterable[int]) -> int | None:
    """How many choices, that one of the hits makes and none of the misses, are enough; None where
    none of the sizes is."""
    for size in sizes:
        tried = set()
        for hit in hits:
            for chosen in combinations(sorted(hit.choices), size):
                if chosen not in tried and not any(miss.choices.issuperset(chosen) for miss in misses):
                    return size
                tried.add(chosen)
    return None


@pytest.mark.parametrize("spaces", [static_spaces(mistakes=True), network_spaces()], ids=["static", "networks"])
def test_causes_are_right_and_smallest_and_counts_exact(spaces) -> None:  # type: ignore[no-untyped-def]
    @relaxed
    @given(spaces)
    def compare(text: str) -> None:
        space = space_in(text)
        programs = collect(space)
        assume(any(resolved.fault is not None and not resolved.fault.excluded for resolved in programs))
        once = varied(space)
        assume(not isinstance(once, FaultSignal))
        assert isinstance(once, OnceForAll)
        assume(prod(int(decision.domain.size) for decision in once.decisions) <= MOST)
        every = list(outcomes(once, programs))
        with pytest.raises(ArchError) as refused:
            space.check()
        told = {identity(found): found for found in refused.value.diagnostics}
        assert len(told) == len(refused.value.diagnostics)
        assert told.keys() == {program.error for program in every} - {None}, text
        for error, found in told.items():
            hits = [program for program in every if program.error == error]
            assert found.cause is not None
            assert (found.cause.programs, found.cause.of) == (len(hits), len(every)), text
            cause = set(found.cause.choices)
            making = [program for program in every if program.choices >= cause]
            assert any(program.error == error for program in making), text
            assert all(program.error is not None for program in making), text
            if once.budgets:
                continue  # a cause holds whether they are kept or not
            smallest = fewest(hits, [program for program in every if program.error != error], range(len(every)))
            if all(program.error == error for program in making):
                assert len(cause) == smallest, text
            else:
                assert smallest is not None
                assert 0 < len(cause) < smallest, text
                assert all(hit.choices >= cause for hit in hits), text
                whole = [program for program in every if program.error is None]
                assert fewest([Outcome(frozenset(cause), error)], whole, range(len(cause))) is None, text

    compare()


def causes_of(text: str) -> list[Cause | None]:
    with pytest.raises(ArchError) as refused:
        space_in(text).check()
    return [found.cause for found in refused.value.diagnostics]


def test_a_choice_stands_for_what_it_hangs_from() -> None:
    inner = "choose { plain: 1, deep: choose { x: choose 1..3, y: 2 } }"
    assert causes_of(f"space s() {{ a = {inner}\n [0, 1, 2][a] }}") == [Cause((("a:deep:x", "3"),), 1, 5)]


def test_decisions_asked_under_several_choices_make_a_cause_shorter() -> None:
    # `inner` is asked only if both `a` and `b` are 2, and then its element is missing.
    body = "a = choose 1..2\n b = choose 1..2\n if a + b > 3 { inner = choose 5..6\n inner + [1][a] } else { 0 }"
    assert causes_of(f"space s() {{ {body} }}") == [Cause((("inner", "5"),), 2, 5)]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("b = choose 0..2\n a = choose 0..2\n [0][a + b]", (("a", "1"),)),  # of equal ones the first by address
        ("a = choose { p: choose [1, 2], q: 1 }\n b = choose 1..2\n [0][(a + b) // 4]", (("a:p", "2"), ("b", "2"))),
        ("a = choose { p: choose [0, 1], q: 0 }\n b = choose 0..1\n [0][a + b]", (("b", "1"),)),  # always asked
        ("[0][1 + choose 0..2]", ()),
    ],
)
def test_of_equally_small_causes_the_plainest_is_told(body: str, expected: tuple[Choice, ...]) -> None:
    (cause,) = causes_of(f"space s() {{ {body} }}")
    assert cause is not None
    assert cause.choices == expected


def test_programs_that_requirements_exclude_do_not_count() -> None:
    """Where b is 2, a is at most 1; the division by zero at a = 3 takes b = 1."""
    body = "a = choose 0..3\n b = choose 1..2\n require a + b <= 3 or a == 3 and b == 1\n 6 // (3 - a) + 6 // (2 - b)"
    causes = causes_of(f"space s() {{ {body} }}")
    assert set(causes) == {Cause((("a", "3"),), 1, 4 + 2), Cause((("b", "2"),), 2, 4 + 2)}


def test_a_requirement_comes_before_errors_of_a_network() -> None:
    body = "w = choose [8, 16]\n require w < 16\n (x |> conv2d(8)) + (x |> conv2d(w))"
    space = space_in(f"use std.nn\nspace s(x: f32[n, 3, 8, 8]) {{ {body} }}")
    space.check()
    assert space.size == 1


def test_what_comes_first_in_some_programs_hides_nothing() -> None:
    """The second error is met unless the first is; the choice that all its programs make is its cause."""
    text = "space s() { k = choose 0..2\n w = choose 0..3\n { x: 6 // k, y: [0, 1, 2][w] } }"
    assert causes_of(text) == [Cause((("k", "0"),), 4, 12), Cause((("w", "3"),), 2, 12)]


def test_alternatives_that_break_in_their_own_ways_are_told_apart() -> None:
    text = "space s() { choose { p: 6 // 0, q: [0][1], r: choose 1..3 } as a }"
    assert causes_of(text) == [Cause((("a", "p"),), 1, 5), Cause((("a", "q"),), 1, 5)]


def test_one_address_with_two_domains_is_told_with_its_cause() -> None:
    text = """
use std.nn
block layer(most: int)(x: [n, c]) { x |> linear(choose 1..most) }
space s(x: f32[n, 4]) {
  same = share layer
  again = choose { yes: same(2), no: identity }
  x |> same(3) |> again
}
"""
    assert causes_of(text) == [Cause((("again", "yes"),), 2 * 3, 2 * 3 + 3)]


@pytest.mark.parametrize("most_sums", [0, costs.MAX_SUMS])
def test_causes_lie_within_budgets(most_sums: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three channels do not go with four either, and need more weights than there may be."""
    monkeypatch.setattr(costs, "MAX_SUMS", most_sums)
    text = """
use std.nn
space s(x: f32[n, 4, 3, 3]) {
  width = choose [3, 2, 1]
  y = x |> conv2d(width)
  require params(y) <= 80
  y + x
}
"""
    assert causes_of(text) == [Cause((("width", "2"),), 1, 2)]


def test_an_error_that_budgets_decide_is_told_without_a_cause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(costs, "MAX_SUMS", 0)
    text = """
use std.nn
space s(x: f32[n, 4, 3, 3]) {
  y = x |> conv2d(choose [2, 3]) |> conv2d(choose [2, 4])
  if params(y) > 140 { y |> conv2d(3, groups=2) } else { y }
}
"""
    assert causes_of(text) == [None]


def test_beyond_the_limit_a_cause_has_no_choice_to_spare(monkeypatch: pytest.MonkeyPatch) -> None:
    total = " + ".join(f"a{i}" for i in range(6))
    text = "space s() {\n" + "".join(f"  a{i} = choose 0..2\n" for i in range(6)) + f"  [0][({total}) // 9]\n}}\n"
    (smallest,) = causes_of(text)
    monkeypatch.setattr(causes, "MAX_STEPS", 50)
    (told,) = causes_of(text)
    for found in (smallest, told):
        assert found is not None
        assert (found.programs, found.of) == (1 + 6 + 21 + 50, 3**6)
        picks = sorted(int(pick) for _, pick in found.choices)
        assert 9 <= sum(picks) < 9 + picks[0]  # enough, and too little without any of them
    assert smallest is not None
    assert len(smallest.choices) == 5


ATTENTION = """use std.nn
space s(t: f32[n, 4, 6]) {
  dim = choose [8, 12]
  heads = choose [2, 3]
  big = choose [1, 2]
  x = t |> linear(dim)
  y = (x, x, x) |> attention(heads)
  require dim == 12 or heads == 3 or big == 1
  y |> linear(big)
}
"""


def test_a_cause_needs_no_requirement_where_as_few_choices_do_without() -> None:
    with pytest.raises(ArchError) as refused:
        loads(ATTENTION)
    (found,) = refused.value.diagnostics
    assert found.cause == Cause((("dim", "8"), ("heads", "3")), 2, 7)
