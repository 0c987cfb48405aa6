"""How well one order of programs agrees with another: that by shared weights with that by training alone."""

from __future__ import annotations

import math
from typing import Any

import attrs
import numpy as np
from numpy.typing import ArrayLike, NDArray


@attrs.frozen
class Correlation:
    """Kendall's tau (tau-b, Kendall 1945) and Spearman's rho of so many programs: 1 where both orders are the
    same, -1 where one is the other reversed, nan where all programs are equal in one of them."""

    kendall: float
    spearman: float
    programs: int


def correlation(shared: ArrayLike, alone: ArrayLike) -> Correlation:
    """The rank correlation of two measurements of the same programs, one number for each; equal ones share
    their ranks. ValueError when they are not as many."""
    one, other = _signs(shared), _signs(alone)
    if one.shape != other.shape:
        raise ValueError(f"{len(one)} programs were measured one way, {len(other)} the other")
    # Twice a rank, counted from the middle, is how many are below less how many are above.
    ranks = one.sum(axis=1), other.sum(axis=1)
    return Correlation(_cosine(one, other), _cosine(*ranks), len(one))


def _signs(values: ArrayLike) -> NDArray[Any]:
    """For each pair of values which is greater."""
    given = np.asarray(values, dtype=float)
    return (given[:, None] > given).astype(np.int8) - (given[:, None] < given)


def _cosine(one: NDArray[Any], other: NDArray[Any]) -> float:
    product, squares = (one * other).sum(), float((one * one).sum()) * float((other * other).sum())
    return float(product / math.sqrt(squares)) if squares else math.nan
