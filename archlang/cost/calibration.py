"""From what ops take by themselves to what networks take: a fit to some whole networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import attrs

from archlang.cost.table import CostTable
from archlang.ir.graph import Graph

if TYPE_CHECKING:
    from numpy.typing import NDArray

PULL = 0.01  # how strongly slopes are held at 1, against the relative errors of all networks
SWEEPS = 2_000


def calibrated(table: CostTable, networks: Sequence[Graph], taken: Sequence[float]) -> CostTable:
    """The table with an intercept and a slope for each kind of op that fit what networks took.

    `taken` is in the table's unit. An op takes less or more in a network than by itself (its input is
    still in a cache; what it evicts costs others), alike for ops of a kind. The fit minimises the
    squared relative errors plus `PULL` times the squared distance of each slope from 1: kinds of which
    the networks say little keep what was measured. Slopes and intercept are not negative.
    """
    import numpy as np

    plain = attrs.evolve(table, intercept=0, slopes={})
    kinds = sorted({node.operation.name for graph in networks for node in graph.nodes})
    sums = np.zeros((len(networks), len(kinds) + 1))
    for row, graph in enumerate(networks):
        plain.total(graph)  # that it has all operations
        for node in graph.nodes:
            sums[row, kinds.index(node.operation.name)] += plain.get(node.operation) or 0
    wanted = np.asarray(taken, dtype=float) * 1e6
    sums[:, -1] = wanted.mean()  # the intercept, as a share of this
    held = np.array([1.0] * len(kinds) + [0.0])
    found = _descent(sums / wanted[:, None], np.ones(len(wanted)), held)
    slopes = dict(zip(kinds, found[:-1].round(6).tolist(), strict=True))
    return attrs.evolve(table, intercept=round(found[-1] * wanted.mean()), slopes={**table.slopes, **slopes})


def _descent(matrix: NDArray[Any], wanted: NDArray[Any], held: NDArray[Any]) -> NDArray[Any]:
    """The x >= 0 with the least |matrix x - wanted|^2 + PULL |x - held|^2, coordinate by coordinate:
    the problem is strictly convex, so that this ends at its one solution."""
    import numpy as np

    x = np.array(held)
    curvature = (matrix * matrix).sum(axis=0) + PULL
    rest = wanted - matrix @ x
    for _ in range(SWEEPS):
        largest = 0.0
        for place in range(len(x)):
            step = (matrix[:, place] @ rest - PULL * (x[place] - held[place])) / curvature[place]
            step = max(step, -x[place])
            x[place] = max(x[place] + step, 0.0)
            rest -= step * matrix[:, place]
            largest = max(largest, abs(step))
        if largest < 1e-9:
            break
    return x
