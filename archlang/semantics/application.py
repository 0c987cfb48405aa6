"""Calls and application: configuring blocks and ops, applying them, and where that happens."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from archlang.diagnostics import Span, error
from archlang.semantics import blocks, builtins, operations, rewriting
from archlang.semantics import partial as partial_channels
from archlang.semantics.arithmetic import binary
from archlang.semantics.fault import broken
from archlang.semantics.modules import COSTS
from archlang.semantics.parameters import Arguments, match
from archlang.semantics.sites import flatten
from archlang.semantics.values import (
    FUNCTIONS,
    BlockValue,
    BuiltinValue,
    ComposeValue,
    Deferred,
    DefValue,
    Env,
    Frame,
    LabelledValue,
    OpValue,
    OriginalValue,
    RepeatValue,
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
    from archlang.semantics.evaluator import Evaluator

OPERATORS = {"+": "add", "-": "sub", "*": "mul", "/": "div"}


def site_at(env: Env, expr: ast.Expr) -> Site:
    """The site of an application written at `expr`."""
    names = env.frame.names.get(id(expr))
    segment = names.segment if names is not None else ""
    return env.frame.site.enter(segment + env.loops) if segment else env.frame.site


def pipe(ev: Evaluator, expr: ast.Pipe, env: Env) -> Value:
    """`value |> f >> g`: the stages applied in turn; what a stage does not need is not evaluated."""
    value = ev.thunk(expr.value, env)
    parts = flatten(expr.function)
    for number, part in enumerate(parts):
        pinned = expr if number == len(parts) - 1 else None
        if number == len(parts) - 1:
            return _stage(ev, part, value, env, pinned)
        value = Deferred(lambda part=part, value=value: _stage(ev, part, value, env, None))
    raise AssertionError("a pipe has a stage")


def _stage(ev: Evaluator, part: ast.Expr, value: Value, env: Env, pinned: ast.Pipe | None) -> Value:
    site = site_at(env, part)
    if pinned is not None and pinned.address is not None:
        ev.refuse_reuse()  # the address is the same wherever the block is applied
        weights = pinned.weights if pinned.weights is not None else pinned.address
        site = Site(pinned.address, site.decisions, weights)
        if pinned.weights is not None:
            ev.ties.setdefault(weights, part.span)
    if ev.varying:
        ev.ahead(value)
    if ev.partial > 1:
        return applied_partly(ev, Thunk(part, env), value, site, part.span, env.frame)
    function = ev.evaluate(part, env)
    return ev.bind(function, lambda leaf: apply(ev, leaf, [value], site, part.span, env.frame))


def applied_partly(ev: Evaluator, function: Value, value: Value, site: Site, span: Span, frame: Frame) -> Value:
    """A function (a thunk) applied to one value, where choices of blocks see a part of the channels."""

    def applied(leaf: Value, value: Value) -> Value:
        return apply(ev, leaf, [value], site, span, frame)

    return partial_channels.applied(ev, function, value, site, span, frame, applied)


def call(ev: Evaluator, expr: ast.Call, env: Env) -> Value:
    """`f(arguments)`: configures a block or op, applies a configured one, or calls a function."""
    arguments: Arguments
    arguments = [(argument.name, ev.thunk(argument.value, env), argument.span) for argument in expr.arguments]
    site = site_at(env, expr)
    if ev.partial > 1 and [name for name, _, _ in arguments] == [None]:
        return _called_partly(ev, expr, arguments[0][1], site, env)
    function = ev.evaluate(expr.function, env)
    given = partial(_with_others, arguments=arguments, expr=expr, env=env) if expr.others else lambda _: arguments
    return ev.bind(function, lambda leaf: _call(ev, leaf, given(leaf), site, expr, env))


def _with_others(function: Value, arguments: Arguments, expr: ast.Call, env: Env) -> Arguments:
    """The arguments with those of the call that is rewritten which neither its pattern nor this call names."""
    while isinstance(function, LabelledValue | SharedValue | OriginalValue):
        function = function.function
    parameters: tuple[ast.Parameter, ...] = ()
    if isinstance(function, BlockValue | OpValue):
        parameters = function.declaration.config
    elif isinstance(function, DefValue):
        parameters = function.declaration.parameters
    positions = sum(name is None for name, _, _ in arguments)
    given = {name for name, _, _ in arguments} | {parameter.name for parameter in parameters[:positions]}
    others = env.names[rewriting.OTHERS].fields
    return [*arguments, *((name, value, expr.span) for name, value in others.items() if name not in given)]


def _called_partly(ev: Evaluator, expr: ast.Call, argument: Value, site: Site, env: Env) -> Value:
    def called(leaf: Value, value: Value) -> Value:
        return _call(ev, leaf, [(None, value, expr.arguments[0].span)], site, expr, env)

    return partial_channels.applied(ev, Thunk(expr.function, env), argument, site, expr.span, env.frame, called)


def _call(ev: Evaluator, function: Value, arguments: Arguments, site: Site, expr: ast.Call, env: Env) -> Value:
    span = expr.span
    match function:
        case LabelledValue(inner, label, decision):
            inside = Env(env.names, env.frame.inside(decision), env.loops)
            result = _call(ev, inner, arguments, site.labelled(label), expr, inside)
            return ev.lift(
                lambda leaf: LabelledValue(leaf, label, decision) if isinstance(leaf, FUNCTIONS) else leaf, result
            )
        case SharedValue(inner, shared, tied):
            result = _call(ev, inner, arguments, _shared_site(site, shared, tied), expr, env)
            return ev.lift(
                lambda leaf: SharedValue(leaf, shared, tied) if isinstance(leaf, FUNCTIONS) else leaf, result
            )
        case OriginalValue(inner):
            inside = Env(env.names, rewriting.as_before(function, env.frame), env.loops)
            return _call(ev, inner, arguments, site, expr, inside)
        case BlockValue(declaration, module, None, _) if declaration.config:
            found = match(declaration.config, arguments, f"`{declaration.name}`", span)
            return BlockValue(declaration, module, found, span)
        case BlockValue(declaration):
            given = match(declaration.inputs, arguments, f"`{declaration.name}`", span)
            return apply(ev, function, [given[p.name] for p in declaration.inputs], site, span, env.frame)
        case OpValue(declaration, module, config):
            what = f"`{declaration.name}`"
            if any(parameter.variadic for parameter in declaration.inputs):
                inputs = [value for name, value, _ in arguments if name is None]
                named = [argument for argument in arguments if argument[0] is not None]
                if config is None or named:
                    found = match(declaration.config, named, what, span, positional=False)
                    function = OpValue(declaration, module, found, span)
                return apply(ev, function, inputs, site, span, env.frame) if inputs else function
            if config is None and declaration.config:
                return OpValue(declaration, module, match(declaration.config, arguments, what, span), span)
            given = match(declaration.inputs, arguments, what, span)
            return apply(ev, function, [given[p.name] for p in declaration.inputs], site, span, env.frame)
        case DefValue():
            return blocks.call_def(ev, function, arguments, site, span, env.frame)
        case BuiltinValue(name):
            return _builtin(ev, name, arguments, site, span, env)
        case RepeatValue() | ComposeValue():
            return apply(ev, function, [value for _, value, _ in arguments], site, span, env.frame)
    raise broken(error("E0301", f"only blocks, ops and functions can be called, and this is {a_type(function)}", span))


def _shared_site(site: Site, shared: Site, tied: bool) -> Site:
    return Site(site.path, shared.decisions, shared.weights if tied else site.weights)


def apply(ev: Evaluator, function: Value, inputs: list[Value], site: Site, span: Span, frame: Frame) -> Value:
    """A function value applied to inputs (values or thunks) at a site."""
    match function:
        case LabelledValue(inner, label, decision):
            return apply(ev, inner, inputs, site.labelled(label), span, frame.inside(decision))
        case SharedValue(inner, shared, tied):
            here = _shared_site(site, shared, tied)
            return apply(ev, inner, inputs, here, span, frame)
        case OriginalValue(inner):
            return apply(ev, inner, inputs, site, span, rewriting.as_before(function, frame))
        case OpValue() | BlockValue():
            near = _nearer(function, span)
            if not frame.rewriting:
                return _applied(ev, function, inputs, site, near, frame)
            plain = partial(_applied, ev, function, inputs, site, near, frame)
            return rewriting.applied(ev, function, inputs, site, near, frame, plain)
        case ComposeValue(first, second, (name, then)):
            site_first = site if name is None else site.enter(name)
            passed = Deferred(lambda: apply(ev, first, inputs, site_first, span, frame))
            return apply(ev, second, [passed], site.enter(then or ""), span, frame)
        case RepeatValue():
            return _apply_repeat(ev, function, inputs, site, span, frame)
        case DefValue():
            arguments = [(None, value, span) for value in inputs]
            return blocks.call_def(ev, function, arguments, site, span, frame)
        case BuiltinValue(name):
            arguments = [(None, value, span) for value in inputs]
            return _builtin(ev, name, arguments, site, span, Env({}, frame))
    raise broken(error("E0301", f"only blocks, ops and functions can be applied, and this is {a_type(function)}", span))


def _applied(
    ev: Evaluator, function: OpValue | BlockValue, inputs: list[Value], site: Site, span: Span, frame: Frame
) -> Value:
    if isinstance(function, OpValue):
        return operations.apply_op(ev, function, inputs, site, span)
    return blocks.apply_block(ev, function, inputs, site, span, frame)


def _nearer(function: OpValue | BlockValue, span: Span) -> Span:
    """Where a function is configured, when that is a part of where it is applied (an alternative of a
    choice, a stage of a composition); else where it is applied."""
    inner = function.span
    if inner is not None and inner.source is span.source and span.start <= inner.start and inner.end <= span.end:
        return inner
    return span


def _apply_repeat(
    ev: Evaluator, function: RepeatValue, inputs: list[Value], site: Site, span: Span, frame: Frame
) -> Value:
    if len(inputs) != 1:
        raise broken(error("E0210", "`repeat` applies to one value", span))
    steps: list[Value] = [inputs[0]]

    def times(count: Value) -> Value:
        if isinstance(known(count, "a number of repeats"), bool) or not isinstance(count, int) or count < 0:
            raise broken(error("E0301", "how often to repeat must be an int of 0 or more", function.span))
        while len(steps) <= count:
            ev.step(span)
            steps.append(Deferred(_step(steps[-1], len(steps) - 1)))
        return ev.force(steps[count])

    def _step(value: Value, index: int) -> Any:
        here = Site(f"{site.path}[{index}]", f"{site.decisions}[{index}]", f"{site.weights}[{index}]")
        if ev.partial > 1:
            return lambda: applied_partly(ev, function.function, value, here, span, frame)
        repeated = ev.force(function.function)
        return lambda: ev.bind(repeated, lambda leaf: apply(ev, leaf, [value], here, span, frame))

    return ev.bind(ev.force(function.count), times)


def _builtin(ev: Evaluator, name: str, arguments: Arguments, site: Site, span: Span, env: Env) -> Value:
    if name in COSTS:
        ev.refuse_reuse()  # the cost of a tensor is that of everything before it
    return builtins.call(ev, name, arguments, site, span, env)


def operator(ev: Evaluator, symbol: str, left: Value, right: Value, expr: ast.Binary, env: Env) -> Value:
    """`left symbol right` where one of them is a tensor: the library's op of that name."""
    if type(left) is not Tensor and type(right) is not Tensor:
        return ev.lift(partial(binary, symbol, expr.span), left, right)
    name = OPERATORS.get(symbol)
    if name is None or type(left) is not Tensor or type(right) is not Tensor:
        other = right if type(left) is Tensor else left
        hints = ["multiply a tensor by a number with `scale(number)`"] if symbol in "*/" else ()
        raise broken(
            error("E0301", f"`{symbol}` cannot take a tensor and {a_type(other)}", expr.span, hints=hints)
            if type(other) is not Tensor
            else error("E0301", f"`{symbol}` cannot take tensors", expr.span)
        )
    op, site = operations.library_op(name, env.frame.module), site_at(env, expr)
    places = (expr.left.span, expr.right.span)
    plain = partial(operations.apply_op, ev, op, [left, right], site, expr.span, f"`{symbol}`", places)
    if not env.frame.rewriting:
        return plain()
    return rewriting.applied(ev, op, [left, right], site, expr.span, env.frame, plain)
