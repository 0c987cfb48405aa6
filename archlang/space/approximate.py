"""What holds of a space of which some conditions are left open: these count as holding, so that its
programs are among those looked at.

What is wrong with none of those is wrong with no program. What is wrong with some of them is an
error when a program shows it.
"""

from __future__ import annotations

from random import Random

import attrs

from archlang.diagnostics import ArchError, Diagnostic
from archlang.semantics.decision import Decision, Pick
from archlang.space.checking import address_conflicts, space_errors
from archlang.space.choices import show_pick
from archlang.space.compiled import Compiled
from archlang.space.moves import cause_of
from archlang.space.resolver import OnceForAll, Resolver

TRIES = 64  # programs that are tried to show that an error is met


def check_bounded(bounded: OnceForAll, compiled: Compiled, resolver: Resolver) -> Diagnostic | None:
    """None when every program is valid; else what is wrong with some that may be programs. Raises
    ArchError with the errors that programs have, and Entangled."""
    errors = space_errors(bounded, compiled) or address_conflicts(bounded, compiled)
    met = [shown for found in errors if (shown := _shown(found, resolver)) is not None]
    if met:
        raise ArchError(met)
    return errors[0] if errors else None


def _shown(found: Diagnostic, resolver: Resolver) -> Diagnostic | None:
    """The error with the choices of a program that has it; None when none is found."""
    wanted = dict(found.cause.choices) if found.cause is not None else {}
    random = Random(0)

    def pick(decision: Decision) -> Pick:
        domain = decision.domain
        shown = wanted.get(decision.address)
        picks = [] if shown is None else [p for p in map(domain.pick, range(int(domain.size))) if show_pick(p) == shown]
        return picks[0] if picks else domain.draw(random)

    for _ in range(TRIES):
        program = resolver.resolve(pick)
        if program.fault is not None and not program.fault.excluded and program.fault.diagnostic.code == found.code:
            return attrs.evolve(program.fault.diagnostic, cause=cause_of(program))
    return None
