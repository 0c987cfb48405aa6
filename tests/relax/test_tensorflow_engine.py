"""Training on TensorFlow against that on PyTorch, from equal weights, data and logits."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest
import tensorflow as tf
import torch
from archlang_tensorflow.supernet.engine import TensorFlowEngine
from archlang_tensorflow.supernet.tensors import TensorFlowTensors
from archlang_torch.supernet.tensors import TorchTensors
from numpy.typing import NDArray
from scipy import stats

import archlang as al
from archlang.backend import backend, engines
from archlang.relax.engine import Batch, Draw, Engine, Tensor
from archlang.relax.method import Method
from archlang.relax.mixtures.dirichlet import Dirichlet
from archlang.relax.mixtures.gates import Gates
from archlang.relax.mixtures.gumbel import Gumbel
from archlang.relax.mixtures.sigmoid import Sigmoid
from archlang.relax.mixtures.softmax import Softmax
from archlang.relax.paths.shrinking import Phase, Shrinking
from archlang.relax.penalties.concentration import Concentration
from archlang.relax.penalties.cost import MultipliedCost
from archlang.relax.penalties.entropy import Entropy
from archlang.relax.penalties.projection import Projection
from archlang.relax.session import Session
from archlang.relax.settings import ArchitectureSettings, WeightSettings
from archlang.relax.updates.alternating import Alternating
from archlang.relax.updates.joint import Joint
from archlang.relax.updates.rarts import Rarts
from archlang.relax.updates.unrolled import Unrolled
from archlang.relax.updates.weights_only import WeightsOnly
from tests.relax.spaces import SPACES
from tests.relax.test_engine import DROPPING
from tests.relax.training import TWO, batches_of, session_of

Array = NDArray[Any]
ARCHITECTURE = ArchitectureSettings(lr=0.02, betas=(0.5, 0.999), decay=0.01)
WEIGHTS = WeightSettings(lr=0.1, momentum=0.9, decay=0.01, clip=0.5, smoothing=0.1)


class Drawn:
    """Draws that do not depend on the backend."""

    def __init__(self, session: Session) -> None:
        self._random = np.random.default_rng(5)
        self._constant = session.engine.tensors.constant
        session.engine.tensors.exponential = self.exponential  # type: ignore[method-assign]

    def exponential(self, size: int) -> Any:
        return self._constant(self._random.exponential(size=size))


def pair(method: Method, text: str = TWO) -> tuple[Session, Session]:
    """A session on each backend, with the same weights, logits, and draws."""
    sessions = session_of(method, text), session_of(method, text, kind=TensorFlowEngine, backend="tensorflow")
    for session in sessions:
        Drawn(session)
    return sessions


def values_of(session: Session) -> dict[str, Array]:
    """Weights and logits by name; Keras's variances are biased."""
    found = {name: v for name, v in session.engine.supernet.arrays().items() if not name.endswith("variance")}
    parameters = session.engine.parameters.items()
    return found | {name: np.array(session.engine.tensors.numbers(tensor)) for name, tensor in parameters}


def check(one: Session, other: Session, tolerance: float = 1e-5) -> None:
    expected = values_of(one)
    found = values_of(other)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, tolerance, tolerance, err_msg=name)


def trained(session: Session, batches: list[Batch], steps: range) -> list[float]:
    losses = []
    for step in steps:
        session.progress, session.rate = step / 6, 0.1 / (1 + step)
        losses.append(session.method.update.step(session, batches[step % 3], batches[(step + 1) % 3]))
    return losses


METHODS = {
    "first order": Method(sampler=Softmax(spread=1.0)),
    "second order": Method(sampler=Softmax(spread=1.0, null=True), update=Unrolled()),
    "edges, Nesterov": Method(
        sampler=Softmax(spread=1.0, edges="softmax"),
        weights=WeightSettings(lr=0.1, nesterov=True, clip=0.01, clip_values=True),
    ),
    "soft, joint": Method(sampler=Gumbel(temperature=2.0), update=Joint(), penalties=(MultipliedCost(),)),
    "hard": Method(sampler=Gumbel(hard=True), update=Alternating(weights_first=True)),
    "gates": Method(sampler=Gates(spread=1.0)),
    "two sets": Method(sampler=Sigmoid(spread=1.0), update=Rarts(share=1.5), penalties=(Entropy(weight=0.5),)),
    "projected": Method(
        sampler=Softmax(),
        weights=WeightSettings(momentum=0, clip=None),
        penalties=(Projection(), Concentration(weight=0.1, distance="kl")),
    ),
}


