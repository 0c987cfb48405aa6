"""What the calls of a model work on beside `Data`."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import attrs
import torch
from torch import Tensor


@attrs.frozen(eq=False, slots=False)
class Known:
    """A tensor that no input decides: a parameter, a constant, or what is worked out of them.

    `source` is the parameter that it is worked out of (any of them, if of several), and `moves` how its
    elements were rearranged; None where anything else was done.
    """

    tensor: Tensor
    source: Tensor | None = None
    moves: tuple[Callable[[Tensor], Tensor], ...] | None = None

    @classmethod
    def parameter(cls, tensor: Tensor) -> Known:
        return cls(tensor, tensor, ())

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.tensor.shape)

    @cached_property
    def places(self) -> Tensor | None:
        """For each element, which element of the parameter it is; None where it is none."""
        if self.source is None or self.moves is None:
            return None
        places = torch.arange(self.source.numel()).reshape(self.source.shape)
        for move in self.moves:
            places = move(places)
        return places

    @property
    def key(self) -> object:
        """Equal for the same elements of the same parameter; None for what is worked out."""
        if self.source is None or self.moves is None:
            return None
        if not self.moves:
            return id(self.source)
        assert self.places is not None
        return id(self.source), tuple(self.shape), hash(self.places.numpy().tobytes())

    def number(self) -> float | int | bool | None:
        """The value of all elements; None where they differ or are a parameter's."""
        if self.source is not None or self.tensor.numel() == 0:
            return None
        first = self.tensor.reshape(-1)[0]
        return first.item() if bool((self.tensor == first).all()) else None

    def apply(self, move: Callable[[Tensor], Tensor]) -> Known:
        """The elements rearranged."""
        moves = None if self.moves is None else (*self.moves, move)
        return Known(move(self.tensor), self.source, moves)


@attrs.frozen(eq=False)
class Pending:
    """The result of a call without an op, which may be a part of a pattern; `made` as in `Data`, `node` what the
    frontend tells of the call."""

    made: tuple[str, tuple[Any, ...]]
    node: Any
