"""Acquisitions, against integrals and samples; the scales of what is learnt."""

import math
from itertools import chain, combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archlang.searchers.objectives import INFEASIBLE
from archlang.searchers.pareto import hypervolume
from archlang.searchers.smbo.acquisitions import ACQUISITIONS, BELOW, Known, boxes_above, expected_improvement
from archlang.searchers.smbo.surrogate import Prediction
from archlang.searchers.smbo.targets import Plain, Ranked

RANDOM = np.random.default_rng


def normal(mean: list[float], spread: list[float]) -> Prediction:
    return Prediction(np.array(mean), np.array(spread))


def known(objectives: int, count: int = 12, seed: int = 0) -> Known:
    scores = RANDOM(seed).normal(size=(count, objectives))
    scales = tuple(Plain.of(column) for column in scores.T)
    return Known(np.stack([scale.learnt(column) for scale, column in zip(scales, scores.T, strict=True)], 1), scales)


@pytest.mark.parametrize(("mean", "spread"), [(0.0, 1.0), (-2.0, 0.5), (3.0, 0.1), (-5.0, 1.0), (-9.0, 1.0)])
def test_expected_improvement_is_the_integral(mean: float, spread: float) -> None:
    told = Known(np.array([[0.2], [-1.0]]), (Plain(0.0, 1.0, -1.0, 0.2),))
    high = max(0.2, mean) + 20 * spread
    y = np.linspace(0.2, high, 400_001)
    density = np.exp(-0.5 * ((y - mean) / spread) ** 2) / (spread * math.sqrt(2 * math.pi))
    integral = np.trapezoid((y - 0.2) * density, y)
    found = expected_improvement([normal([mean], [spread])], told, RANDOM(0))
    assert found[0] == pytest.approx(integral, rel=1e-5)
    assert found[0] > 0


@pytest.mark.parametrize("objectives", [2, 3, 4])
def test_expected_hypervolume_improvement_is_that_of_samples(objectives: int) -> None:
    told = known(objectives, 7)
    predictions = [normal([0.3, 1.0, -0.5], [0.6, 0.2, 1.0]) for _ in range(objectives)]
    found = ACQUISITIONS["ehvi"](predictions, told, RANDOM(1))
    reference = [BELOW] * objectives
    before = hypervolume(told.front.tolist(), reference)
    draws = RANDOM(2).standard_normal((1500, objectives, 3))
    gains = np.zeros((len(draws), 3))
    for row, draw in zip(gains, draws, strict=True):
        points = told.scores([each.mean + each.spread * z for each, z in zip(predictions, draw, strict=True)])
        row[:] = [hypervolume([*told.front.tolist(), point], reference) - before for point in points.tolist()]
    error = gains.std(axis=0) / math.sqrt(len(draws))
    assert (np.abs(found - gains.mean(axis=0)) < 4.5 * error + 0.01 * found).all()  # quadrature of a bent line


@pytest.mark.parametrize("objectives", [2, 3, 4])
def test_sure_predictions_gain_what_they_add_to_the_hypervolume(objectives: int) -> None:
    told = known(objectives)
    means = [RANDOM(objectives * 10 + place).normal(size=40) + 0.5 for place in range(objectives)]
    points = told.scores(means).tolist()
    reference = [BELOW] * objectives
    before = hypervolume(told.front.tolist(), reference)
    expected = [hypervolume([*told.front.tolist(), point], reference) - before for point in points]
    predictions = [Prediction(mean, np.zeros(40)) for mean in means]
    for name in ("mean", "its", "thompson", "ehvi"):
        found = ACQUISITIONS[name](predictions, told, RANDOM(0))
        assert found == pytest.approx(expected, abs=1e-9), name


def test_a_large_front_of_many_objectives_takes_a_bounded_number_of_boxes() -> None:
    angles = np.abs(RANDOM(0).normal(size=(300, 5)))
    points = angles / np.linalg.norm(angles, axis=1)[:, None]
    told = Known(points, tuple(Plain(0.0, 1.0, 0.0, 1.0) for _ in range(5)))
    assert len(told.front) > 250
    assert len(told.boxes) < 40_000


@given(st.lists(st.tuples(*[st.integers(0, 4).map(float)] * 3), min_size=1, max_size=8))
def test_boxes_are_apart_and_cover_what_is_not_dominated(points: list[tuple[float, ...]]) -> None:
    boxes = boxes_above(np.array(points), -1.0)
    for at in np.ndindex(6, 6, 6):
        middle = np.array(at) - 0.5
        inside = ((boxes[:, :, 0] < middle) & (middle < boxes[:, :, 1])).all(axis=1).sum()
        assert inside == (not any((np.array(point) > middle).all() for point in points))


