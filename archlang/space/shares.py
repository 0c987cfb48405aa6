"""Which decisions the costs of programs hang from: shares of their variance over programs that are drawn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

if TYPE_CHECKING:
    from archlang.space.space import Space

Array = np.ndarray[Any, Any]


@attrs.frozen
class CostShare:
    """The share of the variance of each cost (0 to 1) that the picks of a decision explain, not making it among
    them: its correlation ratio, less what chance would give."""

    address: str
    shares: Mapping[str, float]


def cost_shares(space: Space, costs: tuple[str, ...] = ("params", "macs"), draws: int = 4096) -> list[CostShare]:
    """The shares of all decisions with picks that can be listed, those of the largest first; by programs that are
    drawn. ArchError where the space is not evaluated as a whole."""
    batch = space.sample_many(draws)
    known = space.costs(batch)
    _, programs = space.analysis.whole("drawn in batches")
    decisions = programs.compiled.decisions
    found: dict[str, CostShare] = {}
    for place, decision in enumerate(decisions):
        if place in batch.values or decision.address in found:
            continue
        shares = {name: _share(batch.positions[place], known[name].astype(np.float64)) for name in costs}
        found[decision.address] = CostShare(decision.address, shares)
    return sorted(found.values(), key=lambda each: (-max(each.shares.values()), each.address))


def _share(picks: Array, values: Array) -> float:
    """The correlation ratio of values with the picks that lead to them, adjusted for the number of picks."""
    _, groups = np.unique(picks, return_inverse=True)
    counts = np.bincount(groups)
    total = float(((values - values.mean()) ** 2).sum())
    if len(counts) < 2 or total == 0.0 or len(values) <= len(counts):
        return 0.0
    means = np.bincount(groups, weights=values) / counts
    within = float(((values - means[groups]) ** 2).sum())
    return max(0.0, 1.0 - within / total * (len(values) - 1) / (len(values) - len(counts)))
