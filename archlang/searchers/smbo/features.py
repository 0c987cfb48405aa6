"""Programs as arrays for surrogates, in any space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from archlang.diagnostics import ArchError
from archlang.semantics.decision import Decision, Subsets
from archlang.space.encoding import Encoder, is_ordered

if TYPE_CHECKING:
    from archlang.space import Choices, Space

Array = np.ndarray[Any, Any]


class Features:
    """The encoding of a space; where its decisions cannot be listed, of those met so far."""

    def __init__(self, space: Space):
        self._space = space
        self._met: dict[Decision, None] | None = None
        try:
            self.encoder = space.encoder
        except ArchError:
            self._met = {}
            self.encoder = Encoder(())

    def meet(self, choices: Choices) -> None:
        """Take a program into account whose decisions may not have been met before."""
        if self._met is None:
            return
        known = len(self._met)
        self._met.update((decision, None) for decision, _ in self._space.trace(choices))
        if len(self._met) > known:
            self.encoder = Encoder(tuple(self._met))

    def vectors(self, choices: Sequence[Mapping[str, Any]]) -> Array:
        """The programs as vectors, see `Encoder`."""
        return self.encoder.many(choices)

    def parts(self, choices: Sequence[Mapping[str, Any]]) -> Parts:
        """The programs for kernels."""
        return Parts(self.encoder, self.vectors(choices))


class Parts:
    """Vectors taken apart by the kind of decision: what differs between two programs, counted over the
    decisions that both make (where one makes a decision and the other not, a decision above differs
    already)."""

    def __init__(self, encoder: Encoder, vectors: Array):
        kinds: dict[str, list[int]] = {"picked": [], "made": [], "number": [], "element": []}
        widths = []
        for block in encoder.blocks:
            columns = list(range(block.start, block.start + block.width))
            if isinstance(block.decision.domain, Subsets):
                kinds["element"] += columns
            elif is_ordered(block.decision.domain):
                kinds["made"].append(columns[0])
                kinds["number"].append(columns[1])
            else:
                kinds["picked"] += columns
                widths.append(block.width)
        self.picked = vectors[:, kinds["picked"]]
        starts = np.cumsum([0, *widths])[:-1]
        self.decided = np.add.reduceat(self.picked, starts, axis=1) if widths else self.picked[:, :0]
        self.made = vectors[:, kinds["made"]]
        self.numbers = vectors[:, kinds["number"]]
        self.elements = vectors[:, kinds["element"]]

    def mismatches(self, others: Parts) -> Array:
        """How many unordered decisions differ, an element of a subset being half a decision: (programs,
        others)."""
        differ = self.decided @ others.decided.T - self.picked @ others.picked.T
        if self.elements.shape[1]:
            differ = differ + 0.5 * _squared(self.elements, others.elements)
        found: Array = differ
        return found

    def distances(self, others: Parts) -> Array:
        """The squared distance of numbers in the unit interval: (programs, others)."""
        squares = self.numbers**2 @ others.made.T + self.made @ (others.numbers**2).T
        found: Array = squares - 2 * self.numbers @ others.numbers.T
        return np.maximum(found, 0.0)

    @property
    def has_numbers(self) -> bool:
        return bool(self.numbers.shape[1])

    @property
    def has_picks(self) -> bool:
        return bool(self.picked.shape[1] + self.elements.shape[1])


def _squared(one: Array, other: Array) -> Array:
    found: Array = (one**2).sum(axis=1)[:, None] + (other**2).sum(axis=1)[None] - 2 * one @ other.T
    return np.maximum(found, 0.0)
