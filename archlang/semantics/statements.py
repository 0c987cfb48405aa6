"""Bodies: bindings, loops and branches by need, and the `require`s that a body's value checks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from archlang.diagnostics import error
from archlang.semantics.diagram import leaf_key
from archlang.semantics.fault import broken, excluded
from archlang.semantics.sites import assigned
from archlang.semantics.values import Deferred, Env, List, Thunk, Value, a_type
from archlang.syntax import ast

if TYPE_CHECKING:
    from archlang.semantics.evaluator import Evaluator

Check = Callable[[], Value]  # a `require`: True, or a diagram of True and faults


def body(ev: Evaluator, body: ast.Body, env: Env, common: Sequence[Check] = ()) -> Value:
    """The value of a body, where its `require`s hold, and before them others."""
    if not body.statements and not common:
        return ev.evaluate(body.result, env)
    env, checks = run(ev, body.statements, env)
    ok: Value = True
    for check in (*common, *checks):
        ok = ev.both_ok(ok, check())
    return ev.after(ok, lambda: ev.evaluate(body.result, env))


def run(ev: Evaluator, statements: tuple[ast.Statement, ...], env: Env) -> tuple[Env, list[Check]]:
    """The names after the statements (nothing is evaluated yet), and the `require`s among them."""
    checks: list[Check] = []
    for statement in statements:
        match statement:
            case ast.Bind(target, value):
                env = bind_target(ev, target, ev.thunk(value, env), env)
            case ast.Require():
                checks.append(_check(ev, statement, env))
            case ast.For():
                loop = _Loop(ev, statement, env)
                env = env.bind({name: loop.carried(name) for name in assigned(statement.body)})
                if _has_require(statement.body):
                    checks.append(loop.check)
            case ast.IfStatement():
                branches = _Branches(ev, statement, env)
                env = env.bind({name: branches.carried(name) for name in branches.assigned})
                if _has_require(statement.then) or _has_require(statement.otherwise):
                    checks.append(branches.check)
    return env, checks


def _has_require(statements: tuple[ast.Statement, ...]) -> bool:
    for statement in statements:
        match statement:
            case ast.Require():
                return True
            case ast.For(_, _, inner):
                if _has_require(inner):
                    return True
            case ast.IfStatement(_, then, otherwise):
                if _has_require(then) or _has_require(otherwise):
                    return True
    return False


def _check(ev: Evaluator, statement: ast.Require, env: Env) -> Check:
    def test(value: Value) -> Value:
        if not ev.holds(value, statement.condition.span, requirement=True):
            because = f": {statement.message}" if statement.message else ""
            raise excluded(error("E0501", f"a requirement does not hold{because}", statement.span))
        return True

    def check() -> Value:
        return ev.lift(test, ev.evaluate(statement.condition, env))

    return check if ev.widening is None else partial(ev.widening.attempt, check, statement.span)


def bind_target(ev: Evaluator, target: ast.Target, value: Value, env: Env) -> Env:
    """The names with a target bound to a value; a tuple is taken apart when one of its names is
    needed."""
    if isinstance(target, ast.NameTarget):
        return env.bind({target.name: value})
    count = len(target.items)

    def part(position: int) -> Value:
        def pick(items: Value) -> Value:
            sequence = items.items if type(items) is List else ()
            if len(sequence) != count:
                what = f"has {len(sequence)} parts" if type(items) is List else f"is {a_type(items)}"
                raise broken(error("E0301", f"{count} names are bound here, and the value {what}", target.span))
            return ev.force(sequence[position])

        return Deferred(lambda: ev.bind(ev.force(value), pick))

    for position, item in enumerate(target.items):
        env = bind_target(ev, item, part(position), env)
    return env


class _Loop:
    """A `for`: its range is needed when a name that it carries is. Iterations over equal elements
    are run once, however many ranges (of variable depth) pass through them."""

    def __init__(self, ev: Evaluator, statement: ast.For, env: Env):
        self._ev = ev
        self._statement = statement
        self._env = env
        self._range = Thunk(statement.iterable, env)
        self._start: dict[Any, Any] = {}

    def carried(self, name: str) -> Deferred:
        def after(items: Value) -> Value:
            env, _ = self._run(items)
            if name not in env.names:
                raise broken(error("E0208", f"`{name}` has no value when the loop does not run", self._statement.span))
            return self._ev.force(env.names[name])

        def carried() -> Value:
            if self._ev.varying and name in self._env.names:
                self._ev.ahead(self._env.names[name])
            return self._ev.bind(self._ev.force(self._range), after)

        return Deferred(carried)

    def check(self) -> Value:
        def all_hold(items: Value) -> Value:
            ok: Value = True
            for check in self._run(items)[1]:
                ok = self._ev.both_ok(ok, check())
            return ok

        return self._ev.bind(self._ev.force(self._range), all_hold)

    def _run(self, items: Value) -> tuple[Env, list[Check]]:
        ev, statement, env = self._ev, self._statement, self._env
        checks: list[Check] = []
        done = self._start
        for index, item in enumerate(ev.sequence(items, statement.iterable.span)):
            step = done.get(leaf_key(item))
            if step is None:
                ev.step(statement.span)
                inner = bind_target(ev, statement.target, item, env.iteration(index))
                inner, found = run(ev, statement.body, inner)
                step = done[leaf_key(item)] = (Env(inner.names, env.frame, env.loops), found, {}, item)
            env, found, done, _ = step
            checks = [*checks, *found] if found else checks
        return env, checks


class _Branches:
    """An `if` statement: its condition is needed when a name that a branch binds is."""

    def __init__(self, ev: Evaluator, statement: ast.IfStatement, env: Env):
        self._ev = ev
        self._statement = statement
        self._env = env
        self._condition = Thunk(statement.condition, env)
        self._taken: dict[bool, tuple[Env, list[Check]]] = {}
        self.assigned = {**assigned(statement.then), **assigned(statement.otherwise)}

    def carried(self, name: str) -> Deferred:
        def after(condition: Value) -> Value:
            env, _ = self._branch(condition)
            if name not in env.names:
                raise broken(
                    error("E0208", f"`{name}` has no value when this branch is not taken", self._statement.span)
                )
            return self._ev.force(env.names[name])

        return Deferred(lambda: self._ev.bind(self._ev.force(self._condition), after))

    def check(self) -> Value:
        def all_hold(condition: Value) -> Value:
            ok: Value = True
            for check in self._branch(condition)[1]:
                ok = self._ev.both_ok(ok, check())
            return ok

        return self._ev.bind(self._ev.force(self._condition), all_hold)

    def _branch(self, condition: Value) -> tuple[Env, list[Check]]:
        taken = self._ev.truth(condition, self._statement.condition.span)
        found = self._taken.get(taken)
        if found is None:
            statement = self._statement
            found = self._taken[taken] = run(self._ev, statement.then if taken else statement.otherwise, self._env)
        return found
