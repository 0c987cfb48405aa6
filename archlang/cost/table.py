"""Tables of measured costs: what each configuration of an op takes on one device, as a CSV file.

The file is meant to be read and written by people and by other tools: see `docs/costs.md`.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from pathlib import Path

import attrs

from archlang.diagnostics import ArchError, Diagnostic, Source, Span, error
from archlang.ir.graph import Graph, Operation
from archlang.ir.text import literal
from archlang.ir.types import TensorType, per_sample

UNITS = {"latency": "ms", "energy": "mJ"}
SCALE = 1_000_000  # of the unit in which a table is added up (ns, nJ) in that in which it is written
MAX_CHARACTERS = 32_000_000
_COLUMNS = ("op", "attributes", "inputs")


@attrs.frozen
class Row:
    """What one configuration of an op takes: `value` and its `spread` over so many `runs`, in
    millionths of the table's unit. `attributes` and `inputs` are as `configuration` gives them."""

    op: str
    attributes: str
    inputs: str
    value: int
    spread: int = 0
    runs: int = 1

    @property
    def key(self) -> str:
        """The configuration as one text, blanks left out."""
        return _key(self.op, self.attributes, self.inputs)


def _in_order(rows: Iterable[Row]) -> tuple[Row, ...]:
    return tuple(sorted(rows, key=lambda row: row.key))


@attrs.frozen(slots=False)
class CostTable:
    """What ops take (`metric`: latency or energy), and how that adds up to what a network takes:
    `intercept`, and for each op its row times the `slopes` of its name (1 where there is none).

    All figures are whole millionths of the unit, so that sums over a space are exact. `info` is what
    else the head of the file says: the device, the batch size, versions, …
    """

    metric: str
    rows: tuple[Row, ...] = attrs.field(default=(), converter=_in_order)
    info: Mapping[str, str] = attrs.field(factory=dict)
    intercept: int = 0
    slopes: Mapping[str, float] = attrs.field(factory=dict)
    name: str = attrs.field(default="the table", eq=False)

    @cached_property
    def _values(self) -> dict[str, int]:
        return {row.key: round(row.value * self.slopes.get(row.op, 1.0)) for row in self.rows}

    def __contains__(self, operation: Operation) -> bool:
        return _key(*configuration(operation)) in self._values

    def get(self, operation: Operation) -> int | None:
        """What an operation adds to a network's total, in millionths of the unit; None where the table
        does not have it."""
        return self._values.get(_key(*configuration(operation)))

    def total(self, graph: Graph) -> int:
        """What a network takes, in millionths of the unit; ArchError (E0507) for ops that the table
        does not have."""
        found = {node.operation: self.get(node.operation) for node in graph.nodes}
        missing = [operation for operation, value in found.items() if value is None]
        if missing:
            raise ArchError(self.lacks(missing))
        return self.intercept + sum(found[node.operation] or 0 for node in graph.nodes)

    def predict(self, graph: Graph) -> float:
        """What a network takes, in the table's unit (ms or mJ). ArchError as `total`."""
        return self.total(graph) / SCALE

    def lacks(self, missing: list[Operation], span: Span | None = None) -> Diagnostic:
        """The error for operations that the table does not have."""
        texts = sorted({shown(operation) for operation in missing})
        more = f", nor {len(texts) - 1} other configurations of ops" if len(texts) > 1 else ""
        return error(
            "E0507",
            f"`{self.name}` does not have {texts[0]}{more}",
            span,
            notes=[f"it has {len(self.rows):,} configurations"],
            hints=[f"`archlang profile FILE -o {self.name}` measures what is missing, on the same device"],
        )

    # ------------------------------------------------------------------- text

    def text(self) -> str:
        """The table as CSV text; `parse` gives it back."""
        out = io.StringIO()
        for name, value in self.info.items():
            out.write(f"# {name}: {value}\n")
        if self.slopes or self.intercept:
            out.write(f"# intercept: {_decimal(self.intercept)}\n")
        for op, slope in sorted(self.slopes.items()):
            out.write(f"# slope {op}: {slope!r}\n")
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow([*_COLUMNS, UNITS[self.metric], "spread", "runs"])
        for row in self.rows:
            values = _decimal(row.value), _decimal(row.spread), row.runs
            writer.writerow([row.op, row.attributes, row.inputs, *values])
        return out.getvalue()

    @classmethod
    def parse(cls, text: str, name: str = "<text>") -> CostTable:
        """The table in a text; ArchError (E0218) with the line of what is wrong."""
        return _Parser(Source(name, text)).table()

    @classmethod
    def read(cls, path: Path | str) -> CostTable:
        """The table in a file; ArchError when it cannot be read (E0207) or is no table (E0218)."""
        return cls.parse(table_text(str(path)), str(path))

    def write(self, path: Path | str) -> None:
        """Write the table to a file, at one go; ArchError (E0217) when that cannot be."""
        target = Path(path)
        beside = target.with_name(f"{target.name}.part")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            beside.write_text(self.text(), encoding="utf-8", newline="")
            beside.replace(target)
        except OSError as problem:
            what = f"`{path}` cannot be written: {problem.strerror}"
            raise ArchError(error("E0217", what, hints=["give a path that may be written"])) from None


