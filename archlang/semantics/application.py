"""Calls and application: configuring blocks and ops, applying them, and where that happens."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import attrs

from archlang.diagnostics import Label, Span, error
from archlang.semantics import builtins, operations, reuse, statements
from archlang.semantics.arithmetic import binary
from archlang.semantics.diagram import Diagram
from archlang.semantics.fault import Entangled, Fault, FaultSignal, broken, excluded
from archlang.semantics.handlers import Varying
from archlang.semantics.modules import ModuleScope
from archlang.semantics.parameters import Arguments, bind_config, match, typed
from archlang.semantics.patterns import bind_inputs, check_result
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
    List,
    OpValue,
    RepeatValue,
    SharedValue,
    Site,
    Tensor,
    Value,
    a_type,
    known,
)
from archlang.syntax import ast

if TYPE_CHECKING:
    from archlang.semantics.evaluator import Evaluator

MAX_DEPTH = 200  # of blocks applied inside each other
MAX_VARIED_RECURSION = 24  # of one block inside itself, when all alternatives are kept

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
        weights = pinned.weights if pinned.weights is not None else pinned.address
        site = Site(pinned.address, site.decisions, weights)
    function = ev.evaluate(part, env)
    return ev.bind(function, lambda leaf: apply(ev, leaf, [value], site, part.span, env.frame))


def call(ev: Evaluator, expr: ast.Call, env: Env) -> Value:
    """`f(arguments)`: configures a block or op, applies a configured one, or calls a function."""
    arguments = [(argument.name, ev.thunk(argument.value, env), argument.span) for argument in expr.arguments]
    function = ev.evaluate(expr.function, env)
    site = site_at(env, expr)
    return ev.bind(function, lambda leaf: _call(ev, leaf, arguments, site, expr, env))


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
            return _call_def(ev, function, arguments, site, span, env.frame)
        case BuiltinValue(name):
            return builtins.call(ev, name, arguments, site, span, env)
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
            if isinstance(ev.handler, Varying):
                return reuse.shared_call(ev, function, inputs, here, span, frame)
            return apply(ev, inner, inputs, here, span, frame)
        case OpValue():
            return operations.apply_op(ev, function, inputs, site, _nearer(function, span))
        case BlockValue():
            return _apply_block(ev, function, inputs, site, _nearer(function, span), frame)
        case ComposeValue(first, second, (name, then)):
            site_first = site if name is None else site.enter(name)
            passed = Deferred(lambda: apply(ev, first, inputs, site_first, span, frame))
            return apply(ev, second, [passed], site.enter(then or ""), span, frame)
        case RepeatValue():
            return _apply_repeat(ev, function, inputs, site, span, frame)
        case DefValue():
            arguments = [(None, value, span) for value in inputs]
            return _call_def(ev, function, arguments, site, span, frame)
        case BuiltinValue(name):
            arguments = [(None, value, span) for value in inputs]
            return builtins.call(ev, name, arguments, site, span, Env({}, frame))
    raise broken(error("E0301", f"only blocks, ops and functions can be applied, and this is {a_type(function)}", span))


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
        repeated = ev.force(function.function)
        return lambda: ev.bind(repeated, lambda leaf: apply(ev, leaf, [value], here, span, frame))

    return ev.bind(ev.force(function.count), times)


def _apply_block(
    ev: Evaluator, function: BlockValue, inputs: list[Value], site: Site, span: Span, frame: Frame
) -> Value:
    declaration, module = function.declaration, function.module
    ev.step(span)
    what = f"`{declaration.name}`"
    config = function.config
    if config is None:
        config = match(declaration.config, [], what, span)
    count = len(declaration.inputs)
    if len(inputs) == 1 and count > 1:
        spread = ev.force(inputs[0])
        if type(spread) is Diagram:
            return ev.bind(spread, lambda leaf: _apply_block(ev, function, [leaf], site, span, frame))
        if type(spread) is List:
            inputs = list(spread.items)
    if len(inputs) != count:
        raise broken(
            error(
                "E0214",
                f"{what} takes {count} input{'s' * (count != 1)} and is given {len(inputs)}",
                Label(span, "applied here"),
                declaration.name_span,
                hints=[f"pipe a tuple into it: `(a, b) |> {declaration.name}`"] if count > 1 else (),
            )
        )
    inner = _enter(ev, declaration, module, site, span, frame)
    ev.blocks[site.path] = declaration.name

    def value() -> Value:
        env = bind_config(ev, declaration.config, config, Env({}, inner), what, lambda: env)
        env = bind_inputs(ev, declaration.inputs, inputs, env, what, span)
        result = statements.body(ev, declaration.body, env)
        if declaration.result is not None:
            result = check_result(ev, result, declaration.result, env, what)
        return result

    return _told_outside(ev, value, module, span, frame, what)


def _told_outside(
    ev: Evaluator, compute: Callable[[], Value], module: ModuleScope, span: Span, frame: Frame, what: str
) -> Value:
    """What `compute` gives; a fault that lies in the library is told first where the user's text
    applies what has it."""
    if not module.is_library or frame.module.is_library:
        return compute()

    def told(leaf: Value) -> Value:
        if type(leaf) is Tensor and type(leaf.ok) in (Fault, Diagram):
            ok = told(leaf.ok) if type(leaf.ok) is Fault else ev.diagrams.map_leaves(leaf.ok, told)
            return Tensor(leaf.node, leaf.dtype, leaf.shape, ok)
        if type(leaf) is not Fault or leaf.excluded:
            return leaf
        found = leaf.diagnostic
        if not found.labels or not found.labels[0].span.source.is_library:
            return leaf
        return Fault(attrs.evolve(found, labels=(Label(span, f"in {what}, applied here"), *found.labels)))

    try:
        result = compute()
    except FaultSignal as signal:
        raise FaultSignal(told(signal.fault)) from None
    return ev.diagrams.map_leaves(result, told) if type(result) is Diagram else told(result)


def _enter(
    ev: Evaluator, declaration: ast.Block | ast.Space | ast.Def, module: Any, site: Site, span: Span, frame: Frame
) -> Frame:
    """The frame of an application, unless it is nested too deeply."""
    name = f"{module.name}:{declaration.name}"
    nested = frame.open_calls.count(name)
    if isinstance(declaration, ast.Block) and declaration.limit is not None:
        outer = Frame(site, module.sites(declaration.name, declaration), module)
        limit = ev.evaluate(declaration.limit, Env({}, outer))
        if isinstance(limit, bool) or not isinstance(limit, int):
            raise broken(error("E0301", "a limit must be an int", declaration.limit.span))
        if nested >= limit:
            raise excluded(error("E0502", f"`{declaration.name}` is nested deeper than its limit of {limit}", span))
    elif nested > MAX_VARIED_RECURSION and isinstance(ev.handler, Varying):
        raise Entangled(f"`{declaration.name}` calls itself without a `limit`")
    if frame.depth >= MAX_DEPTH:
        raise broken(
            error(
                "E0601",
                f"calls are nested deeper than {MAX_DEPTH}",
                span,
                hints=[
                    f"bound the recursion: `block {declaration.name}(…) limit 8 {{ … }}`"
                    if isinstance(declaration, ast.Block)
                    else f"end the recursion of `{declaration.name}` with an `if`, or write a `for`"
                ],
            )
        )
    names = module.sites(declaration.name, declaration)
    return Frame(site, names, module, frame.depth + 1, (*frame.open_calls, name), frame.within)


def _call_def(ev: Evaluator, function: DefValue, arguments: Arguments, site: Site, span: Span, frame: Frame) -> Value:
    declaration = function.declaration
    ev.step(span)
    what = f"`{declaration.name}`"
    found = match(declaration.parameters, arguments, what, span)
    inner = _enter(ev, declaration, function.module, site, span, frame)

    def value() -> Value:
        env = bind_config(ev, declaration.parameters, found, Env({}, inner), what)
        result = statements.body(ev, declaration.body, env)
        if declaration.result is not None:
            checked = typed(ev, result, declaration.result, f"the result of {what}", declaration.body.result.span)
            result = ev.force(checked)
        return result

    return _told_outside(ev, value, function.module, span, frame, what)


def operator(ev: Evaluator, symbol: str, left: Value, right: Value, expr: ast.Binary, env: Env) -> Value:
    """`left symbol right` where one of them is a tensor: the library's op of that name."""
    if type(left) is not Tensor and type(right) is not Tensor:
        return ev.lift(lambda a, b: binary(symbol, a, b, expr.span), left, right)
    name = OPERATORS.get(symbol)
    if name is None or type(left) is not Tensor or type(right) is not Tensor:
        other = right if type(left) is Tensor else left
        hints = ["multiply a tensor by a number with `scale(number)`"] if symbol in "*/" else ()
        raise broken(
            error("E0301", f"`{symbol}` cannot take a tensor and {a_type(other)}", expr.span, hints=hints)
            if type(other) is not Tensor
            else error("E0301", f"`{symbol}` cannot take tensors", expr.span)
        )
    places = (expr.left.span, expr.right.span)
    op = operations.library_op(name, env.frame.module)
    return operations.apply_op(ev, op, [left, right], site_at(env, expr), expr.span, f"`{symbol}`", places)
