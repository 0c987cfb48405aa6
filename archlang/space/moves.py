"""Moving among the programs of a space: drawing, changing and mixing their choices.

`ByPaths` moves on the compiled space: it never leaves the requirements, and throws nothing away.
`ByTrial` is for spaces that cannot be evaluated as a whole: it tries, evaluates, and tries again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Iterator, Mapping
from functools import partial
from random import Random
from typing import Any, NoReturn, Protocol

import attrs

from archlang.diagnostics import ArchError, Cause, Diagnostic, error
from archlang.semantics.decision import Decision, Domain, Pick, Reals
from archlang.space.choices import Choices, show_pick
from archlang.space.compiled import Programs, Steps
from archlang.space.resolver import Picker, Resolved, Resolver
from archlang.space.variation import Decided, grafted
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
            values[place] = _other(compiled.decisions[place].domain, values[place], random, near)
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
        steps: Steps = []
        values: dict[int, Pick] = {}
        node = region.paths.root
        while node:
            place = places[node]
            options = self._options(node, place, kids[node])
            decision = compiled.decisions[place]
            if compiled.wide[place]:
                values[place] = choose(decision, None) if self._open[place] else decision.domain.draw(random)
                pick = 0 if compiled.fits(place, values[place]) else _no_option(decision, values[place])
            elif len(options) == 1:
                pick = compiled.positions_of[place][options[0]]
            elif not self._open[place]:
                pick = compiled.positions_of[place][options[int(random.random() * len(options))]]
            else:
                chosen = choose(decision, options)
                pick = compiled.positions_of[place][chosen] if chosen in options else _no_option(decision, chosen)
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
        resolved = self._resolver.resolve(_chooser(choose, random, self._mine))
        return self.repair({address: pick for address, (_, pick) in resolved.decisions.items()}, random)

    def trace(self, choices: Mapping[str, Any]) -> Trace:
        programs, compiled = self._programs, self._compiled
        if len(programs.regions) != 1 or compiled.layout.unsure:
            return _traced(self._resolve(choices), self._mine)
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
        for index in range(_listed(decision, levels)):
            picked = _pick_at(decision.domain, index, levels)
            yield from self._with_values(steps, wide[1:], {**values, wide[0]: picked}, levels)


def _no_option(decision: Decision, chosen: Any) -> NoReturn:
    raise ValueError(f"`{decision.address}` has no option {chosen!r} here")


def _other(domain: Domain, pick: Pick, random: Random, near: bool) -> Pick:
    """Another pick of a domain that has one."""
    if near:
        return near_pick(domain, pick, random)
    new = domain.draw(random)
    while new == pick:
        new = domain.draw(random)
    return new


def _listed(decision: Decision, levels: int | None) -> int:
    """The number of picks of a decision, of a float so many levels; ArchError when they cannot be listed."""
    if not math.isinf(decision.domain.size):
        return int(decision.domain.size)
    if levels is None:
        raise ArchError(error("E0412", f"`{decision.address}` is {decision.domain}: its picks cannot be listed"))
    return levels


def _pick_at(domain: Domain, index: int, levels: int | None) -> Pick:
    """A pick by its number; of a float the level of that number, the middle where there is but one."""
    if levels is None or not isinstance(domain, Reals) or domain.low == domain.high:
        return domain.pick(index)
    return domain.at(index / (levels - 1) if levels > 1 else 0.5)


def _met(found: Diagnostic, resolved: Resolved) -> Diagnostic:
    """An error with all choices of the program that has it."""
    made = tuple((address, show_pick(pick)) for address, (_, pick) in resolved.decisions.items())
    if not made:
        return found
    note = "met in a program that was tried: fewer choices may lead to it"
    return attrs.evolve(found, cause=Cause(made), notes=(*found.notes, note))


def _chooser(choose: Chooser, random: Random, mine: Callable[[str], bool]) -> Picker:
    """Picks by `choose` where there is something to choose, else draws."""

    def pick(decision: Decision) -> Pick:
        domain = decision.domain
        if domain.size == 1 or not mine(decision.address):
            return domain.draw(random)
        options = tuple(map(domain.pick, range(int(domain.size)))) if domain.size <= MAX_LISTED else None
        chosen = choose(decision, options)
        if options is not None and chosen not in options:
            _no_option(decision, chosen)
        return chosen

    return pick


def _traced(resolved: Resolved, mine: Callable[[str], bool]) -> Trace:
    return [
        (decision, pick)
        for decision, pick, active in resolved.asked
        if active and decision.domain.size > 1 and mine(decision.address)
    ]


def _taken_or_drawn(made: Decided, random: Random, decision: Decision) -> Pick:
    known = made.get(decision.address)
    return known[1] if known is not None and known[0].domain == decision.domain else decision.domain.draw(random)


def _picked_or_drawn(picks: Mapping[str, Pick], random: Random, decision: Decision) -> Pick:
    return picks[decision.address] if decision.address in picks else decision.domain.draw(random)


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
            new = _other(decision.domain, here.decisions[decision.address][1], random, near)
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
        pick = _chooser(choose, random, self._mine)
        for _ in range(QUICK):
            found = self._tried(pick)
            if found is not None:
                return found
        return self.draw(random, False)

    def trace(self, choices: Mapping[str, Any]) -> Trace:
        return _traced(self._resolve(choices), self._mine)


def _choices_of(resolved: Resolved) -> Choices:
    return Choices.of({address: pick for address, (_, pick) in resolved.decisions.items()})


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
        self._taken.append((_listed(decision, self._levels), index))
        return _pick_at(decision.domain, index, self._levels)

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
