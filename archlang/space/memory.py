"""Proven bounds of the peak memory over all programs of a space.

A program's peak is the greatest of its loads, each of which depends on few decisions. So the least
peak is the least level that all loads of some program keep within, and the greatest peak is the
greatest load that some program reaches. Whether there is such a program is seen from a diagram of
what its loads must be; what it says about budgets, from the paths of the space.
"""

from __future__ import annotations

import operator
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from random import Random
from typing import Any

from archlang.cost import cost
from archlang.semantics.decision import Decision, Pick
from archlang.semantics.diagram import MAX_STEPS, Diagram, Value, leaves, paths, support
from archlang.semantics.fault import Entangled
from archlang.space.bounds import Bounds, Extreme
from archlang.space.choices import Choices
from archlang.space.compiled import Compiled, Programs, Region, Steps
from archlang.space.liveness import Load, Memory
from archlang.space.paths import DEAD
from archlang.space.resolver import OnceForAll

MAX_WORK = 400_000  # diagram steps, and nodes of paths, to find one extreme
MAX_TRIED = 200  # programs that are tried where what is found is not proven to be extreme
MAX_OPS = 20_000  # ... their ops in all


def memory_bounds(once: OnceForAll, compiled: Compiled, conditions: Sequence[Value] | None = None) -> Bounds | None:
    """The bounds of `peak_memory`, in bytes for one sample, over the programs for which all conditions
    are True (without them, those that meet all requirements) and that hold a network; None when there
    are none. Raises Entangled where no such program is found, though there may be one."""
    return _Search(once, compiled, once.evaluated.conditions if conditions is None else conditions).bounds()


