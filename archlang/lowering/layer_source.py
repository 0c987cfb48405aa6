"""The source of a layer's construction: a call with the arguments that differ from the defaults."""

from __future__ import annotations

import ast
import inspect
import operator
import sys
from collections.abc import Callable, Container, Mapping
from functools import reduce
from typing import Any

from archlang.lowering.declared import RANK, Layer
from archlang.lowering.source import constant, literal, substituted, unparse, uses

Functions = list[Callable[..., Any]]

_OPERATORS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
}


def construction(
    lowered: Layer,
    rank: int | None,
    given: Mapping[str, ast.expr],
    more: Mapping[str, ast.expr],
    standard: Container[str],
) -> tuple[str, Functions]:
    """The expression that makes the layer, and the functions and classes that it names.

    `given` holds the factory's arguments; those that are missing have their implied values. `more`
    are further keywords of the constructor; `standard` are names that need no definition.
    """
    values = dict(given)
    if rank is not None:
        values[RANK] = literal(rank)
    for name, rule in lowered.implied.items():
        if name not in values:
            expression = substituted(rule, (), {other: values[other] for other in inspect.signature(rule).parameters})
            assert expression is not None, "a rule is one expression"
            values[name] = expression
    if inspect.isclass(lowered.factory):
        keywords = [ast.keyword(name, values[name]) for name in lowered.parameters if name in values]
        call = _with(ast.Call(ast.Name(lowered.factory.__name__), [], keywords), more)
        return unparse(_tidied(call, lowered.factory)), [lowered.factory]
    returned = substituted(lowered.factory, (), values)
    made = None if returned is None else _Folding().visit(returned)
    if not isinstance(made, ast.Call):
        raise ValueError(f"{lowered.factory.__name__} must return a call of a constructor")
    text = unparse(_tidied(_with(made, more), _named(lowered.factory, made.func)))
    return text, uses(lowered.factory, text, standard)


def _with(call: ast.Call, more: Mapping[str, ast.expr]) -> ast.Call:
    """The call with keywords in place of those of the same name, or added."""
    kept = [keyword for keyword in call.keywords if keyword.arg not in more]
    return ast.Call(call.func, call.args, kept + [ast.keyword(name, value) for name, value in more.items()])


def _named(function: Callable[..., Any], name: ast.expr) -> Any:
    """What a name such as `nn.Conv2d` stands for beside a function."""
    first, *rest = ast.unparse(name).split(".")
    return reduce(getattr, rest, vars(sys.modules[function.__module__])[first])


def _tidied(call: ast.Call, kind: Any) -> ast.Call:
    """The call without arguments that are defaults; those without a default come by position."""
    parameters = inspect.signature(kind).parameters
    names = list(parameters)
    given = dict(zip(names, call.args, strict=False)) | {keyword.arg or "": keyword.value for keyword in call.keywords}
    given = {name: value for name, value in given.items() if not _is_default(value, parameters.get(name))}
    leading = 0
    while leading < len(names) and names[leading] in given and _by_position(parameters[names[leading]], leading):
        leading += 1
    args = [given.pop(name) for name in names[:leading]]
    return ast.Call(call.func, args, [ast.keyword(name, value) for name, value in given.items()])


def _by_position(parameter: inspect.Parameter, place: int) -> bool:
    fixed = place == 0 or parameter.default is parameter.empty
    return fixed and parameter.kind is parameter.POSITIONAL_OR_KEYWORD


def _is_default(value: ast.expr, parameter: inspect.Parameter | None) -> bool:
    """Whether a value is the default; a number may stand for one for each dimension."""
    found = constant(value)
    if found is None or parameter is None:
        return False
    one, other = found[0], parameter.default
    if isinstance(one, tuple) != isinstance(other, tuple):
        parts, single = (one, other) if isinstance(one, tuple) else (other, one)
        return bool(parts) and all(part == single for part in parts)
    return bool(one == other)


class _Folding(ast.NodeTransformer):
    """Computes what is constant, and leaves out factors of one."""

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        self.generic_visit(node)
        left, right = constant(node.left), constant(node.right)
        if left is not None and right is not None and type(node.op) in _OPERATORS:
            return literal(_OPERATORS[type(node.op)](left[0], right[0]))
        if isinstance(node.op, ast.Mult) and (1,) in (left, right):
            return node.right if left == (1,) else node.left
        return node

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        self.generic_visit(node)
        whole, place = constant(node.value), constant(node.slice)
        return node if whole is None or place is None else literal(whole[0][place[0]])
