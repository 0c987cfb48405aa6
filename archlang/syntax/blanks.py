"""Empty lines that the author of a text left."""

from __future__ import annotations

import re

from archlang.diagnostics import Span

_BLANK_LINE = re.compile(r"[^\n]*\n[ \t\r]*\n")


def blank_follows(span: Span) -> bool:
    """Whether the author left a line empty after a place."""
    return _BLANK_LINE.match(span.source.text, span.end) is not None


def blank_before(previous: Span, span: Span) -> bool:
    """Whether the author left a line empty between two places."""
    return re.search(r"\n[ \t\r]*\n", span.source.text[previous.end : span.start]) is not None
