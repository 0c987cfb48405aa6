"""Acquisitions: how much an evaluation of a candidate promises, from what a surrogate predicts.

Each takes the prediction for candidates, what is known, and a generator, and gives one number a
candidate, larger is better. Scores are such that larger is better.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cached_property
from itertools import pairwise
from typing import Any

import attrs
import numpy as np

from archlang.searchers.pareto import front
from archlang.searchers.ranking import best_first
from archlang.searchers.smbo.surrogate import Prediction
from archlang.searchers.smbo.targets import Scale

Array = np.ndarray[Any, Any]

SMALL = 1e-9
BELOW = -0.1  # the reference of hypervolumes: a little worse than the worst told
_nodes, _weights = np.polynomial.hermite.hermgauss(24)
NODES, WEIGHTS = math.sqrt(2) * _nodes, _weights / math.sqrt(math.pi)  # of the standard normal
BOXES = 10_000  # about so many at most, into which what is above a front is taken apart
_erfc = np.frompyfunc(math.erfc, 1, 1)


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

    @cached_property
    def boxes(self) -> Array:
        """What is above the front: see `boxes_above`. Of a front of many objectives that would take too many
        boxes, as many points as may be count, those that stand alone first."""
        folds = self.front.shape[1] - 1
        most = int((BOXES * math.factorial(folds)) ** (1 / folds)) if folds else 1
        return boxes_above(self.front[best_first([tuple(point) for point in self.front.tolist()], most)], BELOW)


Acquisition = Callable[[list[Prediction], Known, np.random.Generator], Array]


def _density(z: Array) -> Array:
    found: Array = np.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)
    return found


def _below(z: Array) -> Array:
    found: Array = 0.5 * np.asarray(_erfc(-z / math.sqrt(2)), dtype=float)
    return found


def _improvement(mean: Array, spread: Array, best: Array | float) -> Array:
    """The expectation of max(y - best, 0) of normal y."""
    spread = np.maximum(spread, SMALL)
    z = (mean - best) / spread
    found: Array = spread * (z * _below(z) + _density(z))
    return found


def expected_improvement(predictions: list[Prediction], known: Known, random: np.random.Generator) -> Array:
    """EI over the best score (Jones et al. 1998, equation 15); of several objectives EHVI."""
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
    gains = _gains(known.boxes, [_excess(each) for each in points.T])
    if gains.max() > 0:
        return gains
    # Where nothing extends the hypervolume, what comes nearest to the front counts.
    beyond = (known.front[None] - points[:, None]).min(axis=2).max(axis=1)
    return np.asarray(-beyond)


def expected_hypervolume_improvement(predictions: list[Prediction], known: Known, random: np.random.Generator) -> Array:
    """EHVI: by how much a program is expected to extend the hypervolume of the front, each objective from
    the worst told to the best (Emmerich et al. 2011), the objectives predicted independently. By boxes above
    the front (Yang et al. 2019) and quadrature, as what is predicted follows the scores on a bent line."""
    nodes = [each.mean[:, None] + each.spread[:, None] * NODES for each in predictions]
    scores = [known.one_score(place, column) for place, column in enumerate(nodes)]
    return _gains(known.boxes, [_expected_excess(each) for each in scores])


def _excess(values: Array) -> Callable[[Array], Array]:
    return lambda ends: np.maximum(values[:, None] - ends, 0.0)


def _expected_excess(nodes: Array) -> Callable[[Array], Array]:
    """The expectation of max(y - end, 0), from y at the nodes of the quadrature: (candidates, nodes)."""
    return lambda ends: np.stack([np.maximum(nodes - end, 0.0) @ WEIGHTS for end in ends], axis=1)


def boxes_above(points: Array, low: float) -> Array:
    """All that is above `low` in each objective and not dominated by points, taken apart into boxes:
    (boxes, objectives, 2), the lower ends and the upper ones, which may be infinite. By slices of the last
    objective (Zitzler 1999), in each of which the boxes are those of the points that reach above it."""
    if points.shape[1] == 1:
        return np.array([[[points.max(initial=low), np.inf]]])
    found = []
    for start, end in pairwise([low, *np.unique(points[:, -1]), np.inf]):
        others = points[points[:, -1] >= end][:, :-1]
        inner = boxes_above(others[front([tuple(point) for point in others.tolist()])], low)
        last = np.broadcast_to([start, end], (len(inner), 1, 2))
        found.append(np.concatenate([inner, last], axis=1))
    return np.concatenate(found)


def _gains(boxes: Array, excesses: Sequence[Callable[[Array], Array]]) -> Array:
    """The gain of hypervolume, in each box a product of one factor an objective. The functions give, for
    ends, (the expectation of) max(y - end, 0) by objective: (candidates, ends)."""
    found: Array = np.ones(())
    for objective, excess in enumerate(excesses):
        ends, (lower, upper) = _distinct(boxes[:, objective])
        beyond = excess(ends)
        found = found * (beyond[:, lower] - beyond[:, upper])
    return np.asarray(found.sum(axis=1))


def _distinct(intervals: Array) -> tuple[Array, Array]:
    """The ends of intervals, (intervals, 2), each once, and the places of the lower and of the upper ones."""
    ends, places = np.unique(intervals, return_inverse=True)
    return ends, places.reshape(intervals.shape).T


ACQUISITIONS: dict[str, Acquisition] = {
    "ei": expected_improvement,
    "ucb": upper_confidence_bound,
    "thompson": thompson,
    "its": independent_thompson,
    "ehvi": expected_hypervolume_improvement,
    "mean": greedy,
}
