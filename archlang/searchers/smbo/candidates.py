"""The acquisition's optimiser: evolution on the space."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from archlang.diagnostics import ArchError

if TYPE_CHECKING:
    from archlang.space import Choices, SearchSpace

Array = np.ndarray[Any, Any]


@attrs.frozen(kw_only=True)
class Effort:
    """`pool`: how many programs are drawn from the whole space. `parents`: how many of the best have
    children, so many `children` each. `rounds`: how often those that promise most have children again."""

    pool: int
    parents: int
    children: int
    rounds: int


def candidates(
    space: SearchSpace,
    best: Sequence[Choices],
    draw: Callable[[], Choices],
    allowed: Callable[[Choices], bool],
    acquire: Callable[[Sequence[Choices]], Array],
    effort: Effort,
    random: Random,
) -> list[Choices]:
    """The allowed ones of the programs looked at, the most promising first: draws, and children of the
    best programs told, then in each round those of the programs that promise most."""
    found: dict[Choices, float] = {}
    fresh = [*_children(space, best[: effort.parents], effort.children, random), *(draw() for _ in range(effort.pool))]
    ranked: list[Choices] = []
    for turn in range(effort.rounds + 1):
        new = [choices for choices in dict.fromkeys(fresh) if choices not in found and allowed(choices)]
        if new:
            found.update(zip(new, acquire(new).tolist(), strict=True))
        ranked = sorted(found, key=found.__getitem__, reverse=True)
        if turn < effort.rounds:
            fresh = _children(space, ranked[: effort.parents], effort.children, random)
    return ranked


def _children(space: SearchSpace, parents: Sequence[Choices], count: int, random: Random) -> list[Choices]:
    """Mutants of each parent, every other of them near, and one child that it has with another."""
    found: list[Choices] = []
    for parent in parents:
        try:
            found += [space.mutate(parent, random, near=bool(number % 2)) for number in range(count)]
        except ArchError:  # there is no other program
            continue
        partner = parents[random.randrange(len(parents))]
        if partner is not parent:
            found.append(space.crossover(parent, partner, random))
    return found
