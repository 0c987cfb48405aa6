"""The one evaluator of the language: by need, on values that may depend on decisions.

What a `choose` does is a handler's part (`semantics.handlers`): follow given choices, draw them,
or keep all alternatives. With a handler that picks, every value is a plain one; with one that
keeps alternatives, static values are decision diagrams and tensors are select nodes, and every
operation works pointwise (`lift`) or once per distinct value (`bind`). Errors are values too: a
`FaultSignal` becomes a fault leaf at the nearest thunk, alternative or continuation.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from archlang.diagnostics import Span, did_you_mean, error
from archlang.semantics import application, choosing, statements
from archlang.semantics.arithmetic import COMPARISONS, binary, negative
from archlang.semantics.diagram import Diagram, Diagrams, leaf_key, leaves
from archlang.semantics.fault import Fault, FaultSignal, broken
from archlang.semantics.handlers import Varying
from archlang.semantics.modules import BUILTINS, ModuleScope
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
    SelectNode,
    SharedValue,
    Site,
    Tensor,
    Thunk,
    Value,
    a_type,
    known,
)
from archlang.syntax import ast

if TYPE_CHECKING:
    from archlang.semantics.handlers import Handler

MAX_STEPS = 500_000
MAX_RANGE = 1_000_000


class Evaluator:
    """One evaluation under one handler."""

    def __init__(self, handler: Handler, max_steps: int = MAX_STEPS):
        self.handler = handler
        self.diagrams = Diagrams()
        self.needs: dict[int, Value] = {}
        self.blocks: dict[str, str] = {}
        self.templates: dict[Any, Any] = {}  # calls of shared blocks; see semantics.reuse
        self.rules: dict[Any, Any] = {}  # the rules of ops on diagrams; see semantics.operations
        self.sums = False  # whether a cost is kept as a sum; see semantics.sums
        self._constants: dict[tuple[int, str], Thunk] = {}
        self._steps = max_steps

    def step(self, span: Span | None) -> None:
        """Count one application or iteration against the limit of the evaluation."""
        self._steps -= 1
        if self._steps < 0:
            raise broken(
                error("E0601", "the program is too large", span, notes=["evaluation was stopped after too many steps"])
            )

    # ------------------------------------------------------- values by need

    def force(self, value: Value) -> Value:
        """The value of a thunk (evaluated now, if it has not been); anything else as it is."""
        if not isinstance(value, Thunk):
            return value
        if value.state != 2:
            if value.state == 1:
                span = value.expr.span if not isinstance(value, Deferred) and value.expr is not None else None
                raise broken(error("E0604", "a value is needed for its own evaluation", span))
            value.state = 1
            outer, self.needs = self.needs, {}
            try:
                expr = value.expr
                result = expr() if isinstance(value, Deferred) else self.evaluate(expr, value.env)
            except FaultSignal as signal:
                result = signal.fault
            value.value = result
            value.needs = self.needs or None
            self.needs = outer
            value.state = 2
            value.expr = value.env = None
        if value.needs is not None:
            if self.needs:
                for var, condition in value.needs.items():
                    self.need(var, condition)
            else:
                self.needs = value.needs.copy()
        result = value.value
        if type(result) is Fault:
            raise FaultSignal(result)
        return result

    def need(self, var: int, condition: Value) -> None:
        """Note that decision `var` is asked under a condition."""
        known = self.needs.get(var, False)
        if known is not condition and known is not True:
            self.needs[var] = self.diagrams.either(known, condition)

    def under(self, condition: Callable[[], Value], compute: Callable[[], Value]) -> Value:
        """What `compute` gives, a fault as a leaf; the decisions that it asks count as asked under
        the condition (which is worked out when there are any)."""
        outer, self.needs = self.needs, {}
        try:
            result = compute()
        except FaultSignal as signal:
            result = signal.fault
        inner, self.needs = self.needs, outer
        fresh = [(var, asked) for var, asked in inner.items() if outer.get(var) is not True]
        if fresh:
            here = condition()
            for var, asked in fresh:
                self.need(var, self.diagrams.both(here, asked))
        return result

    def bind(self, value: Value, then: Callable[[Value], Value]) -> Value:
        """`then` run once for every distinct value, where the value depends on decisions."""
        kind = type(value)
        if kind is not Diagram:
            if kind is Fault:
                raise FaultSignal(value)
            return then(value)
        results: dict[Any, Value] = {}
        for leaf in leaves(value):
            if type(leaf) is Fault:
                results[leaf_key(leaf)] = leaf
            else:
                condition = partial(self.diagrams.equals_leaf, value, leaf)
                results[leaf_key(leaf)] = self.under(condition, partial(then, leaf))
        return self.settle(self.diagrams.substitute(value, results, self.join))

    def lift(self, function: Callable[..., Value], *values: Value) -> Value:
        """`function` applied to static values, pointwise where they depend on decisions."""
        for value in values:
            kind = type(value)
            if kind is Diagram:
                return self.settle(self.diagrams.lift(function, *values))
            if kind is Fault:
                raise FaultSignal(value)
        return function(*values)

    def settle(self, value: Value) -> Value:
        """The value; a signal when it is a fault whatever is chosen."""
        if type(value) is Fault:
            raise FaultSignal(value)
        return value

    def join(self, var: int, kids: tuple[Value, ...]) -> Value:
        """The value that is `kids[i]` under pick i of a decision; tensors of equal rank meet in one
        select node, whose dimensions are diagrams."""
        tensors = [kid for kid in kids if type(kid) is Tensor]
        if not tensors:
            return self.diagrams.combine(var, kids)
        first = tensors[0]
        for kid in kids:
            if type(kid) is Tensor:
                if len(kid.shape) != len(first.shape) or kid.dtype != first.dtype:
                    return self.diagrams.combine(var, kids)
            elif type(kid) is not Fault:
                return self.diagrams.combine(var, kids)
        if all(kid is first for kid in kids):
            return first
        if all(type(kid) is Tensor and kid.ok is True and kid.shape == first.shape for kid in kids):
            return Tensor(SelectNode(var, kids), first.dtype, first.shape)
        combine = self.diagrams.combine
        shape = tuple(
            combine(var, tuple(kid.shape[axis] if type(kid) is Tensor else kid for kid in kids))
            for axis in range(len(first.shape))
        )
        ok = combine(var, tuple(kid.ok if type(kid) is Tensor else kid for kid in kids))
        return Tensor(SelectNode(var, kids), first.dtype, shape, ok)

    def mask(self, value: Value, ok: Value) -> Value:
        """The value where `ok` holds, and the faults of `ok` elsewhere."""
        if ok is True:
            return value
        if type(ok) is Fault:
            raise FaultSignal(ok)
        if type(value) is Tensor:
            # Where both fail it is `ok` that is told: what a `require` excludes is not looked at.
            return Tensor(value.node, value.dtype, value.shape, self.both_ok(ok, value.ok))
        return self.lift(lambda _, inner: inner, ok, value)

    def both_ok(self, *oks: Value) -> Value:
        """True where all are; the first fault elsewhere (as a leaf, not a signal)."""
        result: Value = True
        for ok in oks:
            if ok is True:
                continue
            result = ok if result is True else self.diagrams.lift(lambda a, b: True, result, ok)
        return result

    def dim(self, tensor: Tensor, axis: int) -> Value:
        """A dimension of a tensor, where the tensor exists."""
        size = tensor.shape[axis]
        return size if tensor.ok is True else self.lift(lambda _, known: known, tensor.ok, size)

    def tensor(self, value: Value, span: Span | None, what: str) -> Tensor:
        """The value as a tensor; a broken program when it is none."""
        if type(value) is not Tensor:
            raise broken(error("E0301", f"{what} takes a tensor, and this is {a_type(value)}", span))
        return value

    # -------------------------------------------------------------- expressions

    def evaluate(self, expr: ast.Expr, env: Env) -> Value:
        """The value of an expression (not a thunk; a diagram where it depends on decisions)."""
        return _EVALUATE[type(expr)](self, expr, env)

    def thunk(self, expr: ast.Expr, env: Env) -> Value:
        """The expression to be evaluated when needed; constants and names as they are."""
        if isinstance(expr, ast.Number | ast.String | ast.Bool):
            return expr.value
        if isinstance(expr, ast.Name):
            found = env.names.get(expr.name, _MISSING)
            if found is not _MISSING:
                return found
        return Thunk(expr, env)

    def name(self, expr: ast.Name, env: Env) -> Value:
        found = env.names.get(expr.name, _MISSING)
        if found is not _MISSING:
            return self.force(found)
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
                    frame = Frame(site, home.sites(name, declaration), home)
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
            return self.lift(lambda value: not self.truth(value, expr.operand.span), operand)
        return self.lift(lambda value: negative(value, expr.span), operand)

    def truth(self, value: Value, span: Span | None) -> bool:
        """A condition's value; a broken program when it is no bool."""
        if not isinstance(known(value, "a condition"), bool):
            raise broken(error("E0301", f"a condition must be true or false, and this is {a_type(value)}", span))
        return bool(value)

    def _binary(self, expr: ast.Binary, env: Env) -> Value:
        symbol = expr.operator
        left = self.evaluate(expr.left, env)
        if symbol == "and" or symbol == "or":

            def rest(value: Value) -> Value:
                if self.truth(value, expr.left.span) is (symbol == "or"):
                    return value
                right = self.evaluate(expr.right, env)
                return self.lift(lambda value: self.truth(value, expr.right.span), right)

            return self.bind(left, rest)
        right = self.evaluate(expr.right, env)
        return self.operate(symbol, left, right, expr, env)

    def operate(self, symbol: str, left: Value, right: Value, expr: ast.Binary, env: Env) -> Value:
        """`left symbol right`, for tensors by the library's op of that name."""
        if type(left) is Tensor or type(right) is Tensor or _has_tensor(left) or _has_tensor(right):
            return self.bind(
                left, lambda a: self.bind(right, lambda b: application.operator(self, symbol, a, b, expr, env))
            )
        if symbol in ("==", "!="):
            left, right = self.resolved(left), self.resolved(right)
        value = self.lift(lambda a, b: binary(symbol, a, b, expr.span), left, right)
        return self.bind(value, self._decided) if self.sums and symbol in COMPARISONS else value

    def _decided(self, value: Value) -> Value:
        """A comparison's value; one that compares costs over all choices as a condition on budgets."""
        if type(value) is not Condition:
            return value
        assert isinstance(self.handler, Varying)  # others make no sums
        held: Value = True
        for budget, wanted in value.tests:
            kept = self.handler.kept(self, budget)
            held = self.diagrams.both(held, kept if wanted else self.diagrams.lift(operator.not_, kept))
        return self.lift(operator.not_, held) if value.negated else held

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


def _has_tensor(value: Value) -> bool:
    return type(value) is Diagram and any(type(leaf) is Tensor for leaf in leaves(value))


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
