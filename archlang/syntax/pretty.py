"""Documents: text with places where lines may break, laid out to a width (Wadler, "A prettier printer")."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Union

import attrs


@attrs.frozen(eq=False)
class Concat:
    """Parts one after another; `hard` when one of them must be on several lines."""

    parts: tuple[Doc, ...]
    hard: bool


@attrs.frozen(eq=False)
class Group:
    """A part that is laid out on one line where it fits, else broken at all its own lines."""

    content: Doc
    hard: bool


@attrs.frozen(eq=False)
class Nest:
    """A part whose further lines are indented more."""

    indent: int
    content: Doc
    hard: bool


@attrs.frozen(eq=False)
class Line:
    """A place to break: on one line it is `flat`, broken it is `broken`, then a new line."""

    flat: str = " "
    broken: str = ""
    hard: bool = False


@attrs.frozen(eq=False)
class Suffix:
    """A comment that stands at the end of the line it is met on."""

    text: str
    hard: bool = True


Doc = Union[str, Concat, Group, Nest, Line, Suffix]  # noqa: UP007

LINE = Line()
SOFT = Line("")
HARD = Line(hard=True)
EMPTY_LINE = Line(hard=True)


def is_hard(doc: Doc) -> bool:
    return not isinstance(doc, str) and doc.hard


def concat(*parts: Doc) -> Doc:
    """The parts one after another."""
    return Concat(parts, any(is_hard(part) for part in parts))


def group(*parts: Doc) -> Doc:
    """The parts, on one line where they fit."""
    content = parts[0] if len(parts) == 1 else concat(*parts)
    return Group(content, is_hard(content))


def nest(*parts: Doc, indent: int = 2) -> Doc:
    """The parts, their further lines indented."""
    content = concat(*parts)
    return Nest(indent, content, is_hard(content))


def join(separator: Sequence[Doc], parts: Iterable[Doc]) -> list[Doc]:
    """The parts with the separator between any two."""
    joined: list[Doc] = []
    for part in parts:
        if joined:
            joined += separator
        joined.append(part)
    return joined


def layout(doc: Doc, width: int) -> str:
    """The document as text whose lines are at most `width` wide where that is possible."""
    out: list[str] = []
    suffixes: list[str] = []
    column = 0
    todo: list[tuple[int, bool, Doc]] = [(0, False, doc)]
    while todo:
        indent, flat, part = todo.pop()
        if isinstance(part, str):
            out.append(part)
            column += len(part)
        elif isinstance(part, Concat):
            todo += [(indent, flat, inner) for inner in reversed(part.parts)]
        elif isinstance(part, Nest):
            todo.append((indent + part.indent, flat, part.content))
        elif isinstance(part, Group):
            fits = flat or (not part.hard and _fits(part.content, todo, width - column))
            todo.append((indent, fits, part.content))
        elif isinstance(part, Suffix):
            suffixes.append(part.text)
        elif flat and not part.hard:
            out.append(part.flat)
            column += len(part.flat)
        else:
            out += [part.broken, *suffixes, "\n", "" if part is EMPTY_LINE else " " * indent]
            suffixes = []
            column = indent
    text = "".join([*out, *suffixes])
    return "\n".join(line.rstrip() for line in text.split("\n"))


def _fits(doc: Doc, rest: list[tuple[int, bool, Doc]], room: int) -> bool:
    """Whether a part fits on the line, with what follows it up to the next break."""
    todo: list[tuple[bool, Doc]] = [(True, doc)]
    left = len(rest)
    while room >= 0:
        if not todo:
            if not left:
                return True
            left -= 1
            _, flat, part = rest[left]
            todo.append((flat, part))
            continue
        flat, part = todo.pop()
        if isinstance(part, str):
            room -= len(part)
        elif isinstance(part, Concat):
            todo += [(flat, inner) for inner in reversed(part.parts)]
        elif isinstance(part, Group):
            todo.append((flat and not part.hard, part.content))
        elif isinstance(part, Nest):
            todo.append((flat, part.content))
        elif isinstance(part, Line):
            if part.hard or not flat:
                return True
            room -= len(part.flat)
    return False
