"""An evaluator that looks programs up in a table of results, such as a tabular benchmark."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from archlang.diagnostics import ArchError, Diagnostic, did_you_mean, error
from archlang.evaluate.evaluator import Metrics, Report, costs, nearest_level
from archlang.evaluate.rows import Column, Index, Rows
from archlang.semantics.decision import OneOf
from archlang.space.choices import show_pick
from archlang.space.resolver import in_order

if TYPE_CHECKING:
    from archlang.semantics.decision import Pick
    from archlang.space import Choices, Program

Key = str | Sequence[str] | Mapping[str, str | Sequence[str]] | Callable[["Choices"], Mapping[str, Any]]
Columns = str | Sequence[str]
Metric = Columns | Mapping[int, Columns]
SECONDS = "seconds"


@attrs.frozen
class Seconds:
    """The simulated time of an evaluation: `of` (a column, or a number), once or for each epoch."""

    of: str | float
    per_epoch: bool = False
    factor: float = 1.0


@attrs.frozen(eq=False, slots=False)
class TableEvaluator:
    """Gives a program the metrics of its row in a table.

    A fidelity names one of the levels that the metrics are given at (`{"epochs": 12}`); without one
    it is the highest. See `table` for what the fields say.
    """

    path: str
    key: Key
    metrics: Mapping[str, Metric]
    codes: Mapping[str, str] = attrs.field(factory=dict)
    separator: str = ""
    seconds: Seconds | None = None
    costs: bool = False
    fidelity: str = "epochs"

    # ------------------------------------------------------------ evaluating

    def __call__(self, program: Program, fidelity: Mapping[str, Any], report: Report) -> Metrics:
        metrics = self.lookup(program.choices, fidelity)
        return costs(program) | metrics if self.costs else metrics

    def lookup(self, choices: Choices, fidelity: Mapping[str, Any] | None = None) -> Metrics:
        """The metrics of choices, without their network's costs; ArchError: E0714 no such fidelity, E0715
        the table has no row, or no value, for them."""
        level = self._level(fidelity)
        row = self.row(choices)
        metrics: Metrics = {}
        for name, column in self._at_level[level]:
            value = column[row]
            if value is None:
                raise self._lacks(f"the row of {self._shown(choices)} has no `{name}`", "the cell is empty")
            metrics[name] = value
        if self._time is not None:
            metrics[SECONDS] = self._time(row, level)
        return metrics

    def row(self, choices: Choices) -> int:
        """The number of the row of choices, from 0; ArchError (E0715) where there is none."""
        index, texts = self._texts(choices)
        row = index.find(texts)
        if row is None:
            raise self._lacks(f"there is no row for {self._shown(choices)}", f"the choices are {choices.to_json()}")
        return row

    def at(self, share: float) -> Mapping[str, Any]:
        """The fidelity for a share of a full evaluation: the level nearest to it, by ratio; {} for the highest."""
        if not self.levels:
            return {}
        found = nearest_level(self.levels, share * self.levels[-1])
        return {} if found == self.levels[-1] else {self.fidelity: found}

    @cached_property
    def levels(self) -> tuple[int, ...]:
        """The levels at which metrics are given, in order; empty where there is but one."""
        found = {level for columns in self.metrics.values() if isinstance(columns, Mapping) for level in columns}
        return tuple(sorted(found))

    @cached_property
    def rows(self) -> Rows:
        """The table, read when first needed."""
        return Rows.read(self.path)

    def values(self, metric: str) -> Column:
        """A metric of all rows, at the highest level; None where the cell is empty."""
        return dict(self._at_level[self.levels[-1] if self.levels else None])[metric]

    # ------------------------------------------------------------- protocol

    def check(self, program: Program, metrics: Sequence[str] = ()) -> None:
        """ArchError when the file is no table (E0701, E0713), lacks a column or asks for decisions or
        picks that the space does not have (E0714), or a metric is not given (E0711)."""
        known = [name for name, _ in self._at_level[self.levels[-1] if self.levels else None]]
        known += [SECONDS] if self._time is not None else []
        if not callable(self.key):
            self._index  # noqa: B018 (reads the columns)
            self._check_key(program)
        priced = costs(program)
        for metric in metrics:
            if metric not in known and not (self.costs and metric in priced):
                hints = did_you_mean(metric, known) or (f"it gives {', '.join(f'`{name}`' for name in known)}",)
                if metric in priced:
                    hints = (f"`costs=True` gives the network's own costs, `{metric}` too",)
                raise ArchError(error("E0711", f"the table gives no metric `{metric}`", hints=hints))

    def describe(self) -> dict[str, Any]:
        """The settings, and the table by its hash."""
        return {
            "kind": "table",
            "data": self.path,
            "data_digest": self.rows.digest,
            "key": "a function" if callable(self.key) else self.key,
            "metrics": {
                name: {str(level): columns for level, columns in metric.items()}
                if isinstance(metric, Mapping)
                else metric
                for name, metric in self.metrics.items()
            },
            "codes": dict(self.codes),
            "separator": self.separator,
            "seconds": None if self.seconds is None else attrs.asdict(self.seconds),
            "costs": self.costs,
            "fidelity": self.fidelity,
        }

    def spec(self) -> dict[str, Any] | None:
        """The settings and where the file lies; None where the key is a function."""
        return None if callable(self.key) else self.describe() | {"data": str(Path(self.path).absolute())}

    # ------------------------------------------------------------------ key

    @cached_property
    def _parts(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """The columns of the key, each with the addresses (or patterns) that its text comes from."""
        assert not callable(self.key)
        if self.key == "*":
            used = set(self._used())
            return tuple((name, (name,)) for name in self.rows.columns if name not in used)
        if isinstance(self.key, Mapping):
            return tuple((name, _listed(addresses)) for name, addresses in self.key.items())
        return tuple((name, (name,)) for name in _listed(self.key))

    @cached_property
    def _index(self) -> Index:
        return self.rows.index([name for name, _ in self._parts])

    @cached_property
    def _indices(self) -> dict[tuple[str, ...], Index]:
        """The indices for the columns that a key function names."""
        return {}

    def _texts(self, choices: Choices) -> tuple[Index, list[str]]:
        """The key of choices as texts, and the index to find it in."""
        if callable(self.key):
            made = self.key(choices)
            if not isinstance(made, Mapping):
                what = f"the key function gave {made!r}"
                raise ArchError(error("E0714", what, hints=("it gives a dictionary from columns to values",)))
            names = tuple(made)
            if names not in self._indices:
                self._indices[names] = self.rows.index(names)
            return self._indices[names], [self._text(value) for value in made.values()]
        text, separator = self._text, self.separator
        texts = [
            text(choices.get(addresses[0]))
            if len(addresses) == 1
            else separator.join([text(choices.get(address)) for address in addresses])
            for addresses in self._addresses(tuple(choices))
        ]
        return self._index, texts

    @cached_property
    def _addresses(self) -> Callable[[tuple[str, ...]], tuple[tuple[str, ...], ...]]:
        """By the addresses of choices: for each column of the key those that it is made of."""

        @lru_cache(maxsize=1024)  # one entry a form that programs of the space have
        def found(made: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
            return tuple(
                tuple(one for address in addresses for one in _matching(address, made)) for _, addresses in self._parts
            )

        return found

    @cached_property
    def _text(self) -> Callable[[Pick | None], str]:
        """A pick as the table writes it; nothing for a decision that is not made."""

        @lru_cache(maxsize=65_536, typed=True)  # typed: true is no 1
        def text(pick: Pick | None) -> str:
            shown = "" if pick is None else show_pick(pick)
            return self.codes.get(shown, shown)

        return text

    def _check_key(self, program: Program) -> None:
        """Refuse addresses and codes that the space does not know."""
        try:
            decisions = program.space.all_decisions()
        except ArchError:  # not evaluated as a whole: what this program makes is not all
            return
        known = [decision.address for decision in decisions]
        findings: list[Diagnostic] = []
        read: set[str] = set()
        for column, addresses in self._parts:
            for address in addresses:
                matching = _matching(address, known) if "*" in address else [address] * (address in known)
                read.update(matching)
                if not matching:
                    hints = did_you_mean(address, known) or (f"it has {', '.join(f'`{one}`' for one in known[:8])}",)
                    what = f"the key `{column}` is made of `{address}`, which is no decision of the space"
                    findings.append(error("E0714", what, hints=hints))
        domains = [decision.domain for decision in decisions if decision.address in read]
        if all(isinstance(domain, OneOf) for domain in domains):
            labels = {show_pick(label) for domain in domains if isinstance(domain, OneOf) for label in domain.labels}
            for pick in self.codes:
                if pick not in labels and not findings:
                    hints = did_you_mean(pick, labels) or (
                        f"picks are {', '.join(f'`{one}`' for one in sorted(labels))}",
                    )
                    findings.append(error("E0714", f"there is a code for `{pick}`, which nothing picks", hints=hints))
        if findings:
            raise ArchError(findings)

    # -------------------------------------------------------------- metrics

    def _used(self) -> list[str]:
        """The columns that metrics and times are read from."""
        found: list[str] = []
        for metric in self.metrics.values():
            for columns in metric.values() if isinstance(metric, Mapping) else (metric,):
                found += _listed(columns)
        return [*found, self.seconds.of] if self.seconds and isinstance(self.seconds.of, str) else found

    @cached_property
    def _at_level(self) -> dict[int | None, list[tuple[str, Column]]]:
        """The metrics that each level has, with their columns."""
        found: dict[int | None, list[tuple[str, Column]]] = {}
        for level in self.levels or (None,):
            given = found[level] = []
            for name, metric in self.metrics.items():
                if not isinstance(metric, Mapping):
                    given.append((name, self.rows.mean(_listed(metric))))
                elif level is not None and level in metric:
                    given.append((name, self.rows.mean(_listed(metric[level]))))
        return found

    @cached_property
    def _time(self) -> Callable[[int, int | None], float] | None:
        if self.seconds is None:
            return None
        told = self.seconds
        column = self.rows.numbers(told.of) if isinstance(told.of, str) else None

        def time(row: int, level: int | None) -> float:
            once = told.of if column is None else column[row]
            if once is None:
                raise self._lacks(f"row {row + 1} has no `{told.of}`", "simulated time comes from it")
            return told.factor * float(once) * (level if told.per_epoch and level is not None else 1)

        return time

    def _level(self, fidelity: Mapping[str, Any] | None) -> int | None:
        if not fidelity:
            return self.levels[-1] if self.levels else None
        level = fidelity.get(self.fidelity)
        if level not in self.levels or len(fidelity) > 1:
            shown = ", ".join(f"{name}={value}" for name, value in fidelity.items())
            has = f"it has `{self.fidelity}` {', '.join(map(str, self.levels))}" if self.levels else "it has no levels"
            raise ArchError(error("E0714", f"the table `{self.path}` gives no metrics at {shown}", hints=(has,)))
        return int(level)

    def _shown(self, choices: Choices) -> str:
        index, texts = self._texts(choices)
        return ", ".join(f"{name} = `{text}`" for name, text in zip(index.names, texts, strict=True))

    def _lacks(self, what: str, note: str) -> ArchError:
        return ArchError(error("E0715", f"in the table `{self.path}` {what}", notes=(note,)))


def table(
    file: str | Path,
    *,
    key: Key,
    metrics: Mapping[str, Any] | str,
    codes: Mapping[Any, Any] | None = None,
    separator: str = "",
    seconds: str | float | Mapping[str, Any] | None = None,
    costs: bool = False,
    fidelity: str = "epochs",
) -> TableEvaluator:
    """An evaluator that looks programs up in a CSV file (packed by gzip if it ends in `.gz`).

    `key` says how a row is found: columns that are named as the addresses of decisions (a list of them,
    or "*" for all that nothing else uses), or a dictionary from columns to addresses; the picks of several
    addresses are joined by `separator`, and a `*` in an address stands for anything, in order. `codes` are what
    the table writes for picks, others are written as they are, and a decision that a program does not make
    as nothing. Or `key` is a function from choices to a dictionary of columns to values; a store cannot hold
    that. Columns of numbers are compared by value, others by text.

    `metrics` are columns by the metric's name, several for their mean, or by level:
    `{"accuracy": {12: "val_12", 200: "val_200"}}`, of which a fidelity, called `fidelity`, names one.
    `seconds` is the simulated time of an evaluation, the metric `seconds`: a column, a number, or
    `{"of": either, "per_epoch": True, "factor": 1.0}`. With `costs` the network's costs are metrics too.
    ArchError (E0714) when these are not well formed; the file is read when a search begins.
    """
    if isinstance(metrics, str):
        metrics = {metrics: metrics}
    if not metrics:
        raise ArchError(
            error("E0714", "no metric is asked of the table", hints=('give `metrics={"accuracy": "column"}`',))
        )
    if not callable(key) and not key:
        raise ArchError(error("E0714", "the table's key has no columns", hints=('give `key={"column": "address"}`',)))
    return TableEvaluator(
        str(file),
        key if callable(key) or isinstance(key, str) else _plain(key),
        {name: _metric(name, metric) for name, metric in metrics.items()},
        {pick if isinstance(pick, str) else show_pick(pick): str(code) for pick, code in (codes or {}).items()},
        separator,
        _seconds(seconds),
        costs,
        fidelity,
    )


def table_from_spec(spec: Mapping[str, Any]) -> TableEvaluator:
    """The evaluator that a `spec` describes; its file is read when it is used."""
    names = ("key", "metrics", "codes", "separator", "seconds", "costs", "fidelity")
    return table(spec["data"], **{name: spec[name] for name in names})


def _plain(key: Any) -> Any:
    """A key as data that JSON gives back."""
    if isinstance(key, Mapping):
        return {name: list(_listed(addresses)) for name, addresses in key.items()}
    return list(key)


def _metric(name: str, given: Any) -> Metric:
    if not isinstance(given, Mapping):
        return list(_listed(given))
    try:
        return {int(level): list(_listed(columns)) for level, columns in given.items()}
    except (TypeError, ValueError):
        what = f"the levels of the metric `{name}` are {', '.join(map(repr, given))}"
        raise ArchError(error("E0714", what, hints=('levels are integers: `{12: "val_12"}`',))) from None


def _seconds(given: str | float | Mapping[str, Any] | None) -> Seconds | None:
    if given is None:
        return None
    try:
        return Seconds(**given) if isinstance(given, Mapping) else Seconds(given)
    except TypeError:
        hints = ('give a column, a number, or `{"of": either, "per_epoch": True, "factor": 1.0}`',)
        raise ArchError(error("E0714", f"the simulated time is {given!r}", hints=hints)) from None


def _listed(names: str | Iterable[str]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)


def _matching(address: str, known: Iterable[str]) -> list[str]:
    """The addresses that a pattern stands for, in order; an address as it is."""
    if "*" not in address:
        return [address]
    pattern = re.compile(".*".join(map(re.escape, address.split("*"))))
    return sorted(filter(pattern.fullmatch, known), key=in_order)
