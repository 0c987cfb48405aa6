"""Whatever the text, parsing it ends in a tree or in an ArchError."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from archlang.diagnostics import ArchError
from archlang.syntax import ast
from archlang.syntax.format import format_module
from archlang.syntax.parser import parse_text

PROGRAMS = [path.read_text(encoding="utf-8") for path in sorted((Path(__file__).parent / "programs").glob("*.arch"))]
PIECES = [
    "\n",
    *str.split(
        """( ) [ ] { } , : = == -> |> >> .. ..< ... + - * / // % ^ < > . @ " ' # ## ! & | ; \\ x y 3 1e5 7M of as at
        step if else for in and or not true choose share tie require use op block def space where weight state macs
        limit log ordered repeated tied init list"""
    ),
]


def parsed(text: str) -> ast.Module | ArchError:
    try:
        return parse_text(text)
    except ArchError as problem:
        return problem


def check(text: str) -> None:
    found = parsed(text)
    if isinstance(found, ArchError):
        assert found.diagnostics
        assert str(found)
        for diagnostic in found.diagnostics:
            assert diagnostic.labels
            assert 0 <= diagnostic.labels[0].span.start <= diagnostic.labels[0].span.end <= len(text)
            for name in ("_NEWLINE", "LOW"):  # names of the grammar's, unless the text says them itself
                assert name in text or name not in diagnostic.message
        return
    formatted = format_module(found)
    assert parse_text(formatted) == found
    assert format_module(parse_text(formatted)) == formatted


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60))
def test_any_text(text: str) -> None:
    check(text)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes(data: bytes) -> None:
    check(data.decode("latin-1"))


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=25))
def test_any_sequence_of_words_and_signs(pieces: list[str]) -> None:
    check(" ".join(pieces))


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_programs_with_pieces_cut_out_put_in_and_moved(data: st.DataObject) -> None:
    text = data.draw(st.sampled_from(PROGRAMS))
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(text)))
        end = min(len(text), start + data.draw(st.integers(0, 12)))
        piece = data.draw(st.one_of(st.just(""), st.sampled_from(PIECES), st.just(text[end : end + 20])))
        text = text[:start] + piece + text[end:]
    check(text)
