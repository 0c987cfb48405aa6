"""What surrogates learn: scores brought to a scale on which outliers do no harm."""

from __future__ import annotations

from collections.abc import Callable
from statistics import NormalDist
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

LEAST = 1e-9  # spread below which scores count as equal


def by_rank(scores: Array) -> Array:
    """The normal quantiles of the ranks of scores (equal ones share the mean of theirs): what the failures
    and the infeasible among them are told plays no part, and any growing function of scores gives the same."""
    _, where, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    middle = (ends - counts / 2) / len(scores)
    quantile = NormalDist().inv_cdf
    found: Array = np.array([quantile(share) for share in middle])[where.reshape(-1)]
    return found


def clipped(scores: Array) -> Array:
    """Scores with those far below the median raised to a bound, then standardised: on the scale of the
    objective, as hypervolumes need it."""
    middle, best = np.median(scores), scores.max()
    kept = np.maximum(scores, middle - 3 * max(best - middle, LEAST))
    found: Array = (kept - kept.mean()) / max(kept.std(), LEAST)
    return found


Scaling = Callable[[Array], Array]
