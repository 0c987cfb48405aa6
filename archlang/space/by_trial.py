"""Moves where a space cannot be evaluated as a whole: try, evaluate, and try again."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from random import Random
from typing import Any

import attrs

from archlang.diagnostics import ArchError, Cause, Diagnostic
from archlang.semantics.decision import Decision, Pick
from archlang.space.choices import Choices, show_pick
from archlang.space.compiled import Programs
from archlang.space.moves import QUICK, TRIES, Chooser, Resolve, Trace, another, chooser, listed, pick_at, traced
from archlang.space.resolver import Picker, Resolved, Resolver
from archlang.space.variation import Decided, grafted


class ByTrial:
    """Moves by drawing picks until a program meets the requirements: from programs that meet some of
    them, where these are known."""

    def __init__(
        self,
        resolver: Resolver,
        resolve: Resolve,
        among: Programs | None = None,
        mine: Callable[[str], bool] = lambda address: True,
    ):
        self._resolver = resolver
        self._resolve = resolve
        self._among = among
        self._mine = mine

    def _first_valid(self, pick: Picker, tries: int = TRIES) -> Choices | None:
        for _ in range(tries):
            found = self._tried(pick)
            if found is not None:
                return found
        return None

    def _tried(self, pick: Picker) -> Choices | None:
        """The choices of a program; None when a requirement excludes it, ArchError when it is broken."""
        resolved = self._resolver.resolve(pick)
        if resolved.fault is None:
            return _choices_of(resolved)
        if not resolved.fault.excluded:
            raise ArchError(_met(resolved.fault.diagnostic, resolved))
        return None

    def valid(self, tries: int, random: Random) -> int:
        """How many of some programs drawn at random are valid; ArchError when one is broken."""
        found = [self._tried(lambda decision: decision.domain.draw(random)) for _ in range(tries)]
        return sum(choices is not None for choices in found)

    def draw(self, random: Random, evenly: bool) -> Choices | None:
        for _ in range(TRIES):
            drawn = self._among.draw(random) if self._among is not None else {}
            if drawn is None:
                return None
            found = self._tried(partial(_picked_or_drawn, drawn, random))
            if found is not None:
                return found
        return None

    def mutate(self, choices: Mapping[str, Any], random: Random, near: bool) -> Choices | None:
        here = self._resolve(choices)
        open_decisions = [
            decision
            for decision, _ in here.decisions.values()
            if decision.domain.size > 1 and self._mine(decision.address)
        ]
        for _ in range(TRIES if open_decisions else 0):
            decision = open_decisions[random.randrange(len(open_decisions))]
            new = another(decision.domain, here.decisions[decision.address][1], random, near)
            resolved = self._changed(here, {decision.address: new}, random)
            if resolved.fault is None:
                return _choices_of(resolved)
        return None

    def _changed(self, here: Resolved, new: Mapping[str, Pick], random: Random | None) -> Resolved:
        """The program with some picks changed; decisions that are new in it are drawn, or take
        their first pick."""

        def pick(decision: Decision) -> Pick:
            if decision.address in new:
                return new[decision.address]
            known = here.decisions.get(decision.address)
            if known is not None and known[0].domain == decision.domain:
                return known[1]
            return decision.domain.draw(random) if random is not None else decision.domain.pick(0)

        return self._resolver.resolve(pick)

    def crossover(self, a: Mapping[str, Any], b: Mapping[str, Any], random: Random, subtree: bool) -> Choices | None:
        parents = (self._resolve(a), self._resolve(b))
        if subtree:
            child = grafted(parents[0].decisions, parents[1].decisions, random)
            return self._first_valid(partial(_taken_or_drawn, child, random), QUICK)

        def pick(decision: Decision) -> Pick:
            order = parents if random.random() < 0.5 or not self._mine(decision.address) else parents[::-1]
            for parent in order:
                known = parent.decisions.get(decision.address)
                if known is not None and known[0].domain == decision.domain:
                    return known[1]
            return decision.domain.draw(random)

        return self._first_valid(pick)

    def neighbours(self, choices: Mapping[str, Any]) -> Iterator[Choices]:
        here = self._resolve(choices)
        for decision, old in here.decisions.values():
            if decision.domain.size == math.inf or not self._mine(decision.address):
                continue
            for index in range(int(decision.domain.size)):
                new = decision.domain.pick(index)
                if new == old:
                    continue
                resolved = self._changed(here, {decision.address: new}, None)
                if resolved.fault is None:
                    yield _choices_of(resolved)

    def enumerate(self, levels: int | None) -> Iterator[Choices]:
        odometer = _Odometer(levels)
        while True:
            resolved = self._resolver.resolve(odometer.pick)
            # A decision that turned out not to be asked stands for all its picks with its first.
            idle = any(
                index and not asked for index, (_, _, asked) in zip(odometer.turn(), resolved.asked, strict=True)
            )
            if resolved.fault is None and not idle:
                yield _choices_of(resolved)
            if not odometer.advance():
                return

    def walk(self, choose: Chooser, random: Random) -> Choices | None:
        pick = chooser(choose, random, self._mine)
        for _ in range(QUICK):
            found = self._tried(pick)
            if found is not None:
                return found
        return self.draw(random, False)

    def trace(self, choices: Mapping[str, Any]) -> Trace:
        return traced(self._resolve(choices), self._mine)


class _Odometer:
    """Picks that pass through all programs: each turn repeats the last one up to a decision, and
    takes the next pick there."""

    def __init__(self, levels: int | None) -> None:
        self._levels = levels
        self._prefix: list[int] = []
        self._taken: list[tuple[int, int]] = []  # the number of picks, and that of the pick taken

    def pick(self, decision: Decision) -> Pick:
        place = len(self._taken)
        index = self._prefix[place] if place < len(self._prefix) else 0
        self._taken.append((listed(decision, self._levels), index))
        return pick_at(decision.domain, index, self._levels)

    def turn(self) -> list[int]:
        """The positions of the picks of this turn, in the order they were asked."""
        return [index for _, index in self._taken]

    def advance(self) -> bool:
        """Go to the next turn; False when there is none."""
        prefix = self.turn()
        while prefix and prefix[-1] + 1 >= self._taken[len(prefix) - 1][0]:
            prefix.pop()
        if not prefix:
            return False
        prefix[-1] += 1
        self._prefix, self._taken = prefix, []
        return True


def _choices_of(resolved: Resolved) -> Choices:
    return Choices.of({address: pick for address, (_, pick) in resolved.decisions.items()})


def _met(found: Diagnostic, resolved: Resolved) -> Diagnostic:
    """An error with all choices of the program that has it."""
    made = tuple((address, show_pick(pick)) for address, (_, pick) in resolved.decisions.items())
    if not made:
        return found
    note = "met in a program that was tried: fewer choices may lead to it"
    return attrs.evolve(found, cause=Cause(made), notes=(*found.notes, note))


def _taken_or_drawn(made: Decided, random: Random, decision: Decision) -> Pick:
    known = made.get(decision.address)
    return known[1] if known is not None and known[0].domain == decision.domain else decision.domain.draw(random)


def _picked_or_drawn(picks: Mapping[str, Pick], random: Random, decision: Decision) -> Pick:
    return picks[decision.address] if decision.address in picks else decision.domain.draw(random)
