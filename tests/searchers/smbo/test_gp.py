"""The Gaussian process, against direct formulas and scikit-learn's."""

import math
from random import Random
from typing import Any

import attrs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import multivariate_normal
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, DotProduct, WhiteKernel

from archlang.searchers.smbo import gp
from archlang.searchers.smbo.features import Features
from archlang.searchers.smbo.gp import Apart, GaussianProcess, Kernel
from archlang.space import Choices, Space, loads
from archlang.space.encoding import is_ordered
from archlang.testing.spaces import make_space, random_space

Array = np.ndarray[Any, Any]
FLOATS = "space floats { { a: choose 0.0..1.0, b: choose 0.0..1.0, c: choose 0.0..1.0 } }"


def drawn(space: Space, count: int, seed: int = 0) -> list[Choices]:
    random = Random(seed)
    return [space.draw(random) for _ in range(count)]


def fitted(space: Space, programs: list[Choices], scores: Array) -> tuple[Features, GaussianProcess]:
    features, process = Features(space), GaussianProcess()
    for choices in programs:
        features.meet(choices)
    process.fit(features, programs, scores, 0)
    return features, process


def worth(programs: list[Choices]) -> Array:
    random = np.random.default_rng(0)
    return np.array([len(choices) + random.normal() for choices in programs])


def direct(features: Features, kernel: Kernel, some: list[Choices], others: list[Choices]) -> Array:
    """The kernel, pair by pair."""
    encoder = features.encoder
    found = np.zeros((len(some), len(others)))
    for (row, one), (column, other) in (
        ((i, a), (j, b)) for i, a in enumerate(encoder.many(some)) for j, b in enumerate(encoder.many(others))
    ):
        mismatches = distance = product = 0.0
        for block in encoder.blocks:
            weight = 0.5 ** len(block.decision.parents)
            x, y = (each[block.start : block.start + block.width] for each in (one, other))
            if is_ordered(block.decision.domain):
                p, q = ((each[1] - 0.5 if each[0] else 0.0) for each in (x, y))
                distance += weight * (p - q) ** 2
                product += weight * 4 * p * q
            else:
                mismatches += weight * ((x - y) ** 2).sum() / 2
                product += weight * float(x @ y)
        product /= len(encoder.blocks)
        found[row, column] = math.exp(-kernel.picks * mismatches - kernel.numbers * distance) + kernel.linear * product
    return found


MIXED = """
space mixed {
  { a: choose { p: 0, q: choose 0.0..1.0, r: choose { s: 1, t: 2 } }, n: choose 1..9, some: choose 1..2 of [1, 2, 3] }
}
"""


@pytest.mark.parametrize("linear", [0.0, 1.0])
def test_posterior_is_that_of_the_direct_formula(linear: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gp, "LINEAR", (linear,))
    space = loads(MIXED)
    programs, candidates = drawn(space, 25), drawn(space, 10, 1)
    scores = worth(programs)
    features, process = fitted(space, programs, scores)
    kernel = process._kernel
    matrix = direct(features, kernel, programs, programs) + (kernel.noise + gp.JITTER) * np.eye(25)
    inverse = np.linalg.inv(matrix)
    centred = scores - scores.mean()
    variance = centred @ inverse @ centred / 25
    cross = direct(features, kernel, candidates, programs)
    covariance = variance * (direct(features, kernel, candidates, candidates) - cross @ inverse @ cross.T)
    prediction = process.predict(features, candidates, joint=True)
    assert prediction.covariance is not None
    assert prediction.mean == pytest.approx(scores.mean() + cross @ inverse @ centred, abs=1e-6)
    assert prediction.covariance == pytest.approx(covariance, abs=1e-6)
    assert prediction.spread == pytest.approx(np.sqrt(np.diag(covariance)), abs=1e-5)


def test_posterior_on_floats_is_that_of_scikit_learn() -> None:
    space = loads(FLOATS)
    programs, candidates = drawn(space, 40), drawn(space, 20, 1)
    points, at = (np.array([list(each.values()) for each in some], float) for some in (programs, candidates))
    scores = np.sin(5 * points[:, 0]) + points[:, 1] ** 2
    features, process = fitted(space, programs, scores)
    kernel = process._kernel
    shape = RBF(1 / math.sqrt(2 * kernel.numbers))
    linear = kernel.linear * 4 / 3
    other: Any = ConstantKernel(process._variance) * shape + WhiteKernel(process._variance * (kernel.noise + gp.JITTER))
    if linear:
        other += ConstantKernel(process._variance * linear) * DotProduct(1e-9)
    theirs = GaussianProcessRegressor(other, alpha=0.0, optimizer=None).fit(points - 0.5, scores - scores.mean())
    mean, spread = theirs.predict(at - 0.5, return_std=True)
    prediction = process.predict(features, candidates)
    assert prediction.mean == pytest.approx(mean + scores.mean(), abs=1e-5)
    noise = process._variance * (kernel.noise + gp.JITTER)  # theirs counts it
    assert prediction.spread**2 == pytest.approx(spread**2 - noise, abs=1e-6)


