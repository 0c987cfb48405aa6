"""Tensor types as patterns: binding dimension names of inputs, and checking shapes against them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from archlang.diagnostics import Label, Span, error
from archlang.ir.types import SymbolicDim
from archlang.semantics.diagram import Diagram
from archlang.semantics.fault import broken
from archlang.semantics.parameters import typed
from archlang.semantics.values import Deferred, Env, List, Tensor, Thunk, Value, a_type
from archlang.syntax import ast
from archlang.syntax.format import format_type

if TYPE_CHECKING:
    from archlang.semantics.evaluator import Evaluator


def bind_inputs(
    ev: Evaluator, inputs: tuple[ast.Parameter, ...], values: list[Value], env: Env, what: str, span: Span
) -> Env:
    """The names with a block's inputs and their dimensions bound; an input is checked against its
    type when it, or one of its dimensions, is needed."""
    for parameter, value in zip(inputs, values, strict=True):
        if not isinstance(parameter.type, ast.TensorTypeExpr):
            if parameter.type is not None:
                value = typed(ev, value, parameter.type, f"`{parameter.name}` of {what}", span)
            env = env.bind({parameter.name: value})
            continue
        pattern = parameter.type
        checked = Deferred(_checking(ev, value, pattern, env, f"`{parameter.name}` of {what}", span))
        names: dict[str, Value] = {parameter.name: checked}
        for place, name in new_names(pattern, env).items():
            names[name] = Deferred(_dim_of(ev, checked, pattern, place))
        env = env.bind(names)
        if ev.partial > 1:
            env.frame.dims = {**(env.frame.dims or {}), **_named_dims(pattern, checked)}
    return env


def _named_dims(pattern: ast.TensorTypeExpr, tensor: Thunk) -> dict[str, tuple[Value, int]]:
    """The names in a pattern, with the tensor and where in it they stand; see `Frame`."""
    rest = next((place for place, dim in enumerate(pattern.dims) if isinstance(dim, ast.RestDims)), len(pattern.dims))
    return {
        dim.name: (tensor, place if place < rest else place - len(pattern.dims))
        for place, dim in enumerate(pattern.dims)
        if isinstance(dim, ast.Name)
    }


def _checking(
    ev: Evaluator, value: Value, pattern: ast.TensorTypeExpr, env: Env, what: str, span: Span
) -> Callable[[], Value]:
    return lambda: ev.bind(ev.force(value), lambda leaf: check(ev, leaf, pattern, env, what, span))


def _dim_of(ev: Evaluator, tensor: Thunk, pattern: ast.TensorTypeExpr, place: int) -> Callable[[], Value]:
    return lambda: ev.bind(ev.force(tensor), lambda leaf: pattern_value(ev, leaf, pattern, place))


def new_names(pattern: ast.TensorTypeExpr, env: Env) -> dict[int, str]:
    """The names that a pattern binds, by their place in it: lower-case names not bound already."""
    found: dict[int, str] = {}
    for place, dim in enumerate(pattern.dims):
        name = dim.name if isinstance(dim, ast.Name | ast.RestDims) else None
        if name is not None and name not in env.names and name not in found.values():
            found[place] = name
    return found


def pattern_value(ev: Evaluator, tensor: Tensor, pattern: ast.TensorTypeExpr, place: int) -> Value:
    """The dimension (or, for `...rest`, the list of dimensions) at a place of a pattern."""
    extra = len(tensor.shape) - len(pattern.dims)
    for other, dim in enumerate(pattern.dims[: place + 1]):
        if type(dim) is ast.RestDims:
            if other == place:
                return List(tuple(ev.dim(tensor, axis) for axis in range(place, place + extra + 1)))
            return ev.dim(tensor, place + extra)
    return ev.dim(tensor, place)


def fixed_dims(
    ev: Evaluator, tensor: Tensor, pattern: ast.TensorTypeExpr, env: Env
) -> Iterator[tuple[int, ast.Expr, Value, Value]]:
    """The places of a pattern that say a size: what stands there, the tensor's size, and that size."""
    fresh = new_names(pattern, env)
    inner: Env | None = None
    for place, dim in enumerate(pattern.dims):
        if place in fresh or isinstance(dim, (ast.AnyDim, ast.RestDims, ast.SpliceDims)):
            continue
        if inner is None:
            inner = env.bind({name: pattern_value(ev, tensor, pattern, other) for other, name in fresh.items()})
        expected = ev.evaluate(dim, inner)
        yield place, dim, pattern_value(ev, tensor, pattern, place), expected


