"""Dominance, fronts, crowding: against their definitions."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archlang.searchers.pareto import crowding, dominates, front, hypervolume, ranks

POINTS = st.lists(st.tuples(*[st.integers(0, 6).map(float)] * 2), max_size=30) | st.lists(
    st.tuples(*[st.integers(0, 3).map(float)] * 3), max_size=30
)


@given(POINTS)
def test_front_is_what_nothing_dominates(points: list[tuple[float, ...]]) -> None:
    expected = [n for n, point in enumerate(points) if not any(dominates(other, point) for other in points)]
    assert front(points) == expected


@given(POINTS)
def test_each_rank_is_the_front_of_what_is_left(points: list[tuple[float, ...]]) -> None:
    ranked = ranks(points)
    for rank in set(ranked):
        left = [n for n in range(len(points)) if ranked[n] >= rank]
        best = [left[position] for position in front([points[n] for n in left])]
        assert best == [n for n in left if ranked[n] == rank]


def test_crowding_is_the_gap_between_the_neighbours() -> None:
    points = [(0.0, 10.0), (1.0, 7.0), (4.0, 5.0), (10.0, 0.0)]
    distances = crowding(points, [0, 0, 0, 0])
    assert distances[0] == distances[3] == math.inf
    assert distances[1] == 4 / 10 + 5 / 10
    assert distances[2] == 9 / 10 + 7 / 10


def test_crowding_of_equal_points_is_finite_where_nothing_spreads() -> None:
    assert crowding([(1.0, 1.0)] * 3, [0, 0, 0]).count(math.inf) <= 3


def test_hypervolume_of_few_points() -> None:
    assert hypervolume([], (0, 0)) == 0
    assert hypervolume([(3,), (2,), (-1,)], (0,)) == 3
    assert hypervolume([(1, 3), (2, 2), (3, 1), (1, 1), (2, 2)], (0, 0)) == 6
    assert hypervolume([(1, -1), (-1, 5), (0, 2)], (0, 0)) == 0
    assert hypervolume([(1, 3), (2, 2)], (-1, 1)) == 2 * 2 + 1 * 1


@pytest.mark.parametrize("objectives", [2, 3, 4])
def test_hypervolume_is_the_share_of_the_cube_below_some_point(objectives: int) -> None:
    generator = np.random.default_rng(0)
    points = generator.random((20, objectives))
    drawn = generator.random((100_000, objectives))
    covered = (drawn[:, None, :] <= points[None]).all(axis=2).any(axis=1).mean()
    assert hypervolume(points.tolist(), (0,) * objectives) == pytest.approx(covered, abs=0.01)
