"""The one place where a diagnostic becomes text."""

from archlang.diagnostics.diagnostic import Cause, Diagnostic, Label
from archlang.diagnostics.source import Source


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
    text = source.line(number)
    start = source.line_starts[number - 1]
    lines = [f"{number:>{gutter}} | {text.expandtabs(4)}".rstrip()]
    row = ""
    for label in sorted(labels, key=lambda label: label.span.start):
        begin = len(text[: label.span.start - start].expandtabs(4))
        end = len(text[: max(label.span.end - start, 0)].expandtabs(4))
        marker = "^" * max(min(end, len(text.expandtabs(4))) - begin, 1)
        if len(row) > begin:
            lines.append(f"{'':>{gutter}} | {row}".rstrip())
            row = ""
        row = row.ljust(begin) + marker + (f" {label.text}" if label.text else "") + "   "
    lines.append(f"{'':>{gutter}} | {row}".rstrip())
    return lines


def _cause(cause: Cause) -> str:
    choices = ", ".join(f"{address} = {pick}" for address, pick in cause.choices) or "always"
    if cause.programs is None:
        return choices
    share = f"{cause.programs:,}" + (f" of {cause.of:,}" if cause.of is not None else "")
    return f"{choices}      ({share} programs)"
