"""Patterns of addresses against regular expressions."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from archlang.semantics.globs import after, matches

texts = st.text(alphabet="ab/[", max_size=8)
patterns = st.lists(st.sampled_from(["a", "b", "/", "[", "*", "**", "**/"]), max_size=6).map("".join)


def as_expression(pattern: str) -> re.Pattern[str]:
    """The pattern as a regular expression: `**/` is special at the start and behind a `/`."""
    parts = re.split(r"((?:(?<=/)|^)\*\*/|\*\*|\*)", pattern)
    meaning = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*"}
    return re.compile("".join(meaning.get(part, re.escape(part)) for part in parts), re.DOTALL)


@given(patterns, texts)
def test_patterns_match_what_their_expressions_match(pattern: str, text: str) -> None:
    assert matches(pattern, text) == (as_expression(pattern).fullmatch(text) is not None)


@given(patterns, texts, texts, texts)
def test_starts_that_are_alike_go_on_alike(pattern: str, one: str, other: str, rest: str) -> None:
    if after(pattern, one) == after(pattern, other):
        assert matches(pattern, one + rest) == matches(pattern, other + rest)
