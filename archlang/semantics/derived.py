"""Spaces that are derived from others: `space t = s with { … }` linked to what it rewrites."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING

import attrs

from archlang.diagnostics import ArchError, Label, did_you_mean, error
from archlang.syntax import ast

if TYPE_CHECKING:
    from archlang.semantics.modules import Declaration, ModuleScope
    from archlang.semantics.sites import Names

ANY = "_"  # what a pattern calls that rewrites any call


@attrs.frozen(eq=False)
class Target:
    """What a rule's pattern names: the block or op that is called, None for any, and the block around as frames
    name it, None for no matter which."""

    called: Declaration | None
    within: str | None


@attrs.frozen(eq=False, slots=False)
class Layer:
    """The rules of one `with`, and the scope in which their names are looked up: the file that they
    stand in, and beneath it the names of the space that is rewritten. `mark` stands in the addresses of
    the decisions that the rules add, so that none has that of another."""

    declaration: ast.Derived
    scope: ModuleScope
    mark: str

    @property
    def names(self) -> Mapping[int, Names]:
        """The names of the places in the rules."""
        return self.scope.sites(self.declaration)

    @cached_property
    def targets(self) -> tuple[Target, ...]:
        """What the patterns of the rules name; ArchError where there is nothing of that name."""
        return tuple(self.target(rule.pattern) for rule in self.declaration.rules)

    def target(self, pattern: ast.Pattern) -> Target:
        """What a pattern names; ArchError where there is nothing of that name."""
        called = within = None
        if pattern.called.name != ANY:
            _, called = self._block(pattern.called, "calls of blocks and ops are rewritten")
        if pattern.within is not None:
            home, around = self._block(pattern.within, "`in` names a block")
            within = f"{home.name}:{around.name}"
        return Target(called, within)

    def _block(self, name: ast.Name, why: str) -> tuple[ModuleScope, ast.Block | ast.Op | ast.Space]:
        found = self.scope.find(name.name)
        if found is None:
            if self.scope.resolve(name.name) == "builtin":
                raise ArchError(error("E0220", f"`{name.name}` is a function of the language: {why}", name.span))
            hints = did_you_mean(name.name, self.scope.names())
            hints = hints or ("bring it in with `use`, if the space calls it",)
            raise ArchError(error("E0201", f"there is nothing called `{name.name}`", name.span, hints=hints))
        home, declaration = found
        if not isinstance(declaration, ast.Block | ast.Op | ast.Space):
            kind = "function" if isinstance(declaration, ast.Def) else "constant"
            declared = Label(declaration.name_span, "declared here")
            raise ArchError(error("E0220", f"`{name.name}` is a {kind}: {why}", name.span, declared))
        return home, declaration


@attrs.frozen(eq=False)
class RewrittenSpace(ast.Space):
    """A space whose calls are rewritten: the declaration of the space that is derived from, under the
    name of the derived one; the module that its text stands in; and the rules, first those that are
    applied first."""

    home: ModuleScope = attrs.field(kw_only=True)
    layers: tuple[Layer, ...] = attrs.field(kw_only=True)


def link(module: ModuleScope, declaration: ast.Derived) -> RewrittenSpace:
    """The space that a declaration derives; ArchError where what it derives from is no space."""
    base = declaration.base
    found = module.find(base.name)
    if found is None:
        if module.is_linking(base.name):
            raise ArchError(error("E0220", f"`{declaration.name}` is derived from itself", base.span))
        if module.is_lost(base.name):
            raise ArchError([])  # what is wrong is told where it stands
        hints = did_you_mean(base.name, module.names())
        raise ArchError(error("E0201", f"there is nothing called `{base.name}`", base.span, hints=hints))
    home, space = found
    if not isinstance(space, ast.Space):
        declared = Label(space.name_span, "declared here")
        what = f"`{base.name}` is no space, and only spaces are rewritten"
        advice = "put it into a space: `space s(x: f32[n, 3, 32, 32]) { x |> … }`"
        raise ArchError(error("E0220", what, base.span, declared, hints=[advice]))
    before = space.layers if isinstance(space, RewrittenSpace) else ()
    beneath = before[-1].scope if before else home
    same = sum(layer.declaration.name == declaration.name for layer in before)
    mark = f"+{declaration.name}#{same + 1}" if same else f"+{declaration.name}"
    return RewrittenSpace(
        declaration.name,
        space.config,
        space.inputs,
        space.result,
        space.body,
        declaration.doc,
        span=declaration.span,
        name_span=declaration.name_span,
        home=home,
        layers=(*before, Layer(declaration, module.above(beneath), mark)),
    )