def test_where_nothing_extends_the_hypervolume_the_nearest_to_the_front_is_best() -> None:
    told = Known(np.array([[1.0, 0.0], [0.0, 1.0]]), tuple(Plain(0.0, 1.0, 0.0, 1.0) for _ in range(2)))
    predictions = [normal([-0.5, -0.2, -0.9], [0.0] * 3), normal([-0.5, -0.2, -0.9], [0.0] * 3)]
    assert ACQUISITIONS["mean"](predictions, told, RANDOM(0)).argsort().tolist() == [2, 0, 1]


def test_upper_confidence_bound_and_draws() -> None:
    told = known(1)
    prediction = normal([0.0, 1.0], [2.0, 1.0])
    assert ACQUISITIONS["ucb"]([prediction], told, RANDOM(0)).tolist() == [3.0, 2.5]
    for name in ("its", "thompson"):
        one, same, other = (ACQUISITIONS[name]([prediction], told, RANDOM(seed)) for seed in (1, 1, 2))
        assert one.tolist() == same.tolist() != other.tolist()


def test_draws_have_the_covariance_that_is_predicted() -> None:
    covariance = np.array([[2.0, 1.2, 0.0], [1.2, 1.0, 0.3], [0.0, 0.3, 0.5]])
    prediction = Prediction(np.array([1.0, 0.0, -1.0]), np.sqrt(np.diag(covariance)), covariance)
    random = RANDOM(0)
    draws = np.stack([prediction.draw(random) for _ in range(20_000)])
    assert draws.mean(axis=0) == pytest.approx(prediction.mean, abs=0.05)
    assert np.cov(draws.T) == pytest.approx(covariance, abs=0.06)
    members = np.arange(6.0).reshape(3, 2)
    drawn = {tuple(Prediction(members.mean(0), members.std(0), members=members).draw(random)) for _ in range(40)}
    assert drawn == {tuple(row) for row in members.tolist()}


@pytest.mark.parametrize("objectives", [2, 3, 4])
def test_hypervolume_is_that_of_inclusions_and_exclusions(objectives: int) -> None:
    for seed in range(5):
        points = RANDOM(seed).integers(-1, 5, (7, objectives)).astype(float)
        subsets = chain.from_iterable(combinations(points, size) for size in range(1, 8))
        expected = sum(
            (-1) ** (len(some) + 1) * np.prod(np.maximum(np.min(some, axis=0) - 0.0, 0.0)) for some in subsets
        )
        assert hypervolume(points.tolist(), [0.0] * objectives) == pytest.approx(expected)
    assert hypervolume([], [0.0] * objectives) == 0


SCORES = st.lists(st.integers(-20, 20).map(float), min_size=1, max_size=30).map(np.array)


@given(SCORES)
def test_scales_are_inverse_on_known_scores_and_keep_their_order(
    scores: "np.ndarray[tuple[int], np.dtype[np.float64]]",
) -> None:
    for scale in (Ranked.of(scores), Plain.of(scores)):
        learnt = scale.learnt(scores)
        assert scale.score(learnt) == pytest.approx(scores)
        assert (scale.worst, scale.best) == (scores.min(), scores.max())
        for one, two in zip(scores, learnt, strict=True):
            assert (learnt[scores > one] > two).all()
            assert (learnt[scores == one] == two).all()
        line = scale.score(np.linspace(-6, 6, 200))
        assert (np.diff(line) >= 0).all()
        if len(set(scores.tolist())) > 1:
            assert line[-1] > scores.max()
            assert line[0] < scores.min()


def test_ranks_are_quantiles_whatever_the_scores() -> None:
    scores = np.array([3.0, -1e9, 5.0, 3.0])
    learnt = Ranked.of(scores).learnt(scores)
    assert learnt.tolist() == Ranked.of(np.exp(scores)).learnt(np.exp(scores)).tolist()
    below = [0.5 * (1 + math.erf(value / math.sqrt(2))) for value in learnt]
    assert below == pytest.approx([0.5, 0.125, 0.875, 0.5])


@pytest.mark.parametrize("kind", [Ranked, Plain])
def test_infeasible_scores_leave_the_extent_of_the_others(kind: type[Ranked] | type[Plain]) -> None:
    scores = np.array([INFEASIBLE * 3, 2.0, INFEASIBLE, 4.0, INFEASIBLE * 2, INFEASIBLE * 4])
    scale = kind.of(scores)
    assert (scale.worst, scale.best) == (2.0, 4.0)
    if kind is Ranked:
        beyond = scale.score(scale.learnt(np.array([4.0])) + 0.5)
        assert 4.0 < beyond[0] < 10.0
    assert kind.of(scores[:1]).worst == INFEASIBLE * 3
