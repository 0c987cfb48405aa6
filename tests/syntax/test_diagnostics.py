"""Every syntax error says exactly what `diagnostics.txt` says.

The file holds cases: a title, a text, and the errors of that text as they are shown.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from archlang.diagnostics import ArchError
from archlang.diagnostics.codes import CODES
from archlang.syntax.parser import parse_expression, parse_text


def _cases() -> dict[str, tuple[str, str]]:
    """The text of each case and what is shown for it, by title."""
    cases = {}
    pinned = (Path(__file__).parent / "diagnostics.txt").read_text(encoding="utf-8")
    for case in f"\n{pinned}".split("\n==== ")[1:]:
        title, _, rest = case.partition("\n")
        text, _, shown = rest.partition("----\n")
        cases[title] = (text, shown.strip())
    return cases


CASES = _cases()


@pytest.mark.parametrize("title", CASES)
def test_errors_are_shown_as_pinned(title: str) -> None:
    text, shown = CASES[title]
    with pytest.raises(ArchError) as caught:
        parse_text(text, "case.arch")
    assert str(caught.value) == shown


def test_every_syntax_code_is_pinned() -> None:
    pinned = {code for _, shown in CASES.values() for code in CODES if f"[{code}]" in shown}
    assert pinned == {code for code in CODES if code.startswith("E01")}


def test_errors_of_all_items_are_reported_in_order() -> None:
    with pytest.raises(ArchError) as caught:
        parse_text("x = f(1 2)\ny = 3\nblock g(x: [n]) {\n  x |>\n}\nz = 'a' $\nw = ]\n")
    lines = [found.labels[0].span.source.position(found.labels[0].span.start)[0] for found in caught.value.diagnostics]
    assert lines == [1, 5, 6, 6, 7]


def test_an_expression_reports_its_errors() -> None:
    with pytest.raises(ArchError) as caught:
        parse_expression("1 +")
    assert caught.value.diagnostics[0].message == "expected an expression, found the end of the expression"
    with pytest.raises(ArchError):
        parse_expression("")
    with pytest.raises(ArchError):
        parse_expression("a\nb")


@pytest.mark.parametrize(
    "text",
    [
        "(" * 5000,
        "[" * 5000 + "]" * 5000,
        "-" * 5000 + "1",
        "not " * 5000 + "a",
        "^".join("a" * 5000),
        "+".join("a" * 5000),
        "f" + "()" * 5000,
        "x" + ".a" * 5000,
        "if a {1} else " * 5000 + "{2}",
        "choose " * 5000,
    ],
)
def test_deep_nesting_is_an_error_and_no_crash(text: str) -> None:
    with pytest.raises(ArchError) as caught:
        parse_expression(text)
    assert "E0105" in [found.code for found in caught.value.diagnostics]
