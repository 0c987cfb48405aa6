"""The one evaluator of the language: what each kind of expression means, in terms of `by_need`.

What a `choose` does is a handler's part (`semantics.handlers`): follow given choices, draw them,
or keep all alternatives.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from archlang.diagnostics import Span, did_you_mean, error
from archlang.ir.types import SymbolicDim
from archlang.semantics import application, choosing, statements
from archlang.semantics.arithmetic import COMPARISONS, binary, negative
from archlang.semantics.by_need import ByNeed
from archlang.semantics.diagram import Diagram
from archlang.semantics.fault import broken
from archlang.semantics.modules import BUILTINS, ModuleScope
from archlang.semantics.rewriting import Rewrites
from archlang.semantics.sites import flatten
from archlang.semantics.sums import Condition
from archlang.semantics.values import (
    FUNCTIONS,
    BlockValue,
    BuiltinValue,
    ComposeValue,
    Deferred,
    DefValue,
    Env,
    FloatRange,
    Frame,
    LabelledValue,
    List,
    OpValue,
    Record,
    SharedValue,
    Site,
    Tensor,
    Thunk,
    Undecided,
    Value,
    a_type,
    known,
)
from archlang.syntax import ast

if TYPE_CHECKING:
    from archlang.semantics.handlers import Handler
    from archlang.semantics.widening import Widening

MAX_STEPS = 500_000
MAX_RANGE = 1_000_000


class Evaluator(ByNeed):
    """One evaluation under one handler."""

    def __init__(self, handler: Handler, max_steps: int = MAX_STEPS, widen: bool = False, partial_channels: int = 1):
        super().__init__(handler, max_steps, widen, partial_channels)
        self.blocks: dict[str, str] = {}
        self.templates: dict[Any, Any] = {}  # calls of blocks by what they are given; see semantics.reuse
        self.not_reusable: set[int] = set()  # the declarations of blocks that are evaluated call by call
        self.ties: dict[str, Span] = {}  # where weights are tied, by their path
        self.limited: set[str] = set()  # the blocks that have a `limit`
        self.rules: dict[Any, Any] = {}  # the rules of ops on diagrams; see semantics.operations
        self.rewrites = Rewrites()  # what became of the rules of derived spaces
        self.sums = False  # whether a cost is kept as a sum; see semantics.sums
        self._constants: dict[tuple[int, str], Thunk] = {}

    # -------------------------------------------------------------- expressions

    def evaluate(self, expr: ast.Expr, env: Env) -> Value:
        """The value of an expression (not a thunk; a diagram where it depends on decisions)."""
        return _EVALUATE[type(expr)](self, expr, env)

    def thunk(self, expr: Any, env: Env) -> Value:
        """The expression to be evaluated when needed; constants and names as they are."""
        kind = type(expr)
        if kind is ast.Number or kind is ast.String or kind is ast.Bool:
            return expr.value
        if kind is ast.Name:
            found = env.names.get(expr.name, _MISSING)
            if found is not _MISSING:
                return found
        return Thunk(expr, env)

    def name(self, expr: ast.Name, env: Env) -> Value:
        found = env.names.get(expr.name, _MISSING)
        if found is not _MISSING:
            return self.force(found) if isinstance(found, Thunk) else found
        return self.global_value(expr.name, env.frame.module, expr.span, env)

    def global_value(self, name: str, module: ModuleScope, span: Span | None, env: Env | None = None) -> Value:
        """The value of a module's item or a builtin."""
        found = module.find(name)
        if found is None:
            if name in BUILTINS:
                return BuiltinValue(name)
            local = list(env.names) if env is not None else []
            raise broken(
                error(
                    "E0201",
                    f"there is nothing called `{name}`",
                    span,
                    hints=did_you_mean(name, [*local, *module.names()]),
                )
            )
        home, declaration = found
        match declaration:
            case ast.Block() | ast.Space():
                return BlockValue(declaration, home)
            case ast.Op():
                return OpValue(declaration, home)
            case ast.Def():
                return DefValue(declaration, home)
            case ast.Constant():
                key = (id(home), name)
                thunk = self._constants.get(key)
                if thunk is None:
                    site = Site()
                    frame = Frame(site, home.sites(declaration), home)
                    thunk = self._constants[key] = Thunk(declaration.value, Env({}, frame))
                return self.force(thunk)

    def _literal(self, expr: Any, env: Env) -> Value:
        return expr.value

    def _list(self, expr: ast.ListLiteral, env: Env) -> Value:
        return List(tuple([self.thunk(item, env) for item in expr.items]))

    def _tuple(self, expr: ast.TupleLiteral, env: Env) -> Value:
        return List(tuple([self.thunk(item, env) for item in expr.items]), "tuple")

    def _record(self, expr: ast.RecordLiteral, env: Env) -> Value:
        return Record({field.name: self.thunk(field.value, env) for field in expr.fields})

    def _unary(self, expr: ast.Unary, env: Env) -> Value:
        operand = self.evaluate(expr.operand, env)
        if expr.operator == "not":
            return self.lift(lambda value: self._negation(value, expr.operand.span), operand)
        return self.lift(lambda value: negative(value, expr.span), operand)

    def _negation(self, value: Value, span: Span) -> Value:
        if isinstance(value, Undecided):
            return Undecided(operator.not_, (value,), value.decisions, 0, 1)
        return not self.truth(value, span)

    def truth(self, value: Value, span: Span | None) -> bool:
        """A condition's value; a broken program when it is no bool."""
        if not isinstance(known(value, "a condition"), bool):
            raise broken(error("E0301", f"a condition must be true or false, and this is {a_type(value)}", span))
        return bool(value)

    def holds(self, value: Value, span: Span, requirement: bool = False) -> bool:
        """A condition's value; True, with a note, where it may be left open."""
        if self.widening is not None and isinstance(value, Undecided):
            self.widening.leave_open(value.decisions, span, requirement)
            return True
        return self.truth(value, span)

    def same_size(self, actual: Value, expected: Value, span: Span) -> bool:
        """Whether two dimensions are equal; True, with a note, where that may be left open."""
        if SymbolicDim not in (type(actual), type(expected)) and (type(actual) is not int or type(expected) is not int):
            return self.holds(binary("==", span, actual, expected), span)
        return type(actual) is type(expected) and bool(actual == expected)

    def _binary(self, expr: ast.Binary, env: Env) -> Value:
        left = _EVALUATE[type(expr.left)](self, expr.left, env)
        if type(left) is int or type(left) is bool:
            return self._with_left(left, expr, env)
        return self.after(self.exists(left), lambda: self._with_left(left, expr, env))

    def _with_left(self, left: Value, expr: ast.Binary, env: Env) -> Value:
        symbol = expr.operator
        if symbol == "and" or symbol == "or":

            def rest(value: Value) -> Value:
                if self.widening is not None and isinstance(value, Undecided):
                    return self._with_undecided(value, expr, env, self.widening)
                if self.truth(value, expr.left.span) is (symbol == "or"):
                    return value
                right = self.evaluate(expr.right, env)
                if type(right) is bool:
                    return right
                return self.lift(lambda value: self._condition(value, expr.right.span), right)

            return self.bind(left, rest)
        right = _EVALUATE[type(expr.right)](self, expr.right, env)
        if type(left) is int and type(right) is int:
            return binary(symbol, expr.span, left, right)
        return self.operate(symbol, left, right, expr, env)

    def _condition(self, value: Value, span: Span) -> Value:
        return value if isinstance(value, Undecided) else self.truth(value, span)

    def _with_undecided(self, left: Undecided, expr: ast.Binary, env: Env, widening: Widening) -> Value:
        """`and` or `or` after a condition of which it is not known where it holds."""
        stop = expr.operator == "or"

        def both(right: Value) -> Value:
            right = self._condition(right, expr.right.span)
            if isinstance(right, bool):
                return right if right is stop else left
            connected = operator.or_ if stop else operator.and_
            return Undecided(connected, (left, right), left.decisions | right.decisions, 0, 1)

        right = widening.perhaps(lambda: self.evaluate(expr.right, env), left)
        return self.lift(both, right)

    def operate(self, symbol: str, left: Value, right: Value, expr: ast.Binary, env: Env) -> Value:
        """`left symbol right`, for tensors by the library's op of that name."""
        if self._holds_tensor(left) or self._holds_tensor(right):
            return self.bind(
                left, lambda a: self.bind(right, lambda b: application.operator(self, symbol, a, b, expr, env))
            )
        if symbol in ("==", "!="):
            left, right = self.resolved(left), self.resolved(right)
        function = partial(binary, symbol, expr.span)
        if symbol not in COMPARISONS:
            return self.calculate(function, left, right)
        value = self.lift(function, left, right)
        return self.bind(value, self._decided) if self.sums else value

    def _decided(self, value: Value) -> Value:
        """A comparison's value; one that compares costs over all choices as a condition on budgets."""
        if type(value) is not Condition:
            return value
        assert self.varying is not None  # others make no sums
        held: Value = True
        for budget, wanted in value.tests:
            kept = self.varying.kept(self, budget)
            held = self.diagrams.both(held, kept if wanted else self.diagrams.lift(operator.not_, kept))
        return self.lift(operator.not_, held) if value.negated else held

    def _holds_tensor(self, value: Value) -> bool:
        kind = type(value)
        return kind is Tensor or (kind is Diagram and Tensor in self.diagrams.kinds(value))

    def resolved(self, value: Value) -> Value:
        """The value with the elements of lists evaluated, at every depth."""
        return self.bind(value, self._resolved_leaf) if type(value) is Diagram else self._resolved_leaf(value)

    def _resolved_leaf(self, value: Value) -> Value:
        if type(value) is not List:
            return value
        items = [self.resolved(self.force(item)) for item in value.items]
        return self.lift(lambda *plain: List(plain, value.kind), *items)

    def _range(self, expr: ast.Range, env: Env) -> Value:
        if expr.low is None or expr.high is None:
            raise broken(error("E0309", "a range needs both ends here", expr.span))
        step = self.evaluate(expr.step, env) if expr.step is not None else 1
        return self.lift(
            lambda low, high, step: make_range(low, high, step, expr),
            self.evaluate(expr.low, env),
            self.evaluate(expr.high, env),
            step,
        )

    def _if(self, expr: ast.If, env: Env) -> Value:
        def branch(condition: Value) -> Value:
            taken = expr.then if self.truth(condition, expr.condition.span) else expr.otherwise
            return statements.body(self, taken, env)

        return self.bind(self.evaluate(expr.condition, env), branch)

    def _index(self, expr: ast.Index, env: Env) -> Value:
        value = self.evaluate(expr.value, env)
        if isinstance(expr.index, ast.Range):
            return self._slice(value, expr.index, expr, env)
        index = self.evaluate(expr.index, env)
        return self.bind(value, lambda items: self.bind(index, lambda at: self._element(items, at, expr)))

    def _element(self, items: Value, at: Value, expr: ast.Index) -> Value:
        sequence = self.sequence(items, expr.value.span)
        if isinstance(known(at, "an index"), bool) or not isinstance(at, int):
            raise broken(error("E0301", f"an index must be an int, and this is {a_type(at)}", expr.index.span))
        if not -len(sequence) <= at < len(sequence):
            raise broken(error("E0307", f"index {at} is outside a list of {len(sequence)}", expr.index.span))
        return self.force(sequence[at])

    def _slice(self, value: Value, part: ast.Range, expr: ast.Index, env: Env) -> Value:
        ends = [self.evaluate(end, env) if end is not None else None for end in (part.low, part.high)]

        def cut(items: Value, low: Value, high: Value) -> Value:
            sequence = self.sequence(items, expr.value.span)
            for end in (low, high):
                if end is not None and (isinstance(known(end, "a slice"), bool) or not isinstance(end, int)):
                    raise broken(error("E0301", "the ends of a slice must be ints", part.span))
            stop = None if high is None else high if part.exclusive else (high + 1 or None)
            return List(tuple(sequence[low:stop]))

        return self.lift(cut, value, *ends)

    def _attribute(self, expr: ast.Attribute, env: Env) -> Value:
        def field(record: Value) -> Value:
            if type(record) is not Record:
                raise broken(error("E0301", f"only records have fields, and this is {a_type(record)}", expr.value.span))
            if expr.name not in record.fields:
                raise broken(
                    error(
                        "E0308",
                        f"the record has no field `{expr.name}`",
                        Span(expr.span.source, expr.span.end - len(expr.name), expr.span.end),
                        hints=did_you_mean(expr.name, record.fields)
                        or [f"it has {', '.join(f'`{name}`' for name in record.fields) or 'no fields'}"],
                    )
                )
            return self.force(record.fields[expr.name])

        return self.bind(self.evaluate(expr.value, env), field)

    def _comprehension(self, expr: ast.Comprehension, env: Env) -> Value:
        return self._clauses(expr, 0, env)

    def _clauses(self, expr: ast.Comprehension, number: int, env: Env) -> Value:
        if number == len(expr.clauses):
            return List((self.thunk(expr.element, env),))
        clause = expr.clauses[number]

        def elements(items: Value) -> Value:
            parts: list[Value] = []
            for index, item in enumerate(self.sequence(items, clause.iterable.span)):
                self.step(expr.span)
                inner = statements.bind_target(self, clause.target, item, env.iteration(index))
                parts.append(self._filtered(expr, number, clause.conditions, inner))
            return self.lift(lambda *lists: List(tuple(item for part in lists for item in part.items)), *parts)

        return self.bind(self.evaluate(clause.iterable, env), elements)

    def _filtered(self, expr: ast.Comprehension, number: int, conditions: tuple[ast.Expr, ...], env: Env) -> Value:
        if not conditions:
            return self._clauses(expr, number + 1, env)

        def keep(value: Value) -> Value:
            if not self.truth(value, conditions[0].span):
                return _EMPTY
            return self._filtered(expr, number, conditions[1:], env)

        return self.bind(self.evaluate(conditions[0], env), keep)

    def sequence(self, value: Value, span: Span | None) -> Sequence[Any]:
        """The elements (perhaps thunks) of a list, tuple or range of ints."""
        if type(value) is List:
            return value.items
        if type(value) is range:
            if len(value) > MAX_RANGE:
                raise broken(error("E0603", f"the range has more than {MAX_RANGE:,} elements", span))
            return value
        raise broken(error("E0301", f"a list or range is needed here, and this is {a_type(value)}", span))

    def _pipe(self, expr: ast.Pipe, env: Env) -> Value:
        return application.pipe(self, expr, env)

    def _compose(self, expr: ast.Compose, env: Env) -> Value:
        names = env.frame.names
        parts = flatten(expr)
        value: Value = None
        name: str | None = None
        for part in parts:
            found = names.get(id(part))
            segment = found.segment if found is not None else ""
            function = self.evaluate(part, env)
            if value is None:
                value, name = function, segment
            else:
                value = self.lift(
                    lambda first, second, pair=(name, segment): ComposeValue(first, second, pair), value, function
                )
                name = None
        return value

    def _call(self, expr: ast.Call, env: Env) -> Value:
        return application.call(self, expr, env)

    def _choose(self, expr: ast.Choose, env: Env) -> Value:
        return choosing.choose(self, expr, env)

    def _share(self, expr: ast.Share | ast.Tie, env: Env) -> Value:
        site = env.frame.site.enter(env.frame.names[id(expr)].segment + env.loops)

        def shared(function: Value) -> Value:
            if not isinstance(function, FUNCTIONS):
                word = "tie" if isinstance(expr, ast.Tie) else "share"
                raise broken(
                    error(
                        "E0301",
                        f"`{word}` takes a block, and this is {a_type(function)}",
                        expr.value.span,
                        hints=["bind a value to a name to use one decision in several places"],
                    )
                )
            if isinstance(expr, ast.Tie):
                self.ties.setdefault(site.weights, expr.span)
            return SharedValue(function, site, isinstance(expr, ast.Tie))

        return self.lift(shared, self.evaluate(expr.value, env))


