"""Statistics against brute force and against examples worked out elsewhere."""

from __future__ import annotations

from itertools import permutations, product
from math import erfc, sqrt

import numpy as np
import pytest

from archlang.bench.statistics import average_ranks, band, friedman, holm, signed_rank


def test_ranks_share_places() -> None:
    assert average_ranks([3.0, 1.0, 3.0, 2.0]).tolist() == [3.5, 1, 3.5, 2]
    assert average_ranks([5.0, 5.0]).tolist() == [1.5, 1.5]


def by_all_signs(one: list[float], other: list[float]) -> float:
    """The share of sign patterns whose rank sum is as far from the middle as the one seen."""
    differences = [a - b for a, b in zip(one, other, strict=True) if a != b]
    ranks = average_ranks(np.abs(differences))
    middle = ranks.sum() / 2
    seen = abs(sum(rank for rank, value in zip(ranks, differences, strict=True) if value > 0) - middle)
    sums = [np.dot(signs, ranks) for signs in product((0, 1), repeat=len(ranks))]
    return float(np.mean([abs(value - middle) >= seen - 1e-9 for value in sums]))


@pytest.mark.parametrize("seed", range(12))
def test_signed_rank_is_exact(seed: int) -> None:
    random = np.random.default_rng(seed)
    # Whole numbers make ties among the differences, and pairs that are equal.
    one, other = (random.integers(0, 6, size=3 + seed % 7).astype(float).tolist() for _ in range(2))
    assert signed_rank(one, other) == pytest.approx(by_all_signs(one, other))
    assert signed_rank(other, one) == pytest.approx(signed_rank(one, other))


def test_signed_rank_of_known_examples() -> None:
    """Six differences in one direction: 2 of 64 patterns."""
    assert signed_rank([1, 2, 3, 4, 5, 6], [0] * 6) == pytest.approx(2 / 64)
    assert signed_rank([1.0, 2.0], [1.0, 2.0]) == 1
    first = [86, 71, 77, 68, 91, 72, 77, 91, 70, 71, 88, 87]
    second = [88, 77, 76, 64, 96, 72, 65, 90, 65, 80, 81, 72]
    assert signed_rank(first, second) == pytest.approx(by_all_signs(first, second))
    assert 0.4 < signed_rank(first, second) < 0.5


def test_signed_rank_of_many_pairs_is_that_of_the_normal_distribution() -> None:
    random = np.random.default_rng(0)
    one, other = random.normal(size=80), random.normal(0.3, size=80)
    ranks = average_ranks(np.abs(one - other))
    z = (ranks[one > other].sum() - ranks.sum() / 2) / np.sqrt(np.square(ranks).sum() / 4)
    assert signed_rank(one, other) == pytest.approx(erfc(abs(z) / sqrt(2)), rel=0.05)


def test_holm() -> None:
    """By hand: 4 x .005, 3 x .01, then 2 x .03, and .04 no less than that before it."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.8, 0.9]) == [1, 1]
    assert holm([]) == []


def test_friedman_against_all_permutations() -> None:
    ranks = np.array([[1, 2, 3], [1, 3, 2], [1, 2, 3], [2, 1, 3]], float)

    def statistic(table: np.ndarray) -> float:
        return float(np.square(table.sum(axis=0) - table.sum() / 3).sum())

    orders = list(permutations(range(3)))
    seen = statistic(ranks)
    reached = [
        statistic(np.array([row[list(order)] for row, order in zip(ranks, chosen, strict=True)])) >= seen - 1e-9
        for chosen in product(orders, repeat=4)
    ]
    assert friedman(ranks) == pytest.approx(np.mean(reached), abs=0.015)
    assert friedman(np.ones((4, 3))) == 1


@pytest.mark.parametrize(("statistic", "measure"), [("mean", np.mean), ("median", np.median)])
def test_bands_hold_the_truth_about_as_often_as_they_say(statistic: str, measure: object) -> None:
    random = np.random.default_rng(2)
    samples = random.normal(size=(40, 300))
    value, low, high = band(samples, statistic)
    assert value == pytest.approx(np.mean(samples, axis=0) if measure is np.mean else np.median(samples, axis=0))
    assert (low <= value).all()
    assert (value <= high).all()
    assert 0.88 < np.mean((low <= 0) & (high >= 0)) < 0.98


def test_a_band_of_one_seed_is_that_seed() -> None:
    value, low, high = band(np.array([[1.0, 2.0]]))
    assert value.tolist() == low.tolist() == high.tolist() == [1, 2]
