"""Moving among the programs of a space: drawing, changing and mixing their choices.

`ByPaths` moves on the compiled space: it never leaves the requirements, and throws nothing away.
`ByTrial` is for spaces that cannot be evaluated as a whole: it tries, evaluates, and tries again.
Here is what both are and share.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from random import Random
from typing import Any, NoReturn, Protocol

from archlang.diagnostics import ArchError, error
from archlang.semantics.decision import Decision, Domain, Pick, Reals
from archlang.space.choices import Choices
from archlang.space.resolver import Picker, Resolved
from archlang.space.variation import near as near_pick

TRIES = 2_000  # draws before a space whose requirements few choices meet is given up
QUICK = 8  # changes tried at random before they are gone through one by one
MAX_LISTED = 10_000  # picks of a decision that are listed for a walk

Resolve = Callable[[Mapping[str, Any]], Resolved]  # the program of choices; ArchError when they do not fit
Options = tuple[Pick, ...]
# What to pick of a decision: one of some picks, or (None) any of its domain.
Chooser = Callable[[Decision, Options | None], Pick]
Trace = list[tuple[Decision, Pick]]


class Moves(Protocol):
    """What a space can do with choices. Each gives None where it finds no program."""

    def draw(self, random: Random, evenly: bool) -> Choices | None: ...

    def mutate(self, choices: Mapping[str, Any], random: Random, near: bool) -> Choices | None: ...

    def crossover(
        self, a: Mapping[str, Any], b: Mapping[str, Any], random: Random, subtree: bool
    ) -> Choices | None: ...

    def neighbours(self, choices: Mapping[str, Any]) -> Iterator[Choices]: ...

    def enumerate(self, levels: int | None) -> Iterator[Choices]: ...

    def walk(self, choose: Chooser, random: Random) -> Choices | None: ...

    def trace(self, choices: Mapping[str, Any]) -> Trace: ...


def no_option(decision: Decision, chosen: Any) -> NoReturn:
    raise ValueError(f"`{decision.address}` has no option {chosen!r} here")


def another(domain: Domain, pick: Pick, random: Random, near: bool) -> Pick:
    """Another pick of a domain that has one."""
    if near:
        return near_pick(domain, pick, random)
    new = domain.draw(random)
    while new == pick:
        new = domain.draw(random)
    return new


def listed(decision: Decision, levels: int | None) -> int:
    """The number of picks of a decision, of a float so many levels; ArchError when they cannot be listed."""
    if not math.isinf(decision.domain.size):
        return int(decision.domain.size)
    if levels is None:
        raise ArchError(error("E0412", f"`{decision.address}` is {decision.domain}: its picks cannot be listed"))
    return levels


def pick_at(domain: Domain, index: int, levels: int | None) -> Pick:
    """A pick by its number; of a float the level of that number, the middle where there is but one."""
    if levels is None or not isinstance(domain, Reals) or domain.low == domain.high:
        return domain.pick(index)
    return domain.at(index / (levels - 1) if levels > 1 else 0.5)


def chooser(choose: Chooser, random: Random, mine: Callable[[str], bool]) -> Picker:
    """Picks by `choose` where there is something to choose, else draws."""

    def pick(decision: Decision) -> Pick:
        domain = decision.domain
        if domain.size == 1 or not mine(decision.address):
            return domain.draw(random)
        options = tuple(map(domain.pick, range(int(domain.size)))) if domain.size <= MAX_LISTED else None
        chosen = choose(decision, options)
        if options is not None and chosen not in options:
            no_option(decision, chosen)
        return chosen

    return pick


def traced(resolved: Resolved, mine: Callable[[str], bool]) -> Trace:
    return [
        (decision, pick)
        for decision, pick, active in resolved.asked
        if active and decision.domain.size > 1 and mine(decision.address)
    ]
