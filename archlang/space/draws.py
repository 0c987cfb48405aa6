"""Drawing programs by weight from paths, within limits on costs: many at a time, none thrown away
but those that only the rounding of costs let in.

A program's weight is the product of the weights of the decisions that it makes: 1 for draws even
over programs, 1/size for draws even over the picks of each decision.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from archlang.space.paths import DEAD, END, Paths
from archlang.space.tables import MAX_DRAWN, Lattice, add_shifted, lattice

Array = np.ndarray[Any, Any]
LARGE = 2.0**400
BATCH = 4_096
MAX_TRIES = 4_000_000  # draws that the exact costs refuse before giving up


class PathArrays:
    """Paths as flat arrays: node n has the edges `first[n]`, `first[n] + 1`, ..."""

    def __init__(self, paths: Paths):
        self.root, self._base, self._unsure = paths.root, np.array(paths.base, dtype=np.int64), paths.unsure
        self._order = paths.order
        self.widths = np.array([len(kids) for kids in paths.kids], dtype=np.int64)
        self.first: Array = np.concatenate([[0], np.cumsum(self.widths)]).astype(np.int64)
        self.kids: Array = np.array([kid for kids in paths.kids for kid in kids], dtype=np.int64)
        self.costs: Array = np.array([c for costs in paths.costs for c in costs], dtype=np.int64)
        self.costs = self.costs.reshape(len(self.kids), len(paths.base))
        self.places: Array = np.array(paths.places, dtype=np.int64)

    def walk(self, picks: Array) -> tuple[Array, Array]:
        """Follow picks, given as an array of (decisions in order, programs), -1 where one is not
        made. Which programs are paths that make these decisions and no others; and the sums of
        what their edges add: (programs, sums)."""
        count = picks.shape[1]
        totals = np.tile(self._base, (count, 1))
        node = np.full(count, self.root, dtype=np.int64)
        made = np.zeros(count, dtype=np.int64)
        for place in self._order:
            rows = np.flatnonzero(self.places[node] == place)
            if not rows.size:
                continue
            pick = picks[place, rows]
            if place in self._unsure:
                pick = np.where(pick < 0, self.widths[node[rows]] - 1, pick).astype(np.int32)
                made[rows] -= picks[place, rows] < 0
            if (pick < 0).any():
                node[rows[pick < 0]] = DEAD
                rows, pick = rows[pick >= 0], pick[pick >= 0]
            edge = self.first[node[rows]] + pick
            totals[rows] += self.costs[edge]
            node[rows] = self.kids[edge]
            made[rows] += 1
        return (node == END) & (made == (picks >= 0).sum(axis=0)), totals


class Draws:
    """The chances of every edge, worked out from the end.

    Raises `NoPrograms` when no program keeps within the limits.
    """

    def __init__(self, paths: Paths, limits: Sequence[int], weights: Sequence[float], sizes: Sequence[int]):
        self.paths = paths
        self._limits = np.array(limits, dtype=np.int64)
        self._sizes = sizes
        self._place_weights = weights
        found = lattice(paths, limits, False, kept=MAX_DRAWN) if limits else None
        if paths.root == DEAD or (limits and found is None):
            raise NoPrograms
        self._lattice: Lattice | None = found if found is not None and found.dimensions else None
        self.exact = self._lattice is None or self._lattice.exact
        self._arrays = PathArrays(paths)
        self._kids = self._arrays.kids
        if self._lattice is not None:
            alive = [
                kid
                for all_kids, kids in zip(paths.kids, self._lattice.kids, strict=True)
                for kid in (kids or (DEAD,) * len(all_kids))
            ]
            self._kids = np.array(alive, dtype=np.int64)
        self._first, self._places = self._arrays.first, self._arrays.places
        self._edge = np.array([f for node in range(1, len(paths.kids)) for f in paths.factors(node, weights)])
        self._shift = np.zeros(len(paths.kids))
        if self._lattice is None:
            chances = paths.chances(weights)
            self._even = np.array([cumulative is None for cumulative in chances])
            filled = [c or [1.0] * len(kids) for c, kids in zip(chances, paths.kids, strict=True)]
            self._cumulative = np.array([chance for cumulative in filled for chance in cumulative])
        else:
            self._work_out(self._lattice)
            if not self._weights(np.array([paths.root]), self._lattice.limits[None, :])[0]:
                raise NoPrograms

    def _factors(self, node: int) -> list[float]:
        return self._edge[self._first[node] : self._first[node + 1]].tolist()  # type: ignore[no-any-return]

    # ---------------------------------------------------------------- with limits

    def _work_out(self, lattice: Lattice) -> None:
        count = len(lattice.kids)
        shapes = lattice.shapes
        offsets = np.concatenate([[0], np.cumsum(np.prod(shapes, axis=1))]).astype(np.int64)
        flat = np.zeros(int(offsets[-1]))
        views = [flat[offsets[n] : offsets[n + 1]].reshape(shapes[n]) for n in range(count)]
        views[0][...] = 1.0
        for node in range(1, count):
            alive = [kid for kid in lattice.kids[node] if kid >= 0]
            if not alive:
                continue
            top = max(self._shift[kid] for kid in alive)
            factors = self._factors(node)
            for pick, kid in enumerate(lattice.kids[node]):
                if kid >= 0:
                    scaled = views[kid] * (factors[pick] * 2.0 ** (self._shift[kid] - top))
                    add_shifted(lattice, node, pick, kid, views[node], scaled)
            while views[node].max() > LARGE:
                views[node][...] /= LARGE
                top += 400
            self._shift[node] = top
        self._flat, self._offsets = flat, offsets[:-1]
        strides = np.ones_like(shapes)
        for axis in range(shapes.shape[1] - 2, -1, -1):
            strides[:, axis] = strides[:, axis + 1] * np.maximum(shapes[:, axis + 1], 1)
        self._strides, self._low, self._span = strides, lattice.low, np.maximum(shapes - 1, 0)
        self._added = np.concatenate([np.zeros((0, shapes.shape[1]), dtype=np.int64), *lattice.added])

    def _weights(self, kids: Array, left: Array) -> Array:
        """The weight of all ways from nodes to the end, with what is left of the limits."""
        alive = (kids >= 0) & (left >= 0).all(axis=1)
        place = np.minimum(np.maximum(left - self._low[kids], 0), self._span[kids])
        index = self._offsets[kids] + (place * self._strides[kids]).sum(axis=1)
        return np.where(alive, self._flat[np.where(alive, index, 0)], 0.0)

    # -------------------------------------------------------------------- drawing

    def draw(self, count: int, random: np.random.Generator) -> Array | None:
        """The positions of the picks of that many programs, drawn independently: an array of
        (decisions in order, programs), -1 where a decision is not made. None when rounding lets in
        so much more that none is found."""
        parts: list[Array] = []
        have = tried = 0
        while have < count:
            # More at a time the more are refused.
            wanted = count - have
            if tried:
                wanted = min(BATCH * 16, int(wanted * (tried + 1) / (have + 1)) + 16)
            picks = self.once(wanted, random)
            tried += wanted
            parts.append(picks)
            have += picks.shape[1]
            if not have and tried > MAX_TRIES:
                return None
        found = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)
        return found[:, :count]

    @property
    def log_mass(self) -> float:
        """The logarithm to base 2 of the weight of all programs that may be drawn (with those that
        only rounding lets in)."""
        root = self.paths.root
        if self._lattice is None:
            return math.log2(self.paths.counts(self._place_weights)[root])
        total = self._weights(np.array([root]), self._lattice.limits[None, :])[0]
        return math.log2(total) + float(self._shift[root])

    def once(self, count: int, random: np.random.Generator) -> Array:
        """Of that many draws those that the exact costs keep."""
        picks = self._draw(count, random)
        return picks if self.exact else picks[:, self._kept(picks)]

    def _draw(self, count: int, random: np.random.Generator) -> Array:
        picks = np.full((len(self._sizes), count), -1, dtype=np.int32)
        node = np.full(count, self.paths.root, dtype=np.int64)
        within = self._lattice
        left = np.tile(within.limits, (count, 1)) if within is not None else None
        for place in self.paths.order:
            size = self._sizes[place]
            rows = np.flatnonzero(self._places[node] == place)
            if not rows.size:
                continue
            here = node[rows]
            first = self._first[here]
            chance = random.random(rows.size)
            if left is None:
                pick = self._pick(here, first, chance)
            else:
                widths = self._arrays.widths[here]
                running = np.zeros(rows.size)
                cumulative = np.empty((int(widths.max()), rows.size))
                after = left[rows]
                for option in range(len(cumulative)):
                    edge = first + np.minimum(option, widths - 1)
                    kid = self._kids[edge]
                    weight = self._weights(kid, after - self._added[edge]) * self._edge[edge]
                    weight = np.where(option < widths, weight * 2.0 ** (self._shift[kid] - self._shift[here]), 0.0)
                    running = running + weight
                    cumulative[option] = running
                pick = (chance * running >= cumulative).sum(axis=0)
                left[rows] -= self._added[first + pick]
            picks[place, rows] = np.where(pick < size, pick, -1) if place in self.paths.unsure else pick
            node[rows] = self._kids[first + pick]
        return picks

    def _pick(self, here: Array, first: Array, chance: Array) -> Array:
        widths = self._arrays.widths[here]
        evenly = np.asarray((chance * widths).astype(np.int64))
        even = self._even[here]
        if even.all():
            return evenly
        edges = first[:, None] + np.minimum(np.arange(int(widths.max())), widths[:, None] - 1)
        return np.where(even, evenly, (chance[:, None] >= self._cumulative[edges]).sum(axis=1))

    def _kept(self, picks: Array) -> Array:
        """Which programs keep within the exact limits."""
        totals = self._arrays.walk(picks)[1]
        return np.asarray((totals[:, : len(self._limits)] <= self._limits).all(axis=1))


class NoPrograms(Exception):
    """No program keeps within the limits."""
