"""Parzen estimators over the tree of a space's programs: densities around programs that were evaluated.

A kernel around a program is the product of kernels around its picks. A decision that only one of two
programs makes tells nothing of how near they are: there the kernel is the even density, so kernels are
compared on all programs of a conditional space (as with the groups of Bergstra et al. 2011, section 4).

Log densities are written relative to the even ones. Then they are a product of two matrices: what a
program's picks say of every pick, times which picks were made.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from random import Random
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from archlang.semantics.decision import Decision, OneOf, Pick, Reals, Subsets
from archlang.space.encoding import is_ordered, unit

if TYPE_CHECKING:
    from archlang.space import Choices, SearchSpace

Array = np.ndarray[Any, Any]
Options = tuple[Pick, ...]

LISTED = 128  # a decision of more picks is told apart in cells
CELLS = 64
WIDTH = 0.1  # of a kernel around a number in 0..1; wider ones change all numbers of a long program at once


@attrs.frozen
class Kind:
    """What kernels are alike: of numbers or not, of so many cells; `subsets` for those that are listed."""

    size: int
    ordered: bool = False
    subsets: Subsets | None = None


@attrs.frozen
class Spread:
    """How far kernels reach: a pick is drawn evenly with probability `even`, else from around the
    centre's; numbers from a Gaussian of that `width`."""

    even: float
    width: float

    @classmethod
    def of(cls, programs: int, prior: float) -> Spread:
        """The spread of so many kernels: the more, the narrower (by Scott's rule for one number)."""
        return cls(prior / (programs + prior), WIDTH * max(programs, 1) ** -0.2)

    def density(self, kind: Kind) -> Array:
        """The probability of each cell (row) around each (column)."""
        size = kind.size
        if kind.subsets is not None:
            members = np.array([_members(kind.subsets, kind.subsets.pick(index)) for index in range(size)])
            apart = np.abs(members[:, None] - members[None]).sum(axis=2)
            core = (self.even / (2 - self.even)) ** apart
            return np.asarray(core / core.sum(axis=0))
        core = np.eye(size)
        if kind.ordered:
            normal = NormalDist()
            steps = [normal.cdf((step + 0.5) / size / self.width) for step in range(-size, size)]
            masses = np.diff(steps, prepend=0.0)  # of the cell so many cells away
            core = np.array([[masses[size + x - centre] for centre in range(size)] for x in range(size)])
            core /= core.sum(axis=0)
        return np.asarray((1 - self.even) * core + self.even / size)


class Factor:
    """A decision as columns: where its cells are, and which cell a pick is in."""

    def __init__(self, decision: Decision, place: int, column: int):
        domain = decision.domain
        self.decision = decision
        self.place = place  # among a program's cells
        self.column = column
        self.is_listed = domain.size <= LISTED
        self.is_number = is_ordered(domain) and not self.is_listed
        self.cells = 1
        self.group = 0  # the number of its kind
        if self.is_listed:
            subsets = domain if isinstance(domain, Subsets) else None
            self.kind = Kind(int(domain.size), is_ordered(domain), subsets)
            self.picks: list[Pick] = [domain.pick(index) for index in range(self.kind.size)]
            if isinstance(domain, OneOf) and is_ordered(domain):
                self.picks.sort(key=lambda pick: unit(domain, pick))
            self._cell_of = {(type(pick), pick): cell for cell, pick in enumerate(self.picks)}
        elif isinstance(domain, Subsets):
            self.kind, self.cells = Kind(2), len(_members(domain, domain.pick(0)))
        else:
            self.kind = Kind(CELLS, self.is_number)
        self.width = self.cells * self.kind.size

    def cells_of(self, pick: Pick) -> list[int]:
        """The cells of a pick."""
        domain = self.decision.domain
        if self.is_listed:
            return [self._cell_of[type(pick), pick]]
        if isinstance(domain, Subsets):
            return [int(member > 0) for member in _members(domain, pick)]
        if self.is_number:
            return [min(int(unit(domain, pick) * CELLS), CELLS - 1)]
        return [int(domain.index(pick)) % CELLS]  # names too many for a column each

    def among(self, options: Options, sums: list[float], random: Random) -> Pick:
        """One of some picks, by the probabilities of the cells, which come summed up."""
        cells = [self.cells_of(option)[0] for option in options]
        return random.choices(options, [sums[cell] - (sums[cell - 1] if cell else 0.0) for cell in cells])[0]

    def near(self, centre: Pick, spread: Spread, random: Random) -> Pick:
        """A pick drawn from around another, of a decision that is not listed."""
        domain = self.decision.domain
        if isinstance(domain, Subsets):
            return _changed(domain, list(centre), spread.even, random)  # type: ignore[arg-type]
        if random.random() < spread.even:
            return domain.draw(random)
        if not self.is_number:
            return centre
        middle, value = unit(domain, centre), -1.0
        while not 0 <= value <= 1:
            value = random.gauss(middle, spread.width)
        if isinstance(domain, Reals):
            return _real(domain, value)
        index = round(value * (int(domain.size) - 1))
        return sorted(domain.labels)[index] if isinstance(domain, OneOf) else domain.pick(index)


