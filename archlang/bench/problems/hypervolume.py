"""The hypervolume of points in two objectives."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def hypervolume(points: Iterable[Sequence[float]], reference: Sequence[float]) -> float:
    """The area between points and a reference point, larger being better in both objectives (Zitzler &
    Thiele 1998); points that are not better than the reference in both add nothing."""
    area = 0.0
    height = reference[1]
    for x, y in sorted(((point[0], point[1]) for point in points), reverse=True):
        if x > reference[0] and y > height:
            area += (x - reference[0]) * (y - height)
            height = y
    return area
