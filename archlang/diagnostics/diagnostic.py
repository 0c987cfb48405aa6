"""Diagnostics: what is wrong, where, under which choices, and what to do about it."""

from collections.abc import Iterable, Iterator
from typing import Any

import attrs

from archlang.diagnostics.source import Span


@attrs.frozen
class Label:
    """A fragment of text beside a place."""

    span: Span
    text: str = ""


@attrs.frozen
class Cause:
    """The choices under which a diagnostic holds, and how many programs have it."""

    choices: tuple[tuple[str, str], ...]
    programs: int | None = None
    of: int | None = None


@attrs.frozen(kw_only=True)
class Diagnostic:
    """One finding. The first label is the place it is about; messages are sentences' starts,
    labels fragments, notes facts, hints actions."""

    code: str
    message: str
    labels: tuple[Label, ...] = ()
    cause: Cause | None = None
    notes: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()
    severity: str = "error"

    def as_json(self) -> dict[str, Any]:
        """The finding as plain data; lines and columns count from 1."""
        places = []
        for label in self.labels:
            line, column = label.span.source.position(label.span.start)
            end_line, end_column = label.span.source.position(label.span.end)
            places.append(
                {
                    "file": label.span.source.name,
                    "line": line,
                    "column": column,
                    "end_line": end_line,
                    "end_column": end_column,
                    "text": label.text,
                }
            )
        found: dict[str, Any] = {
            "code": self.code,
            "severity": self.severity,
            "message": self.message,
            "places": places,
            "notes": list(self.notes),
            "hints": list(self.hints),
        }
        if self.cause is not None:
            found["when"] = dict(self.cause.choices)
            found["programs"] = self.cause.programs
            found["of"] = self.cause.of
        return found


class ArchError(Exception):
    """Input that archlang refuses, with every diagnostic that was found."""

    def __init__(self, diagnostics: Diagnostic | Iterable[Diagnostic]):
        if isinstance(diagnostics, Diagnostic):
            diagnostics = (diagnostics,)
        self.diagnostics: tuple[Diagnostic, ...] = tuple(diagnostics)
        super().__init__(self.diagnostics)

    def __str__(self) -> str:
        from archlang.diagnostics.render import render

        return "\n\n".join(render(diagnostic) for diagnostic in self.diagnostics)


def error(
    code: str,
    message: str,
    *places: Span | Label | None,
    notes: Iterable[str] = (),
    hints: Iterable[str] = (),
    cause: Cause | None = None,
) -> Diagnostic:
    """An error diagnostic at the given places (spans or labels; None is left out)."""
    labels = tuple(Label(place) if isinstance(place, Span) else place for place in places if place is not None)
    return Diagnostic(code=code, message=message, labels=labels, notes=tuple(notes), hints=tuple(hints), cause=cause)


class Collector:
    """Gathers diagnostics so that one run reports all of them."""

    def __init__(self) -> None:
        self._found: dict[Diagnostic, None] = {}

    def add(self, diagnostic: Diagnostic) -> None:
        self._found.setdefault(diagnostic)

    def extend(self, diagnostics: Iterable[Diagnostic]) -> None:
        for diagnostic in diagnostics:
            self.add(diagnostic)

    def __iter__(self) -> Iterator[Diagnostic]:
        return iter(self._found)

    def __bool__(self) -> bool:
        return bool(self._found)

    def raise_if_any(self) -> None:
        """Raise `ArchError` with all errors found; warnings alone do not raise."""
        if any(found.severity == "error" for found in self._found):
            raise ArchError(self._found)