Step = tuple[Factor, int, Pick]  # a decision that a program made: its cell and its pick


class Parzen:
    """Programs as rows of cells, and candidates that are likely near some and unlikely near others."""

    def __init__(self, space: SearchSpace):
        self._space = space
        self._choices: list[Choices] = []
        self._cells: list[list[int]] = []  # of each program; -1 where a decision is not made
        self._made = np.zeros((64, 64), dtype=np.float32)  # which columns each program is in
        self._factors: dict[Decision, Factor] = {}
        self._known: dict[int, Factor] = {}  # by the identity of decisions: comparing them takes longer
        self._steps_of: dict[int, dict[int, Step]] = {}
        self._places = self._columns = 0
        self._groups: dict[Kind, tuple[list[int], list[int]]] = {}  # places and first columns

    def __len__(self) -> int:
        return len(self._choices)

    def add(self, choices: Choices) -> int:
        """The number of a new row for a program."""
        trace = self._space.trace(choices)
        for decision, _ in trace:
            if self._factor(decision) is None:
                self._register(decision)
        cells = self._cells_of(choices, trace)
        row = len(self._choices)
        self._choices.append(choices)
        self._cells.append(cells)
        made = self._made
        if row >= made.shape[0] or self._columns > made.shape[1]:
            rows = made.shape[0] * (2 if row >= made.shape[0] else 1)
            columns = made.shape[1] if self._columns <= made.shape[1] else 2 * self._columns
            self._made = np.zeros((rows, columns), dtype=np.float32)
            self._made[: made.shape[0], : made.shape[1]] = made
        for places, columns_of in self._groups.values():
            for place, column in zip(places, columns_of, strict=True):
                if place < len(cells) and cells[place] >= 0:
                    self._made[row, column + cells[place]] = 1
        return row

    def candidates(
        self, good: Sequence[int], bad: Sequence[int], count: int, prior: float, random: Random
    ) -> list[Choices]:
        """Programs drawn from the density around the `good` rows, by how much likelier they are there than
        around the `bad` ones, the likeliest first. The even density counts as `prior` more kernels."""
        near, far = Spread.of(len(good), prior), Spread.of(len(bad), prior)
        sums = [_sums(near.density(kind)) for kind in self._groups]
        drawn = []
        for _ in range(count):
            centre = int(random.random() * (len(good) + prior))
            steps = self._steps(good[centre]) if centre < len(good) else {}
            drawn.append(self._drawn(steps, near, sums, random))
        cells = np.full((count, self._places), -1)
        for row, (_, its_cells) in enumerate(drawn):
            cells[row] = its_cells
        likelier = self._log_density(cells, near, good, prior) - self._log_density(cells, far, bad, prior)
        return [drawn[row][0] for row in np.argsort(-likelier, kind="stable")]

    def _log_density(self, cells: Array, spread: Spread, rows: Sequence[int], prior: float) -> Array:
        """The logarithm of the density around rows, relative to the even one, for each program."""
        says = np.zeros((len(cells), self._made.shape[1]), dtype=np.float32)
        for kind, (places, columns) in self._groups.items():
            size = kind.size
            known = np.zeros((size + 1, size), dtype=np.float32)  # the last is for decisions not made
            known[:size] = np.log(spread.density(kind) * size)
            where = np.array(columns)[:, None] + np.arange(size)
            says[:, where] = known[cells[:, places]]
        logs = np.zeros((len(cells), len(rows) + 1))
        if 2 * len(rows) < len(self):
            logs[:, 1:] = says @ self._made[list(rows)].T
        else:  # to take nearly all rows out takes longer than to multiply with all
            logs[:, 1:] = (says @ self._made[: len(self)].T)[:, list(rows)]
        weights = np.ones(len(rows) + 1)
        weights[0] = prior
        most = logs.max(axis=1)
        density = np.exp(logs - most[:, None]) @ weights / (len(rows) + prior)
        return np.asarray(most + np.log(density))

    def _steps(self, row: int) -> dict[int, Step]:
        """The picks of a program by decision."""
        if row not in self._steps_of:
            choices, cells = self._choices[row], self._cells[row]
            steps = self._steps_of[row] = {}
            for factor in self._factors.values():
                if factor.place < len(cells) and cells[factor.place] >= 0:
                    steps[id(factor.decision)] = factor, cells[factor.place], choices[factor.decision.address]
        return self._steps_of[row]

    def _drawn(
        self, steps: dict[int, Step], spread: Spread, sums: list[list[list[float]]], random: Random
    ) -> tuple[Choices, list[int]]:
        """A program from the kernel around the one of some steps (without any, drawn evenly), and its cells."""
        cells = [-1] * self._places
        picks: dict[str, Pick] = {}
        asked = 0
        draw = random.random

        def choose(decision: Decision, options: Options | None) -> Pick:
            nonlocal asked
            asked += 1
            pick: Pick
            step = steps.get(id(decision))
            if step is None:
                factor = self._factor(decision)
                step = None if factor is None else steps.get(id(factor.decision))
                if step is None:
                    pick = decision.domain.draw(random) if options is None else options[int(draw() * len(options))]
                    return made(factor, decision, pick)
            factor, cell, centre = step
            if not factor.is_listed:
                pick = factor.near(centre, spread, random)
                if options is not None and len(options) < decision.domain.size and pick not in options:
                    pick = options[int(draw() * len(options))]
                return made(factor, decision, pick)
            table = sums[factor.group][cell]
            if options is not None and len(options) < len(table):
                return made(factor, decision, factor.among(options, table, random))
            cells[factor.place] = cell = bisect_right(table, draw())
            pick = picks[decision.address] = factor.picks[cell]
            return pick

        def made(factor: Factor | None, decision: Decision, pick: Pick) -> Pick:
            if factor is not None:
                cells[factor.place : factor.place + factor.cells] = factor.cells_of(pick)
            picks[decision.address] = pick
            return pick

        choices = self._space.walk(choose, random)
        if len(picks) == asked and picks.items() <= choices.items():
            return choices, cells
        return choices, self._cells_of(choices, self._space.trace(choices))

    def _cells_of(self, choices: Choices, trace: Sequence[tuple[Decision, Pick]]) -> list[int]:
        cells = [-1] * self._places
        for decision, pick in trace:
            factor = self._factor(decision)
            if factor is not None:
                cells[factor.place : factor.place + factor.cells] = factor.cells_of(pick)
        return cells

    def _factor(self, decision: Decision) -> Factor | None:
        found = self._known.get(id(decision))
        return self._factors.get(decision) if found is None else found

    def _register(self, decision: Decision) -> None:
        factor = Factor(decision, self._places, self._columns)
        self._factors[decision] = self._known[id(decision)] = factor
        places, columns = self._groups.setdefault(factor.kind, ([], []))
        factor.group = list(self._groups).index(factor.kind)
        places += range(self._places, self._places + factor.cells)
        columns += range(self._columns, self._columns + factor.width, factor.kind.size)
        self._places += factor.cells
        self._columns += factor.width


