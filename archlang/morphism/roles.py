"""What the dimensions of weights stand for, by the declarations of ops."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import Any

import attrs

from archlang.ir.graph import Node
from archlang.syntax import ast

GATES = {"lstm": 4, "gru": 3}
BROADCAST = ("add", "sub", "mul", "div", "maximum")


class Kind(Enum):
    OUTPUT = "output"  # an axis of the result
    INPUT = "input"  # an axis of an input, element by element
    SUMMED = "summed"  # an axis of an input that is summed over
    STATE = "state"  # an axis of the result that is summed over on the way: recurrent units
    OTHER = "other"  # none of these: a kernel's places, rows of a table


@attrs.frozen
class Role:
    """What one dimension of a weight is: an axis of the result or of an input (`of`, by position). `gates` many of
    them stand one after another; a dimension in `grouped` convolutions runs through the channels of one group;
    `centred` ones keep their middle when they grow."""

    kind: Kind
    axis: int = 0
    of: int = 0
    gates: int = 1
    grouped: bool = False
    centred: bool = False


OTHER = Role(Kind.OTHER)


def groups_of(node: Node) -> int:
    """The groups of a convolution, a normalisation or a shuffle; 1 for other ops."""
    return int(str(dict(node.operation.attributes).get("groups", 1)))


def rest_places(pattern: ast.TensorTypeExpr, rank: int) -> Iterator[tuple[Any, list[int]]]:
    """The dimensions of a pattern with the axes that each stands for."""
    extra = rank - len(pattern.dims)
    at = 0
    for dim in pattern.dims:
        count = 1 + extra if isinstance(dim, ast.RestDims | ast.SpliceDims) else 1
        yield dim, list(range(at, at + count))
        at += count


def weight_roles(node: Node, declaration: ast.Op) -> dict[str, tuple[Role, ...]]:
    """For each weight of a node the roles of its dimensions."""
    operation = node.operation
    inputs: dict[str, tuple[int, int]] = {}
    for position, (parameter, given) in enumerate(zip(declaration.inputs, operation.inputs, strict=False)):
        if isinstance(parameter.type, ast.TensorTypeExpr):
            for dim, places in rest_places(parameter.type, len(given.shape)):
                if isinstance(dim, ast.Name) and len(places) == 1:
                    inputs.setdefault(dim.name, (position, places[0]))
    outputs: dict[str, int] = {}
    made: list[tuple[ast.Expr, int]] = []
    for dim, places in rest_places(declaration.result, len(operation.output.shape)):
        if isinstance(dim, ast.Name) and len(places) == 1:
            outputs[dim.name] = places[0]
        elif len(places) == 1 and not isinstance(dim, ast.SpliceDims | ast.RestDims):
            made.append((dim, places[0]))
    declared = {clause.name: clause for clause in declaration.clauses if isinstance(clause, ast.Weight)}
    found = {}
    for weight in operation.weights:
        names: set[str] = set()
        roles = []
        for dim, size in zip(declared[weight.name].dims, weight.shape, strict=True):
            role = _role(dim, node, inputs, outputs, made)
            if role.kind is Kind.OUTPUT and isinstance(dim.size, ast.Name) and dim.size.name in names:
                role = attrs.evolve(role, kind=Kind.STATE)  # units to units
            names |= set(names_in(dim.size))
            roles.append(OTHER if size == 1 and role.kind is not Kind.SUMMED else role)
        found[weight.name] = tuple(roles)
    return found


def _role(
    dim: ast.WeightDim,
    node: Node,
    inputs: dict[str, tuple[int, int]],
    outputs: dict[str, int],
    made: list[tuple[ast.Expr, int]],
) -> Role:
    size = dim.size
    if dim.center:
        return Role(Kind.OTHER, centred=True)
    if isinstance(size, ast.Name):
        if size.name in outputs:
            return Role(Kind.OUTPUT, outputs[size.name])
        if size.name in inputs:
            of, axis = inputs[size.name]
            return Role(Kind.INPUT if node.operation.name == "selective_scan" else Kind.SUMMED, axis, of)
        return OTHER
    for expr, place in made:
        if _same(expr, size):
            return Role(Kind.OUTPUT, place)
    if isinstance(size, ast.Binary) and isinstance(size.right, ast.Name) and size.operator in ("//", "*"):
        name = size.left.name if isinstance(size.left, ast.Name) else None
        if size.operator == "//" and size.right.name == "groups" and name in inputs:
            of, axis = inputs[name]
            return Role(Kind.SUMMED, axis, of, grouped=groups_of(node) > 1)
        if size.operator == "//" and size.right.name == "groups" and name in outputs and groups_of(node) == 1:
            return Role(Kind.OUTPUT, outputs[name])
        if size.operator == "*" and size.right.name in outputs and node.operation.name in GATES:
            return Role(Kind.OUTPUT, outputs[size.right.name], gates=GATES[node.operation.name])
    if isinstance(size, ast.If):  # one for each channel, or one for all (prelu)
        name = next((name for name in names_in(size) if name in outputs), None)
        return OTHER if name is None else Role(Kind.OUTPUT, outputs[name])
    return OTHER


def _same(one: Any, other: Any) -> bool:
    """Whether two expressions are the same text."""
    if type(one) is not type(other):
        return False
    if attrs.has(type(one)):
        fields = [field.name for field in attrs.fields(type(one)) if "span" not in field.name]
        return all(_same(getattr(one, name), getattr(other, name)) for name in fields)
    if isinstance(one, tuple):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other)


def names_in(expr: Any) -> Iterator[str]:
    """The names in an expression."""
    if isinstance(expr, ast.Name):
        yield expr.name
    elif attrs.has(type(expr)):
        for field in attrs.fields(type(expr)):
            if "span" not in field.name:
                yield from names_in(getattr(expr, field.name))
    elif isinstance(expr, tuple):
        for part in expr:
            yield from names_in(part)