@pytest.mark.parametrize("name", METHODS)
def test_steps_are_those_of_the_other_backend(name: str) -> None:
    method = METHODS[name]
    if method.weights == WeightSettings():
        method = attrs.evolve(method, weights=WEIGHTS)
    one, other = pair(attrs.evolve(method, architecture=ARCHITECTURE))
    check(one, other, 0)
    before = values_of(other)
    losses = [trained(session, batches_of(session, 3), range(4)) for session in (one, other)]
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-5)
    check(one, other)
    after = values_of(other)
    moved = {key for key, value in after.items() if (value != before[key]).any()}
    assert {"linear.kernel", "batch_norm.mean", "edge#1"} <= moved


@pytest.mark.parametrize("loss", ["cross_entropy", "mse"])
def test_gradients_of_several_programs_are_added(loss: str) -> None:
    """Steps of a sandwich: the largest program by the targets, the others by its outputs. Then one without
    the momentum of these."""
    space = al.loads(SPACES["elastic"])
    x = np.random.default_rng(0).standard_normal((8, 3, 8, 8)).astype(np.float32)
    y = np.arange(8) % 5 if loss == "cross_entropy" else np.random.default_rng(1).standard_normal((8, 5))
    largest, *others = [space.sample(seed).choices for seed in range(3)]

    def train(engine: Engine) -> dict[str, Array]:
        batch = engine.batch(x, y)
        for _ in range(2):
            teachers = [engine.outputs(batch, largest)]

            def by_targets(teachers: list[Tensor] = teachers) -> Tensor:
                loss, output = engine.loss_and_outputs(batch, largest)
                teachers.append(output)
                return loss

            engine.clear(weights=True)
            engine.add_gradients(by_targets, weights=True)
            np.testing.assert_allclose(*teachers, rtol=1e-5)
            for choices in others:
                part = partial(engine.loss, batch, choices, teachers[1], labels=0.3)
                engine.add_gradients(lambda part=part: 0.5 * part(), weights=True)
            engine.step_weights(0.1)
        engine.restart_optimizer()
        engine.add_gradients(lambda: engine.loss(batch, others[0]), weights=True)
        engine.step_weights(0.1)
        found: dict[str, Array] = engine.supernet.arrays()
        return found

    one, other = (
        train(engines(name).engine(space.supernet(name), {}, WEIGHTS, ARCHITECTURE, loss, 0))
        for name in ("torch", "tensorflow")
    )
    for address, value in one.items():
        if not address.endswith("variance"):
            np.testing.assert_allclose(other[address], value, 1e-5, 1e-5, err_msg=address)


def as_trained(text: str) -> tuple[Session, Session, list[tuple[Batch, Batch]]]:
    """Sessions with the same weights and statistics after a step, and batches of two sizes for each."""
    one, other = pair(Method(sampler=Softmax(spread=1.0)), text)
    one.train_weights(batches_of(one, 1)[0])
    other.engine.supernet.set_arrays(one.engine.supernet.arrays())
    sizes = (8, 3)
    given = [[batches_of(session, 1, size, seed=size)[0] for size in sizes] for session in (one, other)]
    return one, other, [*zip(*given, strict=True)]


@pytest.mark.parametrize("by_batch", [True, False])
def test_measures_are_those_of_the_other_backend_and_change_nothing(by_batch: bool) -> None:
    one, other, batches = as_trained(SPACES["nested"])
    for way in (one.space.sample(3).choices, None):
        expected, found = (
            session.engine.measure(given, way or session.draw(of_weights=False), by_batch=by_batch)
            for session, given in zip((one, other), zip(*batches, strict=True), strict=True)
        )
        assert found == pytest.approx(expected, rel=1e-5)
    for address, value in one.engine.supernet.arrays().items():
        np.testing.assert_array_equal(other.engine.supernet.arrays()[address], value)


