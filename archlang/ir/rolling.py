"""Loops found in chains: what is applied several times in a row becomes one link.

Three forms are looked for, in this order, again and again until nothing more is found:

* *stages*: calls of one unit where a call that changes the shape is followed by equal ones,
* *repeats*: the same links with the same numbers several times,
* *tables*: the same links with other numbers, at least three times.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from archlang.ir.units import Link, LoopUnit

LONGEST = 8  # links in what is repeated


def rolled(links: Sequence[Link], tied: frozenset[str], tables: bool = True) -> list[Link]:
    """The chain with loops for what repeats, with other numbers only where there may be `tables`;
    units with weights at `tied` homes stay as they are."""
    found = _staged(list(links), tied) if tables else list(links)
    while True:
        shorter = _repeats(found, tied)
        shorter = _tables(shorter, tied) if tables else shorter
        if len(shorter) == len(found):
            return shorter
        found = shorter


def _free(link: Link, tied: frozenset[str]) -> bool:
    return link.unit.home not in tied if link.unit.home is not None else True


def _loop(iterations: Sequence[Sequence[Link]], pattern: Sequence[Link] | None = None) -> Link:
    """A link for iterations that follow each other."""
    pattern = tuple(pattern or iterations[0])
    first = pattern[0]
    last = (iterations[-1] if iterations else pattern)[-1]
    unit = LoopUnit(pattern, tuple([tuple(iteration) for iteration in iterations]), last.unit.outputs)
    return Link(unit, 0, (), first.inputs_type)


def _staged(links: list[Link], tied: frozenset[str]) -> list[Link]:
    """Runs of one unit that fall into stages, each a first call and a number of equal others."""
    found: list[Link] = []
    start = 0
    while start < len(links):
        stop = start + 1
        while stop < len(links) and links[stop].key == links[start].key:
            stop += 1
        found += _stages(links[start:stop], tied)
        start = stop
    return found


def _stages(run: list[Link], tied: frozenset[str]) -> list[Link]:
    stages: list[list[Link]] = []
    for link in run:
        if link.changes or not stages:
            stages.append([])
        stages[-1].append(link)
    rests = [stage[1:] for stage in stages if len(stage) > 1]
    even = all(link.unit.values == rest[0].unit.values for rest in rests for link in rest)
    if len(stages) < 3 or not rests or not even or not all(_free(link, tied) for link in run):
        return run
    if len({stage[0].unit.values for stage in stages}) == 1:
        return run
    pattern = (rests[0][0],)
    return [_loop([(stage[0], _loop([(link,) for link in stage[1:]], pattern)) for stage in stages])]


def _repeats(links: list[Link], tied: frozenset[str]) -> list[Link]:
    """The chain with loops for equal links in a row, those that cover most first."""
    for size in range(1, LONGEST + 1):
        found: list[Link] = []
        start = 0
        while start < len(links):
            count = _count(links, start, size, tied, lambda link: (link.key, link.unit.values))
            if count > 1 and not _weighted(links[start]):
                # Rather from what has weights on: a convolution and its activation, not the other way round.
                shift = next((i for i in range(1, size) if _weighted(links[start + i])), 0)
                if (
                    shift
                    and _count(links, start + shift, size, tied, lambda link: (link.key, link.unit.values)) == count
                ):
                    found += links[start : start + shift]
                    start += shift
            if count > 1:
                found.append(_loop([links[start + size * i : start + size * (i + 1)] for i in range(count)]))
                start += size * count
            else:
                found.append(links[start])
                start += 1
        links = found
    return links


def _count(links: list[Link], start: int, size: int, tied: frozenset[str], key: object) -> int:
    """How often the `size` links from `start` on follow each other."""
    assert callable(key)
    first = links[start : start + size]
    if len(first) < size or not all(_free(link, tied) for link in first):
        return 0
    keys = [key(link) for link in first]
    count = 1
    while True:
        other = links[start + size * count : start + size * (count + 1)]
        if len(other) < size or not all(_free(link, tied) for link in other) or [key(link) for link in other] != keys:
            return count
        count += 1


def _weighted(link: Link) -> bool:
    return any(node.operation.weights for node in link.unit.nodes)


def _once(link: Link) -> Hashable:
    """The key of a link, the same for a unit and for a repeat of it."""
    unit = link.unit
    if isinstance(unit, LoopUnit) and len(unit.pattern) == 1 and len({v for (v,) in unit.values}) <= 1:
        return "repeat", unit.pattern[0].key
    return "repeat", link.key


def _tables(links: list[Link], tied: frozenset[str]) -> list[Link]:
    """The chain with one loop for the links that repeat with other numbers, where that is worth it."""
    best: tuple[tuple[int, bool, int, int], int, int, int] | None = None
    for size in range(1, LONGEST + 1):
        for start in range(len(links) - size):
            count = _count(links, start, size, tied, _once)
            if count >= 3:
                saved = (count - 1) * size
                rank = (saved, links[start].changes, -size, -start)
                if best is None or rank > best[0]:
                    best = rank, start, size, count
    if best is None:
        return links
    _, start, size, count = best
    rows = [links[start + size * i : start + size * (i + 1)] for i in range(count)]
    for place in range(size):
        column = [row[place] for row in rows]
        if len({link.key for link in column}) > 1:
            for row, link in zip(rows, column, strict=True):
                if _once(link) == ("repeat", link.key):
                    row[place] = _loop([(link,)])
    return [*links[:start], _loop(rows), *links[start + size * count :]]
