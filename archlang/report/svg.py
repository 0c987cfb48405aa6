"""Small pictures as SVG text: an axis pair with marks on it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from html import escape

import attrs

from archlang.report.numbers import short

LOG_RATIO = 30.0


@attrs.frozen
class Scale:
    """Maps values from `low`..`high` to pixels from `start` to `end`."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        low, high, value = (self.low, self.high, value)
        if self.log:
            low, high, value = math.log10(low), math.log10(high), math.log10(value)
        share = (value - low) / (high - low)
        return round(self.start + share * (self.end - self.start), 2)

    def ticks(self, about: int = 5) -> list[float]:
        """Round values along the scale, about so many."""
        return _log_ticks(self.low, self.high, about) if self.log else _linear_ticks(self.low, self.high, about)


TINY = 1e-250  # shown as 0: with room at its ends a scale of such values leaves what floats can hold


def scale(values: Iterable[float], start: float, end: float, log: bool | None = None, pad: float = 0.05) -> Scale:
    """A scale that shows all values with some room; logarithmic (unless told) when they are positive and
    differ much."""
    known = [0.0 if abs(value) < TINY else value for value in values]
    low, high = min(known), max(known)
    if log is None:
        log = low > 0 and high / low > LOG_RATIO
    if log and low > 0:
        extent = (math.log10(high) - math.log10(low)) or 1.0
        return Scale(low / 10 ** (pad * extent), high * 10 ** (pad * extent), start, end, True)
    extent = (high - low) or abs(high) or 1.0
    return Scale(low - pad * extent, high + pad * extent, start, end)


def _linear_ticks(low: float, high: float, about: int) -> list[float]:
    rough = (high - low) / about
    power = 10 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    digits = max(0, -math.floor(math.log10(step)) + 1)
    return [round(index * step, digits) for index in range(first, last + 1)]


def _log_ticks(low: float, high: float, about: int) -> list[float]:
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for factors in ((1,), (1, 3), (1, 2, 5), (1, 2, 3, 5, 7)):
        found = [factor * 10.0**power for power in powers for factor in factors]
        found = [value for value in found if low <= value <= high]
        if len(found) >= min(about, 3):
            break
    every = max(1, math.ceil(len(found) / (about + 2)))
    return found[::every] if found else _linear_ticks(low, high, about)


@attrs.define
class Picture:
    """An SVG picture that is drawn from back to front."""

    width: float
    height: float
    title: str
    description: str = ""
    _parts: list[str] = attrs.field(factory=list)

    def add(self, element: str, text: str | None = None, **attributes: object) -> None:
        """Draw an element; `class_` and names with `_` become `class` and names with `-`; a text is escaped."""
        given = "".join(
            f' {name.rstrip("_").replace("_", "-")}="{escape(str(value))}"' for name, value in attributes.items()
        )
        self._parts.append(f"<{element}{given}/>" if text is None else f"<{element}{given}>{escape(text)}</{element}>")

    def dot(self, x: float, y: float, tip: str, class_: str, radius: float = 4) -> None:
        """A dot that says `tip` when it is pointed at."""
        self._parts.append(
            f'<circle cx="{x}" cy="{y}" r="{radius}" class="{class_}"><title>{escape(tip)}</title></circle>'
        )

    def cross(self, x: float, y: float, tip: str, class_: str, size: float = 3.5) -> None:
        """A small x that says `tip` when it is pointed at."""
        path = f"M{x - size} {y - size}L{x + size} {y + size}M{x - size} {y + size}L{x + size} {y - size}"
        self._parts.append(f'<path d="{path}" class="{class_}"><title>{escape(tip)}</title></path>')

    @contextmanager
    def group(self, class_: str, tip: str) -> Iterator[None]:
        """What is drawn meanwhile belongs together, and says `tip` when it is pointed at."""
        self._parts.append(f'<g class="{class_}"><title>{escape(tip)}</title>')
        yield
        self._parts.append("</g>")

    def line(self, points: Sequence[tuple[float, float]], class_: str) -> None:
        """A line through the points."""
        self.add("polyline", points=" ".join(f"{x},{y}" for x, y in points), class_=class_)

    def axes(self, x: Scale, y: Scale, x_name: str, y_name: str, x_ticks: Sequence[float] | None = None) -> None:
        """Grid lines with their values, and the names of both axes."""
        left, right, bottom, top = x.start, x.end, y.start, y.end
        for value in y.ticks():
            self.add("line", x1=left, x2=right, y1=y(value), y2=y(value), class_="grid")
            self.add("text", short(value), x=left - 8, y=y(value) + 4, class_="tick end")
        for value in x.ticks() if x_ticks is None else x_ticks:
            self.add("line", x1=x(value), x2=x(value), y1=bottom, y2=bottom + 4, class_="axis")
            self.add("text", short(value), x=x(value), y=bottom + 18, class_="tick middle")
        self.add("line", x1=left, x2=right, y1=bottom, y2=bottom, class_="axis")
        self.add("text", x_name, x=right, y=bottom + 36, class_="name end")
        self.add("text", y_name, x=0, y=top - 12, class_="name")

    def __str__(self) -> str:
        described = f"<desc>{escape(self.description)}</desc>" if self.description else ""
        return (
            f'<svg viewBox="0 0 {self.width:g} {self.height:g}" role="img" aria-label="{escape(self.title)}">'
            f"{described}{''.join(self._parts)}</svg>"
        )
