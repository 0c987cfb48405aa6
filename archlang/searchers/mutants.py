"""Mutants, for searchers that go on from programs they know."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from archlang.diagnostics import ArchError

if TYPE_CHECKING:
    from archlang.space import Choices, SearchSpace

MUTATIONS = 20  # tried for a program that is new


def mutant(space: SearchSpace, choices: Choices, random: Random, near: bool = True) -> Choices:
    """A program one change away; one drawn where requirements leave none."""
    try:
        return space.mutate(choices, random, near)
    except ArchError:
        return space.draw(random)
