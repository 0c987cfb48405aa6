"""A Gaussian process with a kernel on conditional choices."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from archlang.searchers.smbo.features import Features, Parts
from archlang.searchers.smbo.surrogate import Prediction

if TYPE_CHECKING:
    from archlang.space import Choices

Array = np.ndarray[Any, Any]

DECAYS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)  # of the kernel at the mean distance of programs
NOISES = (1e-3, 1e-2, 0.05, 0.2)  # variances, of that of the function
FITTED = 256  # programs that the kernel's parameters are fitted on
LARGEST = 1_500  # programs that the process holds: the best and the latest
JITTER = 1e-8


@attrs.frozen
class Kernel:
    """exp(-(picks * mismatches + numbers * squared distances)), with noise of a relative variance."""

    picks: float
    numbers: float
    noise: float


class GaussianProcess:
    """Regression by a Gaussian process (Rasmussen and Williams 2006, algorithm 2.1).

    The kernel is a product over the decisions that both programs make: exponential in the mismatches of
    unordered picks and elements of subsets, squared exponential in numbers. Its parameters are those of a
    grid with the greatest marginal likelihood; the variance is integrated out in closed form.
    """

    def __init__(self) -> None:
        self._fitted: tuple[int, Kernel] | None = None

    def fit(self, features: Features, programs: Sequence[Choices], scores: Array, seed: int) -> None:
        kept = _kept(scores, LARGEST)
        parts = features.parts([programs[index] for index in kept])
        self._programs = parts
        mismatches, distances = parts.mismatches(parts), parts.distances(parts)
        kernel = self._kernel(parts, mismatches, distances, scores[kept])
        self._shape = kernel
        self._mean = float(scores[kept].mean())
        matrix = _covariance(kernel, mismatches, distances) + (kernel.noise + JITTER) * np.eye(len(kept))
        self._root = np.linalg.cholesky(matrix)
        whitened = np.linalg.solve(self._root, scores[kept] - self._mean)
        self._weights = np.linalg.solve(self._root.T, whitened)
        self._variance = float(whitened @ whitened) / len(kept)

    def _kernel(self, parts: Parts, mismatches: Array, distances: Array, scores: Array) -> Kernel:
        """The parameters, fitted anew when there are a tenth more programs than last time."""
        count = len(scores)
        if self._fitted is not None and self._fitted[0] <= count < 1.1 * self._fitted[0]:
            return self._fitted[1]
        some = _kept(scores, FITTED)
        block = np.ix_(some, some)
        mismatches, distances, scores = mismatches[block], distances[block], scores[some]
        best = max(_grid(parts, mismatches, distances), key=lambda k: _likelihood(k, mismatches, distances, scores))
        self._fitted = count, best
        return best

    def predict(self, features: Features, candidates: Sequence[Choices], joint: bool = False) -> Prediction:
        parts = features.parts(candidates)
        cross = _covariance(self._shape, parts.mismatches(self._programs), parts.distances(self._programs))
        mean = self._mean + cross @ self._weights
        explained = np.linalg.solve(self._root, cross.T)
        spread = np.sqrt(np.maximum(self._variance * (1 - (explained**2).sum(axis=0)), 0.0))
        if not joint:
            return Prediction(mean, spread)
        own = _covariance(self._shape, parts.mismatches(parts), parts.distances(parts))
        return Prediction(mean, spread, self._variance * (own - explained.T @ explained))


def _kept(scores: Array, most: int) -> Array:
    """The positions of at most so many programs: half of them the best, the others the latest."""
    if len(scores) <= most:
        return np.arange(len(scores))
    best = np.argsort(-scores, kind="stable")[: most // 2]
    rest = np.setdiff1d(np.arange(len(scores)), best)
    return np.sort(np.concatenate([best, rest[len(rest) - (most - most // 2) :]]))


def _covariance(kernel: Kernel, mismatches: Array, distances: Array) -> Array:
    found: Array = np.exp(-(kernel.picks * mismatches + kernel.numbers * distances))
    return found


def _grid(parts: Parts, mismatches: Array, distances: Array) -> Iterator[Kernel]:
    picks = [decay / max(mismatches.mean(), JITTER) for decay in DECAYS] if parts.has_picks else [0.0]
    numbers = [decay / max(distances.mean(), JITTER) for decay in DECAYS] if parts.has_numbers else [0.0]
    yield from (Kernel(*each) for each in product(picks, numbers, NOISES))


def _likelihood(kernel: Kernel, mismatches: Array, distances: Array, scores: Array) -> float:
    """The logarithm of the marginal likelihood, at the variance where it is greatest, up to a constant."""
    count = len(scores)
    matrix = _covariance(kernel, mismatches, distances) + (kernel.noise + JITTER) * np.eye(count)
    root = np.linalg.cholesky(matrix)
    whitened = np.linalg.solve(root, scores - scores.mean())
    variance = max(float(whitened @ whitened) / count, JITTER)
    return float(-np.log(np.diag(root)).sum() - 0.5 * count * np.log(variance))
