"""Picks that a user writes down, brought to the decisions of a space."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from archlang.diagnostics import ArchError, Diagnostic, did_you_mean, error
from archlang.semantics.decision import Decision, Pick, Reals
from archlang.space.resolver import Resolved, Resolver, in_order

SHOWN = 4  # decisions without a pick that an error names
LISTED = 6  # decisions that a hint lists
_MISSING = object()


def resolved(resolver: Resolver, picks: Mapping[str, Any], name: str) -> Resolved:
    """The program of some picks by address; ArchError with all that is wrong with them, where they do not
    fit the space of that name or meet its requirements."""
    # By decision, for an address may have other alternatives under other choices.
    missing: list[Decision] = []
    misfits: list[tuple[Decision, Diagnostic]] = []

    def follow(decision: Decision) -> Pick:
        given = picks.get(decision.address, _MISSING)
        if given is _MISSING:
            missing.append(decision)
            return decision.domain.pick(0)
        try:
            return _fitting(decision, given)
        except ValueError:
            misfits.append((decision, _misfit(decision, given)))
            return decision.domain.pick(0)

    found = resolver.resolve(follow)
    made = {decision for decision, _ in found.decisions.values()}
    problems = [problem for decision, problem in misfits if decision in made]
    lacking = sorted((decision for decision in missing if decision in made), key=lambda d: in_order(d.address))
    if lacking:
        shown = ", ".join(f"`{decision.address}`" for decision in lacking[:SHOWN])
        more = f" and {len(lacking) - SHOWN} more" if len(lacking) > SHOWN else ""
        notes = [f"`{decision.address}` takes {decision.domain}" for decision in lacking[:SHOWN]]
        problems.append(error("E0410", f"no pick is given for {shown}{more}", notes=notes))
    for address in picks:
        if address not in found.decisions:
            notes = ["it may hang from other choices than these"] if not problems else []
            what = f"there is no decision `{address}` in this program of `{name}`"
            problems.append(no_decision(what, address, list(found.decisions), notes))
    if problems:
        raise ArchError(problems)
    if found.fault is not None:
        raise ArchError(found.fault.diagnostic)
    return found


def no_decision(what: str, address: str, known: Sequence[str], notes: Sequence[str] = ()) -> Diagnostic:
    """The error that there is no decision of an address, with what it may have meant."""
    return error("E0406", what, hints=did_you_mean(address, known) or _some_of(known), notes=notes)


def _some_of(addresses: Sequence[str]) -> tuple[str, ...]:
    """A hint with the first decisions there are."""
    if not addresses:
        return ("the space has nothing to choose",)
    more = f" and {len(addresses) - LISTED} more" if len(addresses) > LISTED else ""
    return (f"its decisions are {', '.join(f'`{address}`' for address in addresses[:LISTED])}{more}",)


def _fitting(decision: Decision, given: Any) -> Pick:
    """The pick, as the domain writes it; ValueError when it is none of the domain's."""
    domain = decision.domain
    if isinstance(domain, Reals):
        return domain.check(given)
    return domain.pick(domain.index(given))


def _misfit(decision: Decision, given: Any) -> Diagnostic:
    try:
        shown = json.dumps(given)
    except (TypeError, ValueError):
        shown = repr(given)
    return error("E0407", f"`{decision.address}` cannot be {shown}", notes=[f"it takes {decision.domain}"])