@pytest.mark.parametrize("name", ["nested", "elastic"])
def test_recalibrated_statistics_are_those_of_the_other_backend(name: str) -> None:
    one, other, batches = as_trained(SPACES[name])
    before = other.engine.supernet.arrays()
    for way in (one.space.sample(5).choices, None):
        for session, given in zip((one, other), zip(*batches, strict=True), strict=True):
            session.engine.recalibrate(given, way or session.draw(of_weights=True))
        found = other.engine.supernet.arrays()
        for address, value in one.engine.supernet.arrays().items():
            np.testing.assert_allclose(found[address], value, 1e-5, 1e-6, err_msg=address)
    for address, value in found.items():  # after the mixture, which has them all
        assert (value != before[address]).all() == address.endswith((".mean", ".variance")), address


# ------------------------------------------------------------------------ tensors


def test_functions_are_those_of_the_other_backend() -> None:
    ours, theirs = TensorFlowTensors(0), TorchTensors(torch.device("cpu"), 0)
    x = [0.3, 1.2, 0.7, 2.5]
    for name in ("softmax", "log_softmax", "sigmoid", "elu", "log", "lgamma", "digamma", "sum", "stop"):
        given, wanted = ours.constant(x), theirs.constant(x).requires_grad_()
        with tf.GradientTape() as tape:
            tape.watch(given)
            found = getattr(ours, name)(given - 0.1)
            total = tf.reduce_sum(found * found)
        expected = getattr(theirs, name)(wanted - 0.1)
        np.testing.assert_allclose(found, expected.detach(), 1e-5, 1e-6, err_msg=name)
        if name == "stop":
            assert tape.gradient(total, given) is None
            continue
        (gradient,) = torch.autograd.grad(expected.square().sum(), wanted)
        np.testing.assert_allclose(tape.gradient(total, given), gradient, 1e-4, 1e-5, err_msg=name)
    assert ours.numbers(ours.stack([ours.constant(1.0), ours.constant(2.0)])) == [1.0, 2.0]


def test_exponential_draws() -> None:
    tensors = TensorFlowTensors(3)
    drawn = tensors.exponential(20_000).numpy()
    assert stats.kstest(drawn, "expon").pvalue > 1e-3
    assert (drawn > 0).all()
    np.testing.assert_array_equal(TensorFlowTensors(3).exponential(20_000), drawn)
    assert (tensors.exponential(20_000) != drawn).numpy().any()


@pytest.mark.parametrize("concentration", [(1.0, 2.0, 0.5), (0.2, 0.1, 0.1)])
def test_dirichlet_draws_and_their_gradients(concentration: tuple[float, ...]) -> None:
    """The mean of w_0^2 + w_0 w_1, and of its gradients, which is the gradient of its mean."""
    tensors, count = TensorFlowTensors(0), 400
    given = tf.Variable(tf.constant(concentration))
    values, gradients = [], []
    for _ in range(count):
        with tf.GradientTape() as tape:
            w = tensors.dirichlet(given)
            value = w[0] * w[0] + w[0] * w[1]
        assert float(tf.reduce_sum(w)) == pytest.approx(1, abs=1e-5)
        values.append(float(value))
        gradients.append(tf.convert_to_tensor(tape.gradient(value, given)).numpy())
    exact = torch.tensor(concentration, dtype=torch.float64, requires_grad=True)
    total = exact.sum()
    mean = exact[0] * (exact[0] + 1 + exact[1]) / (total * (total + 1))
    (gradient,) = torch.autograd.grad(mean, exact)
    assert abs(np.mean(values) - mean.item()) < 4 * np.std(values) / count**0.5
    assert (abs(np.mean(gradients, 0) - gradient.numpy()) < 4 * np.std(gradients, 0) / count**0.5).all()


def test_dirichlet_draws_of_vanishing_concentrations_are_weights() -> None:
    drawn = np.array([TensorFlowTensors(seed).dirichlet(tf.constant([1e-6, 1e-6])) for seed in range(50)])
    np.testing.assert_allclose(drawn.sum(1), 1, rtol=1e-6)
    assert 10 < drawn[:, 0].sum() < 40


# -------------------------------------------------------------------------- state

