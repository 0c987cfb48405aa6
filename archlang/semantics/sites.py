"""Names of the places in a text where blocks are applied and decisions are made.

An address is made of these static names, never of the order of evaluation. A site is named by
what is called there, a decision by `as`, else by the name bound, the parameter or the record field
that it is the value of. Names that recur in one scope get ordinals (`conv2d#2`).
Each alternative of a choice is a scope of its own, for its label tells its addresses apart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import NamedTuple

from archlang.syntax import ast

Resolve = Callable[[str], ast.Item | str | None]  # a declaration, the kind "builtin", or None

_OPERATOR_SITES = {"+": "add", "-": "sub", "*": "mul", "/": "div"}


class Names(NamedTuple):
    """The path segment of what is applied at a place, and the name of a decision made there."""

    segment: str
    decision: str | None = None


class _Entry(NamedTuple):
    node: object
    kind: str  # "site", "decision" or "shared": each kind has its own ordinals
    name: str
    depth: int


Scoped = ast.Def | ast.Block | ast.Space | ast.Derived | ast.Constant  # what has places of its own


def site_names(declaration: Scoped, resolve: Resolve) -> dict[int, Names]:
    """The names of all places in a declaration, by the `id` of their expression."""
    root = isinstance(declaration, ast.Space | ast.Derived | ast.Constant)
    namer = _Namer(resolve, _bound_names(declaration), root)
    if isinstance(declaration, ast.Derived):
        namer.statements(declaration.statements, 0)
        for rule in declaration.rules:
            namer.rule(rule)
    elif isinstance(declaration, ast.Constant):
        namer.visit(declaration.value, declaration.name, 0)
    else:
        parameters = declaration.parameters if isinstance(declaration, ast.Def) else declaration.config
        for parameter in parameters:
            if parameter.default is not None:
                namer.visit(parameter.default, parameter.name, 0)
        namer.body(declaration.body, "", 0)
    namer.close()
    return namer.names


class _Namer:
    def __init__(self, resolve: Resolve, bound: set[str], root: bool):
        self.names: dict[int, Names] = {}
        self._outer = resolve
        self._bound = bound
        self._root = root
        self._entries: list[_Entry] = []

    def _resolve(self, name: str) -> ast.Item | str | None:
        return None if name in self._bound else self._outer(name)

    # -------------------------------------------------------------- recording

    def close(self) -> None:
        """Give the places of the scope their ordinals."""
        counts = Counter((entry.kind, entry.name) for entry in self._entries)
        seen: Counter[tuple[str, str]] = Counter()
        for entry in self._entries:
            key = (entry.kind, entry.name)
            seen[key] += 1
            name = entry.name
            if not name and (counts[key] > 1 or entry.depth or self._root):
                name = "choice"
            if counts[key] > 1:
                name = f"{name}#{seen[key]}"
            old = self.names.get(id(entry.node))
            if entry.kind != "decision":
                self.names[id(entry.node)] = Names(name, old.decision if old else None)
            else:
                self.names[id(entry.node)] = Names(old.segment if old else name, name)
        self._entries = []

    def _site(self, node: ast.Expr, name: str, depth: int) -> None:
        self._entries.append(_Entry(node, "site", name, depth))

    def _scope(self, value: ast.Expr) -> None:
        inner = _Namer(self._resolve, set(), False)
        inner.names = self.names
        inner.visit(value, "", 0)
        inner.close()

    def rule(self, rule: ast.Rule) -> None:
        """The places of a rule, whose replacement is applied where a call that it rewrites is."""
        inner = _Namer(self._resolve, set(rule.pattern.names), False)
        inner.names = self.names
        inner.visit(rule.pattern.condition, "if", 0)
        inner.visit(rule.replacement, "", 0)
        inner.close()

    # --------------------------------------------------------------- visiting

    def body(self, body: ast.Body, hint: str, depth: int) -> None:
        self.statements(body.statements, depth)
        self.visit(body.result, hint, depth)

    def statements(self, statements: Iterable[ast.Statement], depth: int) -> None:
        for statement in statements:
            match statement:
                case ast.Bind(target, value):
                    self.visit(value, target.name if isinstance(target, ast.NameTarget) else "", depth)
                case ast.For(_, iterable, body):
                    self.visit(iterable, "", depth)
                    self.statements(body, depth + 1)
                case ast.IfStatement(condition, then, otherwise):
                    self.visit(condition, "", depth)
                    self.statements(then, depth)
                    self.statements(otherwise, depth)
                case ast.Require(condition):
                    self.visit(condition, "", depth)

    def visit(self, expr: ast.Expr | None, hint: str, depth: int) -> None:
        match expr:
            case ast.Choose():
                self._choose(expr, hint, depth)
            case ast.Pipe(value, function):
                self.visit(value, hint, depth)
                for part in flatten(function):
                    self._component(part, hint, depth)
            case ast.Compose():
                parts = flatten(expr)
                inner = _Namer(self._resolve, set(), False)
                inner.names = self.names
                for part in parts:
                    if not isinstance(part, ast.Choose):
                        inner._site(part, self._base(part)[0], 0)
                inner.close()
                for part in parts:
                    self._configuration(part, hint, depth)
            case ast.Call(function, arguments):
                if self._applies(expr):
                    self._site(expr, *self._base(expr, depth))
                self._arguments(function, arguments, hint, depth)
            case ast.Share(value) | ast.Tie(value):
                self._entries.append(_Entry(expr, "shared", hint or self._base(value)[0], depth))
                self.visit(value, hint, depth)
            case ast.RecordLiteral(fields):
                for field in fields:
                    outer = f"{hint}." if hint else ""
                    self.visit(field.value, f"{outer}{field.name}", depth)
            case ast.ListLiteral(items) | ast.TupleLiteral(items):
                for item in items:
                    self.visit(item, hint, depth)
            case ast.Binary(operator, left, right):
                self.visit(left, hint, depth)
                if operator in _OPERATOR_SITES:
                    self._site(expr, _OPERATOR_SITES[operator], depth)
                self.visit(right, hint, depth)
            case ast.Unary(_, operand):
                self.visit(operand, hint, depth)
            case ast.Index(value, index):
                self.visit(value, hint, depth)
                self.visit(index, hint, depth)
            case ast.Attribute(value):
                self.visit(value, hint, depth)
            case ast.Range(low, high, _, step):
                for end in (low, high, step):
                    self.visit(end, hint, depth)
            case ast.If(condition, then, otherwise):
                self.visit(condition, hint, depth)
                self.body(then, hint, depth)
                self.body(otherwise, hint, depth)
            case ast.Comprehension(element, clauses):
                for clause in clauses:
                    self.visit(clause.iterable, hint, depth)
                    depth += 1
                    for test in clause.conditions:
                        self.visit(test, hint, depth)
                self.visit(element, hint, depth)
            case _:
                pass

    def _choose(self, expr: ast.Choose, hint: str, depth: int) -> None:
        name = expr.name or hint
        self._entries.append(_Entry(expr, "decision", name, depth))
        self.visit(expr.count, f"{name}.count" if name else "count", depth)
        match expr.alternatives:
            case ast.RecordLiteral(fields) if expr.count is None:
                for field in fields:
                    self._scope(field.value)
            case ast.ListLiteral(items) if expr.count is None:
                for item in items:
                    self._scope(item)
            case alternatives:
                self.visit(alternatives, name, depth)

    def _component(self, part: ast.Expr, hint: str, depth: int) -> None:
        """A stage of a pipe: something that is applied."""
        if isinstance(part, ast.Choose):
            self._site(part, part.name or hint, depth)
        else:
            self._site(part, *self._base(part, depth))
        self._configuration(part, hint, depth)

    def _configuration(self, part: ast.Expr, hint: str, depth: int) -> None:
        """What a stage holds besides being applied."""
        match part:
            case ast.Call(function, arguments):
                self._arguments(function, arguments, hint, depth)
            case ast.Share(value) | ast.Tie(value):
                self._configuration(value, hint, depth)
            case _:
                self.visit(part, hint, depth)

    def _arguments(self, function: ast.Expr, arguments: tuple[ast.Argument, ...], hint: str, depth: int) -> None:
        self.visit(function, hint, depth)
        declared = self._declaration(function)
        names: list[str] = []
        if declared == "builtin" and isinstance(function, ast.Name) and function.name == "repeat":
            names = ["repeats"]
        if isinstance(declared, ast.Def):
            names = [parameter.name for parameter in declared.parameters]
        elif isinstance(declared, ast.Block | ast.Op | ast.Space) and declared.config:
            names = [parameter.name for parameter in declared.config]
            if isinstance(declared, ast.Op) and _variadic(declared):
                names = []
        for position, argument in enumerate(arguments):
            name = argument.name or (names[position] if position < len(names) else hint)
            self.visit(argument.value, name, depth)

    def _declaration(self, function: ast.Expr) -> ast.Item | str | None:
        return self._resolve(function.name) if isinstance(function, ast.Name) else None

    def _applies(self, call: ast.Call) -> bool:
        """Whether a call may apply something (else it only configures a block or op)."""
        declared = self._declaration(call.function)
        match declared:
            case ast.Block() | ast.Space():
                return not declared.config
            case ast.Op():
                return _variadic(declared) or not declared.config
            case str():
                assert isinstance(call.function, ast.Name)
                return call.function.name == "sum"
            case _:
                return True

    def _base(self, part: ast.Expr, depth: int = 0) -> tuple[str, int]:
        """What a site is called after, and its loop depth (`repeat` is a loop)."""
        match part:
            case ast.Name(name):
                return name, depth
            case ast.Call(ast.Name("repeat"), (_, ast.Argument(repeated), *_)) if self._resolve("repeat") == "builtin":
                return self._base(repeated, depth + 1)
            case ast.Call(function):
                return self._base(function, depth)
            case ast.Attribute(_, name):
                return name, depth
            case ast.Index(value):
                return self._base(value, depth)
            case ast.Share(value) | ast.Tie(value):
                return self._base(value, depth)
            case ast.Choose(name=str() as name):
                return name, depth
            case _:
                return "block", depth


def flatten(function: ast.Expr) -> list[ast.Expr]:
    """The stages of a composition, in the order they are applied."""
    if isinstance(function, ast.Compose):
        return [*flatten(function.first), *flatten(function.second)]
    return [function]


def _variadic(op: ast.Op) -> bool:
    return any(parameter.variadic for parameter in op.inputs)


def _bound_names(declaration: Scoped) -> set[str]:
    """The names that a declaration binds itself, which hide those of the module."""
    if isinstance(declaration, ast.Constant):
        return set()
    if isinstance(declaration, ast.Derived):
        return set(assigned(declaration.statements))
    found: set[str] = set()
    if isinstance(declaration, ast.Def):
        found.update(parameter.name for parameter in declaration.parameters)
    else:
        found.update(parameter.name for parameter in (*declaration.config, *declaration.inputs))
    found.update(assigned(declaration.body.statements))
    return found


def assigned(statements: Iterable[ast.Statement]) -> dict[str, None]:
    """The names that statements bind, in order, loops and branches included."""
    found: dict[str, None] = {}
    for statement in statements:
        match statement:
            case ast.Bind(target):
                found.update(target_names(target))
            case ast.For(_, _, body):
                found.update(assigned(body))
            case ast.IfStatement(_, then, otherwise):
                found.update(assigned(then))
                found.update(assigned(otherwise))
    return found


def target_names(target: ast.Target) -> dict[str, None]:
    """The names in a target of a binding, in order."""
    if isinstance(target, ast.NameTarget):
        return {target.name: None}
    return {name: None for item in target.items for name in target_names(item)}
