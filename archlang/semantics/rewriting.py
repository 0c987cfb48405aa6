"""Rewriting: what is called in a derived space is what the first rule that matches puts in its place.

A frame carries the rules that hold in it. A call is matched where it is applied, by what is called, by the
blocks around it, by its address and by its arguments; these may depend on decisions, and then the call is
rewritten for some choices only. What a rule puts in place is applied to the same inputs at the same address.

No rule rewrites the calls that a replacement itself makes. Inside the blocks that it applies the other rules
hold, and inside the original call all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from archlang.diagnostics import Span
from archlang.semantics import application, globs, statements
from archlang.semantics.arithmetic import binary
from archlang.semantics.derived import Layer, RewrittenSpace, Target
from archlang.semantics.parameters import Given, bind_config, match
from archlang.semantics.patterns import bind_inputs
from archlang.semantics.values import (
    FUNCTIONS,
    BlockValue,
    Env,
    Frame,
    OpValue,
    OriginalValue,
    Record,
    Site,
    Thunk,
    Value,
)
from archlang.syntax import ast

if TYPE_CHECKING:
    from archlang.semantics.evaluator import Evaluator

OTHERS = "..."  # the name of the arguments that a pattern does not name, which no text can give to anything


@attrs.frozen(eq=False)
class Active:
    """The rules of a layer as they hold in a frame: the names that they have in common, the rules that do
    not hold inside what they themselves have put in place, and whether the calls of the frame itself (not
    those of the blocks applied in it) are left alone."""

    layer: Layer
    env: Env
    exempt: frozenset[int] = frozenset()
    silent: bool = False


class Rewrites:
    """What became of the rules of an evaluation: those that rewrote some call, and of the others how near
    calls came to matching them."""

    def __init__(self) -> None:
        self.used: set[int] = set()  # rules, by id
        self.called: dict[int, str] = {}  # what is called, by the id of its declaration
        self.near: dict[int, tuple[int, str]] = {}  # how much of a rule's pattern matched, and an address

    def nearly(self, rule: ast.Rule, stage: int, address: str) -> None:
        if stage > self.near.get(id(rule), (0, ""))[0]:
            self.near[id(rule)] = stage, address


CALLED, WITHIN, PLACED, GIVEN = 1, 2, 3, 4  # the stages of a match that `Rewrites.near` tells


def begun(ev: Evaluator, declaration: ast.Block | ast.Space, frame: Frame) -> tuple[Frame, list[statements.Check]]:
    """The frame of a space's application with the rules that the space brings, and their requirements."""
    if not isinstance(declaration, RewrittenSpace):
        return frame, []
    actives, checks = [], []
    for layer in declaration.layers:
        site = frame.site
        site = Site(site.path + layer.mark, site.decisions + layer.mark, site.weights + layer.mark)
        inner = Frame(site, layer.names, layer.scope, frame.depth, frame.open_calls, frame.within)
        env, found = statements.run(ev, layer.declaration.statements, Env({}, inner))
        actives.append(Active(layer, env))
        checks += found
    return frame.rewriting_with((*actives, *frame.rewriting)), checks


def entered(rewriting: tuple[Any, ...]) -> tuple[Any, ...]:
    """The rules as they hold inside a block that is applied."""
    if not rewriting:
        return rewriting
    return tuple(attrs.evolve(active, silent=False) if active.silent else active for active in rewriting)


def state(ev: Evaluator, frame: Frame) -> Any:
    """What decides how calls inside a frame are rewritten: equal for two frames where that is alike."""
    if not frame.rewriting:
        return ()
    path = ev.placed(frame.site.path)
    found: list[Any] = []
    for active in frame.rewriting:
        found.append((id(active.layer), id(active.env), active.exempt))
        for number, (rule, target) in enumerate(zip(active.layer.declaration.rules, active.layer.targets, strict=True)):
            if number not in active.exempt:
                if target.within is not None:
                    found.append(target.within in frame.open_calls)
                if rule.pattern.address is not None:
                    found.append(globs.after(rule.pattern.address.value, path))
    return tuple(found)


@attrs.frozen(eq=False)
class _Call:
    """A call that may be rewritten, and what it is when it is not."""

    function: BlockValue | OpValue
    inputs: list[Value]
    site: Site
    span: Span
    frame: Frame
    path: str
    plain: Callable[[], Value]

    @property
    def given(self) -> Given:
        config = self.function.config
        if config is None:
            return match(self.function.declaration.config, [], f"`{self.function.declaration.name}`", self.span)
        assert isinstance(config, Given)
        return config


def applied(
    ev: Evaluator,
    function: BlockValue | OpValue,
    inputs: list[Value],
    site: Site,
    span: Span,
    frame: Frame,
    plain: Callable[[], Value],
) -> Value:
    """The value of a call in a frame with rules: what the first rule that matches makes of it, else `plain`."""
    ev.rewrites.called.setdefault(id(function.declaration), function.declaration.name)
    return _from(ev, _Call(function, inputs, site, span, frame, ev.placed(site.path), plain), 0, 0)


def _from(ev: Evaluator, call: _Call, layer: int, first: int) -> Value:
    """The value of a call, of which the rules before one of a layer are known not to match."""
    for at in range(layer, len(call.frame.rewriting)):
        active = call.frame.rewriting[at]
        rules = () if active.silent else active.layer.declaration.rules
        for number in range(first, len(rules)):
            if number not in active.exempt and _may_match(ev, call, rules[number], active.layer.targets[number]):
                return _where_it_matches(ev, call, at, number)
        first = 0
    return call.plain()


