"""The least and greatest costs over all programs of a space, each with choices that reach it."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from random import Random
from types import MappingProxyType
from typing import Any

import attrs
import numpy as np

from archlang.cost import ADDITIVE, Cost
from archlang.cost.table import SCALE, CostTable
from archlang.semantics.costs import depth, depth_beyond
from archlang.semantics.diagram import Value
from archlang.semantics.fault import Entangled
from archlang.space.choices import Choices
from archlang.space.compiled import Compiled, Programs, Region, Steps, Terms
from archlang.space.paths import DEAD, Paths
from archlang.space.resolver import OnceForAll
from archlang.space.tables import MAX_DRAWN, Lattice, add_shifted, lattice

BOUNDED = (*ADDITIVE, "depth", "peak_memory")
NONE = np.iinfo(np.int64).max // 2  # the cost where there is no program


@attrs.frozen
class Extreme:
    """The least (or greatest) of a cost: `choices` reach `value`, and no program goes beyond
    `proven`, which is the same where the extreme is exact. Ints, but for the cost of a table."""

    value: float
    proven: float
    choices: Choices = attrs.field(repr=False)

    @property
    def exact(self) -> bool:
        return self.value == self.proven


@attrs.frozen
class Bounds:
    """What a cost is at least and at most over the programs of a space; `coarse` where what is proven
    is far from tight."""

    least: Extreme
    most: Extreme
    coarse: bool = False

    def as_json(self) -> dict[str, Any]:
        """The bounds as plain data."""
        return {
            side: {"value": extreme.value, "proven": extreme.proven, "choices": extreme.choices.as_dict()}
            for side, extreme in (("least", self.least), ("most", self.most))
        }


def bounds(
    once: OnceForAll,
    compiled: Compiled,
    name: str,
    price: Callable[[Choices], Cost],
    conditions: Sequence[Value],
    tables: Mapping[str, CostTable] = MappingProxyType({}),
) -> Bounds | None:
    """The bounds of a cost over the programs for which all conditions are True; None when there is no
    program. `price` gives the costs of one; those of `tables` are in their units. Raises Entangled where
    they cannot be worked out over the whole space, ArchError where a table lacks operations."""
    if name in tables:
        return _table_bounds(once.terms_by(tables[name]), compiled, conditions)
    if name == "peak_memory":
        from archlang.space.memory import memory_bounds

        return memory_bounds(once, compiled, conditions)
    if name != "depth":
        which = operator.itemgetter(ADDITIVE.index(name))
        return _bounds(compiled, conditions, [compiled.diagrams.map_leaves(term, which) for term in once.terms])
    try:
        return _bounds(compiled, conditions, [depth(once.evaluated.evaluator, once.tensors)])
    except Entangled:
        compiled.diagrams.restart()
        least, most = (_beyond(once, compiled, price, conditions, greatest) for greatest in (False, True))
        return None if least is None or most is None else Bounds(least, most)


def _table_bounds(terms: list[Value], compiled: Compiled, conditions: Sequence[Value]) -> Bounds | None:
    """The bounds of the cost of a table, from its terms."""
    found = _bounds(compiled, conditions, terms)
    if found is None:
        return None
    least, most = (
        attrs.evolve(extreme, value=extreme.value / SCALE, proven=extreme.proven / SCALE)
        for extreme in (found.least, found.most)
    )
    return Bounds(least, most)


def _bounds(compiled: Compiled, conditions: Sequence[Value], terms: list[Value]) -> Bounds | None:
    least = _extreme(compiled, conditions, tuple((term, 1) for term in terms))
    most = _extreme(compiled, conditions, tuple((term, -1) for term in terms))
    if least is None or most is None:
        return None
    return Bounds(least, Extreme(-most.value, -most.proven, most.choices))


def _beyond(
    once: OnceForAll, compiled: Compiled, price: Callable[[Choices], Cost], conditions: Sequence[Value], greatest: bool
) -> Extreme | None:
    """An extreme depth where its diagram is too large: proven place by place, and reached by the
    program nearest to the picks that the proof takes."""
    proven, picked = depth_beyond(once.evaluated.evaluator, once.tensors, greatest)
    wanted = {compiled.layout.place[var]: pick for var, pick in picked.items() if var in compiled.layout.place}
    steps = Programs(compiled, compiled.regions(conditions)).nearest(wanted, {}, Random(0))
    if steps is None:
        return None
    choices = _choices(compiled, steps)
    return Extreme(price(choices).depth, proven, choices)


def _extreme(compiled: Compiled, conditions: Sequence[Value], terms: Terms) -> Extreme | None:
    """The least value of a sum of terms."""
    found: list[tuple[int, int, Steps | None]] = []
    for region in compiled.regions(conditions, [terms]):
        if region.paths.root != DEAD:
            found.append(_least(compiled, region))
    reached = [(value, steps) for value, _, steps in found if steps is not None]
    if not reached:
        return None
    value, steps = min(reached, key=operator.itemgetter(0))
    proven = min(proven for _, proven, _ in found)
    return Extreme(value, min(value, proven), _choices(compiled, steps))


def _choices(compiled: Compiled, steps: Steps) -> Choices:
    values = {place: decision.domain.pick(0) for place, decision in enumerate(compiled.decisions)}
    return Choices.of(compiled.chosen(steps, values))


def _least(compiled: Compiled, region: Region) -> tuple[int, int, Steps | None]:
    """The least value of the last sum: one that steps reach, and one that none goes below."""
    paths, limits = region.paths, region.limits
    shortest, totals = _shortest(paths)
    if all(map(operator.le, totals, limits)):
        return totals[-1], totals[-1], shortest
    below = lattice(paths, limits, False, kept=MAX_DRAWN)
    if below is None:
        return NONE, NONE, None
    proven, steps = _limited(below)
    if below.exact or steps is None:
        return proven, proven, steps
    above = lattice(paths, limits, True, kept=MAX_DRAWN)
    if above is not None:
        value, steps = _limited(above)
        if steps is not None:
            return value, proven, steps
    # Rounding up leaves nothing: any program shows what can be reached.
    drawn = Programs(compiled, [region]).draw_many(1, np.random.default_rng(0), True)
    if drawn is None:
        return NONE, proven, None
    steps = [(place, pick) for place, pick in enumerate(drawn[:, 0].tolist()) if pick >= 0]
    return _total(paths, dict(steps)), proven, steps


def _shortest(paths: Paths) -> tuple[Steps, tuple[int, ...]]:
    """The path with the least last sum, and all its sums."""
    best = [0]
    picks = [-1]
    for node in range(1, len(paths.kids)):
        ways = [
            (best[kid] + cost[-1], pick)
            for pick, (kid, cost) in enumerate(zip(paths.kids[node], paths.costs[node], strict=True))
            if kid >= 0
        ]
        least, pick = min(ways)
        best.append(least)
        picks.append(pick)
    node, steps, totals = paths.root, [], paths.base
    while node:
        pick = picks[node]
        steps.append((paths.places[node], pick))
        totals = tuple(map(operator.add, totals, paths.costs[node][pick]))
        node = paths.kids[node][pick]
    return steps, totals


def _total(paths: Paths, picks: dict[int, int]) -> int:
    node, total = paths.root, paths.base[-1]
    while node:
        pick = picks.get(paths.places[node], len(paths.kids[node]) - 1)
        total += paths.costs[node][pick][-1]
        node = paths.kids[node][pick]
    return total


def _limited(within: Lattice) -> tuple[int, Steps | None]:
    """The least last sum of the paths within a lattice's limits, and the steps of one; no steps
    when there is none."""
    paths = within.paths
    tables: list[Any] = [np.zeros(within.shapes[0], dtype=np.int64)]
    for node in range(1, len(within.kids)):
        table = np.full(within.shapes[node], NONE, dtype=np.int64)
        for pick, kid in enumerate(within.kids[node]):
            if kid >= 0:
                added = np.minimum(tables[kid] + paths.costs[node][pick][-1], NONE)
                add_shifted(within, node, pick, kid, table, added, np.minimum)
        tables.append(table)

    def value(node: int, left: Any) -> int:
        if (left < 0).any():
            return NONE
        where = np.minimum(np.maximum(left - within.low[node], 0), within.shapes[node] - 1)
        return int(tables[node][tuple(where)])

    node, left, steps = paths.root, within.limits, []
    least = value(node, left)
    if least >= NONE // 2:
        return NONE, None
    while node:
        ways = [
            (value(kid, left - within.added[node][pick]) + paths.costs[node][pick][-1], pick)
            for pick, kid in enumerate(within.kids[node])
            if kid >= 0
        ]
        _, pick = min(ways)
        steps.append((paths.places[node], pick))
        left = left - within.added[node][pick]
        node = within.kids[node][pick]
    return least + paths.base[-1], steps
