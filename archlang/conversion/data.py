"""Tensors of a model as views of the values of a graph."""

from __future__ import annotations

from typing import Any

import attrs

from archlang.conversion.builder import Place
from archlang.conversion.layout import Layout


class Unsupported(Exception):
    """What archlang has no op for; the message completes "it holds …"."""


@attrs.frozen(eq=False)
class Data:
    """A tensor that the inputs decide: a view of a value of the graph. `made` is the call that gave it and
    what it was given, for patterns; None for a view, which has `at` instead: the modules around the last call
    that made it."""

    value: int
    layout: Layout
    made: tuple[str, tuple[Any, ...]] | None = None
    at: Place | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        return self.layout.shape

    @property
    def rank(self) -> int:
        return len(self.layout.dims)

    def same(self, other: object) -> bool:
        """Whether two are the same tensor."""
        return isinstance(other, Data) and self.value == other.value and self.layout.normal() == other.layout.normal()


@attrs.frozen
class Settled:
    """Data as a value of the graph: the batch comes first, then what the batch's dimension holds besides
    (`fold`), then the others. `at` is where the batch is in the model's tensor of `rank` dimensions; `rank`
    itself for a tensor that has no batch, being the same for each sample. The batch is the slowest part of its
    dimension, or the fastest where it is `turned`."""

    value: int
    at: int
    fold: int
    rank: int
    turned: bool = False

    @property
    def common(self) -> bool:
        """Whether the tensor has no batch."""
        return self.at == self.rank

    def axis(self, axis: int) -> int:
        """The graph's number of a dimension of the model's tensor."""
        axis = axis % self.rank
        if axis == self.at:
            raise Unsupported("an operation along the batch")
        return axis + (axis < self.at) + (self.fold > 1)
