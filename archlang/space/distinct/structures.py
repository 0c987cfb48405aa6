"""The networks of a fragment with only the nodes that may still be live, for many rows at once.

Once the decisions are taken that others hang from, much of a fragment is known to be dead. What is
left is a structure: nodes in order, each with what its operation and its inputs still depend on.
Rows with equal structures are one from here on, whatever they said about nodes that are not used.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
import numpy as np

from archlang.space.distinct.rows import Array, Table, distinct_rows
from archlang.space.distinct.varied import Fragment, Options

CHUNK = 20_000_000  # values of the rows worked on at a time


@attrs.frozen
class Term:
    """What is left to say of a node's operation: one of the options, by a code of the table; and
    the set of nodes with which it has weights in common (0: none)."""

    options: int
    code: int
    tied: int


@attrs.frozen
class Link:
    """An input that is still open: one of the values, by a code of the table (-1: none)."""

    code: int
    values: tuple[int, ...]


@attrs.frozen(eq=False)
class Structure:
    """Values are numbered: sources first, then the nodes in order. `terms` has one for each node,
    `inputs` the values that it takes and `roots` the results. Numbers from the store's `open` on
    are its links; -1 is none."""

    terms: Array
    inputs: Array
    roots: Array


class Structures:
    """The different structures of one fragment; `columns` says where rows hold what is left of a
    diagram, by the diagram's identity."""

    def __init__(self, fragment: Fragment, table: Table, columns: Mapping[int, int]):
        self.fragment = fragment
        self.open = fragment.sources + len(fragment.parts)
        self.found: list[Structure] = []
        self.terms: list[Term] = []
        self.links: list[Link] = []
        self.options: list[tuple[Any, ...]] = []
        self._table = table
        self._columns = columns
        self._numbers: dict[Any, int] = {}
        self._term_numbers: dict[Term, int] = {}
        self._link_numbers: dict[Link, int] = {}
        self._option_numbers: dict[tuple[Any, ...], int] = {}
        self._tied = _tied(fragment)

    def of(self, rows: Array) -> Array:
        """The number of each row's structure."""
        step = max(1, min(40_000, CHUNK // self.open))
        found = [self._chunk(rows[start : start + step]) for start in range(0, len(rows), step)]
        return np.concatenate(found)

    @property
    def reads(self) -> Array:
        """Which variables each structure still depends on: (structures, variables)."""
        found = np.zeros((len(self.found), len(self._table.sizes)), dtype=bool)
        if any(thing.code >= 0 for things in (self.terms, self.links) for thing in things):
            terms = np.array([self._table.read_by(term.code) for term in self.terms])
            links = np.array([self._table.read_by(link.code) for link in self.links])
            for place, structure in enumerate(self.found):
                given = np.concatenate([structure.inputs.ravel(), structure.roots])
                given = given[given >= self.open] - self.open
                found[place] = terms[structure.terms].any(axis=0)
                if len(given):
                    found[place] |= links[given].any(axis=0)
        return found

    def _chunk(self, rows: Array) -> Array:
        sources, parts = self.fragment.sources, self.fragment.parts
        count = len(rows)
        live = np.zeros((count, self.open), dtype=bool)
        everywhere = np.arange(count)
        roots = [(options, self._wanted(options, rows, everywhere, live)) for _, options in self.fragment.roots]
        used = []
        for number in range(len(parts) - 1, -1, -1):
            places = np.flatnonzero(live[:, sources + number])
            if len(places):
                options = parts[number].inputs
                given = [(each, self._wanted(each, rows[places], places, live)) for each in options]
                used.append((number, places, given))
        position = np.cumsum(live[:, sources:], axis=1, dtype=np.int32) + (sources - 1)
        sized = np.tile(np.arange(sources, dtype=np.int32), (count, 1))
        position = np.concatenate([sized, position, np.full((count, 1), -1, dtype=np.int32)], axis=1)
        longest = int(live[:, sources:].sum(axis=1).max(initial=0))
        width = max((len(given) for _, _, given in used), default=0)
        terms = np.full((count, longest), -1, dtype=np.int32)
        inputs = np.full((count, longest, width), -1, dtype=np.int32)
        for number, places, given in used:
            at = position[places, sources + number] - sources
            terms[places, at] = self._terms_of(number, rows[places])
            for axis, (each, codes) in enumerate(given):
                inputs[places, at, axis] = self._values(each, codes, position[places])
        ends = [self._values(options, codes, position)[:, None] for options, codes in roots]
        content = np.concatenate([*ends, terms, inputs.reshape(count, -1)], axis=1)
        different, inverse = distinct_rows(np.ascontiguousarray(content, dtype=np.int32))
        return np.array(self._numbered(different, len(roots), longest), dtype=np.int32)[inverse]

    def _wanted(self, options: Options, rows: Array, places: Array, live: Array) -> Array:
        """What is left of the options in each row; whatever they may come to is live."""
        codes = self._codes(options, rows)
        things = np.array(options.things, dtype=np.int32)
        closed = codes < 0
        targets = things[-1 - codes[closed]]
        live[places[closed][targets >= 0], targets[targets >= 0]] = True
        for code in np.unique(codes[~closed]).tolist():
            for leaf in self._table.leaves_of(code):
                if things[leaf] >= 0:
                    live[places[codes == code], things[leaf]] = True
        return codes

    def _values(self, options: Options, codes: Array, position: Array) -> Array:
        """The values that the rows take, as a structure numbers them."""
        things = np.array(options.things, dtype=np.int32)
        values = np.empty(len(codes), dtype=np.int32)
        closed = codes < 0
        values[closed] = position[closed, things[-1 - codes[closed]]]
        still = np.flatnonzero(~closed)
        if len(still):
            # A value that the code no longer leads to is none, so that equal links meet.
            reached = np.zeros((len(self._table.variables), len(things)), dtype=bool)
            for code in np.unique(codes[still]).tolist():
                reached[code, list(self._table.leaves_of(code))] = True
            leads = np.where(reached[codes[still]], position[still][:, things], -1)
            different, inverse = distinct_rows(np.concatenate([codes[still, None], leads], axis=1))
            numbers = [self.open + self._link(Link(row[0], tuple(row[1:]))) for row in different.tolist()]
            values[still] = np.array(numbers, dtype=np.int32)[inverse]
        return values

    def _codes(self, options: Options, rows: Array) -> Array:
        column = self._columns.get(id(options.which))
        if column is None:
            return np.full(len(rows), -1 - int(options.which), dtype=np.int32)
        codes: Array = rows[:, column]
        return codes

    def _terms_of(self, number: int, rows: Array) -> Array:
        operation = self.fragment.parts[number].operation
        options = self._option_numbers.setdefault(operation.things, len(self.options))
        if options == len(self.options):
            self.options.append(operation.things)
        codes, inverse = np.unique(self._codes(operation, rows), return_inverse=True)
        terms = [self._term(Term(options, code, self._tied[number])) for code in codes.tolist()]
        return np.array(terms, dtype=np.int32)[inverse]

    def _term(self, term: Term) -> int:
        number = self._term_numbers.setdefault(term, len(self.terms))
        if number == len(self.terms):
            self.terms.append(term)
        return number

    def _link(self, link: Link) -> int:
        number = self._link_numbers.setdefault(link, len(self.links))
        if number == len(self.links):
            self.links.append(link)
        return number

    def _numbered(self, rows: Array, roots: int, longest: int) -> list[int]:
        """The numbers of structures written as rows: roots, terms, inputs, filled up with -1."""
        terms = rows[:, roots : roots + longest]
        inputs = rows[:, roots + longest :].reshape(len(rows), longest, -1) if longest else rows[:, :0, None]
        sizes = (terms >= 0).sum(axis=1).tolist()
        widths = (inputs >= 0).any(axis=1).sum(axis=1).tolist()
        found = []
        for place, (size, width) in enumerate(zip(sizes, widths, strict=True)):
            own = Structure(terms[place, :size], inputs[place, :size, :width], rows[place, :roots])
            key = own.roots.tobytes(), own.terms.tobytes(), own.inputs.tobytes(), width
            number = self._numbers.setdefault(key, len(self.found))
            if number == len(self.found):
                self.found.append(own)
            found.append(number)
        return found


def _tied(fragment: Fragment) -> list[int]:
    """For each part the number of the set of parts that have weights at one place; 0 when alone."""
    holders: dict[str, list[int]] = {}
    for number, part in enumerate(fragment.parts):
        if part.weights_at:
            holders.setdefault(part.weights_at, []).append(number)
    tied = [0] * len(fragment.parts)
    for group, members in enumerate((m for m in holders.values() if len(m) > 1), 1):
        for member in members:
            tied[member] = group
    return tied
