"""Counting and drawing the programs whose costs keep within limits, by dynamic programming.

A table holds for each node of the paths how many ways from there to the end keep within what is
left of the limits: F(node, left) = sum over the picks of F(kid, left - what the edge adds), with
one dimension for each limit. Costs count from the least that is possible, in units of their
greatest common divisor, and a table reaches only over amounts that can be left at its node; where
that is still too much, costs are rounded. Rounded down they keep all programs that keep within the
limits, and some more; rounded up, some of them. So a count comes with proven bounds, and a draw
from the rounded-down table is held against the exact costs.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import attrs
import numpy as np

from archlang.space.paths import DEAD, END, Paths

MAX_DRAWN = 8_000_000  # entries of the tables that draws keep
MAX_COUNTED = 4_000_000_000  # entries added up for an exact count
MAX_BOUNDED = 100_000_000  # ... for bounds of one
MAX_ALIVE = 120_000_000  # entries at one time, 8 bytes each
WORD = 2**64
Array = np.ndarray[Any, Any]


@attrs.frozen(eq=False, slots=False)
class Lattice:
    """The paths with costs as multiples of a unit, counted from the least possible.

    `added[node]` are the units that each edge adds, `limits` what may be added in all; `low` and
    `high` bound, for each node, the amounts left that make a difference there. `kids` are the
    paths' without the edges that no program within the limits takes.
    """

    paths: Paths
    kids: list[tuple[int, ...]]
    added: list[Array]
    limits: Array
    low: Array
    high: Array
    exact: bool
    dimensions: tuple[int, ...]

    @cached_property
    def shapes(self) -> Array:
        """The size of each node's table."""
        shapes: Array = np.maximum(self.high - self.low + 1, 0)
        return shapes

    def uses(self) -> list[int]:
        """How many edges lead to each node."""
        found = [0] * len(self.kids)
        for kids in self.kids:
            for kid in kids:
                if kid >= 0:
                    found[kid] += 1
        return found

    def work(self) -> tuple[float, float, float]:
        """How many entries the tables have; are added up to work them out; and are alive at one
        time when tables are let go once their last parent is worked out."""
        sizes = np.prod(self.shapes.astype(np.float64), axis=1).tolist()
        uses = self.uses()
        added_up = alive = most = 0.0
        for node, kids in enumerate(self.kids):
            alive += sizes[node]
            most = max(most, alive)
            for kid in kids:
                if kid >= 0:
                    added_up += sizes[node]
                    uses[kid] -= 1
                    if not uses[kid]:
                        alive -= sizes[kid]
        return sum(sizes), added_up, most


def lattice(
    paths: Paths, limits: Sequence[int], up: bool, kept: float = math.inf, added_up: float = math.inf
) -> Lattice | None:
    """The finest lattice with at most that many entries kept, or added up; None when no program
    keeps within the limits. `up` rounds costs up."""
    exact = _Exact(paths, limits)
    if exact.dead:
        return None
    units = exact.units()
    while True:
        found = exact.rounded(units, up)
        if found is None:
            return None
        sizes, work, alive = found.work()
        excess = max(sizes / kept, work / added_up, alive / MAX_ALIVE)
        spread = exact.slack // units
        if excess <= 1 or not spread.any():
            return found
        grow = max(1.1, min(8.0, excess ** (1 / len(units))))
        units = np.array(
            [
                max(unit + 1, math.ceil(unit * grow)) if spread[axis] >= spread.max() / 4 else unit
                for axis, unit in enumerate(units.tolist())
            ],
            dtype=object,
        )


