"""All assignments of a few decisions at once, as arrays: each row holds what diagrams still have to
say. Rows that have the same left to say are one, exactly: what hashes alike is compared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from archlang.semantics.diagram import Diagram, Diagrams, Value
from archlang.semantics.fault import Entangled

Array = np.ndarray[Any, Any]

MAX_ROWS = 4_000_000
MAX_ENTRIES = 60_000_000


class Table:
    """Diagrams with int or bool leaves as arrays, their variables in an order of their own.

    What is left of a diagram is a code: the number of a node, or -1 - leaf. `order` lists the
    variables; in codes and steps a variable is known by its place there.
    """

    def __init__(self, diagrams: Diagrams, values: Sequence[Value], order: Sequence[int]):
        self.sizes = [diagrams.sizes[var] for var in order]
        self._place = {var: place for place, var in enumerate(order)}
        self._ordered = Diagrams()
        self._ordered.sizes = self.sizes
        self._written: dict[int, Value] = {}
        self._numbers: dict[int, int] = {}
        self._variables: list[int] = []
        self._kids: list[tuple[int, ...]] = []
        self._leaves: dict[int, frozenset[int]] = {}
        self.codes = [self._code(self._write(value)) for value in values]
        widest = max(self.sizes, default=1)
        self.variables = np.array(self._variables, dtype=np.int32)
        self.kids = np.zeros((len(self._kids), widest), dtype=np.int32)
        for node, kids in enumerate(self._kids):
            self.kids[node, : len(kids)] = kids
        # Which variables matter to a node: its own, and those of the nodes that it leads to.
        self.reads = np.zeros((len(self._kids), len(self.sizes)), dtype=bool)
        for node, kids in enumerate(self._kids):
            self.reads[node, self._variables[node]] = True
            for kid in kids:
                if kid >= 0:
                    self.reads[node] |= self.reads[kid]

    def _write(self, value: Value) -> Value:
        """The diagram with its variables in the table's order."""
        if type(value) is not Diagram:
            return value
        known = self._written.get(id(value))
        if known is None:
            kids = tuple([self._write(kid) for kid in value.kids])
            known = self._written[id(value)] = self._ordered.combine(self._place[value.var], kids)
        return known

    def _code(self, value: Value) -> int:
        if type(value) is not Diagram:
            return -1 - int(value)
        known = self._numbers.get(id(value))
        if known is None:
            kids = tuple([self._code(kid) for kid in value.kids])
            known = self._numbers[id(value)] = len(self._kids)
            self._variables.append(value.var)
            self._kids.append(kids)
        return known

    def read_by(self, code: int) -> Array:
        """Which variables a code still depends on."""
        found: Array = self.reads[code] if code >= 0 else np.zeros(len(self.sizes), dtype=bool)
        return found

    def leaves_of(self, code: int) -> frozenset[int]:
        """The leaves that a node may come to."""
        known = self._leaves.get(code)
        if known is None:
            parts = [{-1 - kid} if kid < 0 else self.leaves_of(kid) for kid in self._kids[code]]
            known = self._leaves[code] = frozenset().union(*parts)
        return known

    def step(self, codes: Array, variable: int, picks: Array) -> Array:
        """The codes after a pick of a variable, which comes before all that they still read."""
        here = codes >= 0
        here[here] = self.variables[codes[here]] == variable
        if not here.any():
            return codes
        after = codes.copy()
        after[here] = self.kids[codes[here], np.broadcast_to(picks, codes.shape)[here]]
        return after

    def steps(self, codes: Array, variables: Sequence[int], picks: Array) -> Array:
        """The codes after picks of several variables, the last axis of `picks`."""
        for column, variable in enumerate(variables):
            codes = self.step(codes, variable, picks[..., column])
        return codes


def expanded(table: Table, rows: Array, variable: int, conditions: Sequence[int]) -> Array:
    """The rows for all picks of a variable; those in which a condition (a column) comes out False are
    left out. Raises Entangled where there are too many."""
    size = table.sizes[variable]
    limited(len(rows) * size // 2, rows.shape[1])
    picks = np.repeat(np.arange(size, dtype=np.int32), len(rows))
    rows = table.step(np.tile(rows, (size, 1)), variable, picks[:, None])
    rows = distinct_rows(rows[kept(rows, conditions)])[0]
    limited(*rows.shape)
    return rows


def kept(rows: Array, conditions: Sequence[int]) -> Array:
    """Whether no condition has come out False."""
    found: Array = (rows[:, conditions] != -1).all(axis=1)
    return found


def limited(rows: int, columns: int) -> None:
    """Raises Entangled where there are too many rows."""
    if rows > MAX_ROWS or rows * columns > MAX_ENTRIES:
        most = min(MAX_ROWS, MAX_ENTRIES // columns)
        raise Entangled(f"more than {most:,} combinations of decisions hang together")


def distinct_rows(rows: Array) -> tuple[Array, Array]:
    """The different rows of a matrix of ints, and for each row the place of its equal among them."""
    count, width = rows.shape
    if count <= 1 or width == 0:
        return rows[:1], np.zeros(count, dtype=np.int64)
    for seed in range(4):
        keys = hashed(rows, seed)
        order = np.argsort(keys, kind="stable")
        ordered, sorted_keys = rows[order], keys[order]
        same_key = sorted_keys[1:] == sorted_keys[:-1]
        same_row = same_key.copy()
        places = np.flatnonzero(same_key)
        same_row[places] = (ordered[places + 1] == ordered[places]).all(axis=1)
        if (same_row == same_key).all():
            starts = np.concatenate([[True], ~same_row])
            inverse = np.empty(count, dtype=np.int64)
            inverse[order] = np.cumsum(starts) - 1
            return ordered[starts], inverse
    found, inverse = np.unique(rows, axis=0, return_inverse=True)
    return found, inverse.reshape(-1)


def hashed(rows: Array, seed: int) -> Array:
    """A 64-bit hash of each row."""
    factors = np.random.default_rng(seed).integers(1, 2**63, size=rows.shape[1], dtype=np.uint64) * np.uint64(
        2
    ) + np.uint64(1)
    total = np.zeros(len(rows), dtype=np.uint64)
    for column, factor in zip(rows.T, factors, strict=True):
        total += mixed(column.astype(np.uint64) * factor)
    return total


def mixed(values: Array) -> Array:
    """The finaliser of splitmix64: every bit of the input changes about half of the output's."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    found: Array = values ^ (values >> np.uint64(31))
    return found


def repeated(values: Array) -> Array:
    """Which entries stand in their row more than once."""
    order = np.argsort(values, axis=1, kind="stable")
    ordered = np.take_along_axis(values, order, axis=1)
    same = np.zeros(values.shape, dtype=bool)
    same[:, 1:] = ordered[:, 1:] == ordered[:, :-1]
    same[:, :-1] |= same[:, 1:]
    found = np.empty_like(same)
    np.put_along_axis(found, order, same, axis=1)
    return found
