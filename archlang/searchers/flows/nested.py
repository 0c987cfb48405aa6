"""A search within a search."""

from __future__ import annotations

from collections.abc import Hashable
from random import Random
from typing import TYPE_CHECKING, Any

import attrs
from attrs.validators import ge

from archlang.searchers.base import Exhausted, Searcher
from archlang.searchers.flows.flow import Flow, Key, Known, as_proposed, key_of
from archlang.searchers.objectives import Scores
from archlang.searchers.recipe import Recipe

if TYPE_CHECKING:
    from archlang.space import Choices

ATTEMPTS = 20  # proposals in a row that repeat earlier ones before a search counts as done


@attrs.frozen(kw_only=True)
class NestedSettings:
    """`outer`: the searcher of the decisions at the address `part` and below it. `inner`: that of all
    others. `trials`: how many proposals the inner one has for each of the outer one's. `continues`: one
    inner searcher goes on through all of them, and is not begun anew for each."""

    outer: Recipe
    inner: Recipe
    part: str
    trials: int = attrs.field(default=10, validator=ge(1))
    continues: bool = False


@attrs.define
class Round:
    """The search of the inner searcher for one proposal of the outer one."""

    program: Choices
    inner: Searcher
    known: Known = attrs.field(factory=Known)
    asked: int = 0
    told: int = 0
    closed: bool = False  # no more will be asked
    best: tuple[float, Scores, Choices] | None = None  # by fidelity, then by scores


class Nested(Flow):
    """For each proposal of an outer searcher, which decides one part, a search for the rest.

    The outer searcher is told the best scores that the inner one found for its part (by the first
    objective, then by the next), once all of that search is told; while some of it is still in flight
    the next one begins. ArchError where the space is not evaluated as a whole.
    """

    name = "nested"
    Settings = NestedSettings

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self._rest = self.space.part(self.settings.part, others=True)
        self._outer = self.child(self.settings.outer, "outer", self.space.part(self.settings.part))
        self._inner = self.child(self.settings.inner, "inner", self._rest)
        self._begun = 0
        self._round: Round | None = None
        self._flying: dict[Key, list[tuple[Round, Choices]]] = {}
        self._found: dict[Hashable, Scores | None] = {}  # by what the outer searcher decided

    def suggest(self, random: Random) -> Choices:
        while True:
            if self._round is None:
                self._round = self._begin()
            now = self._round
            found = self._inner_proposal(now, random)
            if found is None:
                self._close(now)
                continue
            proposal, choices = found
            now.asked += 1
            self._flying.setdefault(key_of(choices), []).append((now, proposal))
            if now.asked == self.settings.trials:
                self._close(now)
            return choices

    def _begin(self) -> Round:
        """A round for the next proposal of the outer searcher; it is told at once of parts that had one."""
        program = self.take(self._outer)
        for _ in range(ATTEMPTS):
            decided = self._decided(program)
            if decided not in self._found:
                break
            self._outer.observe(program, self._found[decided])
            program = self.take(self._outer)
        inner = self._inner
        if self._begun and not self.settings.continues:
            inner = self.child(self.settings.inner, f"inner {self._begun}", self._rest)
        self._begun += 1
        return Round(program, inner)

    def _decided(self, choices: Choices) -> Hashable:
        return self._outer.space.own(choices), choices.fidelity

    def _inner_proposal(self, now: Round, random: Random) -> tuple[Choices, Choices] | None:
        """What the inner searcher proposes, and with what the outer one decided; None when that is
        nothing new."""
        held = self._outer.space.own(now.program)
        for _ in range(ATTEMPTS):
            try:
                proposal = self.take(now.inner)
            except Exhausted:
                break
            merged = self.space.repair({**self._rest.own(proposal), **held}, random.getrandbits(32), held)
            merged = merged.at(min(proposal.fidelity, now.program.fidelity))
            if now.known.is_new(key_of(merged), as_proposed(proposal, merged, self._rest), now.inner):
                return proposal, merged
        return None if now.asked else (now.program, now.program)

    def learn(self, choices: Choices, scores: Scores | None) -> None:
        flying = self._flying.get(key_of(choices))
        if not flying:
            self._outer.observe(choices, scores)
            if self.settings.continues:
                self._inner.observe(choices, scores)
            return
        then, proposal = flying.pop(0)
        then.inner.observe(as_proposed(proposal, choices, self._rest), scores)
        for repeated in then.known.learn(key_of(choices), scores):
            then.inner.observe(repeated, scores)
        then.told += 1
        if scores is not None and (then.best is None or (choices.fidelity, scores) > then.best[:2]):
            then.best = (choices.fidelity, scores, choices)
        self._report(then)

    def _close(self, now: Round) -> None:
        now.closed = True
        self._round = None
        self._report(now)

    def _report(self, now: Round) -> None:
        """Tell the outer searcher when all of a round is told."""
        if not now.closed or now.told < now.asked:
            return
        if now.best is None:
            self._outer.observe(now.program, None)
        else:
            self._outer.observe(as_proposed(now.program, now.best[2], self._outer.space), now.best[1])
        self._found[self._decided(now.program)] = now.best and now.best[1]