def _may_match(ev: Evaluator, call: _Call, rule: ast.Rule, target: Target) -> bool:
    """Whether a call matches a pattern as far as that is known before anything is evaluated."""
    pattern = rule.pattern
    if target.called is not None and call.function.declaration is not target.called:
        return False
    ev.rewrites.nearly(rule, CALLED, call.path)
    if target.within is not None and target.within not in call.frame.open_calls:
        return False
    ev.rewrites.nearly(rule, WITHIN, call.path)
    if pattern.address is not None and not globs.matches(pattern.address.value, call.path):
        return False
    ev.rewrites.nearly(rule, PLACED, call.path)
    if pattern.arguments is not None and not pattern.others:
        named = set(_parameters(pattern, call.function))
        if any(name not in named for name in call.given):
            return False
    ev.rewrites.nearly(rule, GIVEN, call.path)
    return True


def _where_it_matches(ev: Evaluator, call: _Call, at: int, number: int) -> Value:
    """The value of a call that a rule rewrites where its arguments and conditions match."""
    active = call.frame.rewriting[at]
    rule = active.layer.declaration.rules[number]
    pattern = rule.pattern
    names = dict(active.env.names)
    tests: list[Callable[[], Value]] = []
    if pattern.arguments:
        values = _values(ev, call)
        for name, argument in _parameters(pattern, call.function).items():
            if isinstance(argument.value, ast.Name):
                names[argument.value.name] = values[name]
            else:
                tests.append(_equal(ev, values[name], argument.value, active.env))
    env = Env(names, active.env.frame)
    condition = pattern.condition
    if condition is not None:
        tests.append(lambda: ev.lift(lambda value: ev.truth(value, condition.span), ev.evaluate(condition, env)))

    def tested(done: int) -> Value:
        if done == len(tests):
            return _replaced(ev, call, at, number, names)
        return ev.bind(tests[done](), lambda held: tested(done + 1) if held else _from(ev, call, at, number + 1))

    return tested(0)


def _replaced(ev: Evaluator, call: _Call, at: int, number: int, names: Mapping[str, Value]) -> Value:
    """What a rule puts in the place of a call that matches it."""
    rewriting, frame = call.frame.rewriting, call.frame
    active: Active = rewriting[at]
    rule = active.layer.declaration.rules[number]
    ev.rewrites.used.add(id(rule))
    passed = tuple(attrs.evolve(other, silent=True) for other in rewriting[: at + 1])
    within = (*passed[:-1], attrs.evolve(passed[-1], exempt=active.exempt | {number}), *rewriting[at + 1 :])
    site = call.site
    text = Frame(
        Site(site.path, site.decisions + active.layer.mark, site.weights),
        active.layer.names,
        active.layer.scope,
        frame.depth,
        frame.open_calls,
        frame.within,
        rewriting=within,
    )
    names = {**names, OTHERS: _others(rule.pattern, call)}
    if rule.pattern.original is not None:
        configured = attrs.evolve(call.function, config=call.given)
        names[rule.pattern.original] = OriginalValue(configured, passed)
    span = rule.replacement.span
    if ev.partial > 1 and len(call.inputs) == 1:
        function = Thunk(rule.replacement, Env(names, text))
        return application.applied_partly(ev, function, call.inputs[0], call.site, span, text)
    value = ev.evaluate(rule.replacement, Env(names, text))
    return ev.bind(value, lambda leaf: application.apply(ev, leaf, call.inputs, call.site, span, text))


def as_before(original: OriginalValue, frame: Frame) -> Frame:
    """The frame in which an original is applied: the rules that were applied to its call are not applied to it
    again, and hold inside it as they did."""
    known = {id(active.layer) for active in original.passed}
    rest = tuple(active for active in frame.rewriting if id(active.layer) not in known)
    return frame.rewriting_with((*original.passed, *rest))


# ------------------------------------------------------------------ arguments


def _parameters(pattern: ast.Pattern, function: BlockValue | OpValue) -> dict[str, ast.Argument]:
    """The arguments of a pattern by the parameters that they stand for."""
    names = [parameter.name for parameter in function.declaration.config]
    return {
        argument.name if argument.name is not None else names[position]: argument
        for position, argument in enumerate(pattern.arguments or ())
    }


def _values(ev: Evaluator, call: _Call) -> Mapping[str, Value]:
    """The values of all parameters (or thunks), those that are left out by their defaults."""
    declaration, module = call.function.declaration, call.function.module
    what = f"`{declaration.name}`"
    if isinstance(declaration, ast.Op):
        return bind_config(ev, declaration.config, call.given, Env({}, Frame(call.site, {}, module)), what).names
    inner = Frame(call.site, module.sites(declaration), module, call.frame.depth, within=call.frame.within)
    env = bind_config(ev, declaration.config, call.given, Env({}, inner), what, lambda: env)
    if len(call.inputs) == len(declaration.inputs):
        env = bind_inputs(ev, declaration.inputs, call.inputs, env, what, call.span)
    return env.names


def _others(pattern: ast.Pattern, call: _Call) -> Record:
    """The arguments of a call that its pattern does not name."""
    named = _parameters(pattern, call.function)
    return Record({name: value for name, value in call.given.items() if name not in named})


def _equal(ev: Evaluator, value: Value, expected: ast.Expr, env: Env) -> Callable[[], Value]:
    def compared(actual: Value, wanted: Value) -> Value:
        if isinstance(actual, FUNCTIONS) or isinstance(wanted, FUNCTIONS):
            return False
        return binary("==", expected.span, actual, wanted)

    def test() -> Value:
        return ev.lift(compared, ev.resolved(ev.force(value)), ev.resolved(ev.evaluate(expected, env)))

    return test
