"""Exact counts by elimination: programs are the assignments in which every decision that is not
asked holds its first pick. Conditions are local to few decisions, so the count is a sum of
products, taken variable by variable from the last to the first; nothing is enumerated."""

from __future__ import annotations

import math

from archlang.semantics.diagram import Diagram, Diagrams, Value, support


class Counter:
    """Counts the programs of an evaluated space. `sizes` gives the picks of variables that are too
    many to list (with one diagram position), by variable."""

    def __init__(self, diagrams: Diagrams, needs: dict[int, Value], sizes: dict[int, float]):
        self._diagrams = diagrams
        self._endless: Value = False
        self._factors: list[Value] = []
        for var in range(len(diagrams.sizes)):
            asked = needs.get(var, False)
            if var in sizes:
                size = sizes[var]
                if math.isinf(size):
                    self._endless = diagrams.either(self._endless, asked)
                else:
                    self._factors.append(diagrams.lift(lambda on, size=int(size): size if on else 1, asked))
            else:
                active = diagrams.lift(int, asked)
                kids = (1, *[active] * (diagrams.sizes[var] - 1))
                self._factors.append(diagrams.combine(var, kids))

    def count(self, wanted: Value) -> int | float:
        """The number of programs where `wanted` (a diagram of True and anything else) is True;
        infinite when a float decision is asked in one of them."""
        indicator = self._diagrams.map_leaves(wanted, lambda leaf: int(leaf is True))
        if self._endless is not False:
            endless = self._diagrams.map_leaves(self._endless, int)
            if self._sum([*self._factors, indicator, endless]):
                return math.inf
        return self._sum([*self._factors, indicator])

    def _sum(self, factors: list[Value]) -> int:
        diagrams = self._diagrams
        buckets: list[list[Value]] = [[] for _ in diagrams.sizes]
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
            product: Value = 1
            for factor in buckets[var]:
                product = diagrams.lift(lambda a, b: a * b, product, factor)
            place(self._sum_out(product, var))
        return total

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
