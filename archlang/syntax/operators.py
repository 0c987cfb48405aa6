"""Operators: how tightly they bind, and trees made from flat sequences of them."""

from __future__ import annotations

from archlang.diagnostics import Diagnostic, Source, Span, error
from archlang.syntax import ast
from archlang.syntax.tokens import Token

# Loosest first; all but `^` group to the left, and comparisons and ranges do not group at all.
LEVELS = (
    ("|>",),
    (">>",),
    ("or",),
    ("and",),
    ("not",),
    ("==", "!=", "<", "<=", ">", ">="),
    ("..", "..<", "step"),
    ("+", "-"),
    ("*", "/", "//", "%"),
    ("negative",),
    ("^",),
)
BINDING = {operator: level for level, operators in enumerate(LEVELS, 1) for operator in operators}
PIPE, COMPOSE, NOT, COMPARISON, RANGE, NEGATIVE, POWER = (
    BINDING[operator] for operator in ("|>", ">>", "not", "==", "..", "negative", "^")
)


def opens_with_list(expr: ast.Expr) -> bool:
    """Whether an operation begins with a list or record: after `choose` it could be read two ways."""
    if not isinstance(expr, ast.Binary):
        return False
    while isinstance(expr, ast.Binary):
        expr = expr.left
    return isinstance(expr, ast.ListLiteral | ast.RecordLiteral | ast.Comprehension)


class Pin:
    """`at "address" tied "address"` after a stage of a pipe."""

    __slots__ = ("address", "end", "start", "weights")

    def __init__(self, address: str, weights: str | None, start: int, end: int):
        self.address = address
        self.weights = weights
        self.start = start
        self.end = end


class Sequence:
    """A flat sequence of operands, operator tokens and pins, to be read as one expression.

    None stands for a missing end of a range. Errors are added to `found`.
    """

    def __init__(self, source: Source, parts: list[ast.Expr | Token | Pin | None], found: list[Diagnostic]):
        self._source = source
        self._parts = parts
        self._found = found
        self._at = 0
        self._range_made: ast.Range | None = None  # a range in brackets is an operand like any other

    def expression(self, binding: int = 1) -> ast.Expr:
        """The expression that starts here, as far as operators bind at least so tightly."""
        left = self._operand()
        while self._at < len(self._parts):
            token = self._parts[self._at]
            if not isinstance(token, Token):
                break
            level = BINDING[token.text]
            if level < binding:
                break
            self._at += 1
            left = self._binary(left, token, level)
        assert left is not None
        return left

    def _operand(self) -> ast.Expr | None:
        part = self._parts[self._at]
        self._at += 1
        if not isinstance(part, Token):
            assert not isinstance(part, Pin)
            return part
        operator, level = ("-", NEGATIVE) if part.text == "-" else ("not", NOT)
        operand = self.expression(level)
        return ast.Unary(operator, operand, span=Span(self._source, part.start, operand.span.end))

    def _binary(self, left: ast.Expr | None, token: Token, level: int) -> ast.Expr:
        if level == RANGE:
            return self._range(left, token)
        assert left is not None
        right = self.expression(level if level == POWER else level + 1)
        span = Span(self._source, left.span.start, right.span.end)
        if level == PIPE:
            pin = self._parts[self._at] if self._at < len(self._parts) else None
            if not isinstance(pin, Pin):
                return ast.Pipe(left, right, span=span)
            self._at += 1
            self._check_end(pin)
            span = Span(self._source, left.span.start, pin.end)
            return ast.Pipe(left, right, pin.address, pin.weights, span=span)
        if level == COMPOSE:
            return ast.Compose(left, right, span=span)
        if level == COMPARISON and self._next_level() == COMPARISON:
            self._report("E0115", "comparisons do not chain", token, "join them with `and`: `a < b and b < c`")
        return ast.Binary(token.text, left, right, span=span)

    def _range(self, low: ast.Expr | None, token: Token) -> ast.Expr:
        is_range = low is not None and low is self._range_made
        if token.text == "step":
            assert low is not None
            step = self.expression(RANGE + 1)
            if not (is_range and isinstance(low, ast.Range) and low.step is None):
                self._report("E0116", "`step` follows a range", token, "write `low..high step size`")
                return low
            span = Span(self._source, low.span.start, step.span.end)
            made = ast.Range(low.low, low.high, low.exclusive, step, span=span)
        else:
            if is_range:
                self._report("E0116", "a range has two ends", token, "write `low..high step size`")
            high: ast.Expr | None = None
            if self._parts[self._at] is None:
                self._at += 1
            else:
                high = self.expression(RANGE + 1)
            start = low.span.start if low is not None else token.start
            end = high.span.end if high is not None else token.end
            made = ast.Range(low, high, token.text == "..<", span=Span(self._source, start, end))
        self._range_made = made
        return made

    def _next_level(self) -> int:
        token = self._parts[self._at] if self._at < len(self._parts) else None
        return BINDING[token.text] if isinstance(token, Token) else 0

    def _check_end(self, pin: Pin) -> None:
        if self._at < len(self._parts) and self._next_level() != PIPE:
            hint = 'put what is applied in brackets: `x |> (f >> g) at "…"`'
            self._report("E0118", "`at` ends a stage of a pipe", pin, hint)

    def _report(self, code: str, message: str, place: Token | Pin, hint: str) -> None:
        self._found.append(error(code, message, Span(self._source, place.start, place.end), hints=[hint]))
