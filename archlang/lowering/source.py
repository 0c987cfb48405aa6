"""Python source: lowerings written in place, copied, and laid out within a line length."""

from __future__ import annotations

import ast
import copy
import inspect
import math
import sys
import textwrap
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from functools import cache
from types import ModuleType
from typing import Any

WIDTH = 100


# ---------------------------------------------------------------- expressions


@cache
def _returned(function: Callable[..., Any]) -> ast.expr | None:
    """The expression that a function consists of; None when there is more in it."""
    body = [node for node in _definition(function).body if not _is_docstring(node)]
    if len(body) == 1 and isinstance(body[0], ast.Return) and body[0].value is not None:
        return body[0].value
    return None


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


@cache
def _definition(declared: Callable[..., Any]) -> Any:
    return ast.parse(own_source(declared)).body[0]


def in_place(function: Callable[..., Any], inputs: Sequence[str], given: Mapping[str, ast.expr]) -> str | None:
    """The function applied to variables as an expression; None when it must be called."""
    expression = substituted(function, inputs, given)
    return None if expression is None else unparse(expression)


def substituted(function: Callable[..., Any], inputs: Sequence[str], given: Mapping[str, ast.expr]) -> ast.expr | None:
    """The expression that the function returns, None when there is more in it.

    `given` holds what its parameters are, those that are not there or default are `inputs`; what
    is known to be decided by that is decided here.
    """
    expression = _returned(function)
    if expression is None:
        return None
    values = dict(given)
    left = list(inputs)
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name in values:
            continue
        if parameter.kind is parameter.VAR_POSITIONAL:
            values[parameter.name] = ast.List([ast.Name(name) for name in left], ast.Load())
        elif parameter.kind is parameter.KEYWORD_ONLY:
            values[parameter.name] = literal(parameter.default)
        else:
            values[parameter.name] = ast.Name(left.pop(0))
    found: ast.expr = _Substitution(values).visit(copy.deepcopy(expression))
    return found


def literal(value: Any) -> ast.expr:
    """A value of an attribute as an expression."""
    text = repr(value) if not isinstance(value, float) or math.isfinite(value) else f'float("{value}")'
    return ast.parse(text, mode="eval").body


def unparse(expression: ast.expr) -> str:
    """An expression as text on one line, strings in double quotes."""
    return ast.unparse(_DoubleQuotes().visit(ast.fix_missing_locations(expression)))


class _DoubleQuotes(ast.NodeTransformer):
    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        if isinstance(node.value, str) and '"' not in node.value and "\\" not in repr(node.value):
            return ast.Name(f'"{node.value}"')  # a name is written as it stands
        return node


class _Substitution(ast.NodeTransformer):
    """Puts expressions for names, and decides and computes what is constant then."""

    def __init__(self, values: Mapping[str, ast.expr]) -> None:
        self._values = values

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return copy.deepcopy(self._values[node.id]) if node.id in self._values else node

    def visit_IfExp(self, node: ast.IfExp) -> ast.expr:
        test = self.visit(node.test)
        decided = constant(test)
        if decided is not None:
            chosen: ast.expr = self.visit(node.body if decided[0] else node.orelse)
            return chosen
        return ast.IfExp(test, self.visit(node.body), self.visit(node.orelse))

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        unpacked: list[ast.expr] = []
        for argument in node.args:
            if isinstance(argument, ast.Starred) and isinstance(argument.value, ast.Tuple | ast.List):
                unpacked += argument.value.elts
            else:
                unpacked.append(argument)
        return ast.Call(node.func, unpacked, node.keywords)


def constant(node: ast.expr) -> tuple[Any] | None:
    """The value of a constant or of a test between constants, in a tuple; None when it depends on more."""
    try:
        return (ast.literal_eval(node),)
    except ValueError:
        pass
    if isinstance(node, ast.Call) and ast.unparse(node.func) == "float":  # how `literal` writes infinities
        (text,) = [constant(part) for part in node.args]
        return None if text is None else (float(text[0]),)
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        left, right = constant(node.left), constant(node.comparators[0])
        if left is not None and right is not None:
            if isinstance(node.ops[0], ast.Eq):
                return (left[0] == right[0],)
            if isinstance(node.ops[0], ast.Is):
                return (left[0] is right[0],)
    return None


