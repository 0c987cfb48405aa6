"""Whole programs: those of the language's design, and the library."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from archlang.diagnostics import Source, Span
from archlang.resources import grammar_path, stdlib_path
from archlang.syntax import ast
from archlang.syntax.format import format_module
from archlang.syntax.library import library_items
from archlang.syntax.parser import parse, parse_expression, parse_text
from archlang.syntax.tables import build, tables

PROGRAMS = sorted((Path(__file__).parent / "programs").glob("*.arch"))
LIBRARY = sorted(stdlib_path().rglob("*.arch"))


@pytest.mark.parametrize("path", [*PROGRAMS, *LIBRARY], ids=lambda path: path.stem)
def test_a_program_survives_formatting(path: Path) -> None:
    module = parse(Source(path.name, path.read_text(encoding="utf-8")))
    text = format_module(module)
    again = parse_text(text)
    assert again == module
    assert again.doc == module.doc
    assert [comment.text for comment in again.comments] == [comment.text for comment in module.comments]
    assert format_module(again) == text


@pytest.mark.parametrize("path", LIBRARY, ids=lambda path: path.stem)
def test_items_parsed_one_by_one_are_those_of_the_whole(path: Path) -> None:
    source = Source(path.name, path.read_text(encoding="utf-8"))
    found, items = library_items(source), parse(source).items
    assert tuple(item.parsed() for item in found) == items
    for entry, item in zip(found, items, strict=True):
        if isinstance(item, ast.Use):
            assert entry.kind == "use"
        else:
            assert entry.name == item.name == item.name_span.text
            assert entry.parsed().doc == item.doc  # type: ignore[union-attr]


def expressions_in(node: object) -> Iterator[ast.Expr]:
    """All expressions in a tree."""
    if isinstance(node, tuple):
        for part in node:
            yield from expressions_in(part)
    elif attrs.has(type(node)) and not isinstance(node, Span):
        if isinstance(node, ast.Expr):
            yield node
        for field in attrs.fields(type(node)):
            if field.name not in ("span", "name_span", "source"):
                yield from expressions_in(getattr(node, field.name))


@pytest.mark.parametrize("path", [*PROGRAMS, *LIBRARY], ids=lambda path: path.stem)
def test_the_span_of_an_expression_is_exactly_its_text(path: Path) -> None:
    for expr in expressions_in(parse(Source(path.name, path.read_text(encoding="utf-8"))).items):
        if isinstance(expr, ast.Range) and (expr.low is None or expr.high is None):
            assert ".." in expr.span.text
            continue
        text = expr.span.text
        assert text == text.strip()
        assert parse_expression(text) == expr


def test_the_shape_of_the_first_program() -> None:
    module = parse_text((Path(__file__).parent / "programs" / "nasbench201.arch").read_text(encoding="utf-8"))
    assert module.doc == "NAS-Bench-201: 6 edges x 5 operations, one cell repeated. 15,625 programs."
    nn, blocks, edge, cell, space = module.items
    assert isinstance(nn, ast.Use)
    assert nn.module == "std.nn"
    assert nn.names is None
    assert isinstance(blocks, ast.Use)
    assert blocks.names is not None
    assert [(name, span.text) for name, span in blocks.names] == [
        ("relu_conv_bn", "relu_conv_bn"),
        ("resnet_basic", "resnet_basic"),
    ]
    assert isinstance(edge, ast.Block)
    assert isinstance(edge.body.result, ast.Pipe)
    choice = edge.body.result.function
    assert isinstance(choice, ast.Choose)
    assert isinstance(choice.alternatives, ast.RecordLiteral)
    assert [field.name for field in choice.alternatives.fields] == ["none", "skip", "conv1", "conv3", "pool3"]
    assert choice.span.text.startswith("choose {")
    assert choice.span.text.endswith("\n  }")
    assert isinstance(cell, ast.Block)
    result = cell.body.result
    assert isinstance(result, ast.Binary)
    assert result.right.span.text == "(b |> edge)"
    assert isinstance(space, ast.Space)
    assert [entry.name for entry in space.config] == ["channels", "repeats", "classes"]
    assert [entry.name for entry in space.inputs] == ["image"]
    assert len(module.comments) == 1


def test_the_tables_belong_to_the_grammar() -> None:
    """After a change to the grammar: `python -m archlang.syntax.tables`."""
    made = build((grammar_path() / "arch.lark").read_text(encoding="utf-8"))
    kept = json.loads((grammar_path() / "arch.tables.json").read_text(encoding="utf-8"))
    assert made["grammar"] == kept["grammar"]
    assert len(made["actions"]) == len(tables().actions)
    assert json.loads(json.dumps(made["words"])) == kept["words"]