def _sums(density: Array) -> list[list[float]]:
    """The probabilities of the cells around each centre, summed up; the last is sure to be beyond all numbers drawn."""
    return [[*accumulate(around[:-1]), 1.0] for around in density.T.tolist()]


def _real(domain: Reals, value: float) -> float:
    """The float that lies so far from 0, the least, to 1."""
    if domain.log:
        pick = math.exp(math.log(domain.low) + value * (math.log(domain.high) - math.log(domain.low)))
    else:
        pick = domain.low + value * (domain.high - domain.low)
    return min(max(pick, domain.low), domain.high)


def _members(domain: Subsets, pick: Any) -> list[int]:
    """How often each element is in a subset; of an ordered one, which element is at each place."""
    if domain.ordered:
        members = [0] * (domain.of * domain.high)
        for place, element in enumerate(pick):
            members[place * domain.of + element] = 1
        return members
    return [pick.count(element) for element in range(domain.of)]


def _changed(domain: Subsets, elements: list[int], rate: float, random: Random) -> tuple[int, ...]:
    """A subset of which each element, and the length, is drawn anew with probability `rate`."""
    if random.random() < rate:
        length = random.randint(domain.low, domain.high)
        random.shuffle(elements)
        del elements[length:]
    else:
        length = len(elements)
    kept = [element for element in elements if random.random() >= rate]
    while len(kept) < length:
        element = random.randrange(domain.of)
        if domain.repeated or element not in kept:
            kept.insert(random.randint(0, len(kept)) if domain.ordered else 0, element)
    return tuple(kept if domain.ordered else sorted(kept))
