"""Networks as words: cut at every value that all paths pass, with a letter for each part between."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from archlang.space.distinct.catalogue import Catalogue
from archlang.space.distinct.letters import Letters
from archlang.space.distinct.networks import Networks
from archlang.space.distinct.rows import Array, distinct_rows

NO_NETWORK = 0  # the word, and its only letter, of programs without a tensor


class Words:
    """Numbers words as they come; networks with one source and one root have equal words when they
    are equal, and only then. Others are words of one letter."""

    def __init__(self, catalogue: Catalogue):
        self.known: list[tuple[int, ...]] = [(NO_NETWORK,)]
        self._catalogue = catalogue
        self._letters = Letters(catalogue, NO_NETWORK + 1)
        self._numbers = {word: number for number, word in enumerate(self.known)}

    def numbers(self, letters: Array) -> Array:
        """The number of each row's word; -1 stands for no letter."""
        different, inverse = distinct_rows(letters)
        numbers = []
        for row in different.tolist():
            word = tuple([letter for letter in row if letter >= 0])
            number = self._numbers.setdefault(word, len(self.known))
            if number == len(self.known):
                self.known.append(word)
            numbers.append(number)
        return np.array(numbers, dtype=np.int64)[inverse]

    def letters(self, networks: Networks, named: Sequence[str]) -> Array:
        """The letters of each network, in order, with -1 where it has fewer. `named` are the names
        of its roots."""
        count, size = networks.operations.shape
        there = np.flatnonzero((networks.roots >= 0).any(axis=1))
        if len(there) < count:
            made = self.letters(networks.at(there), named) if len(there) else np.empty((0, 1), dtype=np.int64)
            found = np.full((count, made.shape[1]), -1, dtype=np.int64)
            found[:, 0] = NO_NETWORK
            found[there] = made
            return found
        if networks.sources != 1 or len(named) != 1:
            return self._whole(networks, named)[:, None]
        if not size:
            return np.full((count, 1), -1, dtype=np.int64)
        labels = self._catalogue.facts[networks.operations, 0]
        rows, ends = np.nonzero(_cuts(networks))
        first = np.concatenate([[True], rows[1:] != rows[:-1]])
        starts = np.where(first, 0, np.concatenate([[0], ends[:-1]]))
        place = np.arange(len(rows)) - np.maximum.accumulate(np.where(first, np.arange(len(rows)), 0))
        found = np.full((count, int(place.max()) + 1), -1, dtype=np.int64)
        lengths = ends - starts
        for length in np.unique(lengths).tolist():
            these = np.flatnonzero(lengths == length)
            row, start = rows[these, None], starts[these, None]
            nodes = start + np.arange(length)
            inputs = networks.inputs[row, nodes]
            inputs = np.where(inputs >= 0, inputs - start[:, :, None], -1)
            found[rows[these], place[these]] = self._classes(labels[row, nodes], inputs, networks.tied[row, nodes], 1)
        return found

    def _whole(self, networks: Networks, named: Sequence[str]) -> Array:
        """Networks as one letter each; a node for each root says what it is called."""
        count, _, width = networks.inputs.shape
        called = np.array([self._catalogue.label(("result", name)) for name in named])
        roots = np.full((count, len(named), max(width, 1)), -1, dtype=np.int32)
        roots[:, :, 0] = networks.roots
        return self._classes(
            np.concatenate([self._catalogue.facts[networks.operations, 0], np.tile(called, (count, 1))], axis=1),
            np.concatenate([_widened(networks.inputs, roots.shape[2]), roots], axis=1),
            np.concatenate([networks.tied, np.zeros((count, len(named)), dtype=np.int32)], axis=1),
            networks.sources,
        )

    def _classes(self, labels: Array, inputs: Array, tied: Array, sources: int) -> Array:
        """The letters of graphs; a node for each set of nodes with weights in common goes with them."""
        if not tied.any():
            return self._letters.numbers(labels, inputs, sources)
        found = np.empty(len(labels), dtype=np.int64)
        patterns, inverse = distinct_rows(tied)
        tie = self._catalogue.label("tie", commutative=True)
        for number, pattern in enumerate(patterns):
            rows = np.flatnonzero(inverse == number)
            sets = [np.flatnonzero(pattern == group) for group in np.unique(pattern[pattern > 0])]
            sets = [members for members in sets if len(members) > 1]
            width = max([inputs.shape[2], *map(len, sets)])
            members_of = np.full((len(sets), width), -1, dtype=np.int32)
            for place, members in enumerate(sets):
                members_of[place, : len(members)] = members + sources
            found[rows] = self._letters.numbers(
                np.concatenate([labels[rows], np.full((len(rows), len(sets)), tie)], axis=1),
                np.concatenate([_widened(inputs[rows], width), np.tile(members_of, (len(rows), 1, 1))], axis=1),
                sources,
            )
        return found


def _widened(inputs: Array, width: int) -> Array:
    missing = np.full((*inputs.shape[:2], width - inputs.shape[2]), -1, dtype=np.int32)
    return np.concatenate([inputs, missing], axis=2)


def _cuts(networks: Networks) -> Array:
    """The values of networks with one source and one root (the last node) that all paths pass, and no
    tied weights span: (networks, 1 + nodes), the source left out."""
    count, size = networks.operations.shape
    used_until = np.zeros((count, 1 + size), dtype=np.int32)
    tied_until = np.zeros((count, 1 + size), dtype=np.int32)
    rows = np.arange(count)
    for node in range(size):
        for axis in range(networks.inputs.shape[2]):
            there = rows[networks.inputs[:, node, axis] >= 0]
            used_until[there, networks.inputs[there, node, axis]] = node + 1
    if networks.tied.any():
        for node in range(size):
            for later in range(node + 1, size):
                same = (networks.tied[:, node] > 0) & (networks.tied[:, node] == networks.tied[:, later])
                tied_until[same, node + 1] = later + 1
    before = np.zeros_like(used_until)
    before[:, 1:] = np.maximum.accumulate(used_until, axis=1)[:, :-1]
    values = np.arange(1 + size)
    found: Array = (before <= values) & (np.maximum.accumulate(tied_until, axis=1) <= values) & (values > 0)
    return found
