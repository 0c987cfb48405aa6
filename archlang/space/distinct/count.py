"""The count of different networks, and what can be said where it is too much work."""

from __future__ import annotations

import attrs

from archlang.semantics.diagram import support
from archlang.semantics.fault import Entangled
from archlang.space.compiled import Count
from archlang.space.distinct.catalogue import Catalogue
from archlang.space.distinct.counting import Choices, count_words
from archlang.space.distinct.groups import Progress, group_words, groups
from archlang.space.distinct.varied import fragments
from archlang.space.distinct.words import Words
from archlang.space.resolver import OnceForAll

SHOWN = 5


@attrs.frozen
class Distinct:
    """The number of different networks (by `canonical_hash`) among a space's programs: at least
    `low`, at most `high` (None: no bound is known). `reason` says why it is not exact."""

    low: int
    high: int | None
    reason: str = ""

    @property
    def exact(self) -> bool:
        return self.low == self.high

    def __str__(self) -> str:
        if self.high is None:
            return "an unknown number of different networks"
        number = f"{self.high:,}" if self.exact else f"between {self.low:,} and {self.high:,}"
        return f"{number} different network{'s' * (self.high != 1)}"


def count_distinct(once: OnceForAll, programs: Count, progress: Progress) -> Distinct:
    """How many different networks the programs of a space are. Programs that differ only in static
    values (a learning rate) are one network; those without a network count for nothing.

    `programs` says how many there are: never fewer than networks. `progress` is told what is being
    done, how much of it is done, and of how much.
    """
    most = None if programs.endless else programs.high
    try:
        low, high = _count(once, progress)
    except Entangled as problem:
        named = f" ({', '.join(problem.decisions[:SHOWN])})" if problem.decisions else ""
        return Distinct(0, most, problem.reason + named)
    if low == high:
        return Distinct(low, high)
    most = high if most is None else min(high, most)
    return Distinct(low, most, "the parts of networks can be put together to equal ones in too many ways")


def _count(once: OnceForAll, progress: Progress) -> tuple[int, int]:
    evaluated = once.evaluated
    diagrams = evaluated.evaluator.diagrams
    diagrams.restart()
    if support(*evaluated.conditions, *evaluated.needs.values()) & once.budgets.keys():
        raise Entangled("a budget on costs decides which programs there are")
    required = [diagrams.map_leaves(held, lambda leaf: leaf is True) for held in evaluated.conditions]
    if False in required:
        return 0, 0
    found = fragments(evaluated)
    if not found:
        return 0, 0
    catalogue = Catalogue()
    words = Words(catalogue)
    choices = []
    for group in groups(found, evaluated.needs, [held for held in required if held is not True], diagrams):
        choices.append(Choices(group.places, group_words(group, found, diagrams, catalogue, words, progress)))
    return count_words(choices, words.known)
