"""Searchers for tests of the bench, made by name in any process."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random

from archlang.searchers import Exhausted, Objective
from archlang.space import Choices, Space

CALLS = "ARCHLANG_TEST_CALLS"  # names the file to which every search of `noted` adds a line


class Listed:
    """Asks for a list of choices."""

    def __init__(self, asked: Sequence[Choices]) -> None:
        self._left = list(asked)
        self.told: list[tuple[Choices, Mapping[str, float] | None]] = []

    def ask(self) -> Choices:
        if not self._left:
            raise Exhausted
        return self._left.pop(0)

    def tell(self, choices: Choices, metrics: Mapping[str, float] | None) -> None:
        self.told.append((choices, metrics))


def drawn(space: Space, seed: int, count: int = 400) -> list[Choices]:
    random = Random(seed)
    return [space.draw(random) for _ in range(count)]


def noted(space: Space, objectives: Sequence[Objective], seed: int) -> Listed:
    """Draws, and says in a file that it was called."""
    with Path(os.environ[CALLS]).open("a", encoding="utf-8") as file:
        file.write(f"{seed}\n")
    return Listed(drawn(space, seed))


def few(space: Space, objectives: Sequence[Objective], seed: int) -> Listed:
    """Asks three times: a program, another, the first again."""
    one, other = drawn(space, seed, 2)
    return Listed([one, other, one])


def cheap(space: Space, objectives: Sequence[Objective], seed: int) -> Listed:
    """Asks for short evaluations first."""
    programs = drawn(space, seed, 30)
    return Listed([*(program.at(0.06) for program in programs), *programs])


def refusing(space: Space, objectives: Sequence[Objective], seed: int) -> Listed:
    raise RuntimeError("this space is not to my taste")


def dying(space: Space, objectives: Sequence[Objective], seed: int) -> Listed:
    os._exit(3)
