"""Source texts and the places in them that diagnostics point at."""

from bisect import bisect_right
from functools import cached_property

import attrs


@attrs.define(eq=False, slots=False)
class Source:
    """A text with a name to show for it (a path, or `<text>`), and whether it is one of the standard library."""

    name: str
    text: str
    is_library: bool = False

    @cached_property
    def line_starts(self) -> list[int]:
        return [0] + [i + 1 for i, char in enumerate(self.text) if char == "\n"]

    def position(self, offset: int) -> tuple[int, int]:
        """The line and column (both from 1) of an offset."""
        line = bisect_right(self.line_starts, offset)
        return line, offset - self.line_starts[line - 1] + 1

    def line(self, number: int) -> str:
        """The text of a line (numbered from 1), without its end."""
        start = self.line_starts[number - 1]
        end = self.line_starts[number] - 1 if number < len(self.line_starts) else len(self.text)
        return self.text[start:end].rstrip("\r")


@attrs.frozen(repr=False)
class Span:
    """A stretch `text[start:end]` of a source."""

    source: Source
    start: int
    end: int

    def __repr__(self) -> str:
        line, column = self.source.position(self.start)
        return f"{self.source.name}:{line}:{column}"

    @property
    def text(self) -> str:
        return self.source.text[self.start : self.end]

    def to(self, other: "Span") -> "Span":
        """The span from this one's start to the other's end."""
        return Span(self.source, self.start, max(self.end, other.end))
