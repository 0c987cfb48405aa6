"""Acquisitions: how much an evaluation of a candidate promises, from what a surrogate predicts.

Each takes the prediction for candidates, what is known, and a generator, and gives one number a
candidate, larger is better. Scores are such that larger is better.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import attrs
import numpy as np

from archlang.searchers.pareto import front, hypervolume
from archlang.searchers.smbo.surrogate import Prediction

Array = np.ndarray[Any, Any]

SMALL = 1e-9
SAMPLES = 64  # of the improvement of a hypervolume of three objectives and more
_erf = np.frompyfunc(math.erf, 1, 1)


@attrs.frozen(eq=False)
class Known:
    """The scores of the programs told so far, as surrogates learn them: (programs, objectives)."""

    scores: Array


Acquisition = Callable[[list[Prediction], Known, np.random.Generator], Array]


def _density(z: Array) -> Array:
    found: Array = np.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)
    return found


def _below(z: Array) -> Array:
    found: Array = 0.5 * (1 + np.asarray(_erf(z / math.sqrt(2)), dtype=float))
    return found


def _improvement(mean: Array, spread: Array, best: Array | float) -> Array:
    """The expectation of max(y - best, 0) of normal y."""
    spread = np.maximum(spread, SMALL)
    z = (mean - best) / spread
    found: Array = spread * (z * _below(z) + _density(z))
    return found


def expected_improvement(predictions: list[Prediction], known: Known, random: np.random.Generator) -> Array:
    """EI over the best score (Jones et al. 1998, equation 15), in logarithms of what is not negligible;
    of several objectives EHVI."""
    if len(predictions) > 1:
        return expected_hypervolume_improvement(predictions, known, random)
    return _improvement(predictions[0].mean, predictions[0].spread, known.scores[:, 0].max())


def upper_confidence_bound(predictions: list[Prediction], known: Known, random: np.random.Generator) -> Array:
    """GP-UCB (Srinivas et al. 2010) with a fixed factor: mean + 1.5 spreads; the mean over objectives."""
    found: Array = sum((each.mean + 1.5 * each.spread for each in predictions), np.zeros(())) / len(predictions)
    return found


def thompson(predictions: list[Prediction], known: Known, random: np.random.Generator) -> Array:
    """Thompson sampling: a draw from the joint prediction of all candidates; of several objectives by how
    much the draw extends the hypervolume."""
    return _by_sample([each.draw(random) for each in predictions], known)


def independent_thompson(predictions: list[Prediction], known: Known, random: np.random.Generator) -> Array:
    """Independent Thompson sampling (White et al. 2021, BANANAS): a draw for each candidate by itself."""
    drawn = [each.mean + each.spread * random.standard_normal(len(each.mean)) for each in predictions]
    return _by_sample(drawn, known)


def greedy(predictions: list[Prediction], known: Known, random: np.random.Generator) -> Array:
    """The mean alone; of several objectives by how much it extends the hypervolume."""
    return _by_sample([each.mean for each in predictions], known)


def _by_sample(drawn: list[Array], known: Known) -> Array:
    if len(drawn) == 1:
        return drawn[0]
    points = np.stack(drawn, axis=1)
    gains = _gains(points, known)
    # Where nothing extends the hypervolume, what comes nearest to the front counts.
    return gains if gains.max() > 0 else -_beyond(points, known)


def _reference(scores: Array) -> Array:
    """A point that all scores dominate: a tenth of the range below the worst of each objective."""
    low, high = scores.min(axis=0), scores.max(axis=0)
    found: Array = low - 0.1 * np.maximum(high - low, SMALL)
    return found


def _front(scores: Array) -> Array:
    found: Array = np.unique(scores[front([tuple(point) for point in scores.tolist()])], axis=0)
    return found


def _beyond(points: Array, known: Known) -> Array:
    """For each point by how much, in the objective where that is least, some point of the front is better."""
    best = _front(known.scores)
    found: Array = (best[None] - points[:, None]).min(axis=2).max(axis=1)
    return found


def _gains(points: Array, known: Known) -> Array:
    """By how much each point alone would extend the hypervolume."""
    best, reference = _front(known.scores), _reference(known.scores)
    if points.shape[1] == 2:
        return _strips(best, reference, *[lambda low, y=y: np.maximum(y[:, None] - low, 0.0) for y in points.T])
    before = hypervolume(best.tolist(), reference.tolist())
    return np.array([hypervolume([*best.tolist(), point], reference.tolist()) - before for point in points.tolist()])


def expected_hypervolume_improvement(predictions: list[Prediction], known: Known, random: np.random.Generator) -> Array:
    """EHVI: by how much a program is expected to extend the hypervolume of the front (Emmerich et al.
    2011). Exact for two objectives, predicted independently (by strips: Yang et al. 2019); for more by
    sampling."""
    if len(predictions) == 2:
        best, reference = _front(known.scores), _reference(known.scores)
        return _strips(best, reference, *[_improvements(each) for each in predictions])
    drawn = [
        [each.mean + each.spread * random.standard_normal(len(each.mean)) for each in predictions]
        for _ in range(SAMPLES)
    ]
    found: Array = np.mean([_gains(np.stack(points, axis=1), known) for points in drawn], axis=0)
    return found


def _improvements(prediction: Prediction) -> Callable[[Array], Array]:
    return lambda low: _improvement(prediction.mean[:, None], prediction.spread[:, None], low)


def _strips(best: Array, reference: Array, one: Callable[[Array], Array], other: Callable[[Array], Array]) -> Array:
    """The gain of hypervolume of two objectives: the plane above the front in strips, in each of which
    it is a product of one factor an objective. `one` and `other` give, for lower ends, the
    (expectation of) max(y - end, 0): (candidates, ends)."""
    order = np.argsort(best[:, 0])
    left = np.concatenate([reference[:1], best[order, 0]])
    floor = np.concatenate([best[order, 1], reference[1:]])  # what is dominated above each strip
    beyond = one(left)
    width = beyond - np.concatenate([beyond[:, 1:], np.zeros((len(beyond), 1))], axis=1)
    found: Array = (width * other(floor)).sum(axis=1)
    return found


ACQUISITIONS: dict[str, Acquisition] = {
    "ei": expected_improvement,
    "ucb": upper_confidence_bound,
    "thompson": thompson,
    "its": independent_thompson,
    "ehvi": expected_hypervolume_improvement,
    "mean": greedy,
}
