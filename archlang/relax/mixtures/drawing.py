"""Drawing alternatives at random."""

from __future__ import annotations

from archlang.relax.engine import Tensor, Tensors


def drawn(probabilities: Tensor, tensors: Tensors, count: int = 1) -> list[int]:
    """So many different positions, one after the other by these probabilities: the winners of a race of
    exponential clocks, whose rates they are."""
    size = probabilities.shape[0]
    times = tensors.numbers(tensors.exponential(size) / probabilities)
    return sorted(range(size), key=times.__getitem__)[:count]


def one_hot(position: int, size: int, tensors: Tensors) -> Tensor:
    """One at a position, zero elsewhere."""
    return tensors.constant([float(place == position) for place in range(size)])
