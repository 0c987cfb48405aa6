"""What training is on every backend: the order of the samples, the learning rate, the metrics.

Backends that take their batches and rates from here train on the same data in the same order.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archlang.backend import TrainingSettings
from archlang.diagnostics import ArchError, error

EVALUATION_BATCH = 256


class Plan:
    """The batches and learning rates of a training run over so many samples.

    A last batch of one sample is left out: it has no variance.
    """

    def __init__(self, samples: int, settings: TrainingSettings) -> None:
        if samples == 0:
            raise ArchError(error("E0805", "there are no samples to train on"))
        size = settings.batch_size
        self._samples = samples
        self._settings = settings
        self._random = np.random.default_rng(settings.seed)
        self._batches = [(first, min(first + size, samples)) for first in range(0, samples, size)]
        if len(self._batches) > 1 and samples - self._batches[-1][0] == 1 < size:
            self._batches.pop()
        self.samples = self._batches[-1][1]  # that one epoch sees

    def epoch(self) -> Iterator[NDArray[np.int64]]:
        """The positions of the samples of the next epoch, batch by batch."""
        order = self._random.permutation(self._samples)
        for first, last in self._batches:
            yield order[first:last]

    def rate(self, step: int) -> float:
        """The learning rate at a step, counted from 0 over all epochs."""
        if self._settings.schedule == "none":
            return self._settings.lr
        steps = self._settings.epochs * len(self._batches)
        return self._settings.lr * 0.5 * (1 + math.cos(math.pi * step / max(steps, 1)))


def outcome(
    settings: TrainingSettings, metrics: Mapping[str, float], train_loss: float, epochs: int, seconds: float
) -> dict[str, Any]:
    """The metrics of a training run; `metrics` are those of the validation, none when the training
    loss was not finite."""
    sums = {"train_loss": train_loss, "epochs": float(epochs), "seconds": seconds}
    if not metrics:
        worst = {"accuracy": 0.0} if settings.loss == "cross_entropy" else {}
        return {"diverged": True, "loss": math.inf, **worst, **sums}
    diverged = {} if all(map(math.isfinite, metrics.values())) else {"diverged": True}
    return {**diverged, **metrics, **sums}


def only_output(result: Any) -> Any:
    """The network's one output, which a recipe gives by name."""
    if isinstance(result, dict):
        if len(result) != 1:
            raise ValueError(f"training takes networks with one output, this one has {len(result)}")
        return next(iter(result.values()))
    return result
