"""The one place where a diagnostic becomes text."""

from unicodedata import combining, east_asian_width

from archlang.diagnostics.diagnostic import Cause, Diagnostic, Label
from archlang.diagnostics.source import Source

MAX_LINE = 160  # characters of a source line that are shown

_VISIBLE = {code: 0x2400 + code for code in range(0x20)} | {0x7F: 0x2421} | dict.fromkeys(range(0x80, 0xA0), 0xFFFD)


SHOWN_CHOICES = 6


def render(diagnostic: Diagnostic) -> str:
    """The diagnostic as text: head, place, source lines with markers, causes, notes, hints."""
    lines = [f"{diagnostic.severity}[{diagnostic.code}]: {diagnostic.message}"]
    gutter = 1
    for label in diagnostic.labels:
        number, _ = label.span.source.position(max(label.span.end - 1, label.span.start))
        gutter = max(gutter, len(str(number)))
    pad = " " * gutter
    previous: Source | None = None
    for source, number, labels in _by_line(diagnostic.labels):
        if source is not previous:
            line, column = source.position(labels[0].span.start)
            lines.append(f"{pad}{'-->' if previous is None else ':::'} {source.name}:{line}:{column}")
            lines.append(f"{pad} |")
        else:
            lines.append(f"{pad}...")
        previous = source
        lines += _marked_line(source, number, labels, gutter)
    if diagnostic.cause is not None:
        lines.append(f"{pad} = when  {_cause(diagnostic.cause)}")
    lines += [f"{pad} = note: {note}" for note in diagnostic.notes]
    lines += [f"{pad} = help: {hint}" for hint in diagnostic.hints]
    return "\n".join(lines)


def _by_line(labels: tuple[Label, ...]) -> list[tuple[Source, int, list[Label]]]:
    """Labels grouped by the line they start on; the first label's line comes first."""
    groups: dict[tuple[int, int], tuple[Source, int, list[Label]]] = {}
    for label in labels:
        source = label.span.source
        number, _ = source.position(label.span.start)
        groups.setdefault((id(source), number), (source, number, []))[2].append(label)
    return list(groups.values())


def _marked_line(source: Source, number: int, labels: list[Label], gutter: int) -> list[str]:
    """A source line and below it the markers of its labels, on one line where they fit."""
    start = source.line_starts[number - 1]
    labels = sorted(labels, key=lambda label: label.span.start)
    whole = source.line(number)
    first, text = _window(whole, labels[0].span.start - start)
    shown = _shown(text)
    lines = [f"{number:>{gutter}} | {shown}".rstrip()]
    row = ""
    for label in labels:
        low, high = (min(max(offset - start - first, 0), len(text)) for offset in (label.span.start, label.span.end))
        begin, end = _width(_shown(text[:low])), _width(_shown(text[:high]))
        marker = "^" * max(end - begin, 1)
        if len(row) > begin:
            lines.append(f"{'':>{gutter}} | {row}".rstrip())
            row = ""
        row = row.ljust(begin) + marker + (f" {label.text}" if label.text else "") + "   "
    lines.append(f"{'':>{gutter}} | {row}".rstrip())
    return lines


def _window(text: str, place: int) -> tuple[int, str]:
    """Where the stretch of a line that is shown begins, and its text: all of it, or in a very long line
    what is around a place."""
    if len(text) <= MAX_LINE:
        return 0, text
    first = max(min(place - MAX_LINE // 3, len(text) - MAX_LINE), 0)
    cut = text[first : first + MAX_LINE]
    if first:
        cut = "…" + cut[1:]
    return first, cut if first + MAX_LINE >= len(text) else cut[:-1] + "…"


def _shown(text: str) -> str:
    """The text with tabs as spaces and other control characters as visible ones."""
    return text.expandtabs(4).translate(_VISIBLE)


def _width(text: str) -> int:
    """The columns that a text takes: two for wide characters, none for combining ones."""
    if text.isascii():
        return len(text)
    return sum(0 if combining(char) else 2 if east_asian_width(char) in "WF" else 1 for char in text)


def _cause(cause: Cause) -> str:
    named = [f"{address} = {pick}" for address, pick in cause.choices]
    if len(named) > SHOWN_CHOICES + 1:
        named[SHOWN_CHOICES:] = [f"and {len(named) - SHOWN_CHOICES} more"]
    choices = ", ".join(named) or "always"
    if cause.programs is None:
        return choices
    share = f"{cause.programs:,}" + (f" of {cause.of:,}" if cause.of is not None else "")
    return f"{choices}      ({share} programs)"
