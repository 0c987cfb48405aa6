"""Costs over a whole space: sums of terms, each of few decisions, that are never multiplied out.

A sum can be added to, scaled and compared. A comparison that choices decide is a `Budget`: the sum
is at most a limit. It becomes a diagram variable of its own, so that it takes part in conditions
like any decision; what it says about choices is worked out where programs are counted and drawn.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from typing import Any

import attrs

from archlang.semantics.diagram import Diagram, Value, at, leaves
from archlang.semantics.values import Symbolic


@attrs.frozen(eq=False)
class Sum(Symbolic):
    """`constant` and the terms (diagrams with int leaves), each times its factor."""

    terms: tuple[tuple[Value, int], ...] = ()
    constant: int = 0


@attrs.frozen(eq=False)
class OfSum(Symbolic):
    """A number that rises with a sum (or falls): the sum scaled or shifted, as floats may round it."""

    sum: Sum = attrs.field(kw_only=True)
    rising: bool = attrs.field(kw_only=True)


@attrs.frozen
class Budget:
    """Whether a sum is at most a limit. `terms` and `limit` are without the sum's constant."""

    terms: tuple[tuple[Value, int], ...] = attrs.field(eq=lambda terms: tuple((id(t), f) for t, f in terms))
    limit: int

    def kept(self, position: Callable[[int], int]) -> bool:
        """Whether it is, for the positions of picks by variable."""
        return bool(sum(at(term, position) * factor for term, factor in self.terms) <= self.limit)

    @property
    def leaf_identity(self) -> tuple[Any, ...]:
        return self.limit, *((id(term), factor) for term, factor in self.terms)


def sum_of(terms: list[tuple[Value, int]], constant: int, decisions: frozenset[str]) -> Value:
    """The sum of terms times factors: an int when no term is left."""
    factors: dict[int, tuple[Value, int]] = {}
    for term, factor in terms:
        if type(term) is Diagram:
            factors[id(term)] = term, factor + factors.get(id(term), (term, 0))[1]
        else:
            constant += term * factor
    kept = tuple((term, factor) for term, factor in factors.values() if factor)
    if not kept:
        return constant
    low = high = constant
    for term, factor in kept:
        ends = [leaf * factor for leaf in leaves(term)]
        low, high = low + min(ends), high + max(ends)

    def total(*values: int) -> int:
        return constant + sum(value * factor for value, (_, factor) in zip(values, kept, strict=True))

    arguments = tuple(term for term, _ in kept)
    return Sum(total, arguments, decisions, low, high, step=1, terms=kept, constant=constant)


def combined(symbol: str, left: Value, right: Value) -> Value:
    """`left symbol right` where that is a sum again (exact in ints), else None."""
    decisions = frozenset[str]().union(*(v.decisions for v in (left, right) if isinstance(v, Sum)))
    if symbol in "+-" and all(isinstance(v, Sum) or type(v) is int for v in (left, right)):
        sign = 1 if symbol == "+" else -1
        terms: list[tuple[Value, int]] = []
        constant = 0
        for value, factor in ((left, 1), (right, sign)):
            if isinstance(value, Sum):
                terms += [(term, inner * factor) for term, inner in value.terms]
                constant += value.constant * factor
            else:
                constant += value * factor
        return sum_of(terms, constant, decisions)
    if symbol == "*":
        value, factor = (left, right) if isinstance(left, Sum) else (right, left)
        if isinstance(value, Sum) and type(factor) is int:
            return sum_of([(term, inner * factor) for term, inner in value.terms], value.constant * factor, decisions)
    return None


def followed(symbol: str, left: Value, right: Value) -> tuple[Sum, bool] | None:
    """The sum that `left symbol right` follows, and whether it rises with it; None where it
    follows none."""
    value, other = (left, right) if isinstance(left, Sum | OfSum) else (right, left)
    if not isinstance(value, Sum | OfSum) or isinstance(other, Symbolic):
        return None
    rising = value.rising if isinstance(value, OfSum) else True
    if symbol == "-":
        rising = rising is (value is left)
    elif symbol == "*" or (symbol in ("/", "//") and value is left):
        rising = rising is (other >= 0)
    elif symbol != "+":
        return None
    return (value.sum if isinstance(value, OfSum) else value), rising


@attrs.frozen
class Condition:
    """What a comparison of a sum says: that each budget is kept (or not, as its bool says); or,
    `negated`, that this is not so."""

    tests: tuple[tuple[Budget, bool], ...]
    negated: bool = False

    @property
    def leaf_identity(self) -> tuple[Any, ...]:
        return self.negated, *((budget.leaf_identity, kept) for budget, kept in self.tests)


def compared(symbol: str, left: Value, right: Value, decide: Callable[[str, Value, Value], bool]) -> Value:
    """`left symbol right` where one side follows a sum: a Condition, or a bool when all choices
    agree; None where it is no such comparison. `decide` compares plain numbers."""
    if isinstance(left, Sum) and isinstance(right, Sum):
        left, right = combined("-", left, right), 0
        if not isinstance(left, Sum):
            return decide(symbol, left, right)
    value, other = (left, right) if isinstance(left, Sum | OfSum) else (right, left)
    if not isinstance(value, Sum | OfSum) or isinstance(other, Symbolic):
        return None
    total = value.sum if isinstance(value, OfSum) else value
    rising = (value.rising if isinstance(value, OfSum) else True) is (value is left)
    low, high = int(total.low), int(total.high)
    tests = []
    for part in ("<=", ">=") if symbol in ("==", "!=") else (symbol,):
        # As long as sums are small it is one way, from some edge on the other.
        small = rising is (part in ("<", "<="))

        def turned(number: int, part: str = part, small: bool = small) -> bool:
            known = _evaluated(value, number)
            return decide(part, *((known, other) if value is left else (other, known))) is not small

        edge = low + bisect_left(range(low, high + 1), True, key=turned)
        if low < edge <= high:
            tests.append((Budget(total.terms, edge - 1 - total.constant), small))
        elif (edge > high) is not small:
            return symbol == "!="
    return Condition(tuple(tests), symbol == "!=") if tests else symbol != "!="


def _evaluated(value: Value, number: int) -> Value:
    """A function of a sum, for a value of the sum."""
    if isinstance(value, Sum):
        return number
    if isinstance(value, Symbolic):
        return value.function(*(_evaluated(argument, number) for argument in value.arguments))
    return value
