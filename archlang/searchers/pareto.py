"""Pareto dominance over scores (larger is better)."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Sequence

from archlang.searchers.objectives import Scores


def dominates(one: Scores, other: Scores) -> bool:
    """Whether `one` is nowhere worse than `other` and somewhere better."""
    return one != other and all(map(operator.ge, one, other))


def front(points: Sequence[Scores]) -> list[int]:
    """The positions of the points that no other dominates, in order; equal points all stay.

    Sorting the points makes one pass over the front so far enough: nothing later can dominate.
    """
    found: list[int] = []
    for position in sorted(range(len(points)), key=lambda position: points[position], reverse=True):
        if not any(dominates(points[other], points[position]) for other in found):
            found.append(position)
    return sorted(found)


def ranks(points: Sequence[Scores]) -> list[int]:
    """For each point the number of its front: 0 is the Pareto front, 1 the front of the rest, and so
    on (Deb et al. 2002, non-dominated sorting).

    Points are sorted first, so that none is dominated by a later one: each joins the first front that has
    none that dominates it (Zhang et al. 2015, "ENS").
    """
    fronts: list[list[Scores]] = []
    found = [0] * len(points)
    for position in sorted(range(len(points)), key=points.__getitem__, reverse=True):
        point = points[position]
        rank = 0
        while rank < len(fronts) and any(dominates(member, point) for member in reversed(fronts[rank])):
            rank += 1
        if rank == len(fronts):
            fronts.append([])
        fronts[rank].append(point)
        found[position] = rank
    return found


def crowding(points: Sequence[Scores], ranked: Sequence[int]) -> list[float]:
    """For each point the crowding distance within its front (Deb et al. 2002): infinite at the ends of an
    objective, else the sum over the objectives of the gap between its neighbours relative to the front's extent."""
    distances = [0.0] * len(points)
    for rank in sorted(set(ranked)):
        members = [position for position in range(len(points)) if ranked[position] == rank]
        for objective in range(len(points[members[0]])):
            members.sort(key=lambda position: (points[position][objective], position))
            low, high = points[members[0]][objective], points[members[-1]][objective]
            distances[members[0]] = distances[members[-1]] = math.inf
            if high == low:
                continue
            for before, position, after in zip(members, members[1:], members[2:], strict=False):
                distances[position] += (points[after][objective] - points[before][objective]) / (high - low)
    return distances


def hypervolume(points: Iterable[Sequence[float]], reference: Sequence[float]) -> float:
    """The volume that points dominate above a reference point (larger is better;
    Zitzler and Thiele 1998); those that are not above it in all objectives add nothing. By slices of the last
    objective."""
    above = {tuple(point) for point in points if all(map(operator.gt, point, reference))}
    volume = 0.0
    if len(reference) == 1:
        return max((point[0] for point in above), default=reference[0]) - reference[0]
    if len(reference) == 2:
        height = reference[1]
        for x, y in sorted(above, reverse=True):
            if y > height:
                volume += (x - reference[0]) * (y - height)
                height = y
        return volume
    by_last = sorted(above, key=operator.itemgetter(-1), reverse=True)
    for count, point in enumerate(by_last, start=1):
        below = by_last[count][-1] if count < len(by_last) else reference[-1]
        if point[-1] > below:
            volume += (point[-1] - below) * hypervolume([other[:-1] for other in by_last[:count]], reference[:-1])
    return volume
