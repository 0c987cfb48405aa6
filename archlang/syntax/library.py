"""The items of the standard library, found by their first lines and parsed one by one when needed.

Library files stand as the formatter writes them: a word at the margin begins an item, and the `##`
lines right above it are its documentation.
"""

from __future__ import annotations

import re

import attrs

from archlang.diagnostics import ArchError, Source
from archlang.syntax import ast
from archlang.syntax.parser import parse_item
from archlang.syntax.scan import scan

_ITEM = re.compile(r"^(?:##[^\n]*\n)*(?:(use|op|block|def|space) +([\w.]+)|(\w+) *=(?!=))", re.MULTILINE)


@attrs.frozen(eq=False, repr=False)
class LibraryItem:
    """An item that has not been parsed: its first word (or "constant"), its name, and where it stands."""

    kind: str
    name: str
    source: Source
    start: int
    end: int

    def parsed(self) -> ast.Item:
        """The item; raises ArchError with the syntax errors in it."""
        scanned = scan(self.source, start=self.start, end=self.end)
        if scanned.diagnostics:
            raise ArchError(scanned.diagnostics)
        (chunk,) = scanned.chunks
        return parse_item(chunk)


def library_items(source: Source) -> list[LibraryItem]:
    """The items of a library file, in order."""
    found = list(_ITEM.finditer(source.text))
    ends = [match.start() for match in found[1:]] + [len(source.text)]
    return [
        LibraryItem(match[1] or "constant", match[2] or match[3], source, match.start(), end)
        for match, end in zip(found, ends, strict=True)
    ]
