"""Blocks and functions applied: what they are given, how deep they nest, and where their faults are told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import attrs

from archlang.diagnostics import Label, Span, error
from archlang.semantics import reuse, rewriting, statements
from archlang.semantics.by_need import MAX_DEPTH
from archlang.semantics.diagram import Diagram
from archlang.semantics.fault import Entangled, Fault, FaultSignal, broken, excluded
from archlang.semantics.modules import ModuleScope
from archlang.semantics.parameters import Arguments, bind_config, match, typed
from archlang.semantics.patterns import bind_inputs, check_result
from archlang.semantics.values import BlockValue, DefValue, Env, Frame, List, Site, Tensor, Value
from archlang.syntax import ast

if TYPE_CHECKING:
    from archlang.semantics.evaluator import Evaluator

MAX_VARIED_RECURSION = 24  # of one block inside itself, when all alternatives are kept


def apply_block(
    ev: Evaluator, function: BlockValue, inputs: list[Value], site: Site, span: Span, frame: Frame
) -> Value:
    """A block applied to inputs (values or thunks) at a site."""
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
            return ev.bind(spread, lambda leaf: apply_block(ev, function, [leaf], site, span, frame))
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

    def value(config: Mapping[str, Value], inputs: list[Value], inner: Frame) -> Value:
        inner, checks = rewriting.begun(ev, declaration, inner)
        env = bind_config(ev, declaration.config, config, Env({}, inner), what, lambda: env)
        env = bind_inputs(ev, declaration.inputs, inputs, env, what, span)
        result = statements.body(ev, declaration.body, env, checks)
        if declaration.result is not None:
            result = check_result(ev, result, declaration.result, env, what)
        return result

    def compute() -> Value:
        if not ev.varying:
            return value(config, inputs, inner)
        return reuse.applied(ev, reuse.Call(function, config, inputs, inner, span, value))

    return _told_outside(ev, compute, module, span, frame, what)


def call_def(ev: Evaluator, function: DefValue, arguments: Arguments, site: Site, span: Span, frame: Frame) -> Value:
    """The value of a function of the language for its arguments."""
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


def _told_outside(
    ev: Evaluator, compute: Callable[[], Value], module: ModuleScope, span: Span, frame: Frame, what: str
) -> Value:
    """What `compute` gives; a fault that lies in the library is told first where the user's text
    applies what has it."""
    if not module.is_library or frame.module.is_library:
        return compute()

    def told(leaf: Value) -> Value:
        if type(leaf) is Tensor and type(leaf.ok) in (Fault, Diagram):
            return leaf.where(told(leaf.ok) if type(leaf.ok) is Fault else ev.diagrams.map_leaves(leaf.ok, told))
        if type(leaf) is not Fault or leaf.excluded:
            return leaf
        found = leaf.diagnostic
        if not found.labels or not found.labels[0].span.source.is_library:
            return leaf
        return ev.diagrams.fault(
            Fault(attrs.evolve(found, labels=(Label(span, f"in {what}, applied here"), *found.labels)))
        )

    try:
        result = compute()
    except FaultSignal as signal:
        raise FaultSignal(told(signal.fault)) from None
    return ev.diagrams.map_leaves(result, told) if type(result) is Diagram else told(result)


def _enter(
    ev: Evaluator,
    declaration: ast.Block | ast.Space | ast.Def,
    module: ModuleScope,
    site: Site,
    span: Span,
    frame: Frame,
) -> Frame:
    """The frame of an application, unless it is nested too deeply."""
    name = f"{module.name}:{declaration.name}"
    names = module.sites(declaration)
    if isinstance(declaration, ast.Block) and declaration.limit is not None:
        ev.limited.add(name)
        limit = ev.evaluate(declaration.limit, Env({}, Frame(site, names, module)))
        if isinstance(limit, bool) or not isinstance(limit, int):
            raise broken(error("E0301", "a limit must be an int", declaration.limit.span))
        if frame.open_calls.count(name) >= limit:
            raise excluded(error("E0502", f"`{declaration.name}` is nested deeper than its limit of {limit}", span))
    elif ev.varying and frame.open_calls.count(name) > MAX_VARIED_RECURSION:
        raise Entangled(f"`{declaration.name}` calls itself without a `limit`")
    depth = frame.depth + 1
    if not ev.nest(depth):
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
    inside = rewriting.entered(frame.rewriting)
    return Frame(site, names, module, depth, (*frame.open_calls, name), frame.within, rewriting=inside)
