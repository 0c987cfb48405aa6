"""What the calls of a model work on beside `Data`."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import attrs
import torch
from torch import Tensor
from torch.utils import _pytree as pytree


@attrs.frozen(eq=False, slots=False)
class Known:
    """A tensor that no input decides: a parameter, a constant, or what is worked out of them.

    `source` is the parameter that it is worked out of (any of them, if of several), and `moves` how its
    elements were rearranged; None where anything else was done. `made` is then the call that gave it and
    what it was given. `uses` says how many calls use it, or what it was rearranged from.
    """

    tensor: Tensor
    source: Tensor | None = None
    moves: tuple[Callable[[Tensor], Tensor], ...] | None = None
    made: tuple[str, tuple[Any, ...], dict[str, Any]] | None = None
    uses: int = 1

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

    @cached_property
    def sources(self) -> dict[int, Tensor]:
        """The parameters that it is worked out of."""
        if self.source is None:
            return {}
        if self.made is None:
            return {id(self.source): self.source}
        given = [x for x in pytree.tree_leaves(self.made[1:], lambda x: isinstance(x, Known)) if isinstance(x, Known)]
        return {key: source for x in given for key, source in x.sources.items()}

    @property
    def composed(self) -> bool:
        """Whether it is worked out of parameters that have more or fewer numbers, so that none can stand for them."""
        return (
            self.moves is None
            and self.made is not None
            and self.tensor.numel() != sum(source.numel() for source in self.sources.values())
        )

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
        return Known(move(self.tensor), self.source, moves, uses=self.uses)


@attrs.frozen(eq=False)
class Pending:
    """The result of a call without an op, which may be a part of a pattern; `made` as in `Data`, `node` what the
    frontend tells of the call."""

    made: tuple[str, tuple[Any, ...]]
    node: Any
