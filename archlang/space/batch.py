"""Many choices of a space at once, as arrays."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Mapping, Sequence
from random import Random
from typing import Any, overload

import numpy as np

from archlang.space.choices import Choices
from archlang.space.compiled import Compiled, Programs
from archlang.space.draws import PathArrays

Array = np.ndarray[Any, Any]


class Batch(Sequence[Choices]):
    """Choices in compiled form; as a sequence it gives them one by one.

    `positions` is an int32 array of (decisions of the space in order, programs): the position of
    each pick, -1 where a program does not make the decision. `values` holds, by decision, the picks
    of those that have too many to list.
    """

    def __init__(self, compiled: Compiled, positions: Array, values: Mapping[int, Sequence[Any]]):
        self._compiled = compiled
        self.positions = positions
        self.values = values

    @classmethod
    def drawn(cls, programs: Programs, count: int, seed: int, evenly: bool) -> Batch | None:
        """That many programs drawn independently by a seed; None when there is none."""
        compiled = programs.compiled
        positions = programs.draw_many(count, np.random.default_rng(seed), evenly)
        if positions is None:
            return None
        values: dict[int, list[Any]] = {}
        random = Random(seed)
        for place, wide in enumerate(compiled.wide):
            if wide:
                domain = compiled.decisions[place].domain
                values[place] = [domain.draw(random) if pick >= 0 else None for pick in positions[place].tolist()]
        return cls(compiled, positions, values)

    @classmethod
    def of(cls, programs: Programs, choices: Sequence[Mapping[str, Any]]) -> Batch | None:
        """Choices as arrays; None when some are none of the space's programs. The picks of decisions
        with too many to list are not looked at."""
        compiled = programs.compiled
        positions = np.full((len(compiled.sizes), len(choices)), -1, dtype=np.int32)
        # Choices that make the same decisions are written at one go.
        groups: dict[tuple[str, ...], tuple[list[Mapping[Any, int]], list[int], list[int]]] = {}
        try:
            for row, given in enumerate(choices):
                made = tuple(given)
                group = groups.get(made)
                if group is None:
                    group = groups[made] = [compiled.positions_at(address) for address in made], [], []
                maps, rows, flat = group
                rows.append(row)
                flat.extend(map(operator.getitem, maps, given.values()))
        except KeyError:
            return None
        for made, (_, rows, flat) in groups.items():
            places = [compiled.places[address][-1] for address in made]
            positions[np.ix_(places, rows)] = np.array(flat, dtype=np.int32).reshape(len(rows), len(made)).T
        batch = cls(compiled, positions, {})
        if not all(batch.fits(programs)):
            return None
        return batch

    def fits(self, programs: Programs) -> Array:
        """Which of the choices are programs that meet the requirements."""
        found = np.zeros(len(self), dtype=bool)
        for region in programs.regions:
            fits, totals = PathArrays(region.paths).walk(self.positions)
            found |= fits & (totals[:, : len(region.limits)] <= np.array(region.limits, dtype=np.int64)).all(axis=1)
        return found

    def __len__(self) -> int:
        return int(self.positions.shape[1])

    @overload
    def __getitem__(self, index: int) -> Choices: ...

    @overload
    def __getitem__(self, index: slice) -> Batch: ...

    def __getitem__(self, index: int | slice) -> Choices | Batch:
        if isinstance(index, slice):
            values = {place: picks[index] for place, picks in self.values.items()}
            return Batch(self._compiled, self.positions[:, index], values)
        steps = [(place, pick) for place, pick in enumerate(self.positions[:, index].tolist()) if pick >= 0]
        return self._choices(steps, index)

    def _choices(self, steps: list[tuple[int, int]], index: int) -> Choices:
        return Choices.of(self._compiled.chosen(steps, {place: v[index] for place, v in self.values.items()}))

    def __iter__(self) -> Iterator[Choices]:
        for index, row in enumerate(np.ascontiguousarray(self.positions.T).tolist()):
            yield self._choices([(place, pick) for place, pick in enumerate(row) if pick >= 0], index)
