"""Layouts: a tensor that only rearranges another one, and the fewest ops that make it of that one.

Frameworks write reshapes, transposes and selections one after another. A `Layout` says where each
element comes from, whatever the way was, so that `steps` finds a short one: at most a reshape,
slices, a permutation and a reshape.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import attrs

Atom = tuple[int, int]  # how many elements, and how far apart they are; 0 apart: one element repeated
Step = tuple[str, dict[str, Any]]  # an op and its attributes


@attrs.frozen
class Layout:
    """A view of a contiguous tensor [batch, …] with `sample` elements in each of its samples.

    `dims` holds for each dimension the atoms that it runs through, the slowest first. The atom of the
    batch is the one whose stride is `sample`; it is never split.
    """

    dims: tuple[tuple[Atom, ...], ...]
    sample: int
    offset: int = 0

    @classmethod
    def contiguous(cls, shape: Sequence[int]) -> Layout:
        """The layout of a tensor itself; the first dimension is the batch."""
        strides = [prod(shape[i + 1 :]) for i in range(len(shape))]
        dims = tuple([((size, stride),) for size, stride in zip(shape, strides, strict=True)])
        return cls(dims, strides[0] if strides else 1)

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple([prod(size for size, _ in dim) for dim in self.dims])

    @property
    def batch(self) -> int | None:
        """The dimension that has the batch; None where there is none or it is neither its slowest nor its
        fastest part."""
        for position, dim in enumerate(self.dims):
            atoms = [atom for atom in dim if atom[0] > 1]
            if any(self._is_batch(atom) for atom in atoms):
                return position if self._is_batch(atoms[0]) or self._is_batch(atoms[-1]) else None
        return None

    @property
    def turned(self) -> bool:
        """Whether the batch is the fastest part of a dimension that holds more."""
        at = self.batch
        atoms = [] if at is None else [atom for atom in self.dims[at] if atom[0] > 1]
        return len(atoms) > 1 and self._is_batch(atoms[-1])

    @property
    def common(self) -> bool:
        """Whether there is no batch: the same elements of each sample are meant."""
        return not any(self._is_batch(atom) for dim in self.dims for atom in dim if atom[0] > 1)

    def for_each(self, samples: int, instead: int = 0) -> Layout:
        """A layout without a batch with that of so many samples before it, `instead` of some dimensions."""
        return attrs.evolve(self, dims=(((samples, self.sample),), *self.dims[instead:]))

    def _is_batch(self, atom: Atom) -> bool:
        return atom[1] >= self.sample and atom[1] > 0

    # -------------------------------------------------------------- what frameworks do

    def permuted(self, order: Sequence[int]) -> Layout:
        return attrs.evolve(self, dims=tuple([self.dims[i] for i in order]))

    def reshaped(self, shape: Sequence[int]) -> Layout | None:
        """None when the new dimensions cut through the old ones."""
        rest = self._joined([atom for dim in self.dims for atom in dim])[::-1]
        dims: list[tuple[Atom, ...]] = []
        for size in shape:
            taken: list[Atom] = []
            while size > 1:
                if not rest:
                    return None
                count, stride = rest.pop()
                if size % count == 0:
                    taken.append((count, stride))
                    size //= count
                elif count % size == 0 and not self._is_batch((count, stride)):
                    taken.append((size, stride * (count // size)))
                    rest.append((count // size, stride))
                    size = 1
                else:
                    return None
            dims.append(tuple(taken))
        return None if rest else attrs.evolve(self, dims=tuple(dims))

    def sliced(self, axis: int, start: int, stop: int, step: int = 1) -> Layout | None:
        """None when the dimension is put together of several, or is the batch."""
        atoms = self._joined(self.dims[axis])
        if not atoms:
            return self
        if len(atoms) > 1 or self._is_batch(atoms[0]):
            return None
        ((_, stride),) = atoms
        count = max(0, (stop - start + step - 1) // step)
        dims = (*self.dims[:axis], ((count, stride * step),), *self.dims[axis + 1 :])
        return attrs.evolve(self, dims=dims, offset=self.offset + start * stride)

    def expanded(self, shape: Sequence[int]) -> Layout:
        """Dimensions of size 1 repeated; new ones come first."""
        own = ((),) * (len(shape) - len(self.dims)) + self.dims
        dims = [
            ((wanted, 0),) if wanted > 1 and prod(size for size, _ in dim) == 1 else dim
            for wanted, dim in zip(shape, own, strict=True)
        ]
        return attrs.evolve(self, dims=tuple(dims))

    def collapsed(self) -> Layout:
        """With the size 1 for dimensions that only repeat."""
        return attrs.evolve(self, dims=tuple([dim if any(s for _, s in dim) else () for dim in self.dims]))

    @property
    def repeats(self) -> bool:
        return any(stride == 0 and size > 1 for dim in self.dims for size, stride in dim)

    def normal(self) -> Layout:
        """The one way to write the layout: equal layouts have equal normal forms."""
        return attrs.evolve(self, dims=tuple([tuple(self._joined(dim)) for dim in self.dims]))

    def _joined(self, atoms: Sequence[Atom]) -> list[Atom]:
        """The atoms with those put together that follow on one another; none of size 1."""
        found: list[Atom] = []
        for count, stride in atoms:
            if count == 1:
                continue
            if found and found[-1][1] == count * stride and not self._is_batch(found[-1]):
                found[-1] = (found[-1][0] * count, stride)
            else:
                found.append((count, stride))
        return found

    # -------------------------------------------------------------- what archlang does

    def batch_first(self) -> tuple[int, ...]:
        """The sizes after the batch of what `steps` gives: the dimensions in order, first what the
        dimension of the batch holds besides."""
        at = self.batch
        assert at is not None
        beside = prod(size for size, _ in self.dims[at]) // next(s for s, r in self.dims[at] if r >= self.sample)
        others = tuple([size for position, size in enumerate(self.shape) if position != at])
        return ((beside,) if beside > 1 else ()) + others

    def steps(self, source: Sequence[int]) -> tuple[Step, ...] | None:
        """The ops that make the view, with the batch first, of a tensor with the sizes `source` after its
        batch. None when it repeats elements or takes what no slice does."""
        at = self.batch
        if at is None or self.repeats:
            return None
        order = [at, *(i for i in range(len(self.dims)) if i != at)]
        sorted_ = sorted(self.dims[at], key=lambda atom: not self._is_batch(atom))
        atoms = self._joined([*sorted_, *(atom for i in order[1:] for atom in self.dims[i])])
        if not atoms or not self._is_batch(atoms[0]):
            return None
        found = [
            steps
            for cuts in ((), _strides(source))
            if (steps := self._steps(atoms[1:], tuple(source), self.batch_first(), cuts)) is not None
        ]
        # Of equally many ops, slices come first: they name a part of the source itself.
        return min(found, key=lambda steps: (len(steps), not (steps and steps[0][0] == "slice")), default=None)

    def _steps(
        self, atoms: list[Atom], source: tuple[int, ...], target: tuple[int, ...], cuts: Sequence[int]
    ) -> tuple[Step, ...] | None:
        digits = self._digits(atoms, cuts)
        if digits is None:
            return None
        split = [digit.size for digit in digits]
        steps: list[Step] = []
        if _plain(split) != _plain(source):
            shape = tuple(split)
        else:
            shape = source
            digits = _spread(digits, source)
        if shape != source:
            steps.append(_reshape(source, shape))
        for axis, digit in enumerate(digits, 1):
            if digit.count < digit.size:
                steps.append(("slice", {"axis": axis, "start": digit.start, "stop": digit.start + digit.count}))
        # The digits in the order of the atoms of the view; those of one element stay where they are.
        strides = {i: digit.stride for i, digit in enumerate(digits) if digit.count > 1}
        slowest = sorted(strides, key=strides.__getitem__, reverse=True)
        wanted = [i for count, stride in atoms for i in slowest if stride <= strides[i] < stride * count]
        moved = iter(wanted)
        order = [next(moved) if digit.count > 1 else i for i, digit in enumerate(digits)]
        if order != list(range(len(order))):
            steps.append(("permute", {"order": (0, *(i + 1 for i in order))}))
        shape = tuple([digits[i].count for i in order])
        if shape != target:
            steps.append(_reshape(shape, target))
        if len(steps) > 1 and all(op in ("reshape", "flatten") for op, _ in steps):
            steps = [_reshape(source, target)] if source != target else []
        return tuple(steps)

    def _digits(self, atoms: list[Atom], cuts: Sequence[int]) -> list[_Digit] | None:
        """A sample's elements as a mixed-radix number, each atom a digit or several; digits that no atom
        has are fixed by the offset."""
        ordered = sorted(atoms, key=lambda atom: -atom[1])
        digits: list[_Digit] = []
        above = self.sample
        for count, stride in [*ordered, *([(1, 1)] if not ordered or ordered[-1][1] > 1 else [])]:
            if above % stride or above // stride < count:
                return None
            digits.append(_Digit(above // stride, stride, self.offset // stride % (above // stride), count))
            above = stride
        found: list[_Digit] = []
        for digit in digits:
            if digit.start + digit.count > digit.size:
                return None
            found += digit.cut(cuts)
        return found or [_Digit(1, 1, 0, 1)]


@attrs.frozen
class _Digit:
    """A part of the place of an element: `size` values `stride` apart, of which `count` from `start` on are taken."""

    size: int
    stride: int
    start: int
    count: int

    def cut(self, cuts: Sequence[int]) -> list[_Digit]:
        """The digit as several with borders at some strides, where what is taken allows it."""
        for cut in sorted(cuts, reverse=True):
            if not self.stride < cut < self.stride * self.size or cut % self.stride or self.size * self.stride % cut:
                continue
            low = cut // self.stride
            if self.start // low == (self.start + self.count - 1) // low:
                above = _Digit(self.size // low, cut, self.start // low, 1)
                return [above, *_Digit(low, self.stride, self.start % low, self.count).cut(cuts)]
            if self.start % low == 0 and self.count % low == 0:
                above = _Digit(self.size // low, cut, self.start // low, self.count // low)
                return [above, *_Digit(low, self.stride, 0, low).cut(cuts)]
        return [self]


def _strides(shape: Sequence[int]) -> list[int]:
    return [prod(shape[i + 1 :]) for i in range(len(shape))]


def _plain(shape: Sequence[int]) -> list[int]:
    return [size for size in shape if size > 1]


def _spread(digits: list[_Digit], shape: tuple[int, ...]) -> list[_Digit]:
    """The digits with those of size 1 where the shape has a 1."""
    rest = iter([digit for digit in digits if digit.size > 1])
    return [next(rest) if size > 1 else _Digit(1, 1, 0, 1) for size in shape]


def _reshape(shape: Sequence[int], target: Sequence[int]) -> Step:
    """A reshape of what is behind the batch; `flatten` where it only joins the last dimensions."""
    kept = len(target) - 1
    if 0 <= kept < len(shape) - 1 and tuple(shape[:kept]) == tuple(target[:kept]):
        return "flatten", {"start": kept + 1}
    return "reshape", {"shape": tuple(target)}
