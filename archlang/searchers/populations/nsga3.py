"""NSGA-III: a population that is kept along given directions, for many objectives."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

import attrs
import numpy as np
from attrs.validators import ge, optional

from archlang.searchers.objectives import INFEASIBLE, Scores
from archlang.searchers.pareto import ranks
from archlang.searchers.populations.nsga2 import NSGA2, NSGA2Settings

Array = np.ndarray[Any, Any]
TINY = 1e-6


@attrs.frozen(kw_only=True)
class NSGA3Settings(NSGA2Settings):
    """`partitions`: into how many parts each objective's axis is divided by the reference points (none: as
    many as give no more points than the population has programs); and what `NSGA2Settings` has."""

    partitions: int | None = attrs.field(default=None, validator=optional(ge(1)))


class NSGA3(NSGA2):
    """Reference points (Deb and Jain 2014, "An evolutionary many-objective optimization algorithm using
    reference-point-based nondominated sorting approach", parts I and II).

    As NSGA-II, but of the last front those live on whose directions, seen from the ideal point, few others
    follow. Parents are drawn, but a program within the constraints wins over one beyond them.
    """

    name = "nsga3"
    Settings = NSGA3Settings

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        objectives, population = len(self.objectives), self.settings.population
        partitions = self.settings.partitions or most_partitions(objectives, population)
        self._references = np.array(list(das_dennis(objectives, partitions)))
        self._ideal = np.full(objectives, np.inf)

    def survivors(self, points: list[Scores], random: Random) -> Sequence[int]:
        count = self.settings.population
        ranked = ranks(points)
        last = sorted(ranked)[count - 1]
        kept = [place for place, rank in enumerate(ranked) if rank < last]
        torn = [place for place, rank in enumerate(ranked) if rank == last]
        if len(kept) + len(torn) == count:
            return sorted(kept + torn)
        costs = -np.array([points[place] for place in kept + torn])
        first = np.array([ranked[place] == 0 for place in kept + torn])
        self._ideal = np.minimum(self._ideal, costs.min(axis=0))
        nearest, distances = associated(normalised(costs, first, self._ideal), self._references)
        chosen = niched(nearest, distances, len(kept), count - len(kept), len(self._references), random)
        return sorted(kept + [torn[place - len(kept)] for place in chosen])

    def fitness(self, points: list[Scores]) -> list[tuple[float, ...]]:
        return [(point[0] if point[0] <= INFEASIBLE else 0.0,) for point in points]


def most_partitions(objectives: int, points: int) -> int:
    """The most partitions that give no more than so many reference points, 1 at least."""
    if objectives == 1:
        return 1
    partitions = 1
    while math.comb(partitions + objectives, objectives - 1) <= points:
        partitions += 1
    return partitions


def das_dennis(objectives: int, partitions: int, left: int | None = None) -> Iterator[tuple[float, ...]]:
    """All points whose coordinates are multiples of 1 / partitions and add up to 1 (Das and Dennis 1998)."""
    left = partitions if left is None else left
    if objectives == 1:
        yield (left / partitions,)
        return
    for first in range(left + 1):
        for rest in das_dennis(objectives - 1, partitions, left - first):
            yield (first / partitions, *rest)


def normalised(costs: Array, first: Array, ideal: Array) -> Array:
    """Costs (points, objectives) from 0 at the ideal point to 1 where the hyperplane through the extreme
    points cuts the axes; where it does not cut all of them, at the worst of the `first` front (a mask)."""
    moved = costs - ideal
    worst = moved[first].max(axis=0)
    moved = moved / np.where(worst > 0, worst, 1.0)  # or else the extremes hang on the units
    count = moved.shape[1]
    weights = np.where(np.eye(count, dtype=bool), 1.0, TINY)
    extremes = moved[np.argmin((moved[:, None, :] / weights).max(axis=2), axis=0)]
    try:
        planes = np.linalg.solve(extremes, np.ones(count))
    except np.linalg.LinAlgError:
        return moved
    if not (planes > TINY).all() or (planes * TINY > 1).any() or not np.allclose(extremes @ planes, 1.0):
        return moved
    return moved * planes


def associated(points: Array, references: Array) -> tuple[Array, Array]:
    """For each point the reference whose direction from 0 is nearest, and the distance to that line."""
    directions = references / np.linalg.norm(references, axis=1, keepdims=True)
    along = points @ directions.T
    distances = np.linalg.norm(points[:, None, :] - along[:, :, None] * directions[None], axis=2)
    nearest = distances.argmin(axis=1)
    return nearest, distances[np.arange(len(points)), nearest]


def niched(nearest: Array, distances: Array, kept: int, wanted: int, references: int, random: Random) -> list[int]:
    """So many positions of points after the first `kept`: again and again one of a reference that the fewest
    chosen points have (drawn among equals), the nearest to it where none has it yet, else any."""
    crowd = np.bincount(nearest[:kept], minlength=references).tolist()
    waiting: dict[int, list[int]] = {}
    for place in range(kept, len(nearest)):
        waiting.setdefault(int(nearest[place]), []).append(place)
    chosen: list[int] = []
    while len(chosen) < wanted:
        fewest = min(crowd[reference] for reference in waiting)
        reference = random.choice(sorted(other for other in waiting if crowd[other] == fewest))
        members = waiting[reference]
        place = random.choice(members) if fewest else min(members, key=distances.__getitem__)
        chosen.append(place)
        members.remove(place)
        crowd[reference] += 1
        if not members:
            del waiting[reference]
    return chosen
