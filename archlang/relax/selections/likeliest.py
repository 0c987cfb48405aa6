"""The likeliest program of a space."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from random import Random

from archlang.diagnostics import ArchError
from archlang.semantics.decision import Decision, Domain, Pick, Reals
from archlang.space.choices import Choices
from archlang.space.moves import Options
from archlang.space.space import Space

# By address and domain of a decision the logarithm of how likely each of its picks is.
Likelihoods = Mapping[tuple[str, Domain], Mapping[Pick, float]]

STEPS = 1_000_000  # to which logarithms are rounded where programs are compared in whole numbers


def likeliest(space: Space, likelihoods: Likelihoods) -> Choices:
    """The program of which every decision has its likeliest pick (of equals the first), decisions that it does
    not make left out. Where the space has no such program, the one whose picks have the greatest product of
    likelihoods; where that cannot be worked out (limits on costs need SciPy), one near the program wanted.

    Decisions of which nothing is known take their first pick or, with too many to list, their middle.
    """
    best = {at: max(known, key=known.__getitem__) for at, known in likelihoods.items()}
    middles: dict[str, Pick] = {}

    def choose(decision: Decision, options: Options | None) -> Pick:
        at = decision.address, decision.domain
        if at in best:
            wanted = best[at]
            return wanted if options is None or wanted in options else max(options, key=likelihoods[at].__getitem__)
        if options is None:
            return middles.setdefault(decision.address, _middle(decision.domain))
        return options[0]

    found = space.walk(choose, Random(0))
    made = [(decision.address, decision.domain) for decision in space.decisions(found)]
    if all(found[at[0]] == best[at] for at in made if at in best):
        return found
    makeable = {(decision.address, decision.domain) for decision in space.all_decisions()}
    goal: dict[str, dict[Pick, float]] = {}
    for at, known in likelihoods.items():
        if at in makeable:
            goal.setdefault(at[0], {}).update({pick: round(STEPS * value) for pick, value in known.items()})
    with suppress(ArchError):
        optimum = space.optimum(maximize=goal).choices
        return Choices.of({address: middles.get(address, pick) for address, pick in optimum.items()})
    return found


def _middle(domain: Domain) -> Pick:
    return domain.at(0.5) if isinstance(domain, Reals) else domain.pick(int(domain.size) // 2)
