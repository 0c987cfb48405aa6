"""Many networks as arrays: read off structures and picks, and simplified as canonical forms are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import attrs
import numpy as np

from archlang.semantics.fault import Entangled
from archlang.space.distinct.catalogue import Catalogue
from archlang.space.distinct.rows import Array, Table, hashed, repeated
from archlang.space.distinct.structures import Structures

CHUNK = 12_000_000  # numbers that describe the networks worked on at a time


@attrs.frozen(eq=False)
class Networks:
    """Networks of equally many nodes. Values are numbered: `sources` first, then the nodes in order.
    `operations` are the catalogue's (networks, nodes), `inputs` values (networks, nodes, inputs), -1
    for none, `tied` says which nodes have weights in common (0: none), `roots` are values, -1 for
    results that a network does not have."""

    operations: Array
    inputs: Array
    tied: Array
    roots: Array
    sources: int

    def at(self, rows: Array) -> Networks:
        """Some of the networks."""
        return Networks(self.operations[rows], self.inputs[rows], self.tied[rows], self.roots[rows], self.sources)


def networks(
    structures: Structures, table: Table, catalogue: Catalogue, numbers: Array, picks: Array, variables: Sequence[int]
) -> Iterator[tuple[Array, Networks]]:
    """The networks given by their structures and the picks of the variables that these still depend
    on (one column each), simplified: places among the rows, and networks of one size."""
    _check_ties(structures)
    reader = _Reader(structures, table, catalogue, variables)
    sizes = np.array([len(structure.terms) for structure in structures.found], dtype=np.int64)
    widths = np.array([structure.inputs.shape[1] for structure in structures.found], dtype=np.int64)
    facts = catalogue.facts
    for size in np.unique(sizes[numbers]).tolist():
        places = np.flatnonzero(sizes[numbers] == size)
        step = max(1, CHUNK // ((size + 1) * (4 + int(widths[numbers[places]].max()))))
        for start in range(0, len(places), step):
            here = places[start : start + step]
            found = reader.read(numbers[here], picks[here])
            for part, live in _compact(found, _live(found), _values(found)):
                live.tied[~repeated(live.tied)] = 0  # the others are alternatives of the program's
                for inner, simple in _compact(live, *_merged(live, facts)):
                    yield here[part][inner], simple


class _Reader:
    def __init__(self, structures: Structures, table: Table, catalogue: Catalogue, variables: Sequence[int]):
        self._structures, self._table, self._variables = structures, table, variables
        terms, links, options = structures.terms, structures.links, structures.options
        known = [[catalogue.number(thing) if thing is not None else -1 for thing in things] for things in options]
        starts = np.cumsum([0, *map(len, known)])
        self._operations = np.array([number for numbers in known for number in numbers], dtype=np.int64)
        self._term_codes = np.array([term.code for term in terms], dtype=np.int32)
        self._term_starts = np.array([starts[term.options] for term in terms], dtype=np.int64)
        self._tied = np.array([term.tied for term in terms], dtype=np.int32)
        self._link_codes = np.array([link.code for link in links], dtype=np.int32)
        self._link_starts = np.cumsum([0, *(len(link.values) for link in links)])
        self._linked = np.array([value for link in links for value in link.values], dtype=np.int32)

    def read(self, numbers: Array, picks: Array) -> Networks:
        """The networks of some structures (of one size) and picks."""
        different, inverse = np.unique(numbers, return_inverse=True)
        found = [self._structures.found[number] for number in different.tolist()]
        size = len(found[0].terms)
        width = max(structure.inputs.shape[1] for structure in found)
        inputs = np.full((len(found), size, width), -1, dtype=np.int32)
        for place, structure in enumerate(found):
            inputs[place, :, : structure.inputs.shape[1]] = structure.inputs
        roots = np.array([structure.roots for structure in found], dtype=np.int32)
        terms = np.array([structure.terms for structure in found], dtype=np.int64).reshape(len(found), size)[inverse]
        codes = self._table.steps(self._term_codes[terms], self._variables, picks[:, None])
        operations = self._operations[self._term_starts[terms] - 1 - codes]
        return Networks(
            operations,
            self._followed(inputs[inverse], picks[:, None, None]),
            self._tied[terms],
            self._followed(roots[inverse], picks[:, None]),
            self._structures.fragment.sources,
        )

    def _followed(self, values: Array, picks: Array) -> Array:
        """The values, with links followed."""
        where = np.nonzero(values >= self._structures.open)
        if len(where[0]):
            links = values[where] - self._structures.open
            picked = np.broadcast_to(picks, (*values.shape, picks.shape[-1]))[where]
            codes = self._table.steps(self._link_codes[links], self._variables, picked)
            values[where] = self._linked[self._link_starts[links] - 1 - codes]
        return values


def _check_ties(structures: Structures) -> None:
    """Raises Entangled where tied ops have different weights: which of them are shared is not told apart."""
    names: dict[int, set[frozenset[str]]] = {}
    for term in structures.terms:
        if term.tied:
            for thing in structures.options[term.options]:
                if thing is not None:
                    names.setdefault(term.tied, set()).add(frozenset(weight.name for weight in thing.weights))
    if any(len(different) > 1 for different in names.values()):
        raise Entangled("ops with different weights are tied")


def _values(found: Networks) -> Array:
    """Every value standing for itself."""
    count, size = found.operations.shape
    return np.tile(np.arange(found.sources + size, dtype=np.int32), (count, 1))


def _live(found: Networks) -> Array:
    """The nodes that the roots are computed from: (networks, nodes)."""
    count, size = found.operations.shape
    live = np.zeros((count, found.sources + size + 1), dtype=bool)  # the last column stands for no value
    rows = np.arange(count)
    live[rows[:, None], found.roots] = True
    for node in range(size - 1, -1, -1):
        there = rows[live[:, found.sources + node]]
        if len(there):
            live[there[:, None], found.inputs[there, node]] = True
    return live[:, found.sources : -1]


def _merged(found: Networks, facts: Array) -> tuple[Array, Array]:
    """Which nodes are left without identities and repeated computations (as `archlang.ir.passes`
    leaves them out), and the value that stands for each."""
    count, size, width = found.inputs.shape
    sources = found.sources
    stands_for = np.concatenate([_values(found), np.full((count, 1), -1, dtype=np.int32)], axis=1)
    labels, commutes, identity, stochastic, weighted = (facts[found.operations, fact] for fact in range(5))
    tied = np.where(weighted, found.tied, 0)
    mergeable = (stochastic == 0) & (identity == 0) & ((weighted == 0) | (tied > 0))
    keys = np.empty((count, size, width + 2), dtype=np.int32)
    hashes = np.empty((count, size), dtype=np.uint64)
    rows = np.arange(count)
    for node in range(size):
        given = stands_for[rows[:, None], found.inputs[:, node]]
        unchanged = np.flatnonzero(identity[:, node])
        stands_for[unchanged, sources + node] = given[unchanged, 0]
        keys[:, node, 0], keys[:, node, 1] = labels[:, node], tied[:, node]
        keys[:, node, 2:] = np.where(commutes[:, node, None], np.sort(given, axis=1), given)
        hashes[:, node] = hashed(keys[:, node], 0)
        alike = (hashes[:, :node] == hashes[:, node, None]) & mergeable[:, :node] & mergeable[:, node, None]
        places, earlier = np.nonzero(alike)
        same = (keys[places, earlier] == keys[places, node]).all(axis=1)
        stands_for[places[same], sources + node] = stands_for[places[same], sources + earlier[same]]
    return stands_for[:, sources:-1] == np.arange(sources, sources + size), stands_for[:, :-1]


def _compact(found: Networks, kept: Array, stands_for: Array) -> Iterator[tuple[Array, Networks]]:
    """The networks with only some nodes, by how many these are. Nodes that are left out, and yet are
    inputs, have another value that stands for them."""
    count, sources = len(kept), found.sources
    number = np.empty((count, stands_for.shape[1] + 1), dtype=np.int32)
    number[:, :sources] = np.arange(sources)
    number[:, sources:-1] = np.cumsum(kept, axis=1) + (sources - 1)
    number[:, :-1] = np.take_along_axis(number, stands_for, axis=1)
    number[:, -1] = -1  # of no value
    sizes = kept.sum(axis=1)
    for size in np.unique(sizes).tolist():
        part = np.flatnonzero(sizes == size)
        nodes = np.nonzero(kept[part])[1].reshape(len(part), size)
        inputs = found.inputs[part[:, None], nodes]
        yield (
            part,
            Networks(
                found.operations[part[:, None], nodes],
                number[part[:, None, None], inputs],
                found.tied[part[:, None], nodes],
                number[part[:, None], found.roots[part]],
                sources,
            ),
        )