class _Search:
    """Finds programs with a low and a high peak, and proves that no others go beyond them. What is
    not known to be impossible counts as possible: then bounds are wider, but hold."""

    def __init__(self, once: OnceForAll, compiled: Compiled, conditions: Sequence[Value]):
        self._once = once
        self._compiled = compiled
        self._left = MAX_WORK
        diagrams = compiled.diagrams
        diagrams.restart()
        held: Value = False
        for _, when in once.tensors:
            held = diagrams.either(held, when)
        self._conditions = [*conditions, held]
        self._programs = Programs(compiled, _reachable(compiled.regions(self._conditions)))
        self._memory = Memory(once)
        self._found: list[tuple[int, Choices]] = []  # the programs with the least and the greatest peak so far

    def bounds(self) -> Bounds | None:
        if self._look_at(self._programs, {}) is None:
            if self._programs.regions and self._compiled.possible(self._conditions):
                raise Entangled("no program within the budgets was found")
            return None
        floor, loads, coarse = self._loads()
        most, least = self._most(loads, floor), self._least(loads, floor)
        if least < self._found[0][0] or self._found[1][0] < most:
            self._try_others(min(MAX_TRIED, MAX_OPS // self._ops))
        (low, lowest), (high, highest) = self._found
        return Bounds(Extreme(low, least, lowest), Extreme(high, most, highest), coarse)

    def _loads(self) -> tuple[int, list[Load], bool]:
        """A level that every program reaches, and the loads that may go beyond it, one for all that
        depend on the same decisions; and whether they are coarse: where too many
        decisions hang together to follow what is alive when, all that is proven is that the inputs are,
        and that it is no more than all values together, each at its largest."""
        memory = self._memory
        try:
            loads = memory.loads()
            floor = max([memory.given, *(load.least for load in loads)])
            joined: dict[Any, Load] = {}
            for load in loads:
                if load.most > floor:
                    memory.diagrams.restart()
                    key = frozenset(support(load.core)), load.low, load.high
                    known = joined.get(key)
                    core = load.core if known is None else memory.lift(max, known.core, load.core)
                    joined[key] = Load(core, load.low, load.high)
            return floor, list(joined.values()), False
        except (Entangled, RecursionError):
            return memory.given, [Load(0, memory.given, memory.total())], True

    def _least(self, loads: list[Load], floor: int) -> int:
        """The least level, from the floor on, that all loads of some program may keep within."""

        def possible(level: int) -> bool:
            return self._possible(operator.le, [(load, level - load.low) for load in loads], level)

        self._left = MAX_WORK
        levels: list[int] = sorted({leaf + load.low for load in loads for leaf in leaves(load.core)})
        levels = levels[bisect_right(levels, floor) :]
        if not levels or possible(floor):
            return floor
        return levels[bisect_left(levels, True, hi=len(levels) - 1, key=possible)]

    def _most(self, loads: list[Load], floor: int) -> int:
        """The greatest level, from the floor on, that a load of some program may reach."""
        self._left = MAX_WORK
        proven = floor
        for load in sorted(loads, key=lambda load: load.most, reverse=True):
            known = max(proven, self._found[1][0])
            levels: list[int] = sorted(leaf + load.high for leaf in leaves(load.core))
            levels = levels[bisect_right(levels, known) :]

            def impossible(level: int, load: Load = load) -> bool:
                return not self._possible(operator.ge, [(load, level - load.high)], level)

            if levels and not impossible(levels[-1]):
                proven = levels[-1]
            elif levels:
                proven = [known, *levels][bisect_left(levels, True, hi=len(levels) - 1, key=impossible)]
        return max(proven, self._found[1][0])

    def _possible(self, compare: Callable[[Value, Value], bool], wanted: list[tuple[Load, int]], level: int) -> bool:
        """Whether the cores of loads may compare as wanted in one program, whose peak then compares
        so with a level: where there is one, such programs are looked at."""
        if self._left <= 0:
            return True
        try:
            condition = self._joined(compare, wanted)
            if condition is False:
                return False
            place = self._compiled.layout.place
            taken = next(paths(condition, bool))
            picks = {place[var]: pick for var, pick in taken.items() if var in place}
            found = self._look_at(self._programs, picks)
            within = self._programs.free and not support(condition) & self._once.budgets.keys()
            if within or (found is not None and compare(found, level)):
                return True
            regions = _reachable(self._compiled.regions([*self._conditions, condition]))
            self._left -= sum(len(region.paths.kids) for region in regions)
            self._look_at(Programs(self._compiled, regions), picks)
            return bool(regions)
        except (Entangled, RecursionError):
            self._left = 0
            return True

    def _joined(self, compare: Callable[[Value, Value], bool], wanted: list[tuple[Load, int]]) -> Value:
        """The condition of programs whose loads compare with levels as wanted."""
        found, diagrams = self._required, self._memory.diagrams
        diagrams.steps = start = max(0, MAX_STEPS - self._left)
        conditions = [self._memory.lift(compare, load.core, level) for load, level in wanted]
        # A condition is quickly joined to those of later decisions.
        for condition in sorted(conditions, key=_first, reverse=True):
            found = diagrams.both(found, condition)
        self._left -= diagrams.steps - start
        return found

    @cached_property
    def _required(self) -> Value:
        """The condition of all programs, as far as it can be joined with others."""
        diagrams = self._memory.diagrams
        diagrams.restart()
        holds: Value = True
        with suppress(Entangled, RecursionError):
            for condition in self._conditions:
                holds = diagrams.both(holds, diagrams.map_leaves(condition, lambda leaf: leaf is True))
        return holds

    def _try_others(self, count: int) -> None:
        """Look at some programs drawn at random, and at changes to the best ones."""
        import numpy as np

        compiled, programs = self._compiled, self._programs
        drawn = programs.draw_many(max(1, count // 2), np.random.default_rng(0), False)
        for column in [] if drawn is None else drawn.T.tolist():
            self._price([(place, pick) for place, pick in enumerate(column) if pick >= 0])
        random = Random(0)
        for turn in range(count // 2):
            best, _ = compiled.positions(self._found[turn % 2][1])
            if best:
                place = random.choice(list(best))
                best[place] = random.randrange(compiled.sizes[place])
                self._look_at(programs, best)

    def _look_at(self, programs: Programs, picks: Mapping[int, int]) -> int | None:
        """Price the program nearest to some picks, by place; None when none is found."""
        steps = programs.nearest(picks, {}, Random(0))
        return None if steps is None else self._price(steps)

    def _price(self, steps: Steps) -> int:
        """Work out the peak of a program, and keep it when it goes beyond the others."""
        compiled = self._compiled
        values = {place: compiled.decisions[place].domain.pick(0) for place, _ in steps if compiled.wide[place]}
        choices = Choices.of(compiled.chosen(steps, values))

        def pick(decision: Decision) -> Pick:
            return choices.get(decision.address, decision.domain.pick(0))

        graph, _ = self._once.resolve(pick).read("")
        peak = cost(graph).peak_memory
        if not self._found:
            self._found = [(peak, choices)] * 2
        if peak < self._found[0][0]:
            self._found[0] = peak, choices
        if peak > self._found[1][0]:
            self._found[1] = peak, choices
        self._ops = max(1, len(graph.nodes))
        return peak


def _first(value: Value) -> int:
    return value.var if type(value) is Diagram else -1


def _reachable(regions: list[Region]) -> list[Region]:
    """The regions without those that no program is in: a limit, by itself, keeps all out."""
    return [region for region in regions if region.paths.root != DEAD and _keeps_each(region)]


def _keeps_each(region: Region) -> bool:
    paths = region.paths
    for axis, limit in enumerate(region.limits):
        least = [0]
        for kids, costs in zip(paths.kids[1:], paths.costs[1:], strict=True):
            least.append(min(least[kid] + more[axis] for kid, more in zip(kids, costs, strict=True) if kid >= 0))
        if paths.base[axis] + least[paths.root] > limit:
            return False
    return True
