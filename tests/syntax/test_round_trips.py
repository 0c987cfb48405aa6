"""Text and trees go into each other and back without loss."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings

from archlang.diagnostics import Source
from archlang.syntax import ast
from archlang.syntax.format import format_expression, format_item, format_module
from archlang.syntax.parser import parse_expression, parse_item, parse_text
from archlang.syntax.scan import scan
from tests.syntax import trees

FEW = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


@FEW
@given(trees.expressions)
def test_an_expression_survives_its_text(expr: ast.Expr) -> None:
    text = format_expression(expr)
    assert parse_expression(text) == expr
    assert format_expression(parse_expression(text)) == text
    narrow = format_expression(expr, width=10)
    assert parse_expression(narrow) == expr


@FEW
@given(trees.modules)
def test_a_module_survives_its_text(module: ast.Module) -> None:
    text = format_module(module)
    parsed = parse_text(text)
    assert parsed == module
    assert format_module(parsed) == text


@FEW
@given(trees.items)
def test_an_item_survives_its_text(item: ast.Item) -> None:
    text = format_item(item)
    (chunk,) = scan(Source("<text>", text)).chunks
    assert parse_item(chunk) == item
