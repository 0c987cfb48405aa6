"""A space compiled to paths: counting, drawing and moving among its programs without evaluating.

The programs that meet a condition are the paths of one or more regions: a condition holds budgets
(a sum of costs is at most a limit), and for each way in which budgets may be kept there are paths
with limits on what their edges add up to.
"""

from __future__ import annotations

import math
import operator
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import pairwise, product
from random import Random
from typing import Any

import attrs

from archlang.semantics.decision import Decision, Pick, Reals
from archlang.semantics.diagram import Diagrams, Value, leaves, support
from archlang.semantics.fault import Entangled
from archlang.semantics.sums import Budget
from archlang.space.nearest import nearest
from archlang.space.paths import DEAD, Layout, Paths
from archlang.space.resolver import OnceForAll, in_order

MAX_BUDGETS = 6
PROBES = 2_000  # programs drawn to see which picks are taken
Terms = tuple[tuple[Value, int], ...]  # diagrams of ints, each with a factor
Steps = list[tuple[int, int]]  # the places of the decisions of a program, and their picks


@attrs.frozen
class Count:
    """How many programs there are: exactly, or at least `low` and at most `high`. With `endless`
    there are infinitely many, and the picks of float decisions count as one."""

    low: int
    high: int
    endless: bool = False

    @property
    def exact(self) -> bool:
        return self.low == self.high or self.endless

    @property
    def programs(self) -> int | float:
        """The number of programs, where it is exact."""
        return math.inf if self.endless else self.low

    def __str__(self) -> str:
        number = f"{self.low:,}" if self.low == self.high else f"between {self.low:,} and {self.high:,}"
        if self.endless:
            return f"infinitely many programs, {number} but for float decisions"
        return f"{number} program{'s' * (self.high != 1)}"


class Amount(tuple[int, ...]):
    """What a term adds to each sum: equal ones are one leaf of a diagram."""

    @property
    def leaf_identity(self) -> tuple[int, ...]:
        return tuple(self)

    def plus(self, other: Sequence[int]) -> Amount:
        return Amount(map(operator.add, self, other))


@attrs.frozen(eq=False, slots=False)
class Region:
    """Paths, and the limits on what their edges add up to (on the first sums; others are free)."""

    paths: Paths
    limits: tuple[int, ...]


