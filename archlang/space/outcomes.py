"""Diagrams of what becomes of programs: a hit, a miss, or nothing because there is no program."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from itertools import repeat
from operator import or_

FREE, HIT, MISS = 0, 1, 2  # the worst of several outcomes is the largest

_LAST = 1 << 60  # after all variables


class TooMuch(Exception):
    """The steps are used up."""


class Outcomes:
    """Makes diagrams of outcomes, kept as numbers: an outcome is itself, a node has the next free
    number, and equal ones have one number. Conditions are such diagrams too: `HIT` where they hold,
    `FREE` elsewhere. Operations raise `TooMuch` when `steps`, of which they take some, are used up."""

    def __init__(self) -> None:
        self.steps = 0
        self.var: list[int] = [_LAST] * 3
        self.kids: list[tuple[int, ...]] = [()] * 3
        self.holds: list[int] = [FREE, HIT, MISS]  # the outcomes that it has, as bits
        self._nodes: dict[tuple[int, tuple[int, ...]], int] = {}
        self._where: dict[tuple[int, ...], int] = {}
        self._worst: dict[tuple[int, ...], int] = {}

    def node(self, var: int, kids: tuple[int, ...]) -> int:
        """The diagram that is `kids[i]` at position i of a variable; kids depend on later ones."""
        if kids.count(kids[0]) == len(kids):
            return kids[0]
        self.steps -= 1 + len(kids) // 8  # wide nodes take longer
        if self.steps < 0:
            raise TooMuch
        key = var, kids
        found = self._nodes.get(key)
        if found is None:
            found = self._nodes[key] = len(self.var)
            self.var.append(var)
            self.kids.append(kids)
            self.holds.append(reduce(or_, [self.holds[kid] for kid in kids]))
        return found

    def where(self, condition: int, then: int, otherwise: int) -> int:
        """`then` where the condition holds, `otherwise` elsewhere."""
        if then == otherwise or condition == HIT:
            return then
        if condition == FREE:
            return otherwise
        key = condition, then, otherwise
        found = self._where.get(key)
        if found is None:
            found = self._where[key] = self._pointwise(self.where, key)
        return found

    def worst(self, a: int, b: int) -> int:
        """The worse of two outcomes."""
        if b in (a, FREE) or a == MISS:
            return a
        if a == FREE or b == MISS:
            return b
        key = (a, b) if a < b else (b, a)
        found = self._worst.get(key)
        if found is None:
            found = self._worst[key] = self._pointwise(self.worst, key)
        return found

    def _pointwise(self, function: Callable[..., int], values: tuple[int, ...]) -> int:
        var = min([self.var[value] for value in values])
        parts = [self.kids[value] if self.var[value] == var else repeat(value) for value in values]
        return self.node(var, tuple([function(*kids) for kids in zip(*parts, strict=False)]))

    def support(self, root: int) -> set[int]:
        """The variables that a diagram depends on."""
        seen = {root}
        pending = [root]
        for node in pending:
            new = set(self.kids[node]) - seen
            seen |= new
            pending += new
        return {self.var[node] for node in seen} - {_LAST}

    def way_to_hit(self, node: int) -> dict[int, int]:
        """The first positions of variables that lead to a hit (there must be one)."""
        way: dict[int, int] = {}
        while node != HIT:
            position = next(place for place, kid in enumerate(self.kids[node]) if self.holds[kid] & HIT)
            way[self.var[node]] = position
            node = self.kids[node][position]
        return way
