"""Arithmetic on numbers of which bounds are known: what they are computed from is kept, and worked
out for each program.

Such a number depends on a float decision, or on too many decisions to list its values. Known of it
are a least and a greatest value and, when it is whole, the remainder by a step: intervals (Moore,
1966) with congruences (Granger, 1989).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import attrs

from archlang.semantics.diagram import Diagram, leaves
from archlang.semantics.fault import Entangled, Fault
from archlang.semantics.values import Symbolic, Value

MAX_INT = 2**63 - 1


@attrs.frozen
class Known:
    """A number from `low` to `high`. A whole one is `offset` modulo `step`, or `offset` itself where
    the step is 0; a step of None says that it may be a fraction."""

    low: float
    high: float
    step: int | None = None
    offset: int = 0

    @property
    def exact(self) -> bool:
        return self.step == 0


def known_of(value: Value) -> Known:
    """What is known of a number, or of all numbers that a diagram may come to."""
    if isinstance(value, Symbolic):
        return Known(value.low, value.high, value.step, value.offset)
    if type(value) is Diagram:
        return hull(map(known_of, (leaf for leaf in leaves(value) if type(leaf) is not Fault)))
    return Known(value, value, 0, value) if type(value) is int else Known(value, value)


def hull(parts: Iterable[Known]) -> Known:
    """What is known of a number that is one of several."""
    first, *others = parts
    for other in others:
        step: int | None = None
        if first.step is not None and other.step is not None:
            step = math.gcd(first.step, other.step, first.offset - other.offset)
        first = _whole(min(first.low, other.low), max(first.high, other.high), step, first.offset)
    return first


def _whole(low: float, high: float, step: int | None, offset: int) -> Known:
    return Known(low, high, step, offset % step if step else 0 if step is None else offset)


def number(function: Callable[..., Value], arguments: tuple[Value, ...], facts: Known) -> Value:
    """The number that a function gives, of which something is known: itself, if that is all."""
    decisions = decisions_of(arguments)
    if facts.step is not None and math.isfinite(facts.low) and math.isfinite(facts.high):
        if facts.low == facts.high:
            return int(facts.low)
        if facts.low < -MAX_INT or facts.high > MAX_INT:
            raise Entangled("a number may become too large", tuple(sorted(decisions)))
    return Symbolic(function, arguments, decisions, facts.low, facts.high, None, facts.step, facts.offset)


def decisions_of(arguments: Iterable[Value]) -> frozenset[str]:
    """The decisions that numbers depend on, as far as they say so."""
    return frozenset[str]().union(*(value.decisions for value in arguments if isinstance(value, Symbolic)))


def combined(symbol: str, left: Value, right: Value) -> Known:
    """What is known of `left symbol right`."""
    a, b = known_of(left), known_of(right)
    match symbol:
        case "+":
            return _whole(a.low + b.low, a.high + b.high, _common(a, b), a.offset + b.offset)
        case "-" if left is right:
            return Known(0, 0, 0, 0)
        case "-":
            return _whole(a.low - b.high, a.high - b.low, _common(a, b), a.offset - b.offset)
        case "*":
            return _product(a, b)
        case "/":
            if b.low > 0 or b.high < 0:
                return _corners(a, b, lambda x, y: x / y)
        case "//" | "%" if b.step is not None and b.low <= 0 <= b.high:
            raise Entangled("a number may be divided by zero", tuple(sorted(decisions_of((left, right)))))
        case "//":
            return _quotient(a, b)
        case "%":
            return _remainder(a, b)
        case "^":
            return _power(a, b)
    return Known(-math.inf, math.inf)


def _common(a: Known, b: Known) -> int | None:
    return None if a.step is None or b.step is None else math.gcd(a.step, b.step)


def _corners(a: Known, b: Known, function: Callable[[Any, Any], Any]) -> Known:
    if not all(map(math.isfinite, (a.low, a.high, b.low, b.high))):
        return Known(-math.inf, math.inf)
    values = [function(x, y) for x in (a.low, a.high) for y in (b.low, b.high)]
    return Known(min(values), max(values))


def _product(a: Known, b: Known) -> Known:
    reach = _corners(a, b, lambda x, y: x * y)
    if a.step is None or b.step is None:
        return reach
    step = math.gcd(a.step * b.step, a.step * b.offset, b.step * a.offset)
    return _whole(reach.low, reach.high, step, a.offset * b.offset)


def _quotient(a: Known, b: Known) -> Known:
    """Floor division by a positive number."""
    if b.low <= 0:
        return Known(-math.inf, math.inf, *((1, 0) if a.step is not None and b.step is not None else ()))
    reach = _corners(a, b, lambda x, y: x // y)
    if a.step is None or b.step is None:
        return reach
    if b.exact and a.step % b.offset == 0:
        return _whole(reach.low, reach.high, a.step // b.offset, a.offset // b.offset)
    return _whole(reach.low, reach.high, 1, 0)


def _remainder(a: Known, b: Known) -> Known:
    """The remainder by a positive number."""
    if b.low <= 0 or a.step is None or b.step is None:
        return Known(-math.inf, math.inf, *((1, 0) if a.step is not None and b.step is not None else ()))
    if b.exact and a.step % b.offset == 0:
        return Known(a.offset % b.offset, a.offset % b.offset, 0, a.offset % b.offset)
    if a.low >= 0 and a.high < b.low:
        return a
    common = math.gcd(a.step, b.step, b.offset)  # divides what is taken away
    most = min(b.high - 1, a.high) if a.low >= 0 else b.high - 1
    return _whole(0, most, common, a.offset)


def _power(a: Known, b: Known) -> Known:
    """A number that is not negative to a known whole power."""
    if not b.exact or b.offset < 0 or a.low < 0 or not math.isfinite(a.high):
        return Known(-math.inf, math.inf)
    if a.high > 1 and b.offset * math.log2(a.high) > 64:
        return Known(0, 2**64, None if a.step is None else 1)
    high = a.high**b.offset
    if a.step is None:
        return Known(a.low**b.offset, high)
    return _whole(a.low**b.offset, high, a.step, a.offset**b.offset)


def compared(symbol: str, left: Value, right: Value) -> bool | None:
    """`left symbol right`; None where bounds do not say."""
    if left is right:
        return symbol in ("==", "<=", ">=")
    a, b = known_of(left), known_of(right)
    match symbol:
        case "<":
            return True if a.high < b.low else False if a.low >= b.high else None
        case "<=":
            return True if a.high <= b.low else False if a.low > b.high else None
        case ">":
            return True if a.low > b.high else False if a.high <= b.low else None
        case ">=":
            return True if a.low >= b.high else False if a.high < b.low else None
    step = _common(a, b)
    apart = a.high < b.low or a.low > b.high or (step and (a.offset - b.offset) % step != 0)
    return (symbol == "!=") if apart else None


def extreme(function: Callable[..., Any], values: tuple[Value, ...]) -> Value:
    """The least or greatest of numbers, by `min` or `max`."""
    parts = [known_of(value) for value in values]
    joined = hull(parts)
    low, high = function(part.low for part in parts), function(part.high for part in parts)
    return number(lambda *plain: function(plain), values, attrs.evolve(joined, low=low, high=high))
