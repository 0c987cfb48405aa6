"""Tables of results as files: CSV text, its columns, and finding a row by its key."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import math
import re
import zlib
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from pathlib import Path

import attrs

from archlang.diagnostics import ArchError, did_you_mean, error

# As numbers are written: 0.10, 1e-3; not 0112, which is digits of a code. Longer ones Decimal would round.
_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?")
_LONGEST = 28

Column = tuple[float | None, ...]
Normal = Callable[[str], str]


@attrs.frozen(eq=False)
class Rows:
    """The rows of a CSV file by column, as texts; `digest` is a hash of the text."""

    path: str
    digest: str
    columns: dict[str, tuple[str, ...]]

    @classmethod
    def read(cls, path: str) -> Rows:
        """The rows of a file, which may be packed by gzip (`.gz`). ArchError: E0701 no such file, E0713 it
        is no table."""
        if not Path(path).is_file():
            what = "is not a file" if Path(path).exists() else "does not exist"
            raise ArchError(error("E0701", f"the table `{path}` {what}", hints=("a table is the path of a CSV file",)))
        try:
            raw = Path(path).read_bytes()
            text = (gzip.decompress(raw) if path.endswith(".gz") else raw).decode("utf-8-sig")
        except (OSError, EOFError, zlib.error, UnicodeDecodeError) as found:
            raise _no_table(path, "cannot be read", str(found)) from found
        return cls(path, hashlib.sha256(text.encode()).hexdigest()[:16], _columns(path, text))

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def texts(self, name: str) -> tuple[str, ...]:
        """The cells of a column; ArchError (E0714) for one that there is not."""
        if name not in self.columns:
            hints = did_you_mean(name, self.columns) or (f"it has {', '.join(f'`{other}`' for other in self.columns)}",)
            raise ArchError(error("E0714", f"the table `{self.path}` has no column `{name}`", hints=hints))
        return self.columns[name]

    def numbers(self, name: str) -> Column:
        """The cells of a column as finite numbers, empty ones as None. ArchError: E0714 no such column,
        E0713 a cell is no number."""
        texts = self.texts(name)
        strange = next((row for row, text in enumerate(texts) if text and not _is_finite(text)), None)
        if strange is not None:
            what = f"has `{texts[strange]}` in the column `{name}`, expected a number or nothing"
            raise _no_table(self.path, what, f"in row {strange + 1} below the head")
        return tuple(float(text) if text else None for text in texts)

    def mean(self, names: Sequence[str]) -> Column:
        """The mean of columns, None where one of them is empty. ArchError as `numbers`."""
        if len(names) == 1:
            return self.numbers(names[0])
        cells = zip(*map(self.numbers, names), strict=True)
        return tuple(None if None in row else math.fsum(map(float, row)) / len(row) for row in cells)

    def index(self, names: Sequence[str]) -> Index:
        """Where each key stands. ArchError: E0714 no such column, E0713 two rows have one key."""
        normal = tuple(_normal(self.texts(name)) for name in names)
        columns = [
            self.texts(name) if form is None else map(form, self.texts(name))
            for name, form in zip(names, normal, strict=True)
        ]
        places: dict[tuple[str, ...], int] = {}
        for row, key in enumerate(zip(*columns, strict=True)):
            first = places.setdefault(key, row)
            if first != row:
                shown = ", ".join(f"{name} = `{text}`" for name, text in zip(names, key, strict=True))
                raise _no_table(self.path, "has two rows with one key", f"rows {first + 1} and {row + 1}: {shown}")
        return Index(tuple(names), normal, places)


@attrs.frozen(eq=False)
class Index:
    """The rows by their key: by number in columns of numbers (0.10 is 0.1), else by text."""

    names: tuple[str, ...]
    normal: tuple[Normal | None, ...]  # how the text of each column is brought to one form
    places: dict[tuple[str, ...], int]

    def find(self, texts: Iterable[str]) -> int | None:
        """The row with these texts; None where there is none."""
        return self.places.get(
            tuple(text if form is None else form(text) for text, form in zip(texts, self.normal, strict=True))
        )


def _columns(path: str, text: str) -> dict[str, tuple[str, ...]]:
    # Without quotes there is a way that is several times as fast.
    read = csv.reader(io.StringIO(text, newline="")) if '"' in text else (line.split(",") for line in text.splitlines())
    rows = [row for row in read if row and row != [""]]
    if len(rows) < 2:
        raise _no_table(path, "has no rows", "a table is CSV text: a line of names, then a line each row")
    head = [name.strip() for name in rows[0]]
    twice = next((name for name in head if head.count(name) > 1), None)
    if twice is not None:
        raise _no_table(path, f"has two columns `{twice}`", "a column goes by its name in the first line")
    for number, row in enumerate(rows):
        if len(row) != len(head):
            raise _no_table(path, "is uneven", f"row {number} has {len(row)} cells, its head {len(head)}")
    return dict(zip(head, zip(*rows[1:], strict=True), strict=True))


def _normal(texts: Sequence[str]) -> Normal | None:
    """How the cells of a column are compared: as numbers or truth values where all are, else as they are."""
    if all(map(_is_number, texts)):
        return _as_number
    if {text.lower() for text in texts} <= {"true", "false", ""}:
        return str.lower
    return None


def _is_number(text: str) -> bool:
    return not text or (len(text) <= _LONGEST and _NUMBER.fullmatch(text) is not None)


def _as_number(text: str) -> str:
    """One text for all ways in which a number is written; other texts as they are."""
    if not text or not _is_number(text):
        return text
    return str((Decimal(text) + 0).normalize())


def _is_finite(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _no_table(path: str, what: str, note: str) -> ArchError:
    return ArchError(error("E0713", f"the table `{path}` {what}", notes=(note,) if note else ()))
