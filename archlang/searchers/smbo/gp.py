"""A Gaussian process with a kernel on conditional choices."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from archlang.searchers.smbo.features import Features, Parts
from archlang.searchers.smbo.surrogate import Prediction

if TYPE_CHECKING:
    from archlang.space import Choices

Array = np.ndarray[Any, Any]

DECAYS = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)  # of the kernel at the mean distance of programs
LINEAR = (0.0, 0.1, 1.0, 10.0)  # the share of what adds up over decisions
NOISES = (1e-5, 1e-3, 1e-2, 0.05, 0.2)  # variances, of that of the function
FITTED = 256  # programs that the kernel's parameters are fitted on
LARGEST = 1_500  # programs that the process holds: the best and the latest
JITTER = 1e-8


@attrs.frozen
class Kernel:
    """exp(-(picks * mismatches + numbers * squared distances + graphs * contrasts)) + linear * products,
    with noise of a variance relative to the first."""

    picks: float
    numbers: float
    graphs: float
    linear: float
    noise: float


@attrs.frozen(eq=False)
class Apart:
    """By how much programs differ, one matrix for each kind of difference."""

    picks: Array
    numbers: Array
    graphs: Array
    products: Array

    @classmethod
    def between(cls, some: Parts, others: Parts) -> Apart:
        return cls(some.mismatches(others), some.distances(others), some.contrasts(others), some.products(others))

    def among(self, kept: Array) -> Apart:
        """The differences among some of the programs."""
        block = np.ix_(kept, kept)
        return Apart(self.picks[block], self.numbers[block], self.graphs[block], self.products[block])

    def covariance(self, kernel: Kernel) -> Array:
        exponent = kernel.picks * self.picks + kernel.numbers * self.numbers + kernel.graphs * self.graphs
        found: Array = np.exp(-exponent) + kernel.linear * self.products
        return found


class GaussianProcess:
    """Regression by a Gaussian process (Rasmussen and Williams 2006, algorithm 2.1).

    The kernel is a product over decisions: exponential in the mismatches of unordered picks and elements of
    subsets, squared exponential in numbers (see `Parts` for decisions that are not made), and in the counts of
    neighbourhoods where graphs are seen (Ru et al. 2021, NAS-BOWL). Its parameters are those of a grid with
    the greatest marginal likelihood, at the variance where that is greatest.
    """

    def __init__(self) -> None:
        self._fitted: tuple[int, Kernel] | None = None

    def fit(self, features: Features, programs: Sequence[Choices], scores: Array, seed: int) -> None:
        kept = _kept(scores, LARGEST)
        scores = scores[kept]
        parts = self._programs = features.parts([programs[index] for index in kept])
        apart = Apart.between(parts, parts)
        kernel = self._kernel = self._best_kernel(parts, apart, scores)
        self._mean = float(scores.mean())
        matrix = apart.covariance(kernel) + (kernel.noise + JITTER) * np.eye(len(kept))
        self._root = np.linalg.cholesky(matrix)
        whitened = np.linalg.solve(self._root, scores - self._mean)
        self._weights = np.linalg.solve(self._root.T, whitened)
        self._variance = float(whitened @ whitened) / len(kept)

    def _best_kernel(self, parts: Parts, apart: Apart, scores: Array) -> Kernel:
        """The parameters, fitted anew when there are a tenth more programs than last time."""
        count = len(scores)
        if self._fitted is not None and self._fitted[0] <= count < 1.1 * self._fitted[0]:
            return self._fitted[1]
        some = _kept(scores, FITTED)
        best = _fitted_kernel(parts, apart.among(some), scores[some])
        self._fitted = count, best
        return best

    def predict(self, features: Features, candidates: Sequence[Choices], joint: bool = False) -> Prediction:
        parts = features.parts(candidates)
        cross = Apart.between(parts, self._programs).covariance(self._kernel)
        mean = self._mean + cross @ self._weights
        explained = np.linalg.solve(self._root, cross.T)
        prior = 1 + self._kernel.linear * parts.squares
        spread = np.sqrt(np.maximum(self._variance * (prior - (explained**2).sum(axis=0)), 0.0))
        if not joint:
            return Prediction(mean, spread)
        own = Apart.between(parts, parts).covariance(self._kernel)
        return Prediction(mean, spread, self._variance * (own - explained.T @ explained))

    def left_out(self, scores: Array) -> Array:
        """What the others predict of each program that was learnt (Rasmussen and Williams 2006, equation 5.12)."""
        inverse = np.linalg.inv(self._root @ self._root.T)
        found: Array = scores - self._weights / np.diag(inverse)
        return found


def agreement(features: Features, programs: Sequence[Choices], scores: Array) -> float:
    """How well programs of the better half, each left out, are predicted by the others: the correlation."""
    some = _kept(scores, FITTED)
    process = GaussianProcess()
    process.fit(features, [programs[index] for index in some], scores[some], 0)
    better = scores[some] >= np.median(scores[some])
    predicted, true = process.left_out(scores[some])[better], scores[some][better]
    if min(predicted.std(), true.std()) < JITTER:
        return 0.0
    return float(np.corrcoef(predicted, true)[0, 1])


def _kept(scores: Array, most: int) -> Array:
    """The positions of at most so many programs: half of them the best, the others the latest."""
    if len(scores) <= most:
        return np.arange(len(scores))
    best = np.argsort(-scores, kind="stable")[: most // 2]
    rest = np.setdiff1d(np.arange(len(scores)), best)
    return np.sort(np.concatenate([best, rest[len(rest) - (most - most // 2) :]]))


def _fitted_kernel(parts: Parts, apart: Apart, scores: Array) -> Kernel:
    """The best parameters of the grid, found one kind of difference after the other, twice over."""
    there = {"picks": parts.has_picks, "numbers": parts.has_numbers, "graphs": parts.has_graphs}
    scales = {name: 1 / max(float(getattr(apart, name).mean()), JITTER) for name, is_there in there.items() if is_there}
    kernel = Kernel(**{name: scales.get(name, 0.0) / len(scales) for name in there}, linear=0.0, noise=NOISES[1])
    best = -np.inf
    for name in [*scales, "linear"] * 2:
        options = LINEAR if name == "linear" else [decay * scales[name] for decay in DECAYS]
        for option, noise in product(options, NOISES):
            tried = attrs.evolve(kernel, **{name: option}, noise=noise)
            found = _likelihood(tried, apart, scores)
            if found > best:
                best, kernel = found, tried
    return kernel


def _likelihood(kernel: Kernel, apart: Apart, scores: Array) -> float:
    """The logarithm of the marginal likelihood, at the variance where it is greatest, up to a constant."""
    count = len(scores)
    root = np.linalg.cholesky(apart.covariance(kernel) + (kernel.noise + JITTER) * np.eye(count))
    whitened = np.linalg.solve(root, scores - scores.mean())
    variance = max(float(whitened @ whitened) / count, JITTER)
    return float(-np.log(np.diag(root)).sum() - 0.5 * count * np.log(variance))