class Compiled:
    """The decisions of a space in order, with their picks, and the paths that its programs are."""

    def __init__(self, once: OnceForAll):
        evaluated = once.evaluated
        self.diagrams: Diagrams = evaluated.evaluator.diagrams
        self._budgets: Mapping[int, Budget] = once.budgets
        self.diagrams.restart()

        def name(var: int) -> str:
            return once.variables[var].decision.address

        self.layout = Layout(self.diagrams, evaluated.needs, lambda var: (in_order(name(var)), var), name)
        variables = [once.variables[var] for var in self.layout.order]
        self._needs = evaluated.needs
        self.decisions: list[Decision] = [variable.decision for variable in variables]
        self.addresses = [decision.address for decision in self.decisions]
        self.wide = [variable.wide for variable in variables]
        self.any_wide = any(self.wide)
        self.sizes = self.layout.sizes
        self.open = [decision.domain.size > 1 for decision in self.decisions]
        ranks = [in_order(address) for address in self.addresses]
        self._sorted = all(a <= b for a, b in pairwise(ranks))
        self._rank = {place: rank for place, rank in enumerate(ranks)}

    @cached_property
    def picks(self) -> list[tuple[Pick, ...]]:
        """For each place the picks by position; of a decision with too many to list, the first."""
        return [
            tuple(decision.domain.pick(position) for position in range(size))
            for decision, size in zip(self.decisions, self.sizes, strict=True)
        ]

    @cached_property
    def positions_of(self) -> list[dict[Pick, int]]:
        """For each place the positions of its picks."""
        return [{pick: position for position, pick in enumerate(picks)} for picks in self.picks]

    @cached_property
    def weights(self) -> list[int]:
        """How many programs each pick of a place stands for: those of float decisions count as one."""
        return [
            int(decision.domain.size) if wide and math.isfinite(decision.domain.size) else 1
            for decision, wide in zip(self.decisions, self.wide, strict=True)
        ]

    # ---------------------------------------------------------------- regions

    def regions(self, conditions: Sequence[Value], measured: Sequence[Terms] = ()) -> list[Region]:
        """The programs for which all conditions are True, as paths; no program is in two of them.
        After what is limited their edges add up what is `measured`."""
        self.diagrams.restart()
        self.layout.restart()
        found = []
        for needs, case, limits in self._cases(list(conditions)):
            paths = self._paths(needs, case, [*(terms for terms, _ in limits), *measured])
            found.append(Region(paths, tuple(limit for _, limit in limits)))
        return found

    def _cases(
        self, conditions: list[Value]
    ) -> Iterator[tuple[Mapping[int, Value], list[Value], list[tuple[Terms, int]]]]:
        """The ways in which budgets may be kept: when decisions are asked then, the conditions, and
        what sums of terms are limited to."""
        budgets = sorted(support(*conditions, *self._needs.values()) & self._budgets.keys())
        if len(budgets) > MAX_BUDGETS:
            raise Entangled(f"the requirements hold more than {MAX_BUDGETS} budgets")
        for kept in product((True, False), repeat=len(budgets)):
            case, needs = conditions, self._needs
            limits = []
            for var, keeps in zip(budgets, kept, strict=True):
                case = [self.diagrams.cofactor(part, var, 0 if keeps else 1) for part in case]
                needs = {d: self.diagrams.cofactor(asked, var, 0 if keeps else 1) for d, asked in needs.items()}
                budget = self._budgets[var]
                if keeps:
                    limits.append((budget.terms, budget.limit))
                else:
                    limits.append((tuple((term, -factor) for term, factor in budget.terms), -budget.limit - 1))
            if all(any(leaf is True for leaf in leaves(part)) for part in case):
                yield needs, case, limits

    def _paths(self, needs: Mapping[int, Value], conditions: list[Value], sums: list[Terms]) -> Paths:
        """The programs in which the conditions are True, with edges that add up sums of terms."""
        count = len(sums)
        merged: dict[frozenset[int], Value] = {}
        for axis, terms in enumerate(sums):
            for term, factor in terms:
                if support(term) & self._budgets.keys():
                    raise Entangled("a budget decides a cost")
                vector = self.diagrams.map_leaves(term, _at_axis(axis, factor, count))
                where = frozenset(support(term))
                known = merged.get(where)
                merged[where] = vector if known is None else self.diagrams.lift(Amount.plus, known, vector)
        return self.layout.paths(needs, conditions, merged.values(), count)

    def count(self, condition: Value) -> int | float:
        """The exact number of programs for which the condition is True; infinite when a float
        decision is made in one of them. Raises Entangled where only bounds of it are known."""
        found = self.counted([condition])
        if not found.exact:
            raise Entangled("the programs within a budget are not counted exactly")
        return found.programs

    def counted(self, conditions: Sequence[Value]) -> Count:
        """The number of programs for which all conditions are True, exact or with proven bounds."""
        return Programs(self, self.regions(conditions)).counted()

    def possible(self, conditions: Sequence[Value]) -> bool:
        """Whether all conditions are True for any program."""
        return Programs(self, self.regions(conditions)).possible()

    def count_within(self, region: Region) -> tuple[int, int]:
        """At least and at most how many programs are in a region."""
        if not region.limits:
            total = region.paths.count(self.weights)
            return total, total
        from archlang.space.tables import count

        return count(region.paths, region.limits, self.weights)

    def endless(self, region: Region) -> bool:
        """Whether float decisions are among those of a region."""
        floats = {place for place, decision in enumerate(self.decisions) if math.isinf(decision.domain.size)}
        return any(place in floats for place in region.paths.places)

    # ---------------------------------------------------------- steps and choices

    def chosen(self, steps: Steps, values: Mapping[int, Pick]) -> dict[str, Pick]:
        """The picks by address, in order of address. `values` are those of decisions with too many
        picks to list, by place."""
        if self.layout.unsure:
            steps = [(place, pick) for place, pick in steps if pick < self.sizes[place]]
        steps = sorted(steps) if self._sorted else sorted(steps, key=lambda step: self._rank[step[0]])
        picks, addresses = self.picks, self.addresses
        if not self.any_wide:
            return {addresses[place]: picks[place][pick] for place, pick in steps}
        wide = self.wide
        return {addresses[place]: values[place] if wide[place] else picks[place][pick] for place, pick in steps}

    def positions(self, choices: Mapping[str, Any]) -> tuple[dict[int, int], dict[int, Pick]]:
        """What choices pick, by place, and the values of those with too many picks to list. Choices
        that are none of the space are left out."""
        found: dict[int, int] = {}
        values: dict[int, Pick] = {}
        for address, pick in choices.items():
            for place in self.places.get(address, ()):
                if self.wide[place]:
                    found[place], values[place] = 0, pick
                    continue
                position = self.positions_of[place].get(pick)
                if position is not None and type(self.picks[place][position]) is type(pick):
                    found[place] = position
        return found, values

    def positions_at(self, address: str) -> Mapping[Pick, int]:
        """The positions of the picks of the one decision at an address; KeyError when there is none
        (or several), or a pick is looked up that it does not have."""
        place, *others = self.places[address]
        if others:
            raise KeyError(address)
        return _Any() if self.wide[place] else self.positions_of[place]

    def fits(self, place: int, value: Any) -> bool:
        """Whether a decision with too many picks to list may take a value."""
        domain = self.decisions[place].domain
        try:
            domain.check(value) if isinstance(domain, Reals) else domain.index(value)
        except ValueError:
            return False
        return True

    @cached_property
    def places(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for place, address in enumerate(self.addresses):
            found.setdefault(address, []).append(place)
        return found


class _Any(dict[Pick, int]):
    """The only position of a decision with too many picks to list."""

    def __missing__(self, key: Pick) -> int:
        return 0


def _at_axis(axis: int, factor: int, count: int) -> Any:
    def vector(leaf: Any) -> Amount:
        return Amount([leaf * factor if index == axis else 0 for index in range(count)])

    return vector


class Programs:
    """The programs of a space that meet its requirements: drawn, and moved among."""

    def __init__(self, compiled: Compiled, regions: list[Region]):
        self.compiled = compiled
        self.regions = [region for region in regions if region.paths.root != DEAD]
        self._chances: dict[tuple[int, bool], list[list[float] | None]] = {}
        self._draws: dict[tuple[int, bool], Any] = {}

    @cached_property
    def free(self) -> bool:
        """Whether no limits hold: then every path is a program."""
        return all(not region.limits for region in self.regions)

    def counted(self) -> Count:
        """How many there are, exact or with proven bounds."""
        compiled = self.compiled
        low = high = 0
        endless = False
        for region in self.regions:
            less, more = compiled.count_within(region)
            endless = endless or (more > 0 and compiled.endless(region))
            low, high = low + less, high + more
        return Count(low, high, endless)

    def possible(self) -> bool:
        """Whether there is a program. Raises Entangled where budgets leave that open."""
        for region in self.regions:
            if Programs(self.compiled, [region]).draw(Random(0)) is not None:
                return True
            if self.compiled.count_within(region)[1]:
                raise Entangled("whether any program keeps within the budgets is not known")
        return False

    # ------------------------------------------------------------------ drawing

    def draw(self, random: Random, evenly: bool = False) -> dict[str, Pick] | None:
        """The picks of one program by address: even over programs, or over the picks of each
        decision. None when there is no program."""
        if len(self.regions) == 1 and self.free:
            steps = self._walk(self.regions[0].paths, self._chances_of(0, evenly), random)
        else:
            import numpy as np

            found = self.draw_many(1, np.random.default_rng(random.getrandbits(64)), evenly)
            if found is None:
                return None
            steps = [(place, pick) for place, pick in enumerate(found[:, 0].tolist()) if pick >= 0]
        return self.compiled.chosen(steps, self.values(steps, random) if self.compiled.any_wide else {})

    def values(self, steps: Steps, random: Random) -> dict[int, Pick]:
        """Drawn values of the decisions that have too many picks to list."""
        compiled = self.compiled
        return {p: compiled.decisions[p].domain.draw(random) for p, _ in steps if compiled.wide[p]}

    def _chances_of(self, region: int, evenly: bool) -> list[list[float] | None]:
        known = self._chances.get((region, evenly))
        if known is None:
            known = self._chances[region, evenly] = self.regions[region].paths.chances(self._weights(evenly))
        return known

    def _weights(self, evenly: bool) -> Sequence[float]:
        return self.compiled.weights if evenly else [1 / size for size in self.compiled.sizes]

    def _draws_of(self, region: int, evenly: bool) -> Any:
        from archlang.space.draws import Draws

        known = self._draws.get((region, evenly))
        if known is None:
            here = self.regions[region]
            known = Draws(here.paths, here.limits, self._weights(evenly), self.compiled.sizes)
            self._draws[region, evenly] = known
        return known

    @staticmethod
    def _walk(paths: Paths, chances: list[list[float] | None], random: Random) -> Steps:
        steps: Steps = []
        chance = random.random
        places, kids = paths.places, paths.kids
        node = paths.root
        while node:
            edges = kids[node]
            cumulative = chances[node]
            pick = int(chance() * len(edges)) if cumulative is None else bisect_right(cumulative, chance())
            steps.append((places[node], pick))
            node = edges[pick]
        return steps

    def draw_many(self, count: int, random: Any, evenly: bool) -> Any:
        """Positions of picks, (decisions in order, programs), -1 where one is not made; None when
        there is no program."""
        import numpy as np

        from archlang.space.draws import NoPrograms

        usable = []
        for region in range(len(self.regions)):
            try:
                usable.append(self._draws_of(region, evenly))
            except NoPrograms:
                continue
        if not usable:
            return None
        if len(usable) == 1:
            return usable[0].draw(count, random)
        logs = np.array([draws.log_mass for draws in usable])
        masses = np.exp2(logs - logs.max())
        if not all(draws.exact for draws in usable):
            # Rounding lets in more programs in one region than in another: draw from all of them
            # by the rounded masses, and keep what the exact costs keep.
            return _draw_from_all(usable, masses, count, random)
        which = random.choice(len(usable), size=count, p=masses / masses.sum())
        found = np.empty((len(self.compiled.sizes), count), dtype=np.int32)
        for number, draws in enumerate(usable):
            columns = np.flatnonzero(which == number)
            if columns.size:
                found[:, columns] = draws.draw(columns.size, random)
        return found

    # ------------------------------------------------------------------- moving

    def follow(self, wanted: Mapping[int, int]) -> tuple[int, Steps] | None:
        """The region and the steps of the program that makes the picks (by place); None when there
        is none. Picks of decisions that it does not make are not looked at."""
        for number, region in enumerate(self.regions):
            paths = region.paths
            node, steps, total = paths.root, [], list(paths.base)
            while node > 0:
                place = paths.places[node]
                pick = wanted.get(place, self.compiled.sizes[place])
                if pick >= len(paths.kids[node]):
                    break
                if pick < self.compiled.sizes[place]:
                    steps.append((place, pick))
                if region.limits:
                    total = list(map(operator.add, total, paths.costs[node][pick]))
                node = paths.kids[node][pick]
            if node == 0 and all(map(operator.le, total, region.limits)):
                return number, steps
        return None

    def located(self, choices: Mapping[str, Any]) -> Steps | None:
        """The steps of choices that are a program, where that is seen at once; else None."""
        compiled = self.compiled
        if len(self.regions) != 1 or self.regions[0].limits or compiled.layout.unsure or compiled.any_wide:
            return None
        paths = self.regions[0].paths
        places, kids, addresses = paths.places, paths.kids, compiled.addresses
        positions, picks = compiled.positions_of, compiled.picks
        node, steps = paths.root, []
        try:
            while node > 0:
                place = places[node]
                given = choices[addresses[place]]
                pick = positions[place][given]
                if type(picks[place][pick]) is not type(given):
                    return None
                steps.append((place, pick))
                node = kids[node][pick]
        except (KeyError, TypeError):  # TypeError: a pick that cannot be looked up, such as a list
            return None
        return steps if node == 0 and len(steps) == len(choices) else None

    def nearest(
        self, wanted: Mapping[int, int], fixed: Mapping[int, int], random: Random, kept: Mapping[int, int] = {}
    ) -> Steps | None:
        """The steps of a program that makes the fixed picks and as many as possible of the wanted
        ones, and none but the `kept` ones (which are wanted) at their places; decisions without a wanted
        pick are drawn."""
        if len(self.regions) == 1:
            steps = self._greedy(self.regions[0], wanted, fixed, random)
            if steps is not None:
                return steps
        best: Steps | None = None
        fewest = math.inf
        for region in self.regions:
            found = nearest(region.paths, region.limits, wanted, fixed, random, kept)
            if found is not None:
                changed = sum(wanted.get(place, pick) != pick for place, pick in found)
                if changed < fewest:
                    best, fewest = found, changed
        return best

    @staticmethod
    def within(region: Region, steps: Steps) -> bool:
        """Whether the steps of a path keep the limits of its region."""
        paths = region.paths
        total, node = list(paths.base), paths.root
        for _, pick in steps:
            total = list(map(operator.add, total, paths.costs[node][pick]))
            node = paths.kids[node][pick]
        return all(map(operator.le, total, region.limits))

    def with_first_picks(self, wanted: Mapping[int, int], fixed: Mapping[int, int]) -> Steps | None:
        """The program with all the picks, where what is new in it takes its first one; None when
        that is none."""
        for region in self.regions:
            steps = self._greedy(region, wanted, fixed, None)
            if steps is not None:
                return steps
        return None

    @staticmethod
    def _greedy(
        region: Region, wanted: Mapping[int, int], fixed: Mapping[int, int], random: Random | None
    ) -> Steps | None:
        """The program with all the picks, what is new in it drawn (or first); None when that meets
        a dead end."""
        paths = region.paths
        places, kids = paths.places, paths.kids
        steps: Steps = []
        total: Sequence[int] = paths.base
        node, met = paths.root, 0
        while node:
            place = places[node]
            edges = kids[node]
            pick = fixed.get(place, -1)
            if pick >= 0:
                met += 1
            else:
                pick = wanted.get(place, -1)
                if pick < 0:
                    pick = int(random.random() * len(edges)) if random is not None else 0
            steps.append((place, pick))
            if region.limits:
                total = tuple(map(operator.add, total, paths.costs[node][pick]))
            node = edges[pick]
            if node < 0:
                return None
        if met < len(fixed) or not all(map(operator.le, total, region.limits)):
            return None
        return steps

    def taken(self) -> list[set[int]]:
        """For each place the picks that some program takes. Raises Entangled where requirements
        leave that open."""
        found: list[set[int]] = [set() for _ in self.compiled.sizes]
        for number, region in enumerate(self.regions):
            paths = region.paths
            maybe: list[set[int]] = [set() for _ in found]
            for node in range(1, len(paths.kids)):
                place = paths.places[node]
                maybe[place].update(pick for pick, kid in enumerate(paths.kids[node]) if kid >= 0)
            if region.limits:
                self._keep_possible(number, maybe, found)
            for place, picks in enumerate(maybe):
                found[place] |= picks
        for place, size in enumerate(self.compiled.sizes):
            found[place].discard(size)
        return found

    def _keep_possible(self, number: int, maybe: list[set[int]], known: list[set[int]]) -> None:
        """Leave of the picks those that some program within the limits takes: seen in draws, or
        found by drawing from the paths that take the pick."""
        import numpy as np

        region = self.regions[number]
        drawn = Programs(self.compiled, [region]).draw_many(PROBES, np.random.default_rng(0), True)
        for place, picks in enumerate(maybe):
            seen = set() if drawn is None else set(np.unique(drawn[place]).tolist())
            for pick in sorted(picks - seen - known[place]):
                if pick < self.compiled.sizes[place] and not self._within(region, place, pick):
                    picks.discard(pick)

    def _within(self, region: Region, place: int, pick: int) -> bool:
        """Whether a program within the limits takes a pick."""
        paths = region.paths
        kids = [
            tuple(kid if at == pick else DEAD for at, kid in enumerate(edges)) if paths.places[node] == place else edges
            for node, edges in enumerate(paths.kids)
        ]
        narrowed = attrs.evolve(paths, kids=kids).passing(place)
        if narrowed.root == DEAD:
            return False
        if Programs(self.compiled, [Region(narrowed, region.limits)]).draw(Random(0)) is not None:
            return True
        from archlang.space.tables import count

        if count(narrowed, region.limits, self.compiled.weights)[1]:
            raise Entangled("which picks keep within the budgets is not known")
        return False

    def all(self) -> Iterator[Steps]:
        """Every program, in order of the picks within each region."""
        for region in self.regions:
            yield from _all(region)


def _draw_from_all(usable: list[Any], masses: Any, count: int, random: Any) -> Any:
    import numpy as np

    parts: list[Any] = []
    have = 0
    for _ in range(10_000):
        which = random.choice(len(usable), size=max(count - have, 16), p=masses / masses.sum())
        for number, draws in enumerate(usable):
            found = draws.once(int((which == number).sum()), random)
            parts.append(found)
            have += found.shape[1]
        if have >= count:
            together = np.concatenate(parts, axis=1)
            return together[:, random.permutation(together.shape[1])[:count]]
    return None


def _all(region: Region) -> Iterator[Steps]:
    paths, axes = region.paths, range(len(region.limits))
    least: list[tuple[int, ...]] = [(0,) * len(region.limits)]
    for node in range(1, len(paths.kids)):
        ways = [(least[k], c) for k, c in zip(paths.kids[node], paths.costs[node], strict=True) if k >= 0]
        least.append(tuple(min(low[axis] + cost[axis] for low, cost in ways) for axis in axes))
    steps: Steps = []
    # What is left to do: a node to go on from after the first steps, with what they add up to.
    stack: list[tuple[int, int, tuple[int, int] | None, tuple[int, ...]]] = [(paths.root, 0, None, paths.base)]
    while stack:
        node, depth, step, total = stack.pop()
        if any(total[axis] + least[node][axis] > region.limits[axis] for axis in axes):
            continue
        del steps[max(depth - 1, 0) :]
        if step is not None:
            steps.append(step)
        if not node:
            yield list(steps)
            continue
        for pick in range(len(paths.kids[node]) - 1, -1, -1):
            kid = paths.kids[node][pick]
            if kid >= 0:
                after = tuple(map(operator.add, total, paths.costs[node][pick]))
                stack.append((kid, depth + 1, (paths.places[node], pick), after))