def relabelled(ev: Evaluator, value: Value, label: str, decision: str) -> Value:
    """A value that came through an alternative: functions in it carry the label from now on."""
    if isinstance(value, FUNCTIONS):
        return LabelledValue(value, label, decision)
    if type(value) is List:
        if any(isinstance(item, (Thunk, List, *FUNCTIONS)) for item in value.items):
            return List(tuple([relabelled_item(ev, item, label, decision) for item in value.items]), value.kind)
    elif type(value) is Record:
        return Record({name: relabelled_item(ev, item, label, decision) for name, item in value.fields.items()})
    elif type(value) is Diagram:
        return ev.lift(lambda leaf: relabelled(ev, leaf, label, decision), value)
    return value


def relabelled_item(ev: Evaluator, item: Value, label: str, decision: str) -> Value:
    if isinstance(item, Thunk):
        return Deferred(lambda: relabelled(ev, ev.force(item), label, decision))
    return relabelled(ev, item, label, decision)


def make_range(low: Value, high: Value, step: Value, expr: ast.Range) -> Value:
    """The range of ints, or of floats where an end is a float; broken when it makes no sense."""
    for end in (low, high, step):
        if isinstance(known(end, "a range"), bool) or not isinstance(end, int | float):
            raise broken(error("E0301", f"the ends of a range must be numbers, and this is {a_type(end)}", expr.span))
    if isinstance(low, float) or isinstance(high, float) or isinstance(step, float):
        if expr.step is not None or expr.exclusive:
            raise broken(error("E0309", "a range of floats has no step and includes both ends", expr.span))
        if low > high:
            raise broken(
                error("E0309", f"the range {low}..{high} is empty", expr.span, hints=["write the lower end first"])
            )
        return FloatRange(float(low), float(high))
    if step < 1:
        raise broken(error("E0309", "the step of a range must be 1 or more", expr.span))
    return range(low, high if expr.exclusive else high + 1, step)


_MISSING = object()
_EMPTY = List(())

_EVALUATE: dict[type, Callable[[Evaluator, Any, Env], Value]] = {
    ast.Number: Evaluator._literal,
    ast.String: Evaluator._literal,
    ast.Bool: Evaluator._literal,
    ast.Name: Evaluator.name,
    ast.ListLiteral: Evaluator._list,
    ast.TupleLiteral: Evaluator._tuple,
    ast.RecordLiteral: Evaluator._record,
    ast.Call: Evaluator._call,
    ast.Index: Evaluator._index,
    ast.Attribute: Evaluator._attribute,
    ast.Unary: Evaluator._unary,
    ast.Binary: Evaluator._binary,
    ast.Range: Evaluator._range,
    ast.If: Evaluator._if,
    ast.Comprehension: Evaluator._comprehension,
    ast.Pipe: Evaluator._pipe,
    ast.Compose: Evaluator._compose,
    ast.Choose: Evaluator._choose,
    ast.Share: Evaluator._share,
    ast.Tie: Evaluator._share,
}
