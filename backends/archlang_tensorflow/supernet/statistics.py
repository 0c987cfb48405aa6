"""Statistics of batch norms, worked out anew for one way through a supernet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

Array = NDArray[Any]
Where = tuple[slice, ...] | None  # entries of a weight; all


class BatchStatistics:
    """What batch norms have of each batch, while they take it in the place of what they keep: mean and (as
    Once-for-All has it) biased variance. Averaged by the size of the batches it can be written there.
    """

    def __init__(self) -> None:
        # For each entry of a statistic the sum, and the samples in it.
        self._sums: dict[int, tuple[keras.Variable, Array, Array]] = {}

    def of(self, x: Any, kept: Mapping[str, tuple[keras.Variable, Where]]) -> dict[str, Any]:
        """Mean and variance of a batch with the channels last; `kept` is where they are kept, by name."""
        mean, variance = tf.nn.moments(x, [*range(len(x.shape) - 1)])
        found = {"mean": mean, "variance": variance}
        for name, (variable, where) in kept.items():
            zeros = np.zeros(variable.shape)
            _, total, samples = self._sums.setdefault(id(variable), (variable, zeros, zeros.copy()))
            place = ... if where is None else where
            total[place] += found[name].numpy().astype(np.float64) * len(x)
            samples[place] += len(x)
        return found

    def write(self) -> None:
        """Set the statistics to what was seen, where anything was."""
        for variable, total, samples in self._sums.values():
            variable.assign(np.where(samples > 0, total / np.maximum(samples, 1), variable.numpy()))
