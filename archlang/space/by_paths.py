"""Moves on the paths of a compiled space: they never leave the requirements."""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Iterator, Mapping
from random import Random
from typing import Any

from archlang.semantics.decision import Pick
from archlang.space.choices import Choices
from archlang.space.compiled import Programs, Steps
from archlang.space.moves import (
    QUICK,
    Chooser,
    Options,
    Resolve,
    Trace,
    another,
    chooser,
    listed,
    no_option,
    pick_at,
    traced,
)
from archlang.space.resolver import Resolver
from archlang.space.variation import Decided, grafted
from archlang.space.variation import near as near_pick


class ByPaths:
    """Moves on the paths of a compiled space; only decisions that are `mine` are changed, walked and
    traced."""

    def __init__(self, programs: Programs, resolve: Resolve, resolver: Resolver, mine: Callable[[str], bool]):
        self._programs = programs
        self._compiled = programs.compiled
        self._resolve = resolve
        self._resolver = resolver
        self._mine = mine
        compiled = programs.compiled
        self._own = list(map(mine, compiled.addresses))
        self._open = [is_open and own for is_open, own in zip(compiled.open, self._own, strict=True)]
        self._alive: dict[int, Options] = {}  # by node

    def draw(self, random: Random, evenly: bool) -> Choices | None:
        found = self._programs.draw(random, evenly)
        return None if found is None else Choices.of(found)

    def _located(self, choices: Mapping[str, Any]) -> tuple[Steps, dict[int, Pick]]:
        """The steps of a program of the space; ArchError when the choices are none."""
        steps = self._programs.located(choices)
        if steps is not None:
            return steps, {}
        # Picks are taken as their decisions write them, or refused.
        resolved = self._resolve(choices)
        positions, values = self._compiled.positions({a: pick for a, (_, pick) in resolved.decisions.items()})
        followed = self._programs.follow(positions)
        assert followed is not None, "choices that fit are a path"
        return followed[1], values

    def mutate(self, choices: Mapping[str, Any], random: Random, near: bool) -> Choices | None:
        steps, values = self._located(choices)
        is_open = self._open
        open_steps = [step for step in steps if is_open[step[0]]]
        wanted = dict(steps)
        kept = self._others(steps)
        for _ in range(QUICK if open_steps else 0):
            place, old = open_steps[int(random.random() * len(open_steps))]
            new = self._other(place, old, random, near)
            changed = self._changed(wanted, values, place, new, random, kept, near)
            if changed is not None:
                return changed
        rest = [
            (place, new)
            for place, old in open_steps
            for new in range(self._compiled.sizes[place])
            if new != old and not self._compiled.wide[place]
        ]
        random.shuffle(rest)
        for bound in (kept, {}) if kept else (kept,):
            for place, new in rest:
                changed = self._changed(wanted, values, place, new, random, bound)
                if changed is not None:
                    return changed
        return None

    def _others(self, steps: Steps) -> dict[int, int]:
        """The steps of decisions that are not mine: kept where requirements allow it."""
        return {place: pick for place, pick in steps if not self._own[place]}

    def _other(self, place: int, old: int, random: Random, near: bool) -> int:
        compiled = self._compiled
        if compiled.wide[place]:
            return 0
        if near:
            return compiled.positions_of[place][
                near_pick(compiled.decisions[place].domain, compiled.picks[place][old], random)
            ]
        new = int(random.random() * (self._compiled.sizes[place] - 1))
        return new + (new >= old)

    def _changed(
        self,
        wanted: Mapping[int, int],
        values: Mapping[int, Pick],
        place: int,
        pick: int,
        random: Random,
        kept: Mapping[int, int],
        near: bool = False,
    ) -> Choices | None:
        steps = self._programs.nearest(wanted, {place: pick}, random, kept)
        if steps is None:
            return None
        compiled = self._compiled
        values = dict(values)
        if compiled.wide[place]:
            values[place] = another(compiled.decisions[place].domain, values[place], random, near)
        return self._choices(steps, values, random)

    def _choices(self, steps: Steps, values: Mapping[int, Pick], random: Random | None) -> Choices:
        compiled = self._compiled
        if compiled.any_wide:
            fresh = {}
            for place, _ in steps:
                if compiled.wide[place]:
                    domain = compiled.decisions[place].domain
                    drawn = domain.draw(random) if random is not None else domain.pick(0)
                    fresh[place] = values.get(place, drawn)
            values = fresh
        return Choices.of(compiled.chosen(steps, values))

    def crossover(self, a: Mapping[str, Any], b: Mapping[str, Any], random: Random, subtree: bool) -> Choices | None:
        parents = [self._located(a), self._located(b)]
        if subtree:
            one, other = (self._decided(*parent) for parent in parents)
            others = {address: found for address, found in one.items() if not self._mine(address)}
            grafts = grafted(one, {**{a: found for a, found in other.items() if self._mine(a)}, **others}, random)
            return self.repair({address: pick for address, (_, pick) in grafts.items()}, random)
        wanted: dict[int, int] = {}
        values: dict[int, Pick] = {}
        for second, (steps, own) in enumerate(parents):
            for place, pick in steps:
                if not second or place not in wanted or (self._own[place] and random.random() < 0.5):
                    wanted[place] = pick
                    if place in own:
                        values[place] = own[place]
        kept = self._others(parents[0][0])
        child = self._programs.nearest(wanted, {}, random, kept) if kept else None
        child = child or self._programs.nearest(wanted, {}, random)
        return None if child is None else self._choices(child, values, random)

    def _decided(self, steps: Steps, values: Mapping[int, Pick]) -> Decided:
        compiled = self._compiled
        return {
            compiled.addresses[place]: (compiled.decisions[place], picked)
            for place, pick in steps
            for picked in (values.get(place, compiled.picks[place][pick]),)
        }

    def repair(self, picks: Mapping[str, Any], random: Random, held: Container[str] = ()) -> Choices | None:
        """The nearest program to some picks, among those that make the ones `held`."""
        compiled = self._compiled
        wanted, values = compiled.positions(picks)
        values = {place: value for place, value in values.items() if compiled.fits(place, value)}
        # An address of several decisions holds none: no program makes them all.
        held_places = [
            place for place in wanted if (at := compiled.addresses[place]) in held and len(compiled.places[at]) == 1
        ]
        steps = self._programs.nearest(wanted, {place: wanted[place] for place in held_places}, random)
        return None if steps is None else self._choices(steps, values, random)

    def neighbours(self, choices: Mapping[str, Any]) -> Iterator[Choices]:
        steps, values = self._located(choices)
        compiled = self._compiled
        wanted = dict(steps)
        for place, old in steps:
            domain = compiled.decisions[place].domain
            if not self._open[place]:
                continue
            if not compiled.wide[place]:
                for new in range(compiled.sizes[place]):
                    if new != old:
                        other = self._programs.with_first_picks({**wanted, place: new}, {place: new})
                        if other is not None:
                            yield self._choices(other, values, None)
            elif not math.isinf(domain.size):
                for index in range(int(domain.size)):
                    if domain.pick(index) != values[place]:
                        yield self._choices(steps, {**values, place: domain.pick(index)}, None)

    def enumerate(self, levels: int | None) -> Iterator[Choices]:
        compiled = self._compiled
        for steps in self._programs.all():
            yield from self._with_values(steps, [place for place, _ in steps if compiled.wide[place]], {}, levels)

    def walk(self, choose: Chooser, random: Random) -> Choices | None:
        programs, compiled = self._programs, self._compiled
        if len(programs.regions) != 1 or compiled.layout.unsure:
            return self._walk_by_asking(choose, random)
        region = programs.regions[0]
        places, kids = region.paths.places, region.paths.kids
        decisions, positions, wide, is_open = compiled.decisions, compiled.positions_of, compiled.wide, self._open
        alive = self._alive  # what is asked of every decision of every candidate is at hand
        steps: Steps = []
        values: dict[int, Pick] = {}
        node = region.paths.root
        while node:
            place = places[node]
            options = alive.get(node) or self._options(node, place, kids[node])
            decision = decisions[place]
            if wide[place]:
                values[place] = choose(decision, None) if is_open[place] else decision.domain.draw(random)
                pick = 0 if compiled.fits(place, values[place]) else no_option(decision, values[place])
            elif len(options) == 1:
                pick = positions[place][options[0]]
            elif not is_open[place]:
                pick = positions[place][options[int(random.random() * len(options))]]
            else:
                chosen = choose(decision, options)
                pick = positions[place][chosen] if chosen in options else no_option(decision, chosen)
            steps.append((place, pick))
            node = kids[node][pick]
        if region.limits and not programs.within(region, steps):
            nearest = programs.nearest(dict(steps), {}, random)
            return None if nearest is None else self._choices(nearest, values, random)
        return Choices.of(compiled.chosen(steps, values))

    def _options(self, node: int, place: int, edges: tuple[int, ...]) -> Options:
        """The picks that lead on from a node; of a decision with too many to list, its first."""
        known = self._alive.get(node)
        if known is None:
            picks = self._compiled.picks[place]
            known = self._alive[node] = tuple(p for p, kid in zip(picks, edges, strict=False) if kid >= 0)
        return known

    def _walk_by_asking(self, choose: Chooser, random: Random) -> Choices | None:
        """A walk where what leads on is not seen at once: the nearest program to what is picked."""
        resolved = self._resolver.resolve(chooser(choose, random, self._mine))
        return self.repair({address: pick for address, (_, pick) in resolved.decisions.items()}, random)

    def trace(self, choices: Mapping[str, Any]) -> Trace:
        programs, compiled = self._programs, self._compiled
        if len(programs.regions) != 1 or compiled.layout.unsure:
            return traced(self._resolve(choices), self._mine)
        steps, values = self._located(choices)
        kids, node = programs.regions[0].paths.kids, programs.regions[0].paths.root
        found = []
        for place, pick in steps:
            if self._open[place] and (compiled.wide[place] or len(self._options(node, place, kids[node])) > 1):
                found.append((compiled.decisions[place], values.get(place, compiled.picks[place][pick])))
            node = kids[node][pick]
        return found

    def _with_values(
        self, steps: Steps, wide: list[int], values: dict[int, Pick], levels: int | None
    ) -> Iterator[Choices]:
        if not wide:
            yield Choices.of(self._compiled.chosen(steps, values))
            return
        decision = self._compiled.decisions[wide[0]]
        for index in range(listed(decision, levels)):
            picked = pick_at(decision.domain, index, levels)
            yield from self._with_values(steps, wide[1:], {**values, wide[0]: picked}, levels)
