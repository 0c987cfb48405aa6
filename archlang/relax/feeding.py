"""The data of a training: batches for the weights, for the architecture, and for measuring."""

from __future__ import annotations

from collections.abc import Iterator

import attrs
import numpy as np

from archlang.backend import Array
from archlang.diagnostics import ArchError, error
from archlang.evaluate.data import Data, Pair
from archlang.relax.engine import Batch, Engine

LARGE = 256  # of batches for measuring


@attrs.define(eq=False)
class Feeding:
    """`weights`: samples that the weights are trained on; `architecture`: those of the parameters of the mixture;
    `validation`: what is measured on. Draws hang on `seed` and the epoch alone."""

    engine: Engine
    weights: Pair
    architecture: Pair
    validation: Pair
    batch_size: int
    seed: int

    @classmethod
    def of(cls, data: Data, engine: Engine, batch_size: int, train_share: float, seed: int) -> Feeding:
        """The training samples in two parts, of which the first is so large a share; with a share of 1 both are
        all. ArchError (E1003) when a part is empty."""
        x, y = data.train
        order = np.random.default_rng(seed).permutation(len(x))
        count = round(len(x) * train_share)
        first, second = order[:count], order[count:] if train_share < 1 else order
        if not len(first) or not len(second):
            what = f"{len(x)} training samples cannot be shared {train_share:g} to {1 - train_share:g}"
            raise ArchError(error("E1003", what, hints=["give more data, or another `train_share`"]))
        size = min(batch_size, len(first), len(second))
        return cls(engine, (x[first], y[first]), (x[second], y[second]), data.validation, size, seed)

    @property
    def steps(self) -> int:
        """The steps of an epoch. A last batch that is not full is left out."""
        return max(len(self.weights[0]) // self.batch_size, 1)

    def epoch(self, number: int) -> Iterator[tuple[Batch, Batch]]:
        """The batches of an epoch for the weights, each with one for the architecture, which are drawn anew."""
        random = np.random.default_rng([self.seed, number])
        order = random.permutation(len(self.weights[0]))
        for step in range(self.steps):
            chosen = order[step * self.batch_size : (step + 1) * self.batch_size]
            other = random.choice(len(self.architecture[0]), self.batch_size, replace=False)
            yield self._batch(self.weights, chosen), self._batch(self.architecture, other)

    def measuring(self, limit: int | None = None) -> list[Batch]:
        """The validation samples (at most `limit`) in large batches."""
        return self._large(self.validation, limit)

    def calibrating(self, limit: int | None = None) -> list[Batch]:
        """Training samples of the weights (at most `limit`) in large batches, for statistics."""
        return self._large(self.weights, limit)

    def _large(self, pair: Pair, limit: int | None) -> list[Batch]:
        count = len(pair[0]) if limit is None else min(limit, len(pair[0]))
        return [self._batch(pair, np.arange(first, min(first + LARGE, count))) for first in range(0, count, LARGE)]

    def _batch(self, pair: Pair, chosen: Array) -> Batch:
        return self.engine.batch(pair[0][chosen], pair[1][chosen])
