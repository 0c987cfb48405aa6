"""The best path within limits, searched and proved in whole numbers.

A path's value is a sum over its edges, and so is what it uses of each limit. A label is the beginning
of a path: what it costs and uses so far. Of labels at one node those are dropped that another one is
as good as in everything, and those that cannot lead to a better path than one that is known. What
a label leads to at the least is bounded by Lagrange: a limit may be broken, at a price for each unit
(Handler and Zang 1980, "A dual algorithm for the constrained shortest path problem"; Dumitrescu and
Boland 2003 for the labels). Any prices give a valid bound, so they may come from a solver with floats.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import attrs
import numpy as np

from archlang.space.paths import DEAD, END, Paths

MAX_LABELS = 500_000
COMPARED = 1_000  # labels of a node that the others are held against, where there are several limits
BITS = 40  # of a price after the point
SMALL = 2**61  # sums below fit into 64 bits

Array = np.ndarray[Any, Any]
Picks = list[int]  # the pick at each node that a path passes


@attrs.frozen(eq=False)
class Problem:
    """Paths with values and uses counted from the least possible, in units of their common divisor.

    `values[node]` and `uses[node]` are what each edge adds, `slack` what may be used in all: of limits
    that every path keeps there is none. A path's value is `base + unit * (sum of values)`.
    """

    paths: Paths
    values: list[tuple[int, ...]]
    uses: list[list[tuple[int, ...]]]
    slack: tuple[int, ...]
    base: int
    unit: int

    @classmethod
    def of(cls, paths: Paths, limits: Sequence[int]) -> Problem | None:
        """The problem to make the last sum least while the first ones keep limits; None where a limit
        is broken by every path."""
        if paths.root == DEAD:
            return None
        dimensions: list[list[tuple[int, ...]]] = []
        slack = []
        for axis, limit in enumerate(limits):
            least, edges, unit = _from_least(paths, axis)
            left = (limit - paths.base[axis] - least) // unit
            if left < 0:
                return None
            if _greatest(paths, edges) > left:
                dimensions.append(edges)
                slack.append(left)
        least, values, unit = _from_least(paths, -1)
        uses = [
            [tuple(edges[node][pick] for edges in dimensions) for pick in range(len(kids))]
            for node, kids in enumerate(paths.kids)
        ]
        return cls(paths, values, uses, tuple(slack), paths.base[-1] + least, unit)

    def value(self, picks: Picks) -> int | None:
        """The sum of values of a path, None where it breaks a limit."""
        node, total, used = self.paths.root, 0, [0] * len(self.slack)
        for pick in picks:
            total += self.values[node][pick]
            used = [so_far + more for so_far, more in zip(used, self.uses[node][pick], strict=True)]
            node = self.paths.kids[node][pick]
        return total if all(map(int.__le__, used, self.slack)) else None

    def least(self, prices: Sequence[int]) -> tuple[list[int], Picks]:
        """For each node what is added from there on at the least, in parts of 2^BITS of a unit, where each
        unit used costs a price; and a path from the root that does with that."""
        found, best = [0], [-1]
        for node in range(1, len(self.paths.kids)):
            ways = [
                ((value << BITS) + sum(map(int.__mul__, prices, used)) + found[kid], pick)
                for pick, (kid, value, used) in enumerate(
                    zip(self.paths.kids[node], self.values[node], self.uses[node], strict=True)
                )
                if kid >= 0
            ]
            least, pick = min(ways)
            found.append(least)
            best.append(pick)
        node, picks = self.paths.root, []
        while node:
            picks.append(best[node])
            node = self.paths.kids[node][best[node]]
        return found, picks

    def bound(self, prices: Sequence[int]) -> int:
        """What no path within the limits goes below, by these prices."""
        return self._relaxed(prices, self.least(prices)[0][self.paths.root])

    def _relaxed(self, prices: Sequence[int], least: int) -> int:
        return -(-(least - sum(map(int.__mul__, prices, self.slack))) >> BITS)


def _from_least(paths: Paths, axis: int) -> tuple[int, list[tuple[int, ...]], int]:
    """The least sum of a path, and what each edge adds beyond it in units of their common divisor."""
    least = [0]
    for node in range(1, len(paths.kids)):
        ways = zip(paths.kids[node], paths.costs[node], strict=True)
        least.append(min(least[kid] + cost[axis] for kid, cost in ways if kid >= 0))
    edges: list[tuple[int, ...]] = [()]
    for node in range(1, len(paths.kids)):
        ways = zip(paths.kids[node], paths.costs[node], strict=True)
        edges.append(tuple(cost[axis] + least[kid] - least[node] if kid >= 0 else 0 for kid, cost in ways))
    unit = math.gcd(*(amount for each in edges for amount in each)) or 1
    return least[paths.root], [tuple(amount // unit for amount in each) for each in edges], unit


def _greatest(paths: Paths, edges: list[tuple[int, ...]]) -> int:
    most = [0]
    for node in range(1, len(paths.kids)):
        ways = zip(paths.kids[node], edges[node], strict=True)
        most.append(max(most[kid] + amount for kid, amount in ways if kid >= 0))
    return most[paths.root]


def improved(problem: Problem, prices: Sequence[int], known: int | None) -> tuple[Picks | None, bool]:
    """The best path within the limits of a value below the known one, None where there is none; and
    whether that is certain (else there were too many labels)."""
    return _Search(problem, prices, known).run()


class _Search:
    def __init__(self, problem: Problem, prices: Sequence[int], known: int | None):
        self._problem = problem
        left, _ = problem.least(prices)
        scale = 2.0**-BITS
        self._prices = np.array([price * scale for price in prices])
        self._left = [amount * scale for amount in left]
        self._known = known
        # What is pruned by floats is beyond what is known by more than they may have been rounded.
        paid = float(self._prices @ np.array(problem.slack, dtype=float)) if problem.slack else 0.0
        most = _greatest(problem.paths, problem.values)
        self._threshold = math.inf
        if known is not None:
            self._threshold = known - 1 + paid + 1e-12 * (known + most + paid + max(self._left)) * 8
        self._values: Any = np.int64 if most < SMALL else object
        self._slack = np.array(problem.slack, dtype=np.int64)
        # For each label kept: the label that it goes on from, and by which pick.
        self._parents: list[Array] = []
        self._picks: list[Array] = []
        self._count = 0

    def run(self) -> tuple[Picks | None, bool]:
        problem = self._problem
        paths = problem.paths
        axes = len(problem.slack)
        waiting: dict[int, list[tuple[Array, Array, Array, Array]]] = {
            paths.root: [
                (np.zeros(1, self._values), np.zeros((1, axes), np.int64), np.full(1, -1), np.full(1, -1, np.int64))
            ]
        }
        for node in range(paths.root, -1, -1):
            arrived = waiting.pop(node, None)
            if arrived is None:
                continue
            values, uses, parents, picks = (np.concatenate(parts) for parts in zip(*arrived, strict=True))
            kept = _undominated(values, uses)
            values, uses = values[kept], uses[kept]
            numbers = np.arange(self._count, self._count + len(kept))
            self._count += len(kept)
            self._parents.append(parents[kept])
            self._picks.append(picks[kept])
            if self._count > MAX_LABELS:
                return None, False
            if node == END:
                return self._path(int(numbers[0])), True
            for pick, kid in enumerate(paths.kids[node]):
                if kid < 0:
                    continue
                after = values + problem.values[node][pick]
                used = uses + np.array(problem.uses[node][pick], dtype=np.int64)
                good = self._good(kid, after, used)
                if good.any():
                    more = (after[good], used[good], numbers[good], np.full(int(good.sum()), pick, np.int64))
                    waiting.setdefault(kid, []).append(more)
        return None, True

    def _good(self, node: int, values: Array, uses: Array) -> Array:
        good: Array = np.asarray((uses <= self._slack).all(axis=1))
        if self._known is not None:
            good = np.logical_and(good, np.asarray(values < self._known, dtype=bool))
            bound = values.astype(np.float64) + uses @ self._prices + self._left[node]
            good = np.logical_and(good, bound <= self._threshold)
        return good

    def _path(self, label: int) -> Picks:
        parents, picks = np.concatenate(self._parents), np.concatenate(self._picks)
        found = []
        while parents[label] >= 0:
            found.append(int(picks[label]))
            label = int(parents[label])
        return found[::-1]


def _undominated(values: Array, uses: Array) -> Array:
    """Which labels to keep, the best value first: of those that another one is as good as in everything,
    all where that is quickly seen."""
    axes = uses.shape[1]
    order = np.argsort(values, kind="stable")
    for axis in range(axes - 1, -1, -1):  # by value, then by uses: a label is dominated by earlier ones
        order = order[np.argsort(uses[order, axis], kind="stable")]
    order = order[np.argsort(values[order], kind="stable")]
    if axes == 0:
        return order[:1]
    used = uses[order]
    if axes == 1:
        before = np.minimum.accumulate(used[:, 0])
        keep = np.ones(len(order), dtype=bool)
        keep[1:] = used[1:, 0] < before[:-1]
        return order[keep]
    keep = np.ones(len(order), dtype=bool)
    compared = 0
    for label in range(len(order)):
        if compared == COMPARED:
            break
        if keep[label]:
            compared += 1
            keep[label + 1 :] &= (used[label + 1 :] < used[label]).any(axis=1)
    return order[keep]
