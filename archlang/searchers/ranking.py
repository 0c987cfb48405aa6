"""The best of many programs, by one objective or several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from archlang.searchers.objectives import Scores
from archlang.searchers.pareto import crowding


def best_first(scores: Sequence[Scores], count: int | None = None) -> list[int]:
    """The positions of the `count` best (by default of all), best first; of equals the earlier.

    One objective goes by value. Several go by front and, within a front, by crowding distance (Deb et al.
    2002, NSGA-II); fronts are taken off only until there are enough.
    """
    count = len(scores) if count is None else count
    if not scores or count < 1:
        return []
    points = np.array(scores, dtype=float)
    if points.shape[1] == 1:
        order: list[int] = np.argsort(-points[:, 0], kind="stable")[:count].tolist()
        return order
    left = np.lexsort((np.arange(len(points)), *-points.T[::-1]))
    chosen: list[int] = []
    while len(left) and len(chosen) < count:
        on_front = _front(points[left])
        members: list[int] = np.sort(left[on_front]).tolist()
        gaps = crowding([scores[member] for member in members], [0] * len(members))
        by_gap = sorted(zip(gaps, members, strict=True), key=lambda item: (-item[0], item[1]))
        chosen += [member for _, member in by_gap]
        left = left[~on_front]
    return chosen[:count]


def _front(points: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Which points no other dominates; they come sorted, so that none dominates one before it."""
    alive = np.ones(len(points), dtype=bool)
    on_front = np.zeros(len(points), dtype=bool)
    while alive.any():
        point = points[np.argmax(alive)]
        equal = (points == point).all(axis=1)
        on_front |= equal
        alive &= ~equal & (points > point).any(axis=1)
    return on_front
