"""Evaluation by need: a decision exists only in programs whose value depends on it."""

import pytest

import archlang as al


def size(body: str, head: str = "") -> int | float:
    return al.loads(f"use std.nn\n{head}\nspace s() {{\n{body}\n}}").size


def test_unused_bindings_make_no_decision() -> None:
    assert size("a = choose 1..9\nb = choose [1, 2]\nb") == 2


def test_an_unused_error_is_no_error() -> None:
    assert size("a = 1 + [2]\n3") == 1


def test_alternatives_are_evaluated_only_when_picked() -> None:
    assert size("choose { a: choose 1..3, b: choose { c: choose 1..2, d: 0 } }") == 3 + 3


def test_conditions_need_one_branch() -> None:
    assert size("a = choose [true, false]\nb = choose 1..5\nif a { b } else { 0 }") == 6


def test_and_or_need_the_right_side_only_where_the_left_is_open() -> None:
    assert size("a = choose [true, false]\nb = choose [true, false]\na and b") == 3
    assert size("a = choose [true, false]\nb = choose [true, false]\na or b") == 3


def test_a_subset_needs_how_many_there_are_and_what_it_takes() -> None:
    assert size("xs = [choose 1..2, choose 1..3, choose 1..5]\nsum(choose 1 of xs)") == 2 + 3 + 5
    assert size("xs = [choose 1..2, choose 1..3, choose 1..5]\nlen(choose 2 of xs)") == 3


def test_an_element_taken_twice_is_one_value() -> None:
    # {0,0} {0,1} {1,1} of two open elements: 2 + 2 * 2 + 2
    assert size("xs = [choose 1..2, choose 1..2]\nsum(choose 2 of xs repeated)") == 8


def test_depth_makes_the_deeper_decisions_vanish() -> None:
    assert size("depth = choose 0..3\nsum([choose 1..2 for i in 0..<depth])") == 1 + 2 + 4 + 8


def test_a_loop_is_run_when_a_name_that_it_carries_is_needed() -> None:
    assert size("x = 0\ny = 1\nfor i in 0..<(choose 1..4) { x = x + 1 }\ny") == 1
    assert size("x = 0\nfor i in 0..<(choose 1..4) { x = x + 1 }\nx") == 4


def test_an_if_statement_rebinds_by_need() -> None:
    assert size("x = choose 1..3\nif x > 1 { x = choose 5..6 } else { x = 0 }\nx") == 1 + 2 * 2


@pytest.mark.parametrize(
    ("choice", "programs"),
    [
        ("choose [3, 5, 7]", 3),
        ("choose 2..4", 3),
        ("choose 16..64 step 16", 4),
        ("choose 1..<4", 3),
        ("choose 2 of [1, 2, 3, 4]", 6),
        ("choose 1..3 of [1, 2, 3, 4]", 14),
        ("choose 2 of [1, 2, 3, 4] ordered", 12),
        ("choose 2 of [1, 2, 3, 4] repeated", 10),
        ("choose 2 of [1, 2, 3, 4] ordered repeated", 16),
        ("choose 0..1 of [1, 2]", 3),
        ("choose 0.1..0.9", float("inf")),
        ("choose 1e-4..1e-1 log", float("inf")),
        ("choose 1..1M", 1_000_000),
    ],
)
def test_forms_of_choose(choice: str, programs: float) -> None:
    assert size(f"x = {choice}\n{{ x: x }}") == programs


def test_requirements_remove_programs() -> None:
    assert size('a = choose 1..5\nb = choose 1..5\nrequire a < b, "order"\n{ a: a, b: b }') == 10


def test_a_requirement_of_a_block_holds_where_the_block_is_used() -> None:
    head = """
    def even(x: int) {
      require x % 2 == 0, "even"
      x
    }
    """
    assert size("x = choose 1..6\ny = choose [true, false]\nif y { even(x) } else { 0 }", head) == 3 + 1


def test_requirements_in_loops_and_branches() -> None:
    assert size('x = choose 1..6\nfor i in 1..3 { require x != i, "no" }\nx') == 3
    assert size('x = choose 1..6\nif x > 3 { require x == 5, "five" }\nx') == 4


def test_budgets_on_costs_are_counted() -> None:
    text = """
    use std.nn
    space s(x: f32[n, 4]) {
      y = x |> linear(choose 1..10, bias=false)
      require params(y) <= 20 and macs(y) > 4, "budget"
      y
    }
    """
    assert al.loads(text).size == 4  # 2..5 units of 4 weights each


def test_recursion_is_bounded_by_its_limit() -> None:
    text = """
    use std.nn
    block tree(x: [n, c]) limit 3 { x |> choose { leaf: identity, deeper: relu >> tree } }
    space s(x: f32[n, 4]) { x |> tree }
    """
    assert al.loads(text).size == 3


def test_recursion_without_a_limit_is_infinite_and_can_be_sampled() -> None:
    text = """
    use std.nn
    block tree(x: [n, c]) { x |> choose { leaf: identity, deeper: relu >> tree } }
    space s(x: f32[n, 4]) { x |> tree }
    """
    space = al.loads(text)
    assert space.size == float("inf")
    assert space.unproved is not None
    assert space.sample(seed=3).graph.nodes
