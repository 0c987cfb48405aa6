"""Every module of the library is well formed: names known, items documented, text as `archlang fmt` writes it."""

from __future__ import annotations

from pathlib import Path

import pytest

import archlang as al
from archlang.diagnostics import Source
from archlang.resources import stdlib_path
from archlang.semantics.modules import Loader, library_modules
from archlang.semantics.names import check_names
from archlang.syntax import ast
from archlang.syntax.format import format_module
from archlang.syntax.parser import parse

ROOT = Path(__file__).parents[2]
TEXTS = sorted(
    path
    for folder in (stdlib_path(), ROOT / "examples", Path(__file__).parent / "reference")
    for path in folder.rglob("*.arch")
)


@pytest.mark.parametrize("name", library_modules())
def test_names_are_known(name: str) -> None:
    assert check_names(Loader().load_library(name)) == []


@pytest.mark.parametrize("name", library_modules())
def test_items_are_documented(name: str) -> None:
    for item in Loader().load_library(name).declarations():
        assert item.doc, f"{name}.{item.name} has no documentation"
        assert len(item.doc.strip().splitlines()[0]) <= 100


@pytest.mark.parametrize(
    ("stage", "module"), [("lstm(4)", "std.nn"), ("swiglu(4)", "std.feedforward"), ("mamba", "std.recurrent")]
)
def test_a_missing_use_is_told(stage: str, module: str) -> None:
    with pytest.raises(al.ArchError, match=f"`{module}` has it: add `use {module}`"):
        al.loads(f"use std.blocks: mlp\nspace s(x: f32[n, 6, 4]) {{ x |> mlp(4) |> {stage} }}")


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.stem)
def test_text_is_canonical(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    module = parse(Source(str(path), text))
    assert format_module(module) == text
    assert any(isinstance(item, ast.Space | ast.Op | ast.Block) for item in module.items)
