"""What holds of a space of which some requirements are left open: they count as met, so that all its
programs are among those looked at, and no more of them there are.

What is wrong with none of those is wrong with no program. What is wrong with some of them is an
error when a program shows it.
"""

from __future__ import annotations

from itertools import islice

import attrs

from archlang.diagnostics import ArchError, Cause, Diagnostic
from archlang.semantics.diagram import Value, leaves, support
from archlang.semantics.fault import Entangled, Fault
from archlang.semantics.widening import Open
from archlang.space.checking import address_conflicts, space_errors
from archlang.space.compiled import Compiled, Count, Programs
from archlang.space.examples import examples
from archlang.space.resolver import OnceForAll, Resolver

TRIES = 64  # programs that are tried to show that an error is met


@attrs.frozen
class Approximation:
    """What is left open of a space, and the programs that there are without it."""

    open: tuple[Open, ...]
    programs: Programs

    @property
    def count(self) -> Count:
        """How many programs the space has: no more than there are without what is left open."""
        found = self.programs.counted()
        return Count(0, found.high, found.endless)


def approximation(once: OnceForAll, compiled: Compiled) -> Approximation:
    """The space with the requirements left out that hang together too much: budgets, or all of them.
    (Where the evaluation leaves nothing open, all are known to be too much.) Raises Entangled."""
    conditions = once.evaluated.conditions
    without_budgets = [_without_budgets(once, condition) for condition in conditions]
    ways = [conditions, without_budgets, [True] * len(conditions)]
    for held in ways if once.open else ways[1:]:
        try:
            programs = Programs(compiled, compiled.regions(held))
            programs.counted()
        except Entangled:
            continue
        left_out = [one for one, other in zip(conditions, held, strict=True) if one is not other]
        found = (*once.open, *(each for condition in left_out for each in _requirements(once, condition)))
        return Approximation(found, programs)
    raise Entangled("the space hangs together too much to be counted")


def _without_budgets(once: OnceForAll, condition: Value) -> Value:
    """The condition where it holds, whether budgets are kept or not."""
    diagrams = once.evaluated.evaluator.diagrams
    budgets = support(condition) & once.budgets.keys()
    if not budgets:
        return condition
    diagrams.restart()
    held = diagrams.map_leaves(condition, lambda leaf: leaf is True)
    for budget in budgets:
        held = diagrams.either(diagrams.cofactor(held, budget, 0), diagrams.cofactor(held, budget, 1))
    return held


def _requirements(once: OnceForAll, condition: Value) -> list[Open]:
    """The requirements that a condition says are met."""
    variables = support(condition)
    for budget in variables & once.budgets.keys():
        variables |= support(*(term for term, _ in once.budgets[budget].terms))
    decisions = frozenset(once.variables[var].decision.address for var in variables if var in once.variables)
    faults = [leaf for leaf in leaves(condition) if type(leaf) is Fault and leaf.excluded]
    spans = dict.fromkeys(fault.diagnostic.labels[0].span for fault in faults if fault.diagnostic.labels)
    return [Open(span, decisions, requirement=True) for span in spans]


def check_bounded(bounded: OnceForAll, compiled: Compiled, resolver: Resolver) -> Diagnostic | None:
    """None when every program is valid; else what is wrong with some that may be programs. Raises
    ArchError with the errors that programs have, and Entangled."""
    errors = space_errors(bounded, compiled) or address_conflicts(bounded, compiled)
    met = [
        # Choices that lead to it in all programs looked at do so in those that there are.
        attrs.evolve(diagnostic, cause=Cause(found.cause.choices) if found.cause is not None else None)
        for found in errors
        for diagnostic in islice(examples(found, resolver, TRIES), 1)
    ]
    if met:
        raise ArchError(met)
    return errors[0] if errors else None
