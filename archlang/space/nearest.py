"""The program that differs least from given picks, among those that meet all requirements."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from random import Random

import attrs

from archlang.space.paths import DEAD, Paths

Way = tuple[int, ...]  # what a way to the end takes: picks changed, then what it adds to each sum
MAX_WAYS = 48  # ways kept for a node: with two limits and more, others may be lost


def nearest(
    paths: Paths,
    limits: Sequence[int],
    wanted: Mapping[int, int],
    fixed: Mapping[int, int],
    random: Random,
    kept: Mapping[int, int] = {},
) -> list[tuple[int, int]] | None:
    """The places and picks of a program within the limits that makes all `fixed` picks and of the
    `wanted` ones (by place) as many as possible; among equals by chance. The places of `kept` take that
    pick where their decisions are made. None when there is none (or, with two limits and more, when none
    is found). Picks that are not wanted cost nothing."""
    if paths.root == DEAD:
        return None
    if kept:
        paths = _keeping(paths, kept)
    most = 1
    while True:
        ways = _ways(paths, limits, wanted, fixed, most)
        if ways[paths.root]:
            return _follow(paths, limits, wanted, fixed, ways, random)
        if most > len(wanted):
            return None
        most *= 2


def _ways(
    paths: Paths, limits: Sequence[int], wanted: Mapping[int, int], fixed: Mapping[int, int], most: int
) -> list[list[Way]]:
    """For each node the best ways to the end with at most that many changes."""
    sums = range(len(limits))
    stops = tuple(fixed)
    found: list[list[Way]] = [[(0,) * (1 + len(limits))]]
    for node in range(1, len(paths.kids)):
        place = paths.places[node]
        ways: set[Way] = set()
        for pick, kid in enumerate(paths.kids[node]):
            if (
                kid < 0
                or not found[kid]
                or fixed.get(place, pick) != pick
                or _skips(paths, stops, place, paths.places[kid])
            ):
                continue
            changed = _changed(paths, node, pick, wanted, fixed)
            cost = paths.costs[node][pick]
            for way in found[kid]:
                if way[0] + changed <= most:
                    ways.add((way[0] + changed, *[way[1 + axis] + cost[axis] for axis in sums]))
        found.append(_best(ways))
    root = paths.root
    if _skips(paths, stops, -1, paths.places[root]):
        found[root] = []
    room = [limit - base for limit, base in zip(limits, paths.base, strict=False)]
    found[root] = [way for way in found[root] if all(way[1 + axis] <= room[axis] for axis in sums)]
    return found


def _keeping(paths: Paths, picks: Mapping[int, int]) -> Paths:
    """The paths on which these places take these picks, where their decisions are made."""
    kids = []
    for place, edges in zip(paths.places, paths.kids, strict=True):
        if place in picks:
            left = {picks[place], len(edges) - 1} if place in paths.unsure else {picks[place]}
            edges = tuple(kid if pick in left else DEAD for pick, kid in enumerate(edges))
        kids.append(edges)
    return attrs.evolve(paths, kids=kids)


def _changed(paths: Paths, node: int, pick: int, wanted: Mapping[int, int], fixed: Mapping[int, int]) -> int:
    place = paths.places[node]
    if place in fixed or (place in paths.unsure and pick == len(paths.kids[node]) - 1):
        return 0
    return int(wanted.get(place, pick) != pick)


def _skips(paths: Paths, stops: Iterable[int], place: int, after: int) -> bool:
    """Whether going from one place to another (-1 is the end) leaves out a fixed one."""
    rank = paths.rank
    here, there = rank[place], rank[after]
    return any(here < rank[stop] and (there < 0 or rank[stop] < there) for stop in stops)


def _best(ways: set[Way]) -> list[Way]:
    """The ways that no other is better than in everything."""
    kept: list[Way] = []
    for way in sorted(ways):
        if not any(all(a <= b for a, b in zip(other, way, strict=True)) for other in kept):
            kept.append(way)
    if len(kept) <= MAX_WAYS:
        return kept
    step = (len(kept) - 1) / (MAX_WAYS - 1)
    return [kept[round(index * step)] for index in range(MAX_WAYS)]


def _follow(
    paths: Paths,
    limits: Sequence[int],
    wanted: Mapping[int, int],
    fixed: Mapping[int, int],
    ways: list[list[Way]],
    random: Random,
) -> list[tuple[int, int]]:
    stops = tuple(fixed)
    fewest = min(way[0] for way in ways[paths.root])
    left = (fewest, *[limit - base for limit, base in zip(limits, paths.base, strict=False)])
    node = paths.root
    steps: list[tuple[int, int]] = []
    while node:
        place = paths.places[node]
        options = []
        for pick, kid in enumerate(paths.kids[node]):
            if kid < 0 or fixed.get(place, pick) != pick or _skips(paths, stops, place, paths.places[kid]):
                continue
            changed = _changed(paths, node, pick, wanted, fixed)
            after = tuple(a - b for a, b in zip(left, (changed, *paths.costs[node][pick]), strict=True))
            if any(all(a <= b for a, b in zip(way, after, strict=True)) for way in ways[kid]):
                options.append((pick, kid, after))
        pick, node, left = options[random.randrange(len(options))]
        steps.append((place, pick))
    return steps
