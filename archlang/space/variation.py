"""How programs vary: picks that lie near another one, and subtrees of one program set into another."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Any

from archlang.semantics.decision import Decision, Domain, Integers, Pick, Reals, Subsets

STEP = 0.1  # standard deviation of a step, as a share of the range

Decided = Mapping[str, tuple[Decision, Pick]]  # the decisions of a program by address, and their picks


def near(domain: Domain, pick: Any, random: Random) -> Pick:
    """Another pick of a domain that has one: of numbers mostly a near one, of a subset one with an element
    exchanged, added or dropped (or two that change places), of categories any other."""
    if isinstance(domain, Reals):
        return _near_float(domain, pick, random)
    if isinstance(domain, Subsets):
        return _near_subset(domain, list(pick), random)
    if isinstance(domain, Integers):
        return domain.pick(_near_rank(domain.index(pick), domain.size, random))
    if domain.of_numbers:
        ranked: list[Any] = sorted(domain.labels)
        moved: Pick = ranked[_near_rank(ranked.index(pick), len(ranked), random)]
        return moved
    other = random.randrange(domain.size - 1)
    return domain.labels[other + (other >= domain.index(pick))]


def _near_float(domain: Reals, pick: float, random: Random) -> float:
    """A Gaussian step over the range (of the logarithm, where that varies evenly), within it."""
    share = domain.share_of(pick)
    while True:
        moved = share + random.gauss(0.0, STEP)
        if 0.0 <= moved <= 1.0 and (found := domain.at(moved)) != pick:
            return found


def _near_rank(rank: int, size: int, random: Random) -> int:
    """A Gaussian step among positions in order, of at least one."""
    deviation = max(1.0, STEP * (size - 1))
    while True:
        step = random.gauss(0.0, deviation)
        moved = rank + (max(1, round(step)) if step > 0 else min(-1, round(step)))
        if 0 <= moved < size:
            return moved


def _near_subset(domain: Subsets, pick: list[int], random: Random) -> Pick:
    outside = [element for element in range(domain.of) if domain.repeated or element not in pick]
    kinds = ["exchange"] * bool(pick and outside)
    kinds += ["add"] * bool(len(pick) < domain.high and outside) + ["drop"] * (len(pick) > domain.low)
    kinds += ["swap"] * (domain.ordered and len(pick) > 1)
    while True:
        found = list(pick)
        match random.choice(kinds):
            case "exchange":
                found[random.randrange(len(found))] = random.choice(outside)
            case "add":
                found.insert(random.randrange(len(found) + 1), random.choice(outside))
            case "drop":
                found.pop(random.randrange(len(found)))
            case _:
                one, other = random.sample(range(len(found)), 2)
                found[one], found[other] = found[other], found[one]
        if not domain.ordered:
            found.sort()
        if found != pick:
            return tuple(found)


def grafted(a: Decided, b: Decided, random: Random) -> Decided:
    """The decisions of `a` with one subtree as it is in `b`: those of a decision that both make and of all that
    stand in its alternatives, chosen evenly among those where the two differ (crossover of trees: Koza
    1992, at the same place in both)."""
    places: dict[str, None] = {}
    for address in sorted(a.keys() | b.keys()):
        if a.get(address) != b.get(address):
            decision, _ = a[address] if address in a else b[address]
            places.update(dict.fromkeys(place for place in (*decision.parents, address) if place in a and place in b))
    if not places:
        return a
    place = random.choice(list(places))

    def inside(decision: Decision) -> bool:
        return decision.address == place or place in decision.parents

    kept = {address: made for address, made in a.items() if not inside(made[0])}
    return kept | {address: made for address, made in b.items() if inside(made[0])}
