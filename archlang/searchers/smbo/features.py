"""Programs as arrays for surrogates, in any space."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from archlang.diagnostics import ArchError
from archlang.searchers.smbo.meanings import graph_counts
from archlang.semantics.decision import Decision
from archlang.space.encoding import Encoder, is_ordered

if TYPE_CHECKING:
    from archlang.space import Choices, SearchSpace

Array = np.ndarray[Any, Any]


CHOICES, GRAPH, BOTH = ENCODINGS = ("choices", "graph", "both")


class Features:
    """What surrogates see of programs: their choices, as the space encodes them (where its decisions
    cannot be listed: those met so far), the neighbourhoods in their graphs, or both."""

    def __init__(self, space: SearchSpace, encoding: str = CHOICES):
        self._space = space
        self._encoding = encoding
        self._columns: dict[str, int] = {}  # of the neighbourhoods met in programs told
        self._met: dict[Decision, None] | None = None
        try:
            self.encoder = space.encoder
        except ArchError:
            self._met = {}
            self.encoder = Encoder(())

    def meet(self, choices: Choices) -> None:
        """Take a program into account whose decisions and neighbourhoods may not have been met before."""
        if self._encoding != CHOICES:
            for label in graph_counts(self._space, choices):
                self._columns.setdefault(label, len(self._columns))
        if self._met is None:
            return
        known = len(self._met)
        self._met.update((decision, None) for decision, _ in self._space.trace(choices))
        if len(self._met) > known:
            self.encoder = Encoder(tuple(self._met))

    @property
    def sees_graphs(self) -> bool:
        """Whether the programs met have networks, and these are seen."""
        return bool(self._columns)

    def vectors(self, choices: Sequence[Choices]) -> Array:
        """The programs as vectors: see `Encoder`, then how often each neighbourhood occurs (the logarithm of
        one more than that)."""
        parts = []
        if self._encoding != GRAPH or not self._columns:
            parts.append(self.encoder.many(choices))
        if self._columns:
            parts.append(np.log1p(self._counts(choices)))
        return np.concatenate(parts, axis=1)

    def parts(self, choices: Sequence[Choices]) -> Parts:
        """The programs for kernels."""
        seen = self.encoder if self._encoding != GRAPH or not self._columns else Encoder(())
        return Parts(seen, seen.many(choices), self._counts(choices))

    def _counts(self, choices: Sequence[Choices]) -> Array:
        found = np.zeros((len(choices), len(self._columns)))
        for row, each in zip(found, choices if self._columns else (), strict=False):
            for label, count in graph_counts(self._space, each).items():
                column = self._columns.get(label)
                if column is not None:
                    row[column] = count
        return found


class Parts:
    """Vectors taken apart by the kind of decision, for distances that are those of Euclidean points, so
    that exponentials of them are kernels. A decision counts half as much as the one in whose alternative it
    stands; one that only one of two programs makes counts half of one that differs."""

    def __init__(self, encoder: Encoder, vectors: Array, counts: Array):
        picked: list[int] = []
        numbers: list[tuple[int, int]] = []
        weights = np.ones(encoder.width)
        for block in encoder.blocks:
            columns = range(block.start, block.start + block.width)
            weights[columns.start : columns.stop] = 0.5 ** (len(block.decision.parents) / 2)
            if is_ordered(block.decision.domain):
                numbers.append((columns[0], columns[1]))
            else:
                picked += columns
        made, value = ([pair[place] for pair in numbers] for place in range(2))
        self.picked = vectors[:, picked] * weights[picked]
        self.numbers = vectors[:, made] * (vectors[:, value] - 0.5) * weights[value]
        self._flat = np.concatenate([self.picked, 2 * self.numbers], axis=1)
        self._decisions = max(1, len(encoder.blocks))
        self.counts = np.log1p(counts)

    def mismatches(self, others: Parts) -> Array:
        """How many unordered decisions differ, an element of a subset being half a decision: (programs,
        others)."""
        return 0.5 * _squared(self.picked, others.picked)

    def distances(self, others: Parts) -> Array:
        """The squared distance of numbers in the unit interval, of which those that are not decided lie in the
        middle: (programs, others)."""
        return _squared(self.numbers, others.numbers)

    def contrasts(self, others: Parts) -> Array:
        """The squared distance of the logarithms of the neighbourhoods' counts: (programs, others). In an
        exponential this is a Weisfeiler-Lehman kernel."""
        return _squared(self.counts, others.counts)

    def products(self, others: Parts) -> Array:
        """The inner products of programs as centred points, one on the mean for a decision that differs
        nowhere: (programs, others)."""
        found: Array = self._flat @ others._flat.T / self._decisions
        return found

    @property
    def squares(self) -> Array:
        """The inner product of each program with itself."""
        found: Array = (self._flat**2).sum(axis=1) / self._decisions
        return found

    @property
    def has_picks(self) -> bool:
        return bool(self.picked.shape[1])

    @property
    def has_numbers(self) -> bool:
        return bool(self.numbers.shape[1])

    @property
    def has_graphs(self) -> bool:
        return bool(self.counts.shape[1])


def _squared(one: Array, other: Array) -> Array:
    found: Array = (one**2).sum(axis=1)[:, None] + (other**2).sum(axis=1)[None] - 2 * one @ other.T
    return np.maximum(found, 0.0)
