"""Operators on static values: exact integers, floats, booleans, strings, lists, symbolic sizes."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

from archlang.diagnostics import Span, error
from archlang.ir.types import SymbolicDim
from archlang.semantics import bounded, sums
from archlang.semantics.bounded import MAX_INT
from archlang.semantics.fault import broken
from archlang.semantics.values import List, Symbolic, Undecided, Value, a_type, known, type_name

MAX_LIST = 100_000

COMPARISONS = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}

# Most of what is evaluated are sizes: these take the shortest way.
_EXACT: dict[str, Callable[[int, int], int]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    **COMPARISONS,
}


def _number(value: Value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def binary(symbol: str, span: Span | None, left: Value, right: Value) -> Value:
    """`left symbol right` for values that depend on no decision; raises `FaultSignal` where the
    operator has no meaning for them."""
    if type(left) is int and type(right) is int:
        exact = _EXACT.get(symbol)
        if exact is not None:
            result = exact(left, right)
            if -MAX_INT <= result <= MAX_INT:
                return result
    if isinstance(left, Symbolic) or isinstance(right, Symbolic):
        return _symbolic(symbol, left, right, span)
    if symbol in COMPARISONS:
        return _compare(symbol, left, right, span)
    if _number(left) and _number(right):
        return checked(_arithmetic(symbol, left, right, span), span)
    if isinstance(left, List) and isinstance(right, List) and symbol == "+":
        if len(left.items) + len(right.items) > MAX_LIST:
            raise broken(error("E0603", f"a list would have more than {MAX_LIST:,} elements", span))
        return List(left.items + right.items, left.kind)
    if isinstance(left, str) and isinstance(right, str) and symbol == "+":
        if len(left) + len(right) > MAX_LIST:
            raise broken(error("E0603", f"a text would have more than {MAX_LIST:,} characters", span))
        return left + right
    if isinstance(left, SymbolicDim) or isinstance(right, SymbolicDim):
        done = _dimension(symbol, left, right)
        if done is not None:
            return done
        name = next(value.name for value in (left, right) if isinstance(value, SymbolicDim))
        raise broken(
            error(
                "E0305",
                f"the size of dimension `{name}` is not known before data comes",
                span,
                notes=[f"`{symbol}` needs it; a batch dimension can be multiplied, and divided by a factor it has"],
            )
        )
    raise broken(error("E0301", f"`{symbol}` cannot take {a_type(left)} and {a_type(right)}", span))


def negative(value: Value, span: Span | None) -> Value:
    """`-value`; raises `FaultSignal` where that has no meaning."""
    if not _number(value) and not isinstance(value, Symbolic | SymbolicDim):
        raise broken(error("E0301", f"`-` cannot take {a_type(value)}", span))
    return binary("*", span, value, -1)


def _arithmetic(symbol: str, left: Any, right: Any, span: Span | None) -> Any:
    try:
        match symbol:
            case "+":
                return left + right
            case "-":
                return left - right
            case "*":
                return left * right
            case "/":
                return left / right
            case "//":
                return left // right
            case "%":
                return left % right
            case "^":
                if isinstance(left, int) and isinstance(right, int):
                    if right < 0:
                        return float(left) ** right
                    if abs(left) > 1 and right * math.log2(abs(left)) > 64:
                        raise OverflowError
                result = left**right
                if isinstance(result, complex):
                    raise broken(error("E0306", "a negative number has no such power", span))
                return result
    except ZeroDivisionError:
        raise broken(error("E0306", "division by zero", span)) from None
    except OverflowError:
        raise broken(_too_large(span)) from None
    raise AssertionError(symbol)


def _too_large(span: Span | None) -> Any:
    return error("E0602", "the number is too large", span, notes=["whole numbers reach to 2^63 - 1"])


def checked(value: Any, span: Span | None) -> Any:
    """The number, unless it is beyond what whole numbers and floats reach."""
    if isinstance(value, int):
        if not -MAX_INT <= value <= MAX_INT:
            raise broken(_too_large(span))
    elif isinstance(value, float) and not math.isfinite(value):
        raise broken(_too_large(span))
    return value


def _compare(symbol: str, left: Value, right: Value, span: Span | None) -> bool:
    if symbol in ("==", "!="):
        return equal(left, right, span) is (symbol == "==")
    both_text = isinstance(left, str) and isinstance(right, str)
    if (_number(left) and _number(right)) or both_text:
        return bool(COMPARISONS[symbol](left, right))
    for value in (left, right):
        if isinstance(value, SymbolicDim):
            raise broken(error("E0305", f"the size of dimension `{value.name}` is not known before data comes", span))
    raise broken(error("E0301", f"`{symbol}` cannot compare {a_type(left)} with {a_type(right)}", span))


def equal(left: Value, right: Value, span: Span | None) -> bool:
    """Whether two values are equal; lists element by element (their items must be evaluated)."""
    known(left, "whether lists are equal")
    known(right, "whether lists are equal")
    if isinstance(left, List) and isinstance(right, List):
        return len(left.items) == len(right.items) and all(
            equal(a, b, span) for a, b in zip(left.items, right.items, strict=True)
        )
    if _number(left) and _number(right):
        return bool(left == right)
    if type(left) is type(right) and isinstance(left, bool | str | SymbolicDim):
        return bool(left == right)
    if isinstance(left, SymbolicDim) or isinstance(right, SymbolicDim):
        raise broken(error("E0305", "the size of a batch dimension is not known before data comes", span))
    if {type_name(left), type_name(right)} <= {"int", "float", "bool", "str", "list", "tuple"}:
        return False
    raise broken(error("E0301", f"{a_type(left)} cannot be compared", span))


def _dimension(symbol: str, left: Value, right: Value) -> Value:
    """Products and exact quotients of a symbolic dimension, else None."""
    if symbol == "*" and isinstance(left, SymbolicDim) and isinstance(right, int):
        return SymbolicDim(left.name, left.factor * right)
    if symbol == "*" and isinstance(right, SymbolicDim) and isinstance(left, int):
        return SymbolicDim(right.name, right.factor * left)
    if symbol == "//" and isinstance(left, SymbolicDim) and isinstance(right, int) and right > 0:
        return SymbolicDim(left.name, left.factor // right) if left.factor % right == 0 else None
    if symbol == "%" and isinstance(left, SymbolicDim) and isinstance(right, int) and right > 0:
        return 0 if left.factor % right == 0 else None
    return None


# ------------------------------------------------------------ symbolic values


def _symbolic(symbol: str, left: Value, right: Value, span: Span | None) -> Value:
    """An operator on numbers of which only bounds are known. A comparison that these do not decide
    is undecided."""
    for value in (left, right):
        if not isinstance(value, Symbolic) and not _number(value):
            raise broken(error("E0301", f"`{symbol}` cannot take a number and {a_type(value)}", span))
    total = sums.combined(symbol, left, right)
    if total is not None:
        return total

    def function(x: Value, y: Value) -> Value:
        return binary(symbol, span, x, y)

    if symbol in COMPARISONS:
        decided: Value = bounded.compared(symbol, left, right)
        if decided is None:
            decided = sums.compared(symbol, left, right, lambda part, x, y: bool(COMPARISONS[part](x, y)))
        if decided is None:
            decided = Undecided(function, (left, right), bounded.decisions_of((left, right)), 0, 1)
        return decided
    facts = bounded.combined(symbol, left, right)
    follows = sums.followed(symbol, left, right)
    if follows is not None:
        decisions = bounded.decisions_of((left, right))
        total, rising = follows
        return sums.OfSum(function, (left, right), decisions, facts.low, facts.high, sum=total, rising=rising)
    return bounded.number(function, (left, right), facts)