class _Exact:
    """The paths with the exact costs, counted from the least possible."""

    def __init__(self, paths: Paths, limits: Sequence[int]):
        self._paths = paths
        self.dead = paths.root == DEAD
        if self.dead:
            return
        count = len(paths.kids)
        least: list[tuple[int, ...]] = [tuple([0] * len(limits))] * count
        most = list(least)
        for node in range(1, count):
            ways = [(kid, cost) for kid, cost in zip(paths.kids[node], paths.costs[node], strict=True) if kid >= 0]
            least[node] = tuple(min(least[k][a] + c[a] for k, c in ways) for a in range(len(limits)))
            most[node] = tuple(max(most[k][a] + c[a] for k, c in ways) for a in range(len(limits)))
        root = paths.root
        slack = [limit - base - low for limit, base, low in zip(limits, paths.base, least[root], strict=False)]
        self.dead = any(left < 0 for left in slack)
        # A limit that every program keeps takes no part.
        self.dimensions = tuple(axis for axis, left in enumerate(slack) if most[root][axis] - least[root][axis] > left)
        self.slack = np.array([slack[axis] for axis in self.dimensions], dtype=object)
        self._reduced: list[list[tuple[int, ...]]] = [[]]
        for node in range(1, count):
            self._reduced.append(
                [
                    tuple(cost[a] + least[kid][a] - least[node][a] for a in self.dimensions) if kid >= 0 else ()
                    for kid, cost in zip(paths.kids[node], paths.costs[node], strict=True)
                ]
            )

    def units(self) -> Array:
        """The greatest common divisor of what edges add, for each limit."""
        found = [0] * len(self.dimensions)
        for edges in self._reduced:
            for edge in edges:
                for axis, amount in enumerate(edge):
                    found[axis] = math.gcd(found[axis], amount)
        return np.array([max(unit, 1) for unit in found], dtype=object)

    def rounded(self, units: Array, up: bool) -> Lattice | None:
        paths, axes = self._paths, len(self.dimensions)
        limits = np.array([int(left // unit) for left, unit in zip(self.slack, units, strict=True)], dtype=np.int64)
        exact = True
        count = len(paths.kids)
        added: list[Array] = []
        for edges in self._reduced:
            rows = np.zeros((len(edges), axes), dtype=np.int64)
            for pick, edge in enumerate(edges):
                for axis, amount in enumerate(edge):
                    whole, rest = divmod(amount, units[axis])
                    exact = exact and not rest
                    rows[pick, axis] = whole + (1 if rest and up else 0)
            added.append(rows)
        infinite = np.iinfo(np.int64).max // 4
        # The least and most that may have been added on the way to a node, and may come after it.
        before_low = np.full((count, axes), infinite, dtype=np.int64)
        before_high = np.full((count, axes), -1, dtype=np.int64)
        after_low = np.zeros((count, axes), dtype=np.int64)
        after_high = np.zeros((count, axes), dtype=np.int64)
        for node in range(1, count):
            ways = [(kid, added[node][pick]) for pick, kid in enumerate(paths.kids[node]) if kid >= 0]
            after_low[node] = np.min([after_low[kid] + add for kid, add in ways], axis=0)
            after_high[node] = np.max([after_high[kid] + add for kid, add in ways], axis=0)
        root = paths.root
        if (after_low[root] > limits).any():
            return None
        kids: list[tuple[int, ...]] = [()] * count
        before_low[root] = before_high[root] = 0
        for node in range(root, 0, -1):
            if before_high[node].min(initial=0) < 0:
                continue  # no path within the limits comes here
            live = []
            for pick, kid in enumerate(paths.kids[node]):
                if kid >= 0:
                    low = before_low[node] + added[node][pick]
                    if (low + after_low[kid] > limits).any():
                        kid = DEAD
                    else:
                        before_low[kid] = np.minimum(before_low[kid], low)
                        reach = np.minimum(before_high[node] + added[node][pick], limits)
                        before_high[kid] = np.maximum(before_high[kid], reach)
                live.append(kid)
            kids[node] = tuple(live)
        unreached = before_high.min(axis=1, initial=0) < 0
        low = np.maximum(limits - before_high, 0)
        high = np.maximum(np.minimum(after_high, limits - before_low), low)
        low[unreached], high[unreached] = 0, -1
        return Lattice(paths, kids, added, limits, low, high, exact, self.dimensions)


# ------------------------------------------------------------------- counting


def count(paths: Paths, limits: Sequence[int], weights: Sequence[int]) -> tuple[int, int]:
    """The least and greatest number of paths that keep within the limits: equal where the count is
    exact. Each pick of place i counts `weights[i]` times."""
    if paths.root == DEAD:
        return 0, 0
    fine = lattice(paths, limits, False, added_up=MAX_COUNTED)
    if fine is None:
        return 0, 0
    total = paths.count(weights)
    if not fine.dimensions:
        return total, total
    if fine.exact:
        exact = _count(fine, weights, total)
        return exact, exact
    above = lattice(paths, limits, False, added_up=MAX_BOUNDED)
    below = lattice(paths, limits, True, added_up=MAX_BOUNDED)
    assert above is not None
    return (0 if below is None else _count(below, weights, total)), _count(above, weights, total)


def _count(lattice: Lattice, weights: Sequence[int], most: int) -> int:
    """The exact number of paths in a lattice, worked out modulo enough numbers to tell it apart
    from all others up to `most`."""
    known, product = 0, 1
    for modulus in _moduli():
        rest = _count_modulo(lattice, weights, modulus)
        # The Chinese remainder theorem, one modulus at a time.
        known += product * ((rest - known) * pow(product, -1, modulus) % modulus)
        product *= modulus
        if product > most:
            return known
    raise AssertionError("the moduli do not end")


def _moduli() -> Iterator[int]:
    """2^64, which costs nothing, and then primes below 2^62."""
    yield WORD
    candidate = 2**62 - 57
    while True:
        if _is_prime(candidate):
            yield candidate
        candidate -= 2


def _is_prime(number: int) -> bool:
    """Miller and Rabin's test with the bases that decide it for all numbers below 2^64."""
    odd, twos = number - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    for base in (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37):
        power = pow(base, odd, number)
        if power in (1, number - 1):
            continue
        if all((power := power * power % number) != number - 1 for _ in range(twos - 1)):
            return False
    return True


def _count_modulo(lattice: Lattice, weights: Sequence[int], modulus: int) -> int:
    uses = lattice.uses()
    tables: dict[int, Array] = {END: np.ones(lattice.shapes[END], dtype=np.uint64)}
    for node in range(1, len(lattice.kids)):
        if not lattice.kids[node]:
            continue
        table = np.zeros(lattice.shapes[node], dtype=np.uint64)
        factors = lattice.paths.factors(node, weights)
        for pick, kid in enumerate(lattice.kids[node]):
            if kid < 0:
                continue
            other = tables[kid]
            if factors[pick] != 1:
                other = (other.astype(object) * factors[pick] % modulus).astype(np.uint64)
            add_shifted(lattice, node, pick, kid, table, other)
            if modulus != WORD:
                np.subtract(table, np.uint64(modulus), out=table, where=table >= np.uint64(modulus))
            uses[kid] -= 1
            if not uses[kid]:
                del tables[kid]
        tables[node] = table
    root = lattice.paths.root
    return int(tables[root].reshape(-1)[-1])


def add_shifted(
    lattice: Lattice, node: int, pick: int, kid: int, table: Array, other: Array, add: np.ufunc = np.add
) -> None:
    """Add a kid's table to its parent's (or join them by another function): what is left at the
    parent is less by what the edge adds at the kid. Beyond its end a table goes on as it ends;
    below 0 nothing is left."""
    parts, picked = [], []
    for axis, units in enumerate(lattice.added[node][pick].tolist()):
        low, high = int(lattice.low[node, axis]), int(lattice.high[node, axis])
        first = max(low, units)
        begin, end = first - units - int(lattice.low[kid, axis]), int(lattice.shapes[kid, axis])
        parts.append(slice(first - low, high - low + 1))
        picked.append((begin, high - first + 1, end))
    if len(parts) == 1:
        ((begin, length, end),) = picked
        here = table[parts[0]]
        inner = max(0, min(length, end - begin))
        add(here[:inner], other[begin : begin + inner], out=here[:inner])
        add(here[inner:], other[-1], out=here[inner:])
        return
    here = table[tuple(parts)]
    clipped = np.ix_(*(np.clip(np.arange(begin, begin + n), 0, end - 1) for begin, n, end in picked))
    add(here, other[clipped], out=here)