STATES = {
    "two sets": Method(sampler=Softmax(), update=Rarts()),
    "parts": Method(sampler=Gumbel(hard=True)),
    "draws": Method(sampler=Dirichlet()),
    "paths": Method(sampler=Shrinking(phases=[Phase(0.2, "*", programs=2)]), update=WeightsOnly()),
}


def dropping(method: Method, seed: int = 0) -> Session:
    return session_of(method, DROPPING, seed, TensorFlowEngine, "tensorflow")


@pytest.mark.parametrize("name", STATES)
def test_three_steps_and_three_more_from_a_file_are_six(name: str, tmp_path: Path) -> None:
    whole, first, second = (dropping(STATES[name], seed) for seed in (0, 0, 7))
    batches = batches_of(whole, 3)
    trained(whole, batches, range(6))
    trained(first, batches, range(3))
    np.savez(tmp_path / "state.npz", **first.engine.state())
    with np.load(tmp_path / "state.npz", allow_pickle=False) as file:
        second.engine.set_state(dict(file))
    second.random = first.random
    trained(second, batches, range(3, 6))
    expected, found = whole.engine.state(), second.engine.state()
    assert found.keys() == expected.keys()
    for key, array in expected.items():
        np.testing.assert_array_equal(found[key], array, err_msg=key, strict=True)


def test_a_state_of_another_supernet_is_refused() -> None:
    session = dropping(Method(sampler=Softmax()))
    before = session.engine.state()
    shape = before["supernet/linear.kernel"].shape
    wrong = {**before, "supernet/linear.kernel": np.zeros(3), "second/momentum/linear.kernel": np.zeros(shape)}
    with pytest.raises(al.ArchError, match="the state is that of another supernet or another method") as caught:
        session.engine.set_state(wrong)
    assert "`second/supernet/conv2d.kernel` is missing" in str(caught.value)
    for name, array in session.engine.state().items():
        np.testing.assert_array_equal(array, before[name])


def test_a_state_is_a_copy() -> None:
    session = dropping(Method(sampler=Softmax()))
    batches = batches_of(session, 3)
    state = session.engine.state()
    kept = {name: array.copy() for name, array in state.items()}
    trained(session, batches, range(2))
    for name, array in state.items():
        np.testing.assert_array_equal(array, kept[name])
    session.engine.set_state(state)
    for name, array in session.engine.state().items():
        np.testing.assert_array_equal(array, kept[name])


def test_what_is_dropped_is_drawn_anew_in_each_step_that_is_traced() -> None:
    space = al.loads("use std.nn\nspace s(x: f32[n, 50]) { x |> choose { a: dropout(0.5), b: identity } as way }")
    session = session_of(Method(sampler=Softmax()), space, kind=TensorFlowEngine, backend="tensorflow")
    (batch,) = batches_of(session, 1)
    (variable,) = session.engine.supernet.varied.decisions
    draw = Draw({(variable, False): tf.constant([1.0, 0.0])})
    first, second = (session.engine.outputs(batch, draw).numpy() for _ in range(2))
    assert 0.3 < (first == 0).mean() < 0.7
    assert (first != second).any()


# ------------------------------------------------------------------------ the whole


def test_a_supernet_is_trained_as_on_the_other_backend() -> None:
    space = al.loads(TWO.replace("f32[n, 3", "f32[n, 1").replace("linear(5)", "linear(10)"))
    settings = {"epochs": 2, "architecture.lr": 0.1, "batch_size": 256, "weights.lr": 0.1}
    one, other = (
        al.train_supernet(space, "digits", settings=settings, seed=1, backend=name) for name in ("torch", "tensorflow")
    )
    for expected, found in zip(one.history, other.history, strict=True):
        assert found.loss == pytest.approx(expected.loss, rel=1e-4)
        for name, shares in expected.likelihoods.items():
            np.testing.assert_allclose(found.likelihoods[name], shares, rtol=1e-3)
    assert other.best is not None
    assert other.inherited is not None
    assert other.found[0].choices == one.found[0].choices
    x = np.random.default_rng(0).standard_normal((2, 1, 8, 8)).astype(np.float32)
    expected = backend("torch").run(other.inherited.build("torch"), x)
    np.testing.assert_allclose(other.supernet.path(other.found[0].choices, x), expected, 1e-5, 1e-5)