def configuration(operation: Operation) -> tuple[str, str, str]:
    """The name, attributes and input types of an operation as a table writes them: `conv2d`,
    `out=16, kernel=3, …` (all of them, as declared), `f32[n, 3, 32, 32]`; any free dimension is `n`."""
    attributes = ", ".join(f"{name}={literal(value)}" for name, value in operation.attributes if value is not None)
    return operation.name, attributes, ", ".join(map(_type_text, operation.inputs))


def shown(operation: Operation) -> str:
    """The configuration of an operation in a sentence."""
    name, attributes, inputs = configuration(operation)
    return f"`{name}({attributes})` for `{inputs}`" if attributes else f"`{name}` for `{inputs}`"


def _type_text(kind: TensorType) -> str:
    dims = [str(d) if isinstance(d, int) else "n" if per_sample(d) == 1 else f"{per_sample(d)} * n" for d in kind.shape]
    return f"{kind.dtype}[{', '.join(dims)}]"


def _key(op: str, attributes: str, inputs: str) -> str:
    return "".join(f"{op}({attributes}) {inputs}".split())


def _decimal(millionths: int) -> str:
    return f"{millionths // SCALE}.{millionths % SCALE:06d}"


class _Parser:
    def __init__(self, source: Source):
        self._source = source
        self._info: dict[str, str] = {}
        self._slopes: dict[str, float] = {}
        self._intercept = 0
        self._metric: str | None = None
        self._rows: dict[str, Row] = {}
        self._line = 0

    def table(self) -> CostTable:
        for number, line in enumerate(self._source.text.split("\n"), 1):
            self._line = number
            line = line.rstrip("\r")
            if line.startswith("#"):
                self._head(line[1:].strip())
            elif line.strip():
                cells = self._cells(line)
                if self._metric is None:
                    self._metric = self._columns(cells)
                else:
                    self._row(cells)
        if self._metric is None:
            self._line = 1
            raise self._wrong(f"there is no line with the names of the columns: {_expected('ms')}")
        rows = tuple(self._rows.values())
        return CostTable(self._metric, rows, self._info, self._intercept, self._slopes, self._source.name)

    def _head(self, text: str) -> None:
        name, colon, value = text.partition(":")
        name, value = name.strip(), value.strip()
        if not colon:
            return  # a comment
        if name == "intercept":
            self._intercept = self._millionths(value, "the intercept")
        elif name.startswith("slope "):
            self._slopes[name.removeprefix("slope ").strip()] = self._number(value, "a slope")
        else:
            self._info[name] = value

    def _cells(self, line: str) -> list[str]:
        try:
            return next(csv.reader([line]))
        except csv.Error as problem:
            raise self._wrong(f"this is no line of a CSV file: {problem}") from None

    def _columns(self, cells: list[str]) -> str:
        names = [cell.strip() for cell in cells]
        for metric, unit in UNITS.items():
            if names == [*_COLUMNS, unit, "spread", "runs"][: max(len(names), 4)]:
                return metric
        raise self._wrong(f"the columns are {_expected('ms')}, or mJ for ms, and not {','.join(names)}")

    def _row(self, cells: list[str]) -> None:
        if not 4 <= len(cells) <= 6:
            raise self._wrong(
                f"a row has 4 to 6 cells ({_expected(UNITS[self._metric or ''])}), and this one {len(cells)}",
                "put attributes and inputs in double quotes: they hold commas",
            )
        op, attributes, inputs, value, *rest = (cell.strip() for cell in cells)
        spread = self._millionths(rest[0], "the spread") if rest else 0
        runs = self._number(rest[1], "the number of runs") if len(rest) > 1 else 1
        row = Row(op, attributes, inputs, self._millionths(value, "the value"), spread, int(runs))
        if not op or not inputs:
            raise self._wrong("a row needs the name of an op and its inputs")
        if row.key in self._rows:
            raise self._wrong("this configuration has a row already")
        self._rows[row.key] = row

    def _millionths(self, text: str, what: str) -> int:
        return round(self._number(text, what) * SCALE)

    def _number(self, text: str, what: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not 0 <= value <= 1e9:
            raise self._wrong(f"{what} must be a number from 0 to 1e9, and is `{text}`")
        return value

    def _wrong(self, message: str, *hints: str) -> ArchError:
        source = self._source
        start = source.line_starts[self._line - 1]
        span = Span(source, start, start + len(source.line(self._line)))
        return ArchError(error("E0218", message, span, hints=hints))


def _expected(unit: str) -> str:
    return ",".join((*_COLUMNS, unit, "spread", "runs"))


def table_text(path: str, used_at: Span | None = None, read: Callable[[str], str] | None = None) -> str:
    """The text of a table's file; ArchError (E0207) when it cannot be read, or is too large."""
    try:
        text = (read or _read_file)(path)
    except FileNotFoundError:
        what, hint = f"there is no table `{path}`", f"`archlang profile FILE -o {path}` measures one"
    except (OSError, UnicodeDecodeError) as problem:
        reason = getattr(problem, "strerror", None) or str(problem)
        what, hint = f"the table `{path}` cannot be read: {reason}", "a table is a CSV file in UTF-8"
    else:
        if len(text) <= MAX_CHARACTERS:
            return text
        what, hint = f"the table `{path}` is too large", f"a table has {MAX_CHARACTERS:,} characters at most"
    raise ArchError(error("E0207", what, used_at, hints=[hint]))


def _read_file(path: str) -> str:
    with Path(path).open(encoding="utf-8", newline="") as file:
        return file.read(MAX_CHARACTERS + 1)