def check(ev: Evaluator, value: Value, pattern: ast.TensorTypeExpr, env: Env, what: str, span: Span) -> Value:
    """The tensor, where it fits the pattern; broken where it does not."""
    if type(value) is not Tensor:
        raise broken(error("E0301", f"{what} must be a tensor {format_type(pattern)}, and is {a_type(value)}", span))
    if pattern.dtype is not None and pattern.dtype != value.dtype:
        raise broken(error("E0303", f"{what} must hold {pattern.dtype}, and holds {value.dtype}", span))
    check_rank(pattern, value, what, span)
    ok: Value = True
    for place, dim, actual, expected in fixed_dims(ev, value, pattern, env):
        if type(actual) is not int or type(expected) is not int or actual != expected:
            ok = ev.both_ok(ok, _agree(ev, actual, expected, place, pattern, dim, what, span))
    return ev.mask(value, ok)


def _agree(
    ev: Evaluator,
    actual: Value,
    expected: Value,
    place: int,
    pattern: ast.TensorTypeExpr,
    dim: ast.Expr,
    what: str,
    span: Span,
) -> Value:
    def same(actual: Value, expected: Value) -> bool:
        if ev.same_size(actual, expected, span):
            return True
        shown = f"`{dim.name}` is {expected}" if isinstance(dim, ast.Name) else f"{expected} is needed"
        raise broken(
            error(
                "E0304",
                f"the shape of {what} does not fit its type {format_type(pattern)}",
                Label(span, f"dimension {place} is {actual}, and {shown}"),
                dim.span if dim.span.source is span.source else None,
            )
        )

    return ev.lift(same, actual, expected)


def check_rank(pattern: ast.TensorTypeExpr, tensor: Tensor, what: str, span: Span) -> None:
    """Broken unless the tensor has as many dimensions as the pattern says."""
    rest = any(isinstance(dim, ast.RestDims | ast.SpliceDims) for dim in pattern.dims)
    needed = len(pattern.dims) - rest
    rank = len(tensor.shape)
    if rank == needed or (rest and rank > needed):
        return
    raise broken(
        error(
            "E0302",
            f"{what} must have {'at least ' if rest else ''}{needed} dimension{'s' * (needed != 1)} "
            f"{format_type(pattern)}, and has {rank}",
            Label(span, f"given {show_type(tensor)}"),
        )
    )


def check_result(ev: Evaluator, value: Value, expected: ast.TypeExpr, env: Env, what: str) -> Value:
    """A block's value, where it fits the declared result type."""
    if isinstance(expected, ast.TensorTypeExpr):
        result = f"the result of {what}"
        return ev.bind(value, lambda leaf: check(ev, leaf, expected, env, result, expected.span))
    return ev.force(typed(ev, value, expected, f"the result of {what}", expected.span))


def show_type(tensor: Tensor) -> str:
    """A tensor's type for messages; dimensions that depend on decisions show as `?`."""
    return f"[{', '.join('?' if type(dim) is Diagram or not _plain(dim) else str(dim) for dim in tensor.shape)}]"


def _plain(dim: Value) -> bool:
    return isinstance(dim, int | SymbolicDim)


def is_plain_shape(tensor: Tensor) -> bool:
    """Whether no dimension depends on decisions."""
    return all(map(_plain, tensor.shape))
