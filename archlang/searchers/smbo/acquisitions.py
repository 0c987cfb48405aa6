"""Acquisitions: how much an evaluation of a candidate promises, from what a surrogate predicts.

Each takes the prediction for candidates, what is known, and a generator, and gives one number a
candidate, larger is better. Scores are such that larger is better.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import attrs
import numpy as np

from archlang.searchers.pareto import front, hypervolume
from archlang.searchers.smbo.surrogate import Prediction
from archlang.searchers.smbo.targets import Scale

Array = np.ndarray[Any, Any]

SMALL = 1e-9
BELOW = -0.1  # the reference of hypervolumes: a little worse than the worst told
_nodes, _weights = np.polynomial.hermite.hermgauss(24)
NODES, WEIGHTS = math.sqrt(2) * _nodes, _weights / math.sqrt(math.pi)  # of the standard normal
SAMPLES = 32  # of the improvement of a hypervolume of three objectives and more
_erf = np.frompyfunc(math.erf, 1, 1)


@attrs.frozen(eq=False, slots=False)
class Known:
    """The programs told so far: what surrogates learn of them, (programs, objectives), and what that means."""

    learnt: Array
    scales: tuple[Scale, ...]

    def scores(self, learnt: Sequence[Array]) -> Array:
        """What is learnt as scores, each objective from 0 at the worst told to 1 at the best."""
        return np.stack([self.one_score(place, column) for place, column in enumerate(learnt)], axis=-1)

    def one_score(self, objective: int, learnt: Array) -> Array:
        """The same for one objective."""
        scale = self.scales[objective]
        found: Array = (scale.score(learnt) - scale.worst) / max(scale.best - scale.worst, SMALL)
        return found

    @cached_property
    def front(self) -> Array:
        """The scores that no other dominates, each once."""
        scores = self.scores(list(self.learnt.T))
        found: Array = np.unique(scores[front([tuple(point) for point in scores.tolist()])], axis=0)
        return found


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
    return _improvement(predictions[0].mean, predictions[0].spread, known.learnt[:, 0].max())


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
    points = known.scores(drawn)
    gains = _gains(points, known)
    if gains.max() > 0:
        return gains
    # Where nothing extends the hypervolume, what comes nearest to the front counts.
    beyond = (known.front[None] - points[:, None]).min(axis=2).max(axis=1)
    return np.asarray(-beyond)


def _gains(points: Array, known: Known) -> Array:
    """By how much each point alone would extend the hypervolume above the worst of all that was told."""
    best = known.front
    if points.shape[1] == 2:
        return _strips(best, *[lambda low, y=y: np.maximum(y[:, None] - low, 0.0) for y in points.T])
    reference = [BELOW] * points.shape[1]
    before = hypervolume(best.tolist(), reference)
    return np.array([hypervolume([*best.tolist(), point], reference) - before for point in points.tolist()])


def expected_hypervolume_improvement(predictions: list[Prediction], known: Known, random: np.random.Generator) -> Array:
    """EHVI: by how much a program is expected to extend the hypervolume of the front, each objective from
    the worst told to the best (Emmerich et al. 2011). Of two objectives, predicted independently, by strips
    (Yang et al. 2019) and quadrature, as scores follow the predicted learnt on a bent line; of more by
    draws."""
    if len(predictions) == 2:
        nodes = [each.mean[:, None] + each.spread[:, None] * NODES for each in predictions]
        one, other = (known.one_score(place, column) for place, column in enumerate(nodes))
        return _strips(known.front, _expected_excess(one), _expected_excess(other))
    drawn = [
        [each.mean + each.spread * random.standard_normal(len(each.mean)) for each in predictions]
        for _ in range(SAMPLES)
    ]
    found: Array = np.mean([_gains(known.scores(points), known) for points in drawn], axis=0)
    return found


def _expected_excess(nodes: Array) -> Callable[[Array], Array]:
    """The expectation of max(y - low, 0), from y at the nodes of the quadrature: (candidates, nodes)."""
    return lambda low: np.stack([np.maximum(nodes - end, 0.0) @ WEIGHTS for end in low], axis=1)


def _strips(best: Array, one: Callable[[Array], Array], other: Callable[[Array], Array]) -> Array:
    """The gain of hypervolume of two objectives: the plane above the front in strips, in each of which
    it is a product of one factor an objective. `one` and `other` give, for lower ends, (the expectation of)
    max(y - end, 0): (candidates, ends)."""
    left = np.concatenate([[BELOW], best[:, 0]])  # rising, as rows are sorted
    floor = np.concatenate([best[:, 1], [BELOW]])  # what is dominated above each strip
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