def test_left_out_is_what_the_others_predict() -> None:
    space = make_space("conditional")
    programs = list(space.enumerate())
    scores = worth(programs)
    features, process = fitted(space, programs, scores)
    found = process.left_out(scores)
    kernel, mean = process._kernel, scores.mean()
    matrix = direct(features, kernel, programs, programs) + (kernel.noise + gp.JITTER) * np.eye(len(programs))
    for out in range(len(programs)):
        rest = [place for place in range(len(programs)) if place != out]
        weights = np.linalg.solve(matrix[np.ix_(rest, rest)], scores[rest] - mean)
        assert found[out] == pytest.approx(mean + matrix[out, rest] @ weights, abs=1e-7)


@settings(max_examples=8, deadline=None)
@given(st.integers(2, 60), st.sampled_from([(1.0, 0.0), (0.1, 3.0)]))
def test_covariances_are_positive_semidefinite(number: int, parameters: tuple[float, float]) -> None:
    space = random_space(number)
    programs = drawn(space, 30)
    parts = Features(space).parts(programs)
    decay, linear = parameters
    matrix = Apart.between(parts, parts).covariance(Kernel(decay, 5 * decay, decay, linear, 0.0))
    assert matrix == pytest.approx(matrix.T)
    assert np.linalg.eigvalsh(matrix).min() > -1e-9 * len(programs)


def test_likelihood_is_the_density_at_the_best_variance() -> None:
    space = loads(MIXED)
    programs = drawn(space, 20)
    scores = worth(programs)
    features, _ = fitted(space, programs, scores)
    parts = features.parts(programs)
    kernels = [Kernel(0.3, 0.5, 0.0, 0.0, 0.05), Kernel(1.0, 3.0, 0.0, 1.0, 0.2)]
    found = [gp._likelihood(kernel, Apart.between(parts, parts), scores) for kernel in kernels]
    expected = []
    for kernel in kernels:
        matrix = direct(features, kernel, programs, programs) + (kernel.noise + gp.JITTER) * np.eye(20)
        densities = [
            multivariate_normal(np.full(20, scores.mean()), variance * matrix).logpdf(scores)
            for variance in np.geomspace(0.02, 50, 401)
        ]
        expected.append(max(densities))
    constant = -10 * (math.log(2 * math.pi) + 1)
    assert np.array(found) + constant == pytest.approx(expected, abs=1e-3)


def test_parameters_cannot_be_bettered_along_one_axis_of_the_grid() -> None:
    space = make_space("floats")
    programs = drawn(space, 30)
    scores = np.array([math.log(float(choices["rate"])) for choices in programs])  # type: ignore[arg-type]
    features, process = fitted(space, programs, scores)
    parts = features.parts(programs)
    apart = Apart.between(parts, parts)
    best = gp._likelihood(process._kernel, apart, scores)
    for linear in gp.LINEAR:
        for noise in gp.NOISES:
            assert gp._likelihood(attrs.evolve(process._kernel, linear=linear, noise=noise), apart, scores) <= best


def test_what_is_believed_makes_the_process_surer_only_there() -> None:
    space = loads(FLOATS)
    programs, flying, far = drawn(space, 20), drawn(space, 30, 1), [space.choices({"a": 0.0, "b": 0.0, "c": 0.0})]
    scores = worth(programs) + np.array([float(choices["a"]) for choices in programs])  # type: ignore[arg-type]
    features, process = fitted(space, programs, scores)
    before = process._kernel, process._mean, process._variance
    expected, sure = process.predict(features, far), process.predict(features, flying).spread
    process.fit(features, [*programs, *flying], np.concatenate([scores, process.predict(features, flying).mean]), 0, 30)
    assert (process._kernel, process._mean, process._variance) == before
    assert process.predict(features, far).mean == pytest.approx(expected.mean, abs=1e-6)
    assert (process.predict(features, flying).spread <= sure + 1e-9).all()


def test_programs_beyond_the_most_are_the_best_and_the_latest() -> None:
    scores = np.array([9.0, 0.0, 8.0, 1.0, 2.0, 3.0])
    assert gp._kept(scores, 4).tolist() == [0, 2, 4, 5]
    assert gp._kept(scores, 6).tolist() == list(range(6))
