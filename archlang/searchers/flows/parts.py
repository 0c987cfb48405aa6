"""A searcher for each part of a space."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

import attrs
from attrs.validators import min_len

from archlang.searchers.flows.flow import Flow, Key, as_proposed, key_of
from archlang.searchers.objectives import Scores
from archlang.searchers.recipe import Recipe

if TYPE_CHECKING:
    from archlang.semantics.decision import Pick
    from archlang.space import Choices


@attrs.frozen(kw_only=True)
class PartsSettings:
    """`parts`: addresses, each with the searcher of the decisions at it and below it. `rest`: the
    searcher of all others, which are drawn when there is none."""

    parts: tuple[tuple[str, Recipe], ...] = attrs.field(validator=min_len(1))
    rest: Recipe | None = None


class Parts(Flow):
    """Programs put together of one proposal for each part of the space, each from its own searcher.

    Where requirements forbid the mixture it is the nearest program. Each searcher is told what came of
    the whole. A decision that two parts hold is the first's. ArchError where the space is not evaluated
    as a whole.
    """

    name = "parts"
    Settings = PartsSettings

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        addresses = [address for address, _ in self.settings.parts]
        self._members = [
            self.child(recipe, address, self.space.part(address)) for address, recipe in self.settings.parts
        ]
        if self.settings.rest is not None:
            self._members.append(self.child(self.settings.rest, "", self.space.part(*addresses, others=True)))
        self._flying: dict[Key, list[list[Choices]]] = {}

    def suggest(self, random: Random) -> Choices:
        proposals = [self.take(member) for member in self._members]
        picks: dict[str, Pick] = {}
        for member, proposal in zip(self._members, proposals, strict=True):
            picks = {**member.space.own(proposal), **picks}
        merged = self.space.repair(picks, random.getrandbits(32)).at(min(one.fidelity for one in proposals))
        self._flying.setdefault(key_of(merged), []).append(proposals)
        return merged

    def learn(self, choices: Choices, scores: Scores | None) -> None:
        flying = self._flying.get(key_of(choices))
        proposals = flying.pop(0) if flying else [choices] * len(self._members)
        for member, proposal in zip(self._members, proposals, strict=True):
            member.observe(as_proposed(proposal, choices, member.space), scores)
