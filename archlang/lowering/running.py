"""Running a network on more samples than memory may hold at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archlang.ir.graph import Graph
from archlang.ir.types import SymbolicDim

Array = NDArray[Any]


def is_batched(graph: Graph) -> bool:
    """Whether every input begins with a dimension of samples, which are computed independently."""
    return all(given.type.shape and isinstance(given.type.shape[0], SymbolicDim) for given in graph.inputs)


def in_batches(call: Callable[..., Any], inputs: tuple[Array, ...], size: int, batched: bool = True) -> Any:
    """What `call` gives for the inputs, computed `size` samples at a time: an array, or a dictionary
    of arrays by name."""
    if not batched:
        return call(*inputs)
    firsts = range(0, max(len(inputs[0]), 1), size)
    parts = [call(*[array[first : first + size] for array in inputs]) for first in firsts]
    if isinstance(parts[0], dict):
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return np.concatenate(parts)
