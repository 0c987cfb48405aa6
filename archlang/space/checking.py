"""What a space's evaluation with all alternatives proves: errors, with the choices that cause them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import combinations
from typing import Any

import attrs

from archlang.diagnostics import Cause, Diagnostic
from archlang.semantics.diagram import Value, at, leaf_key, leaves, support
from archlang.semantics.entry import Evaluated, deep_recursion
from archlang.semantics.fault import Entangled, Fault
from archlang.semantics.handlers import conflict
from archlang.space.causes import Causes, Choice, Rate
from archlang.space.choices import show_pick
from archlang.space.compiled import Compiled
from archlang.space.outcomes import FREE, HIT, MISS
from archlang.space.resolver import OnceForAll


@deep_recursion()
def space_errors(varied: OnceForAll, counter: Compiled) -> list[Diagnostic]:
    """Every error that some program of the space has: one for each place and code, with a smallest
    set of choices that causes it and how many programs it breaks.

    A program is one way to make all decisions that are asked, whatever is broken: what is applied
    to a broken tensor asks its decisions all the same, and only where an error leaves no value at
    all (an element that a list does not have) is nothing asked of it. A program has the first error
    that its evaluation meets. Programs that a requirement excludes before that are neither broken
    nor among all.

    A set of choices causes an error when there are programs that make these choices, and all of them
    have the error. Where another error comes first in some programs, choices that all programs with
    this one have in common are its cause if they are fewer, and if no program that makes them is
    whole. `space.causes` says which of equally small sets is told.
    """
    merged: dict[object, set[Any]] = {}
    for condition in varied.evaluated.conditions:
        for leaf in leaves(condition):
            if _is_broken(leaf):
                place = tuple(label.span for label in leaf.diagnostic.labels)
                merged.setdefault((leaf.diagnostic.code, place), set()).add(leaf_key(leaf))
    if not merged:
        return []
    explain = _Explain(varied, counter, *_joined(varied.evaluated))
    told = (explain(_rate(same, MISS), _rate(same, FREE) if len(merged) > 1 else None) for same in merged.values())
    return [attrs.evolve(found.leaf.diagnostic, cause=found.cause) for found in told if found is not None]


def _is_broken(leaf: Value) -> bool:
    return type(leaf) is Fault and not leaf.excluded


def _joined(evaluated: Evaluated) -> tuple[Value, list[Value]]:
    """What becomes of each program as one diagram, and conditions to be met besides: requirements,
    where too many decisions would hang together with them."""
    try:
        return evaluated.ok, []
    except Entangled:
        evaluated.evaluator.diagrams.restart()
        apart, together = list[Value](), list[Value]()
        for condition in evaluated.conditions:
            (together if any(map(_is_broken, leaves(condition))) else apart).append(condition)
        return evaluated.evaluator.both_ok(*together), apart


def _rate(same: set[Any], others: int) -> Rate:
    """The outcomes for one error (the keys of its faults), with one for programs that have another."""

    def rate(leaf: Value) -> int:
        if type(leaf) is not Fault:
            return MISS
        return HIT if leaf_key(leaf) in same else FREE if leaf.excluded else others

    return rate


@deep_recursion()
def address_conflicts(varied: OnceForAll, counter: Compiled) -> list[Diagnostic]:
    """Addresses that some program asks twice with different alternatives, with the choices that
    lead there."""
    evaluated, diagrams = varied.evaluated, varied.evaluated.evaluator.diagrams
    by_address: dict[str, list[int]] = {}
    for number in evaluated.needs:
        by_address.setdefault(varied.variables[number].decision.address, []).append(number)
    found = []
    for numbers in by_address.values():
        for one, other in combinations(sorted(numbers), 2):
            ok, apart = _joined(evaluated)
            twice = diagrams.both(evaluated.needs[one], evaluated.needs[other])
            explain = _Explain(varied, counter, diagrams.lift(lambda _, twice: twice, ok, twice), apart)
            told = explain(lambda leaf: FREE if type(leaf) is Fault else HIT if leaf else MISS)
            if told is not None:
                first, second = varied.variables[one], varied.variables[other]
                diagnostic = conflict(second.decision, second.span, first.decision, first.span)
                found.append(attrs.evolve(diagnostic, cause=told.cause))
                break
    return found


def _whatever_is_required(rate: Rate, leaf: Value) -> int:
    """The outcome, where what a requirement excludes is a program like others."""
    return MISS if type(leaf) is Fault and leaf.excluded else rate(leaf)


@attrs.frozen
class _Explained:
    """One of the leaves that are hits, and why and how often they are met: None where budgets alone
    decide that."""

    leaf: Value
    cause: Cause | None


class _Explain:
    """Explains what becomes of the programs of a space: a diagram, and conditions to be met besides.
    Gives None where no program is a hit; raises `Entangled` where budgets decide whether there is
    one, and it cannot be worked out."""

    def __init__(self, varied: OnceForAll, counter: Compiled, value: Value, apart: list[Value]):
        self._varied = varied
        self._counter = counter
        self._value = value
        self._apart = apart
        self._diagrams = varied.evaluated.evaluator.diagrams
        self._causes = Causes(varied.variables, self._diagrams.sizes, varied.evaluated.needs)
        self._free = not apart and varied.budgets.keys().isdisjoint(support(value))

    def __call__(self, rate: Rate, excused: Rate | None = None) -> _Explained | None:
        hit = self._diagrams.map_leaves(self._value, lambda leaf: rate(leaf) == HIT)
        possible = None if self._free else partial(self._possible, hit)
        found = self._causes.smallest(self._value, rate, excused, possible)
        if found is not None and any(type(leaf) is Fault and leaf.excluded for leaf in leaves(self._value)):
            # As few choices that need no requirement to be a cause say more.
            alone = self._causes.smallest(self._value, partial(_whatever_is_required, rate), excused, possible)
            if alone is not None and len(alone.choices) <= len(found.choices):
                found = alone
        if found is None:
            if self._free or not self._possible(hit, ()):
                return None
            return _Explained(next(leaf for leaf in leaves(self._value) if rate(leaf) == HIT), None)
        decisions = [(self._varied.variables[var].decision, position) for var, position in found.choices]
        named = tuple((d.address, show_pick(d.domain.pick(position))) for d, position in decisions)
        of = self._count(self._diagrams.map_leaves(self._value, lambda leaf: rate(leaf) != FREE))
        hits = self._count(hit)
        counted = (hits, of) if hits is not None and of is not None else ()
        return _Explained(at(self._value, lambda var: found.example.get(var, 0)), Cause(named, *counted))

    def _possible(self, hit: Value, choices: Sequence[Choice]) -> bool:
        """Whether a program that makes the choices is a hit."""
        made = [self._diagrams.literal(*choice) for choice in choices]
        asked = [self._varied.evaluated.needs[var] for var, _ in choices]
        return self._counter.possible([hit, *made, *asked, *self._apart])

    def _count(self, condition: Value) -> int | None:
        """The number of programs where a condition holds; None where it is infinite or not exact."""
        try:
            found = self._counter.counted([condition, *self._apart])
        except Entangled:
            return None
        return found.low if found.exact and not found.endless else None