# ---------------------------------------------------------------- definitions


@cache
def own_source(declared: Callable[..., Any]) -> str:
    """The source of a function or class without its decorators, not indented."""
    text = textwrap.dedent(inspect.getsource(declared))
    first = ast.parse(text).body[0].lineno
    return "\n".join(text.splitlines()[first - 1 :]).rstrip()


def definitions(declared: Iterable[Callable[..., Any]], standard: Container[str]) -> dict[str, str]:
    """The sources of the functions and classes by name, after those that they use.

    `standard` are names that the file imports.
    Raises ValueError when one uses what a file on its own cannot have.
    """
    found: dict[str, str] = {}

    def add(item: Callable[..., Any]) -> None:
        if item.__name__ not in found:
            for used in uses(item, own_source(item), standard):
                add(used)
            found[item.__name__] = own_source(item)

    for item in declared:
        add(item)
    return found


def uses(declared: Callable[..., Any], text: str, standard: Container[str]) -> list[Callable[..., Any]]:
    """The functions and classes beside a definition that a part of its source names."""
    found = []
    module = sys.modules[declared.__module__]
    for name in sorted(names(text)):
        used = getattr(module, name, None)
        if used is None or name in standard or name == declared.__name__:
            continue
        if isinstance(used, ModuleType) or not callable(used):
            raise ValueError(f"{declared.__module__}.{declared.__name__} uses {name}, which cannot be copied")
        found.append(used)
    return found


def names(text: str) -> set[str]:
    """All names that occur in a source."""
    return {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}


# ---------------------------------------------------------------- layout


def laid_out(statement: str, indent: int) -> list[str]:
    """A statement of one line as lines within the width, broken at brackets as formatters do."""
    pad = " " * indent
    if indent + len(statement) <= WIDTH:
        return [pad + statement]
    opening = _last_bracket(statement, WIDTH - indent)
    if opening is None:
        return [pad + statement]
    closing = _matching(statement, opening)
    head, inside, tail = statement[: opening + 1], statement[opening + 1 : closing], statement[closing:]
    parts = _split(inside)
    # A comprehension, and a signature or call that fits on a line of its own, stay together.
    if indent + 4 + len(inside) <= WIDTH and not inside.endswith(","):
        return [pad + head, f"{pad}    {inside}", pad + tail]
    if len(parts) == 1:
        return [pad + head, *laid_out(inside, indent + 4), pad + tail]
    lines = [pad + head]
    for part in parts:
        lines += laid_out(f"{part},", indent + 4)
    return [*lines, pad + tail]


def _last_bracket(text: str, width: int) -> int | None:
    """The opening of the last bracket at the outer level that has something in it, with what is
    before it within the width where there is one."""
    found = None
    depth = 0
    quoted = False
    for position, char in enumerate(text):
        if char == '"':
            quoted = not quoted
        elif quoted:
            continue
        elif char in "([{":
            if depth == 0 and text[position + 1] not in ")]}" and (found is None or position < width):
                found = position
            depth += 1
        elif char in ")]}":
            depth -= 1
    return found


def _matching(text: str, opening: int) -> int:
    depth = 0
    quoted = False
    for position in range(opening, len(text)):
        char = text[position]
        if char == '"':
            quoted = not quoted
        elif not quoted and char in "([{":
            depth += 1
        elif not quoted and char in ")]}":
            depth -= 1
            if depth == 0:
                return position
    raise ValueError(text)


def _split(text: str) -> list[str]:
    """The parts between the commas at the outer level."""
    parts = []
    depth = start = 0
    quoted = False
    for position, char in enumerate(text):
        if char == '"':
            quoted = not quoted
        elif quoted:
            continue
        elif char in "([{":
            depth += 1
        elif char in ")]}":
            depth -= 1
        elif char == "," and depth == 0:
            parts.append(text[start:position].strip())
            start = position + 1
    parts.append(text[start:].strip())
    return [part for part in parts if part]
