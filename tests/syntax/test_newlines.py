"""Where a line ends a statement and where it goes on."""

from __future__ import annotations

import pytest

from archlang.syntax import ast
from archlang.syntax.parser import parse_expression, parse_text


def body(text: str) -> ast.Body:
    (item,) = parse_text(f"def f(a, b) {{\n{text}\n}}\n").items
    assert isinstance(item, ast.Def)
    return item.body


@pytest.mark.parametrize(
    "text",
    [
        "a\n|> b\n|> c",
        "a |>\n b |>\n c",
        "a\n# note\n\n|> b |> c",
        "(a\n|> b\n)\n|> c",
    ],
)
def test_pipes_go_on(text: str) -> None:
    assert parse_expression(text) == parse_expression("a |> b |> c")


@pytest.mark.parametrize(
    "operator", ["+", "*", "/", "//", "%", "^", "==", "!=", "<", "<=", ">", ">=", "and", "or", "|>", ">>", "..", "..<"]
)
def test_a_line_goes_on_around_a_binary_operator(operator: str) -> None:
    expected = parse_expression(f"a {operator} b")
    assert parse_expression(f"a {operator}\n  b") == expected
    assert parse_expression(f"a\n  {operator} b") == expected
    assert body(f"a\n  {operator} b").result == expected


def test_a_minus_goes_on_only_when_a_space_follows() -> None:
    assert body("a\n  - b").result == parse_expression("a - b")
    found = body("c = a\n-b")
    assert len(found.statements) == 1
    assert found.result == parse_expression("-b")


def test_words_between_operands_go_on() -> None:
    assert parse_expression("choose 2 of\n xs as\n name") == parse_expression("choose 2 of xs as name")
    assert parse_expression("choose 1..9 step\n 2") == parse_expression("choose 1..9 step 2")
    assert [type(entry) for entry in body("x = of\ny = step\nx").statements] == [ast.Bind, ast.Bind]


def test_lines_do_not_matter_in_brackets() -> None:
    assert parse_expression("f(\n a\n ,\n b = 3\n)[\n0\n]") == parse_expression("f(a, b=3)[0]")
    assert parse_expression("[x\n for x\n in xs\n if x\n]") == parse_expression("[x for x in xs if x]")


def test_a_bracket_at_the_start_of_a_line_begins_a_statement() -> None:
    found = body("c = a\n(a, b)")
    assert len(found.statements) == 1
    assert isinstance(found.result, ast.TupleLiteral)
    assert isinstance(body("c = a\n[a]").result, ast.ListLiteral)
    assert isinstance(body("c = a\n{ d: c }").result, ast.RecordLiteral)


def test_records_take_lines_or_commas() -> None:
    expected = parse_expression("{ a: 1, b: 2 }")
    assert parse_expression("{\n  a: 1\n  b: 2\n}") == expected
    assert parse_expression("{\n  a: 1,\n\n  b: 2,\n}") == expected
    assert parse_expression("f({ a: 1\n b: 2 })") == parse_expression("f({ a: 1, b: 2 })")


def test_else_may_stand_on_a_line_of_its_own() -> None:
    assert body("if a { 1 }\nelse { 2 }").result == parse_expression("if a { 1 } else { 2 }")
    assert parse_expression("if a { 1 }\nelse if b { 2 }\nelse { 3 }") == parse_expression(
        "if a { 1 } else { if b { 2 } else { 3 } }"
    )


def test_heads_of_items_go_on() -> None:
    spread = "op f(a: int)\n    (x: [n])\n  -> [n]\n  where\n    b = a,\n    c = b\n  macs n\n    * b\n  commutative\n"
    flat = "op f(a: int)(x: [n]) -> [n]\n  where b = a, c = b\n  macs n * b\n  commutative\n"
    assert parse_text(spread) == parse_text(flat)
    assert parse_text("block f(a: int)\n  (x: [n])\n  -> [n]\n  limit 3\n{ x }\n") == parse_text(
        "block f(a: int)(x: [n]) -> [n] limit 3 { x }\n"
    )


def test_line_ends_of_windows_and_a_byte_order_mark() -> None:
    text = "use std.nn\nx = [1,\n  2]\n\ndef f(a) {\n  b = a\n  b\n}\n"
    assert parse_text("\ufeff" + text.replace("\n", "\r\n")) == parse_text(text)


def test_items_need_no_empty_lines() -> None:
    assert len(parse_text("x = 3\ny = 4\n").items) == 2
    assert len(parse_text("def f(a) { a }\ndef g(a) { a }\nz = 1").items) == 3


def test_a_file_may_be_empty() -> None:
    assert parse_text("").items == ()
    assert parse_text("\n  \n# note\n").items == ()
