"""What can be said of samples over seeds: confidence bands, paired tests, ranks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[Any]
SAMPLES = 1000
SHUFFLES = 10_000
CONFIDENCE = 0.95
LEVEL = 0.05  # below which a p-value counts as significant


def band(values: Array, statistic: str = "mean") -> tuple[Array, Array, Array]:
    """The mean or median over the rows of values [seeds, points], with the ends of its 95 % confidence
    interval at each point, by the percentiles of bootstrap samples of the rows (Efron 1979)."""
    measure = np.mean if statistic == "mean" else np.median
    drawn = np.random.default_rng(0).integers(len(values), size=(SAMPLES, len(values)))
    found = measure(values[drawn], axis=1)
    low, high = np.quantile(found, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2], axis=0)
    return measure(values, axis=0), low, high


def average_ranks(values: Sequence[float] | Array) -> Array:
    """The rank of each value, 1 for the least; equal values share the mean of their ranks."""
    given = np.asarray(values)
    below = (given[None, :] < given[:, None]).sum(axis=1)
    equal = (given[None, :] == given[:, None]).sum(axis=1)
    found: Array = below + (equal + 1) / 2
    return found


def signed_rank(one: ArrayLike, other: ArrayLike) -> float:
    """The two-sided p-value of the Wilcoxon signed-rank test of pairs (Wilcoxon 1945): exact, by the
    distribution of the rank sum over all signs, ties among the differences included. Pairs that are equal
    are left out; 1 when all are."""
    difference: Array = np.subtract(one, other)
    difference = difference[difference != 0]
    # Half ranks, which ties give, are whole numbers when doubled.
    doubled = np.rint(2 * average_ranks(np.abs(difference))).astype(int)
    total = int(doubled.sum())
    chance = np.zeros(total + 1)
    chance[0] = 1.0
    for rank in doubled:
        chance[rank:] = (chance[rank:] + chance[:-rank]) / 2
        chance[:rank] /= 2
    reached = int(doubled[difference > 0].sum())
    least = min(reached, total - reached)
    return float(min(1.0, 2 * chance[: least + 1].sum()))


def holm(values: Sequence[float]) -> list[float]:
    """p-values of several tests, raised so that the chance of any false finding among them stays below the
    level that they are compared with (Holm 1979)."""
    found = [0.0] * len(values)
    highest = 0.0
    for place, position in enumerate(sorted(range(len(values)), key=lambda position: values[position])):
        highest = max(highest, min(1.0, (len(values) - place) * values[position]))
        found[position] = highest
    return found


def friedman(ranks: Array) -> float:
    """The p-value of the Friedman test that the columns of ranks [blocks, columns] differ (Friedman 1937), by
    random permutations within the rows."""
    random = np.random.default_rng(0)
    reached = _spread(ranks)
    shuffled = random.permuted(np.broadcast_to(ranks, (SHUFFLES, *ranks.shape)), axis=2)
    # Sums of the same ranks in another order differ in their last digits.
    return float((1 + (_spread(shuffled) >= reached - 1e-9).sum()) / (1 + SHUFFLES))


def _spread(ranks: Array) -> Array:
    """How far the mean ranks of the columns are apart: with the rows given, the Friedman statistic rises with it."""
    found: Array = np.square(ranks.mean(axis=-2) - ranks.mean(axis=(-1, -2))[..., None]).sum(axis=-1)
    return found
