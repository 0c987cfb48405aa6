"""Exact counts, and draws that meet all requirements, by elimination.

Programs are the assignments in which every decision that is not asked holds its first pick.
Conditions are local to few decisions, so a count is a sum of products, taken variable by variable
from the last to the first; nothing is enumerated. A draw goes back over the same products.
"""

from __future__ import annotations

import math
from random import Random

from archlang.semantics.diagram import Diagram, Diagrams, Value, at, support


class Counter:
    """Counts and draws the programs of an evaluated space.

    `wide` gives the number of picks of variables that have too many to list (and one diagram
    position), by variable. Programs weigh the same, or with `by_decision` as much as independent
    even picks of their decisions make them likely.
    """

    def __init__(self, diagrams: Diagrams, needs: dict[int, Value], wide: dict[int, float], by_decision: bool = False):
        diagrams.restart()
        self._diagrams = diagrams
        self._endless: Value = False
        self._factors: list[Value] = []
        for var, size in enumerate(diagrams.sizes):
            asked = needs.get(var, False)
            if var not in wide:
                active = diagrams.lift(int, asked)
                idle = diagrams.lift(lambda on, size=size: 1 if on else size, asked) if by_decision else 1
                self._factors.append(diagrams.combine(var, (idle, *[active] * (size - 1))))
            elif math.isinf(wide[var]):
                self._endless = diagrams.either(self._endless, asked)
            elif not by_decision:
                self._factors.append(diagrams.lift(lambda on, size=int(wide[var]): size if on else 1, asked))

    def count(self, wanted: Value) -> int | float:
        """The number of programs where `wanted` (a diagram of True and anything else) is True;
        infinite when a float decision is asked in one of them."""
        indicator = self._indicator(wanted)
        if self._endless is not False:
            endless = self._diagrams.map_leaves(self._endless, int)
            if self._eliminate([*self._factors, indicator, endless])[0]:
                return math.inf
        return self._eliminate([*self._factors, indicator])[0]

    def draw(self, wanted: Value, random: Random) -> list[int] | None:
        """The positions of all variables for one of the programs where `wanted` is True, drawn by
        weight; None when there is none."""
        total, products = self._eliminate([*self._factors, self._indicator(wanted)])
        if not total:
            return None
        positions: list[int] = []
        for size, product in zip(self._diagrams.sizes, products, strict=True):
            weights = []
            for position in range(size):
                positions.append(position)
                weights.append(at(product, positions.__getitem__))
                positions.pop()
            left = random.randrange(sum(weights))
            position = 0
            while left >= weights[position]:
                left -= weights[position]
                position += 1
            positions.append(position)
        return positions

    def _indicator(self, wanted: Value) -> Value:
        self._diagrams.restart()
        return self._diagrams.map_leaves(wanted, lambda leaf: int(leaf is True))

    def _eliminate(self, factors: list[Value]) -> tuple[int, list[Value]]:
        """The sum over all assignments of the product of the factors; and for each variable the
        product of what depends on it, with the later variables summed out."""
        diagrams = self._diagrams
        buckets: list[list[Value]] = [[] for _ in diagrams.sizes]
        products: list[Value] = [1] * len(buckets)
        total = 1

        def place(factor: Value) -> None:
            nonlocal total
            if type(factor) is Diagram:
                buckets[max(support(factor))].append(factor)
            else:
                total *= factor

        for factor in factors:
            place(factor)
        for var in reversed(range(len(buckets))):
            for factor in buckets[var]:
                products[var] = diagrams.lift(lambda a, b: a * b, products[var], factor)
            place(self._sum_out(products[var], var))
        return total, products

    def _sum_out(self, value: Value, var: int) -> Value:
        """The sum over the picks of `var`, the last variable that the value depends on."""
        size = self._diagrams.sizes[var]
        memo: dict[int, Value] = {}

        def walk(here: Value) -> Value:
            if type(here) is not Diagram:
                return here * size
            if here.var == var:
                return sum(here.kids)
            done = memo.get(id(here))
            if done is None:
                done = memo[id(here)] = self._diagrams.node(here.var, tuple(walk(kid) for kid in here.kids))
            return done

        return walk(value)
