"""`choose`: the domain of a decision, its address, and the value of each pick."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from archlang.diagnostics import Span, error
from archlang.semantics import evaluator as evaluation
from archlang.semantics.decision import Decision, Domain, Integers, OneOf, Pick, Reals, Subsets
from archlang.semantics.fault import broken
from archlang.semantics.values import Env, FloatRange, List, Site, Value, a_type, known
from archlang.syntax import ast

if TYPE_CHECKING:
    from archlang.semantics.evaluator import Evaluator

MAX_PICKED = 1_000
MAX_SUBSETS = 100_000  # picks times elements: what drawing a subset takes

Yield = Callable[[Any], Value]  # from a pick to the value it stands for


def choose(ev: Evaluator, expr: ast.Choose, env: Env) -> Value:
    """The value of a choice: what the handler makes of the decision."""
    if id(expr) not in env.frame.names:
        raise broken(error("E0405", "an op's declaration cannot hold a choice", expr.span))
    if expr.count is not None:
        return _subset(ev, expr, env)
    match expr.alternatives:
        case ast.RecordLiteral(fields):
            labels: tuple[Any, ...] = tuple(field.name for field in fields)
            return _alternatives(ev, expr, labels, [field.value for field in fields], env)
        case ast.ListLiteral(items):
            return _alternatives(ev, expr, list_labels(items), list(items), env)
        case alternatives:
            return ev.bind(ev.evaluate(alternatives, env), lambda value: _of_value(ev, expr, value, env))


def _decide(ev: Evaluator, expr: ast.Choose, env: Env, domain: Domain, yielded: Yield) -> Value:
    """What the handler makes of the decision; `yielded` gives the value of a pick."""
    decision = Decision(_address(expr, env), domain, env.frame.within)
    return ev.handler.choose(ev, decision, yielded, expr.span)


def list_labels(items: tuple[ast.Expr, ...]) -> tuple[Any, ...]:
    """The labels of listed alternatives: the constants themselves where all are distinct
    constants, the names of what is listed where they are distinct names, else positions."""
    constants = [constant(item) for item in items]
    if all(value is not None for value in constants):
        keys = {(type(value), value) for value in constants}
        if len(keys) == len(items) and len(set(map(str, constants))) == len(items):
            return tuple(constants)
    names = [_called(item) for item in items]
    if all(name is not None for name in names) and len(set(names)) == len(names):
        return tuple(names)
    return tuple(range(len(items)))


def constant(expr: ast.Expr) -> int | float | bool | str | None:
    """The value of a literal (perhaps negated), or None."""
    match expr:
        case ast.Number(value) | ast.String(value) | ast.Bool(value):
            return value
        case ast.Unary("-", ast.Number(value)):
            return -value
    return None


def _called(expr: ast.Expr) -> str | None:
    match expr:
        case ast.Name(name) | ast.Call(ast.Name(name)):
            return name
    return None


def _address(expr: ast.Choose, env: Env) -> str:
    name = env.frame.names[id(expr)].decision
    path = env.frame.site.decisions
    if not name:
        return path
    name += env.loops
    return f"{path}.{name}" if path else name


def _not_log(expr: ast.Choose) -> None:
    if expr.log:
        raise broken(
            error("E0403", "`log` goes with a range of floats", expr.span, hints=["write `choose 1e-4..1e-1 log`"])
        )


def _alternatives(ev: Evaluator, expr: ast.Choose, labels: tuple[Any, ...], values: list[ast.Expr], env: Env) -> Value:
    _not_log(expr)
    if not labels:
        raise broken(error("E0402", "there is nothing to choose from", expr.span))
    domain = OneOf(labels)
    address = _address(expr, env)
    segment = env.frame.names[id(expr)].segment
    site = env.frame.site
    outer = site.enter(segment + env.loops) if segment else site
    outer = Site(outer.path, address, outer.weights)

    def alternative(pick: Pick) -> Value:
        label = str(pick)
        value = values[domain.index(pick)]
        simple = constant(value)
        if simple is not None:
            return simple
        inner = env.frame.inside(address, outer.labelled(label))
        return evaluation.relabelled(ev, ev.evaluate(value, Env(env.names, inner)), label, address)

    return _decide(ev, expr, env, domain, alternative)


def _of_value(ev: Evaluator, expr: ast.Choose, value: Value, env: Env) -> Value:
    """A choice from a range, or from a list that is computed."""
    address = _address(expr, env)
    if type(value) is FloatRange:
        if expr.log and value.low <= 0:
            raise broken(error("E0403", "a `log` range must lie above 0", expr.span))
        return _decide(ev, expr, env, Reals(value.low, value.high, expr.log), lambda pick: pick)
    _not_log(expr)
    if type(value) is range:
        if not value:
            raise broken(error("E0402", "there is nothing to choose from: the range is empty", expr.span))
        return _decide(ev, expr, env, Integers(value[0], value[-1], value.step), lambda pick: pick)
    if type(value) is List:
        items = value.items
        if not items:
            raise broken(error("E0402", "there is nothing to choose from: the list is empty", expr.span))
        domain = OneOf(tuple(range(len(items))))
        return _decide(
            ev, expr, env, domain, lambda pick: evaluation.relabelled(ev, ev.force(items[pick]), str(pick), address)
        )
    raise broken(
        error(
            "E0401",
            f"`choose` takes a list, a range or labelled alternatives, and this is {a_type(value)}",
            expr.alternatives.span,
        )
    )


def _subset(ev: Evaluator, expr: ast.Choose, env: Env) -> Value:
    _not_log(expr)
    assert expr.count is not None
    counts = ev.evaluate(expr.count, env)
    alternatives = expr.alternatives
    if isinstance(alternatives, ast.RecordLiteral):
        thunks = List(tuple(ev.thunk(field.value, env) for field in alternatives.fields))
        return ev.bind(counts, lambda count: _subset_of(ev, expr, count, thunks, env))
    values = ev.evaluate(alternatives, env)
    return ev.bind(counts, lambda count: ev.bind(values, lambda items: _subset_of(ev, expr, count, items, env)))


def _subset_of(ev: Evaluator, expr: ast.Choose, count: Value, items: Value, env: Env) -> Value:
    sequence: Any = ev.sequence(items, expr.alternatives.span)
    low, high = _count_bounds(count, expr.count.span if expr.count else None)
    if low < 0 or low > high or (high > len(sequence) and not expr.repeated) or (high and not len(sequence)):
        wanted = f"{low}" if low == high else f"{low}..{high}"
        raise broken(error("E0402", f"{wanted} of {len(sequence)} cannot be chosen", expr.span))
    if high > MAX_PICKED or high * len(sequence) > MAX_SUBSETS:
        limits = f"at most {MAX_PICKED:,} can be picked, and picks times elements may reach {MAX_SUBSETS:,}"
        raise broken(error("E0603", f"{high:,} of {len(sequence):,} are too many to choose", expr.span, notes=[limits]))
    domain = Subsets(len(sequence), low, high, expr.ordered, expr.repeated)
    address = _address(expr, env)

    def picked(pick: Any) -> Value:
        items = [evaluation.relabelled_item(ev, sequence[position], str(position), address) for position in pick]
        return List(tuple(items))

    return _decide(ev, expr, env, domain, picked)


def _count_bounds(count: Value, span: Span | None) -> tuple[int, int]:
    if isinstance(known(count, "how many to choose"), int) and not isinstance(count, bool):
        return count, count
    if type(count) is range and count.step == 1 and count:
        return count[0], count[-1]
    raise broken(
        error("E0401", f"how many to choose must be an int or a range of ints, and this is {a_type(count)}", span)
    )
