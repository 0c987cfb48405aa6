"""What a space's evaluation with all alternatives proves: errors with the choices that cause them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from itertools import combinations

import attrs

from archlang.diagnostics import Cause, Diagnostic
from archlang.semantics.diagram import Diagrams, Value, at, leaves, paths
from archlang.semantics.fault import Fault
from archlang.semantics.handlers import conflict
from archlang.space.choices import show_pick
from archlang.space.compiled import Compiled
from archlang.space.resolver import OnceForAll


def space_errors(varied: OnceForAll, counter: Compiled) -> list[Diagnostic]:
    """Every error that some program of the space has, with choices that cause it, none of which
    can be left out, and how many programs it breaks. What goes wrong at one place in the same way
    is one error, told for its first case."""
    diagrams, ok = varied.evaluated.evaluator.diagrams, varied.evaluated.ok
    merged: dict[object, list[Fault]] = {}
    for leaf in leaves(ok):
        if type(leaf) is Fault and not leaf.excluded:
            found_at = leaf.diagnostic.code, tuple(label.span for label in leaf.diagnostic.labels)
            merged.setdefault(found_at, []).append(leaf)
    if not merged:
        return []
    programs = counter.count(diagrams.map_leaves(ok, lambda leaf: not (type(leaf) is Fault and leaf.excluded)))
    found = []
    for same in merged.values():
        hit = diagrams.map_leaves(ok, same.__contains__)
        count = counter.count(hit)
        if count == 0:
            continue  # reached only by picks of decisions that are not asked then
        path = next(paths(hit, lambda leaf: leaf is True))
        diagnostic = at(ok, partial(_position, path)).diagnostic
        path = _without_idle(diagrams, hit, path)
        decisions = [(varied.variables[var].decision, position) for var, position in sorted(path.items())]
        named = tuple((d.address, show_pick(d.domain.pick(position))) for d, position in decisions)
        exact = isinstance(count, int) and isinstance(programs, int)
        cause = Cause(named, int(count), int(programs)) if exact else Cause(named)
        found.append(attrs.evolve(diagnostic, cause=cause))
    return found


def address_conflicts(varied: OnceForAll, counter: Compiled) -> list[Diagnostic]:
    """Addresses that some program asks twice with different alternatives."""
    diagrams, needs = varied.evaluated.evaluator.diagrams, varied.evaluated.needs
    by_address: dict[str, list[int]] = {}
    for number in needs:
        by_address.setdefault(varied.variables[number].decision.address, []).append(number)
    found = []
    for numbers in by_address.values():
        for one, other in combinations(sorted(numbers), 2):
            met = diagrams.both(_plain(diagrams, needs[one]), _plain(diagrams, needs[other]))
            if met is not False and counter.count(diagrams.both(met, _plain(diagrams, varied.evaluated.ok))):
                first, second = varied.variables[one], varied.variables[other]
                found.append(conflict(second.decision, second.span, first.decision, first.span))
                break
    return found


def _plain(diagrams: Diagrams, condition: Value) -> Value:
    """The condition with faults as False."""
    return diagrams.map_leaves(condition, lambda leaf: leaf is True)


def _position(path: Mapping[int, int], var: int) -> int:
    return path.get(var, 0)


def _without_idle(diagrams: Diagrams, hit: Value, path: dict[int, int]) -> dict[int, int]:
    """The path without the picks that do not matter: what remains leads to the error by itself."""
    kept = dict(path)
    for var in sorted(path, reverse=True):
        rest = {other: position for other, position in kept.items() if other != var}
        here = hit
        for other, position in rest.items():
            here = diagrams.cofactor(here, other, position)
        if here is True:
            kept = rest
    return kept
