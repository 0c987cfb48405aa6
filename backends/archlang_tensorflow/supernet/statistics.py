"""Statistics of batch norms, worked out anew for one way through a supernet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

Array = NDArray[Any]
# Where the statistics of a batch norm are kept, by name: the entries of a state, None for all.
Kept = Mapping[str, tuple[keras.Variable, tuple[slice, ...] | None]]
Take = Callable[[Any, Kept], dict[str, Any]]  # from what a batch norm is given: the statistics that it takes


def of_batch(x: Any, kept: Kept) -> dict[str, Any]:
    """Mean and biased variance of a batch with the channels last."""
    mean, variance = tf.nn.moments(x, [*range(len(x.shape) - 1)])
    return {"mean": mean, "variance": variance}


class BatchStatistics:
    """The statistics that batch norms have of some batches, averaged by their size (as Once-for-All does)."""

    def __init__(self) -> None:
        # For each entry of a state the sum, and the samples in it.
        self._sums: dict[int, tuple[keras.Variable, Array, Array]] = {}

    def take(self, x: Any, kept: Kept) -> dict[str, Any]:
        """Those of a batch, which are added."""
        found = of_batch(x, kept)
        for name, (variable, where) in kept.items():
            zeros = np.zeros(variable.shape)
            _, total, samples = self._sums.setdefault(id(variable), (variable, zeros, zeros.copy()))
            place = ... if where is None else where
            total[place] += found[name].numpy().astype(np.float64) * len(x)
            samples[place] += len(x)
        return found

    def write(self) -> None:
        """Set the states to what was seen, where anything was."""
        for variable, total, samples in self._sums.values():
            variable.assign(np.where(samples > 0, total / np.maximum(samples, 1), variable.numpy()))
