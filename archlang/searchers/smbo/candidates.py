"""The acquisition's optimiser: evolution on the space."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from itertools import islice
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np

from archlang.diagnostics import ArchError

if TYPE_CHECKING:
    from archlang.space import Choices, Space

Array = np.ndarray[Any, Any]

PARENTS = 10  # of the best programs told, whose neighbours are candidates
NEIGHBOURS = 40  # of each


def candidates(
    space: Space,
    best: Sequence[Choices],
    known: Container[Choices],
    acquire: Callable[[Sequence[Choices]], Array],
    pool: int,
    rounds: int,
    random: Random,
) -> list[Choices]:
    """New programs, the most promising first: neighbours of the best programs told and draws from the
    whole space, then in each round the children of those that promise most."""
    found: dict[Choices, float] = {}
    parents = list(best[:PARENTS])
    fresh = [*_children(space, parents, random), *_draws(space, pool, random)]
    for turn in range(rounds + 1):
        new = [choices for choices in dict.fromkeys(fresh) if choices not in known and choices not in found]
        if new:
            found.update(zip(new, acquire(new).tolist(), strict=True))
        ranked = sorted(found, key=found.__getitem__, reverse=True)
        if turn < rounds:
            fresh = _children(space, ranked[:PARENTS], random)
    return ranked


def _draws(space: Space, count: int, random: Random) -> list[Choices]:
    return [space.draw(random) for _ in range(count)]


def _children(space: Space, parents: Sequence[Choices], random: Random) -> list[Choices]:
    found: list[Choices] = []
    for parent in parents:
        mutated = (_mutated(space, parent, random) for _ in range(NEIGHBOURS))
        found += islice((child for child in mutated if child is not None), NEIGHBOURS)
        partner = parents[random.randrange(len(parents))]
        if partner is not parent:
            found.append(space.crossover(parent, partner, random))
    return found


def _mutated(space: Space, parent: Choices, random: Random) -> Choices | None:
    try:
        return space.mutate(parent, random)
    except ArchError:  # there is no other program
        return None
