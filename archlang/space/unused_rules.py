"""Rules of derived spaces that rewrite nothing."""

from __future__ import annotations

from archlang.diagnostics import Diagnostic, did_you_mean, error
from archlang.semantics.derived import Layer, RewrittenSpace
from archlang.semantics.rewriting import CALLED, GIVEN, PLACED, WITHIN, Rewrites
from archlang.syntax import ast

_SHOWN = 8


def unused_rules(declaration: ast.Space, rewrites: Rewrites) -> list[Diagnostic]:
    """An error for every rule of a space's own `with` that rewrote no call, where all alternatives were kept."""
    if not isinstance(declaration, RewrittenSpace):
        return []
    own = declaration.layers[-1]
    rules = enumerate(own.declaration.rules)
    return [_unused(own, number, rewrites) for number, rule in rules if id(rule) not in rewrites.used]


def _unused(layer: Layer, number: int, rewrites: Rewrites) -> Diagnostic:
    rules = layer.declaration.rules
    pattern = rules[number].pattern
    called = pattern.called.name
    stage, address = rewrites.near.get(id(rules[number]), (0, ""))
    wanted = layer.targets[number].called
    place, hints = pattern.span, list[str]()
    if stage == CALLED:
        assert pattern.within is not None
        place, hints = pattern.within.span, [f"it is called, at `{address}`, but not in a `{pattern.within.name}`"]
    elif stage == WITHIN:
        assert pattern.address is not None
        place, hints = pattern.address.span, [f"it is called at `{address}`"]
    elif stage == PLACED:
        hints = ["its calls give other arguments too: end the pattern with `...`"]
    elif stage == GIVEN:
        hints = [f"it is called, at `{address}`, but with other arguments"]
        if pattern.condition is not None:
            hints = [f"it is called, at `{address}`, but the condition does not hold there"]
    elif wanted is not None and id(wanted) not in rewrites.called:
        place = pattern.called.span
        if called in rewrites.called.values():
            hints = [f"it calls another `{called}`: this one is looked up where the rule stands"]
        else:
            names = sorted(set(rewrites.called.values()))
            listed = ", ".join(f"`{name}`" for name in names[:_SHOWN]) + ", …" * (len(names) > _SHOWN)
            hints = list(did_you_mean(called, names)) or [f"it calls {listed}"]
    else:
        hints = ["an earlier rule rewrites these calls: the first that matches is taken"]
    what = "call" if wanted is None else f"call of `{called}`"
    return error(
        "E0219", f"no program of `{layer.declaration.name}` has a {what} that this rule rewrites", place, hints=hints
    )
