"""Proposals that were not made before."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from itertools import islice
from random import Random
from typing import TYPE_CHECKING

from archlang.diagnostics import ArchError
from archlang.searchers.base import Exhausted

if TYPE_CHECKING:
    from archlang.space import Choices, SearchSpace

ATTEMPTS = 100
POOL = 10_000


def size_of(space: SearchSpace) -> int | float:
    """The number of programs; infinite also where they cannot be counted, as those of a part."""
    try:
        return math.inf if space.is_part else space.size
    except ArchError:
        return math.inf


class Unseen:
    """The programs proposed so far, and a way to one that is not among them. Of a part of a space only
    its own picks count."""

    def __init__(self, space: SearchSpace) -> None:
        self._space = space
        self._seen: set[Choices] = set()
        self._rest: list[Choices] = []

    def __contains__(self, choices: Choices) -> bool:
        return self._space.own(choices) in self._seen

    def add(self, choices: Choices) -> None:
        """Count a program as proposed."""
        self._seen.add(self._space.own(choices))

    def take(self, choices: Choices) -> Choices:
        """A program, which counts as proposed from now on."""
        self.add(choices)
        return choices

    def find(self, propose: Callable[[], Choices], random: Random, attempts: int = ATTEMPTS) -> Choices:
        """A program that was not proposed before; `Exhausted` when a finite space has none left.

        It is the first new one of some proposals, and where these are all known (few programs are
        left, or few are likely) any new one of a finite space. An infinite space is never exhausted:
        there the last proposal is given again.
        """
        size = size_of(self._space)
        if len(self._seen) >= size:
            raise Exhausted
        choices = propose()
        for _ in range(attempts - 1):
            if self._space.own(choices) not in self._seen:
                break
            choices = propose()
        if self._space.own(choices) in self._seen and not math.isinf(size):
            choices = self._left(random)
        self.add(choices)
        return choices

    def first_new(self, candidates: Iterable[Choices]) -> Choices | None:
        """The first of some programs that was not proposed before; None when all were."""
        for choices in candidates:
            if choices not in self:
                return self.take(choices)
        return None

    def _left(self, random: Random) -> Choices:
        """Any program not seen: among the first n + 1 of the space at most n are."""
        while True:
            while self._rest:
                choices = self._rest.pop()
                if choices not in self._seen:
                    return choices
            first = islice(self._space.enumerate(), len(self._seen) + POOL)
            self._rest = [choices for choices in first if choices not in self._seen]
            if not self._rest:
                raise Exhausted
            random.shuffle(self._rest)
