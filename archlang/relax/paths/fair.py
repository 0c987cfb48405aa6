"""Strictly fair sampling of single paths."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import attrs
from attrs.validators import ge, optional

from archlang.relax.paths.paths import Paths
from archlang.semantics.decision import Decision, OneOf, Pick
from archlang.space.choices import Choices, show_pick

if TYPE_CHECKING:
    from archlang.relax.session import Session
    from archlang.space.moves import Options
    from archlang.space.space import Space

Uses = dict[str, dict[str, int]]  # by the address of the decision, by the pick as it is written


@attrs.frozen(kw_only=True)
class Fair(Paths):
    """As many programs a step as a decision has alternatives, such that each alternative is in one of them;
    the weights take one step with the sum of their gradients (Chu et al. 2021, "FairNAS", strict fairness).

    `paths` is the number of programs, by default that of the alternatives where they are most. Each decision
    takes of its picks one that was used least in this step; of these one that was used least before; of
    these any. So a decision of as many alternatives takes them in an order drawn by chance. One with fewer
    has them equally often, but for one use; one with more (of numbers or subsets) in turn over several
    steps; one that not all programs make in turn too, whenever it is made. All these differ by one use at most
    over the whole training. Requirements come first: what they forbid in a place is made up for later.
    """

    paths: int | None = attrs.field(default=None, validator=optional(ge(1)))

    def programs(self, session: Session) -> Sequence[Choices]:
        before: Uses = session.notes.setdefault("fair", {})
        now: Uses = {}
        return [self._program(session, now, before) for _ in range(self.paths or most_alternatives(session.space))]

    def _program(self, session: Session, now: Uses, before: Uses) -> Choices:
        random = session.random

        def choose(decision: Decision, options: Options | None) -> Pick:
            if options is None:  # too many to be listed, or counted
                return decision.domain.draw(random)
            in_all = before.setdefault(decision.address, {})
            in_step = now.setdefault(decision.address, {})
            uses = [(in_step.get(label, 0), in_all.get(label, 0)) for label in map(show_pick, options)]
            least = min(uses)
            return random.choice([pick for pick, used in zip(options, uses, strict=True) if used == least])

        choices = session.space.walk(choose, random)
        # Not all is as it was chosen: a requirement may have left one pick, or a budget forbid the chosen one.
        for address, pick in choices.items():
            if address in before:
                for uses in (before[address], now.setdefault(address, {})):
                    label = show_pick(pick)
                    uses[label] = uses.get(label, 0) + 1
        return choices


def most_alternatives(space: Space) -> int:
    """The number of alternatives of the decision between alternatives that has most; 1 without any."""
    domains = [decision.domain for decision in space.all_decisions()]
    return max((domain.size for domain in domains if isinstance(domain, OneOf)), default=1)
