"""The best programs of a space by a sum over their decisions, each proved to be the best."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from random import Random
from typing import Any

import attrs

from archlang.cost import ADDITIVE
from archlang.cost.table import SCALE, UNITS, CostTable
from archlang.diagnostics import ArchError, did_you_mean, error
from archlang.semantics.diagram import Value
from archlang.semantics.restrictions import without_table
from archlang.space.choices import Choices, show_pick
from archlang.space.compiled import Compiled, Programs, Region
from archlang.space.exact import Picks, Problem, improved
from archlang.space.paths import DEAD, Paths
from archlang.space.resolver import OnceForAll

# What a goal adds up: a cost by its name, or costs with weights and scores of picks by address.
Goal = str | Mapping[str, float | Mapping[Any, float]]
Scores = Sequence[Sequence[Fraction]]  # for each place what each of its picks adds


@attrs.frozen
class Optimum:
    """A best program: `choices` reach `value`, and no program (of those not excluded) goes beyond
    `proven`. Both are ints where the goal adds up ints."""

    value: float
    proven: float
    exact: bool
    choices: Choices = attrs.field(repr=False)

    def as_json(self) -> dict[str, Any]:
        """The optimum as plain data."""
        return {**attrs.asdict(self, recurse=False), "choices": self.choices.as_dict()}


class Ranking:
    """The programs of a space from the best on: those that were excluded, or found before, are left out.

    Programs are compared in whole numbers, whatever the solver rounds. Where limits hold, SciPy's is
    needed; ArchError (E0919) without it.
    """

    def __init__(
        self,
        once: OnceForAll,
        compiled: Compiled,
        tables: Mapping[str, CostTable],
        goal: Goal,
        maximize: bool,
    ):
        """ArchError: E0506 for costs, E0406 and E0407 for scores that the space does not have. Raises
        Entangled where costs are not worked out over the whole space."""
        self._compiled = compiled
        self._sign = -1 if maximize else 1
        given: Mapping[str, Any] = {goal: 1} if isinstance(goal, str) else goal
        _check_finite(given)
        weights = {name: Fraction(part) for name, part in given.items() if not isinstance(part, Mapping)}
        self._scores = _scores(compiled, {name: part for name, part in given.items() if isinstance(part, Mapping)})
        shares = {name: w / SCALE if name in tables else w for name, w in weights.items()}
        self._parts = math.lcm(*(share.denominator for share in shares.values()))
        terms: list[tuple[Value, int]] = []
        for name, share in shares.items():
            factor = int(share * self._parts) * self._sign
            terms += [(term, factor) for term in _terms(once, compiled, tables, name)]
        regions = compiled.regions(once.evaluated.conditions, [tuple(terms)])
        self._regions = [region for region in regions if region.paths.root != DEAD]

    @property
    def sizes(self) -> list[int]:
        """For each decision how many picks there are to score: one where they are too many to list."""
        return self._compiled.sizes

    def positions(self, choices: Mapping[str, Any]) -> dict[int, int]:
        """The picks of a program, by the number of the decision and of the pick."""
        found, _ = self._compiled.positions(choices)
        return found

    def open_ended(self, choices: Mapping[str, Any]) -> bool:
        """Whether a program makes decisions with too many picks to list, which take any value."""
        return any(self._compiled.wide[place] for place in self.positions(choices))

    def exclude(self, choices: Mapping[str, Any]) -> None:
        """Leave a program out (and those that differ from it only in decisions of any value)."""
        wanted = self.positions(choices)
        for number, region in enumerate(self._regions):
            picks = self._follow(region.paths, wanted)
            if picks is not None:
                self._leave_out(number, picks)

    def __iter__(self) -> Iterator[Optimum]:
        """The programs from the best on, each excluded when it is given."""
        while True:
            found = self.best()
            if found is None:
                return
            self.exclude(found.choices)
            yield found

    def best(self, more: Scores | None = None, random: Random | None = None) -> Optimum | None:
        """The best program left; None when there is none. `more` are scores besides those of the goal.
        Decisions of any value take their first, or one drawn with `random`."""
        scores = self._scores if more is None else [_added(*each) for each in zip(self._scores, more, strict=True)]
        parts = math.lcm(self._parts, *(score.denominator for each in scores for score in each))
        edges = [[self._sign * int(score * parts) for score in each] for each in scores]
        best: tuple[int, int, Picks] | None = None
        proven: int | None = None
        for number, region in enumerate(self._regions):
            paths = _scored(region.paths, parts // self._parts, edges)
            found = _least(self._compiled, Region(paths, region.limits))
            if found is None:
                continue
            value, bound, picks = found
            proven = bound if proven is None else min(proven, bound)
            if best is None or value < best[0]:
                best = value, number, picks
        if best is None or proven is None:
            return None
        value, number, picks = best
        choices = self._choices(self._regions[number].paths, picks, random)
        value, proven = self._sign * value, self._sign * proven
        return Optimum(_plain(Fraction(value, parts)), _plain(Fraction(proven, parts)), value == proven, choices)

    def _follow(self, paths: Paths, wanted: Mapping[int, int]) -> Picks | None:
        node, picks = paths.root, []
        while node > 0:
            place = paths.places[node]
            pick = wanted.get(place, self.sizes[place])
            if pick >= len(paths.kids[node]):
                return None
            picks.append(pick)
            node = paths.kids[node][pick]
        return picks if node == 0 else None

    def _leave_out(self, number: int, picks: Picks) -> None:
        region = self._regions[number]
        self._regions[number] = Region(region.paths.without(picks), region.limits)

    def _choices(self, paths: Paths, picks: Picks, random: Random | None) -> Choices:
        compiled, node, steps = self._compiled, paths.root, []
        for pick in picks:
            steps.append((paths.places[node], pick))
            node = paths.kids[node][pick]
        values = {}
        for place, _ in steps:
            if compiled.wide[place]:
                domain = compiled.decisions[place].domain
                values[place] = domain.pick(0) if random is None else domain.draw(random)
        return Choices.of(compiled.chosen(steps, values))


def _least(compiled: Compiled, region: Region) -> tuple[int, int, Picks] | None:
    """The least of the last sum in a region: the value of a path, what none goes below, and the path;
    None where there is none."""
    problem = Problem.of(region.paths, region.limits)
    if problem is None:
        return None
    if not problem.slack:
        return problem.base, problem.base, problem.least(())[1]
    from archlang.space.flow import proposed

    prices, picks = proposed(problem)
    bound = max(problem.bound(prices), 0)  # values are counted from the least
    known = None if picks is None else problem.value(picks)
    if known is None or bound < known:
        better, certain = improved(problem, prices, known)
        found = picks if better is None else better
        if found is None and certain:
            return None
        picks = _drawn(compiled, region) if found is None else found
        known = problem.value(picks)
        assert known is not None
        bound = known if certain else bound
    assert picks is not None
    return problem.base + problem.unit * known, problem.base + problem.unit * bound, picks


def _drawn(compiled: Compiled, region: Region) -> Picks:
    """Any path within the limits, where the solver finds none and there are too many to look through."""
    import numpy as np

    drawn = Programs(compiled, [region]).draw_many(1, np.random.default_rng(0), True)
    if drawn is None:
        what = "whether any program left keeps within all limits is not known"
        raise ArchError(error("E0504", what, hints=["widen the narrowest of the limits"]))
    return _along(region.paths, drawn[:, 0].tolist())


def _along(paths: Paths, positions: list[int]) -> Picks:
    """The picks along the path that positions by place lead to: -1 where a decision is not made."""
    node, picks = paths.root, []
    while node:
        pick = positions[paths.places[node]]
        picks.append(pick if pick >= 0 else len(paths.kids[node]) - 1)
        node = paths.kids[node][picks[-1]]
    return picks


def _scored(paths: Paths, factor: int, scores: Sequence[Sequence[int]]) -> Paths:
    """The paths with the last sum times a factor, and what the picks of their edges score."""
    costs: list[tuple[tuple[int, ...], ...]] = [()]
    for node in range(1, len(paths.kids)):
        added = (*scores[paths.places[node]], 0)  # the last: where an unsure decision is not made
        costs.append(
            tuple((*cost[:-1], cost[-1] * factor + more) for cost, more in zip(paths.costs[node], added, strict=False))
        )
    return attrs.evolve(paths, costs=costs, base=(*paths.base[:-1], paths.base[-1] * factor))


def _check_finite(goal: Mapping[str, Any]) -> None:
    for name, part in goal.items():
        for number in part.values() if isinstance(part, Mapping) else [part]:
            if not isinstance(number, int | float | Fraction) or not math.isfinite(number):
                raise ArchError(error("E0911", f"the goal adds up {number!r} for `{name}`, which is no finite number"))


def _terms(once: OnceForAll, compiled: Compiled, tables: Mapping[str, CostTable], name: str) -> list[Value]:
    if name in tables:
        return once.terms_by(tables[name])
    if name in ADDITIVE:
        which = operator.itemgetter(ADDITIVE.index(name))
        return [compiled.diagrams.map_leaves(term, which) for term in once.terms]
    if name in UNITS:
        raise ArchError(without_table(name))
    known = (*ADDITIVE, *tables)
    what = f"there is no cost `{name}` that adds up over a program"
    raise ArchError(error("E0506", what, hints=did_you_mean(name, known) or [", ".join(known)]))


def _scores(compiled: Compiled, given: Mapping[str, Mapping[Any, float]]) -> list[list[Fraction]]:
    """For each place what its picks score, 0 where nothing is said of one."""
    found = [[Fraction(0)] * size for size in compiled.sizes]
    for address, picks in given.items():
        places = compiled.places.get(address)
        if places is None:
            hints = did_you_mean(address, compiled.places)
            raise ArchError(error("E0406", f"there is no decision `{address}` to score", hints=hints))
        listed = [place for place in places if not compiled.wide[place]]
        for pick, score in picks.items():
            at = [(place, _position(compiled, place, pick)) for place in listed]
            if all(position is None for _, position in at):
                takes = " or ".join(str(compiled.decisions[place].domain) for place in places)
                notes = [f"it takes {takes}"] + ["its picks are too many to be scored"] * (not listed)
                raise ArchError(error("E0407", f"`{address}` cannot be {show_pick(_frozen(pick))}", notes=notes))
            for place, position in at:
                if position is not None:
                    found[place][position] = Fraction(score)
    return found


def _position(compiled: Compiled, place: int, pick: Any) -> int | None:
    """The position of a pick, or of one that the language writes so."""
    pick = _frozen(pick)
    for position, known in enumerate(compiled.picks[place]):
        if (type(known) is type(pick) and known == pick) or (type(pick) is str and show_pick(known) == pick):
            return position
    return None


def _frozen(pick: Any) -> Any:
    return tuple(pick) if isinstance(pick, list) else pick


def _added(one: Sequence[Fraction], other: Sequence[Fraction]) -> list[Fraction]:
    return list(map(operator.add, one, other))


def _plain(value: Fraction) -> float:
    return value.numerator if value.denominator == 1 else float(value)
