"""Mixtures against their formulas, worked out in plain PyTorch or by statistics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container
from itertools import combinations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from archlang_torch.supernet.engine import TorchEngine
from archlang_torch.supernet.network import Supernet
from archlang_torch.supernet.tensors import TorchTensors
from torch import Tensor

import archlang as al
from archlang.relax.engine import Draw, Moment
from archlang.relax.method import Method
from archlang.relax.mixtures.dirichlet import Dirichlet
from archlang.relax.mixtures.gates import Gates
from archlang.relax.mixtures.gumbel import FBNET, GDAS, SNAS, Gumbel
from archlang.relax.mixtures.mixture import Mixture
from archlang.relax.mixtures.sigmoid import Sigmoid
from archlang.relax.mixtures.softmax import Softmax
from archlang.relax.session import Session
from archlang.relax.settings import ArchitectureSettings, Schedule, WeightSettings
from tests.relax.spaces import SPACES
from tests.relax.training import batches_of, session_of

ALL = range(4)
LOGITS = torch.tensor([0.3, -1.0, 0.8, 0.1])
MIXTURES = [
    Softmax(),
    Softmax(null=True),
    Gumbel(temperature=SNAS),
    Gumbel(hard=True),
    Gumbel(hard=True, null=True),
    Dirichlet(),
    Sigmoid(),
    Gates(),
    Gates(compared="all"),
]
WEIGHTS, ARCHITECTURE = Moment(0.5, of_weights=True), Moment(0.5, of_weights=False)

# One choice of four, with weights of their own, between fixed layers.
FOUR = """
use std.nn
space four(x: f32[n, 6]) {
  x |> linear(4) |> choose { a: linear(4), b: tanh, c: linear(4) >> gelu, d: identity } as way |> linear(5)
}
"""


def tensors(seed: int = 0) -> TorchTensors:
    return TorchTensors(torch.device("cpu"), seed)


def session(mixture: Mixture, text: str = FOUR, seed: int = 0) -> Session:
    found = session_of(
        Method(sampler=mixture, architecture=ArchitectureSettings(lr=0.1, betas=(0.0, 0.999), decay=0)), text, seed
    )
    with torch.no_grad():
        for parameter in found.engine.parameters.values():
            parameter.copy_(torch.linspace(-0.5, 0.7, len(parameter)))
    return found


def network(found: Session) -> Supernet:
    assert isinstance(found.engine, TorchEngine)
    return found.engine.supernet


def by_hand(found: Session, batch: tuple[Tensor, Tensor], weights: Tensor, computed: Container[int] = ALL) -> Tensor:
    """The loss of FOUR under some weights of its alternatives, of which those that are not computed add just
    their weight."""
    values = dict(network(found).named_parameters())

    def linear(at: str, x: Tensor) -> Tensor:
        return F.linear(x, values[f"{at}.weight"], values[f"{at}.bias"])

    x = linear("linear#1", batch[0])
    outputs = [linear("way:a", x), x.tanh(), F.gelu(linear("way:c/linear", x)), x]
    total = torch.zeros_like(x)
    for place, (weight, output) in enumerate(zip(weights.unbind(), outputs, strict=True)):
        total = total + (weight * output if place in computed else weight)
    return F.cross_entropy(linear("linear#2", total), batch[1])


# ---------------------------------------------------------------------- Gumbel


def test_soft_gumbel_weights_follow_the_formula() -> None:
    mixture = Gumbel(temperature=2.0)
    weights, active = mixture.weigh(LOGITS, tensors(3), ARCHITECTURE)
    noise = -torch.empty(4).exponential_(generator=torch.Generator().manual_seed(3)).log()
    torch.testing.assert_close(weights, ((LOGITS.log_softmax(0) + noise) / 2).softmax(0))
    assert active is None


@pytest.mark.parametrize(("schedule", "ends"), [(GDAS, (10, 0.1)), (SNAS, (1, 0.03)), (FBNET, (5, 0.0871))])
def test_temperatures_go_as_in_the_papers(schedule: Schedule, ends: tuple[float, float]) -> None:
    assert schedule.at(0) == ends[0]
    assert schedule.at(1) == pytest.approx(ends[1], rel=1e-3)
    assert FBNET.at(1 / 90) == pytest.approx(5 * 0.956)
    assert GDAS.at(0.5) == pytest.approx(5.05)


def test_the_temperature_sharpens_the_weights_over_the_training() -> None:
    mixture = Gumbel(temperature=Schedule(10, 0.01))
    largest = [
        np.mean([float(mixture.weigh(LOGITS, source, Moment(at, False))[0].max()) for _ in range(50)])
        for at, source in ((0.0, tensors()), (1.0, tensors()))
    ]
    assert largest[0] < 0.4 < 0.98 < largest[1]


def test_hard_gumbel_draws_by_the_softmax() -> None:
    mixture, source = Gumbel(hard=True), tensors()
    counts: Counter[int] = Counter()
    for _ in range(4000):
        weights, active = mixture.weigh(LOGITS, source, WEIGHTS)
        assert active is not None
        assert weights.tolist() == [float(place == active[0]) for place in range(4)]
        counts[active[0]] += 1
    expected = (4000 * LOGITS.softmax(0)).tolist()
    assert sum((counts[place] - count) ** 2 / count for place, count in enumerate(expected)) < 16.3  # chi-square, 0.1%


def test_gdas_computes_the_drawn_alternative_and_has_the_gradients_of_all() -> None:
    mixture = Gumbel(hard=True, temperature=1.5)
    found = session(mixture)
    (batch,) = batches_of(found, 1)
    engine = found.engine
    assert isinstance(engine, TorchEngine)
    noise = -torch.empty(4).exponential_(generator=torch.Generator().manual_seed(0)).log()
    loss = engine.add_gradients(found.objective(batch), parameters=True, weights=True)

    logits = engine.parameters["way"].detach().clone().requires_grad_()
    soft = ((logits.log_softmax(0) + noise) / 1.5).softmax(0)
    drawn = int(soft.argmax())
    hard = torch.eye(4)[drawn] - soft.detach() + soft
    expected = by_hand(found, batch, hard, [drawn])
    assert loss == pytest.approx(expected.item(), abs=1e-6)
    (gradient,) = torch.autograd.grad(expected, logits)
    torch.testing.assert_close(engine.parameters["way"].grad, gradient)
    assert found.drawn.active == {found.questions[0].variable: [drawn]}
    trained = {name for name, tensor in network(found).named_parameters() if tensor.grad is not None}
    assert ("way:a.weight" in trained) is (drawn == 0)
    assert ("way:c/linear.weight" in trained) is (drawn == 2)


def test_infinite_noise_is_drawn_again() -> None:
    class Zero(TorchTensors):
        draws = 0

        def exponential(self, size: int) -> Tensor:
            self.draws += 1
            return torch.tensor([0.0] + [1.0] * (size - 1)) if self.draws < 3 else super().exponential(size)

    source = Zero(torch.device("cpu"), 0)
    weights, _ = Gumbel().weigh(LOGITS, source, WEIGHTS)
    assert source.draws == 3
    assert weights.isfinite().all()
    lost, _ = Gumbel(hard=True).weigh(torch.tensor([torch.nan, 0.0]), tensors(), WEIGHTS)
    assert not lost.isfinite().all()


def test_a_null_that_is_drawn_computes_nothing() -> None:
    found = session(Gumbel(hard=True, null=True))
    (batch,) = batches_of(found, 1)
    logits = found.engine.parameters["way"]
    assert len(logits) == 5
    with torch.no_grad():
        logits.copy_(torch.tensor([50.0, 0, 0, 0, 0]))
    nothing = by_hand(found, batch, torch.zeros(4))
    assert found.engine.add_gradients(found.objective(batch)) == pytest.approx(nothing.item(), abs=1e-6)
    with torch.no_grad():
        logits.copy_(torch.tensor([0.0, 0, 0, 50, 0]))
    third = by_hand(found, batch, torch.eye(4)[2])
    assert found.engine.add_gradients(found.objective(batch)) == pytest.approx(third.item(), abs=1e-6)


# --------------------------------------------------------- Dirichlet and sigmoid


def test_dirichlet_weights_have_the_mean_and_variance_of_their_distribution() -> None:
    drawn, _ = Dirichlet().weigh(LOGITS.expand(4000, 4), tensors(), WEIGHTS)
    each = torch.where(LOGITS > 0, LOGITS, LOGITS.exp() - 1) + 1
    mean = each / each.sum()
    torch.testing.assert_close(drawn.mean(0), mean, rtol=0, atol=0.02)
    torch.testing.assert_close(drawn.var(0), mean * (1 - mean) / (each.sum() + 1), rtol=0, atol=0.01)
    torch.testing.assert_close(drawn.sum(1), torch.ones(4000))


def test_gradients_pass_through_dirichlet_draws() -> None:
    """The derivative of the mean of many draws is that of the distribution's mean."""
    logits = LOGITS.clone().requires_grad_()
    drawn, _ = Dirichlet().weigh(logits.expand(4000, 4), tensors(), WEIGHTS)
    (found,) = torch.autograd.grad(drawn[:, 0].mean(), logits)
    each = F.elu(logits) + 1
    (expected,) = torch.autograd.grad(each[0] / each.sum(), logits)
    torch.testing.assert_close(found, expected, rtol=0, atol=0.02)


def test_dirichlet_weights_stay_finite_for_extreme_logits() -> None:
    logits = torch.tensor([-40.0, 3.0, -200.0]).requires_grad_()
    weights, _ = Dirichlet().weigh(logits, tensors(), WEIGHTS)
    (gradient,) = torch.autograd.grad(weights[1], logits)
    assert weights.isfinite().all()
    assert gradient.isfinite().all()


def test_sigmoid_weights_do_not_compete() -> None:
    weights, active = Sigmoid().weigh(LOGITS, tensors(), WEIGHTS)
    np.testing.assert_allclose(weights, 1 / (1 + np.exp(-LOGITS.numpy())), rtol=1e-6)
    assert active is None
    torch.testing.assert_close(Sigmoid().probabilities(LOGITS, tensors()), weights)


# ----------------------------------------------------------------------- gates


def test_weights_are_trained_on_one_path_which_is_drawn_by_the_softmax() -> None:
    found = session(Gates())
    (batch,) = batches_of(found, 1)
    counts: Counter[int] = Counter()
    for _ in range(2000):
        drawn = found.draw(of_weights=True)
        ((place,),) = drawn.active.values()
        counts[place] += 1
    likely = found.engine.parameters["way"].softmax(0).tolist()
    expected = [2000 * chance for chance in likely]
    assert sum((counts[place] - count) ** 2 / count for place, count in enumerate(expected)) < 16.3
    losses = [by_hand(found, batch, torch.eye(4)[place]).item() for place in range(4)]
    for _ in range(8):
        found.engine.clear(weights=True, parameters=True)
        loss = found.engine.add_gradients(found.loss(batch), weights=True, parameters=True)
        assert min(abs(loss - other) for other in losses) < 1e-6
        assert found.engine.parameter_gradients() == {"way": None}


def gate_gradients(found: Session, batch: tuple[Tensor, Tensor], chosen: int) -> list[float]:
    """dL/dg_j = <dL/dy, o_j> where the gate of one alternative is open."""
    gates = torch.eye(4)[chosen].requires_grad_()
    (gradient,) = torch.autograd.grad(by_hand(found, batch, gates), gates)
    listed: list[float] = gradient.tolist()
    return listed


def formula(slopes: list[float], p: list[float], over: list[int]) -> list[float]:
    """Equation 4 of ProxylessNAS, in loops; p and the sum are over some alternatives."""
    found = [0.0] * len(slopes)
    for i, p_i in zip(over, p, strict=True):
        for j, p_j in zip(over, p, strict=True):
            found[i] += slopes[j] * p_j * ((i == j) - p_i)
    return found


@pytest.mark.parametrize("compared", ["all", "two"])
def test_gates_have_the_gradient_of_the_paper(compared: str) -> None:
    found = session(Gates(compared=compared))
    (batch,) = batches_of(found, 1)
    variable = found.questions[0].variable
    logits = found.engine.parameters["way"]
    seen = set()
    for _ in range(12):
        found.engine.clear(parameters=True)
        loss = found.engine.add_gradients(found.objective(batch), parameters=True)
        weights = found.drawn.weights[variable, False]
        assert weights is not None
        chosen = int(weights.argmax())
        assert weights.tolist() == torch.eye(4)[chosen].tolist()
        assert loss == pytest.approx(by_hand(found, batch, torch.eye(4)[chosen]).item(), abs=1e-6)
        over = list(found.drawn.active.get(variable, range(4)))
        assert len(over) == (4 if compared == "all" else 2)
        p = logits.detach()[over].softmax(0).tolist()
        np.testing.assert_allclose(logits.grad, formula(gate_gradients(found, batch, chosen), p, over), atol=1e-7)
        seen.add((chosen, *over))
    assert len(seen) > 2


def test_two_are_drawn_without_replacement_and_one_of_them_by_their_softmax() -> None:
    mixture, source = Gates(), tensors()
    pairs: Counter[tuple[int, ...]] = Counter()
    opened: Counter[int] = Counter()
    for _ in range(6000):
        weights, pair = mixture.weigh(LOGITS, source, ARCHITECTURE)
        assert pair is not None
        pairs[tuple(pair)] += 1
        if tuple(pair) == (0, 2):
            opened[int(weights.argmax())] += 1
    p = LOGITS.softmax(0).tolist()
    chi = 0.0
    for a, b in combinations(range(4), 2):
        expected = 6000 * (p[a] * p[b] / (1 - p[a]) + p[b] * p[a] / (1 - p[b]))
        chi += (pairs[a, b] - expected) ** 2 / expected
    assert chi < 20.5  # 5 degrees of freedom, 0.1%
    assert opened[0] / opened.total() == pytest.approx(p[0] / (p[0] + p[2]), abs=0.04)


def test_after_a_step_two_are_together_as_likely_as_before() -> None:
    found = session(Gates())
    batches = batches_of(found)
    variable = found.questions[0].variable
    for _ in range(10):
        before = found.engine.parameters["way"].detach().softmax(0).clone()
        found.method.update.step(found, *batches)
        after = found.engine.parameters["way"].detach().softmax(0)
        a, b = found.drawn.active[variable]
        torch.testing.assert_close(after[[a, b]].sum(), before[[a, b]].sum(), rtol=1e-5, atol=1e-7)
        others = [place for place in range(4) if place not in (a, b)]
        torch.testing.assert_close(after[others], before[others], rtol=1e-5, atol=1e-7)
        assert abs(after[a] - before[a]) > 1e-4


def test_a_decision_between_one_alternative_needs_no_gates() -> None:
    weights, active = Gates().weigh(torch.zeros(1), tensors(), ARCHITECTURE)
    assert weights.tolist() == [1.0]
    assert active is None


@pytest.mark.parametrize("mixture", MIXTURES, ids=repr)
def test_mixtures_train_every_kind_of_space(mixture: Mixture) -> None:
    for text in SPACES.values():
        found = session(mixture, text)
        batches = batches_of(found)
        before = {name: tensor.detach().clone() for name, tensor in found.engine.parameters.items()}
        for _ in range(3):
            assert np.isfinite(found.method.update.step(found, *batches))
        after = found.engine.parameters
        assert any((after[name] != before[name]).any() for name in before)
        assert all(tensor.isfinite().all() for tensor in after.values())


def test_a_pick_that_no_program_has_is_not_weighed() -> None:
    found = session(Gumbel(hard=True), SPACES["recursive"])
    deepest = next(question for question in found.questions if question.name == "tree:split/tree#1")
    assert (deepest.picks, deepest.open) == (3, (0, 1))
    assert len(found.engine.parameters[deepest.name]) == 2
    likely = Gumbel().likelihoods(found.engine.parameters, deepest, found.engine.tensors)
    assert likely is not None
    torch.testing.assert_close(likely, torch.cat([found.engine.parameters[deepest.name].softmax(0), torch.zeros(1)]))
    nested, outer = (next(q.variable for q in found.questions if q.name == name) for name in (deepest.name, "tree"))
    (batch,) = batches_of(found, 1)
    with pytest.raises(al.ArchError, match="some of these alternatives do not go together"):
        found.engine.loss(batch, Draw({}, {outer: (2,), nested: (2,)}))
    drawn = {pick for _ in range(60) for pick in found.draw(of_weights=True).active[deepest.variable]}
    assert drawn == {0, 1}


def test_decisions_of_one_address_and_several_domains_have_logits_of_their_own() -> None:
    text = """
use std.nn
block layer(most: int)(x: [n, c, h, w]) { x |> conv2d(c, kernel=2 * (choose 1..most as size) - 1) }
space s(image: f32[n, 3, 8, 8]) {
  deep = choose 1..2 as deep
  image |> layer(deep + 1) |> layer(deep + 1) |> repeat(deep, conv2d(3)) |> global_avg_pool >> linear(5)
}
"""
    found = session(Softmax(), text)
    sizes = {name: len(logits) for name, logits in found.engine.parameters.items()}
    assert sizes == {"deep": 2, "layer#1.size": 3, "layer#1.size#2": 2, "layer#2.size": 3, "layer#2.size#2": 2}


LEARNT = """
use std.nn
space learnt(x: f32[n, 4]) {
  x |> choose { no: slice(1, 2, 4), yes: slice(1, 0, 2), nor: slice(1, 2, 4) >> relu } as way
    |> linear(8) >> relu >> linear(5)
}
"""


@pytest.mark.parametrize("mixture", MIXTURES, ids=repr)
@pytest.mark.parametrize("seed", [0, 1])
def test_mixtures_find_the_alternative_that_matters(mixture: Mixture, seed: int) -> None:
    method = Method(
        sampler=mixture,
        weights=WeightSettings(lr=0.1, momentum=0, decay=0),
        architecture=ArchitectureSettings(lr=0.05, decay=0),
    )
    found = session_of(method, LEARNT, seed)
    random = np.random.default_rng(seed)
    x = random.standard_normal((512, 4)).astype(np.float32)
    y = np.where(x[:, 0] > 0, 1, 3)
    train, validation = (found.engine.batch(x[part], y[part]) for part in (slice(256), slice(256, 512)))
    for _ in range(30):
        found.train_weights(train)
    for step in range(120):
        found.progress = step / 120
        found.method.update.step(found, train, validation)
    likely = mixture.likelihoods(found.engine.parameters, found.questions[0], found.engine.tensors)
    assert likely is not None
    assert likely.argmax() == 1
    assert likely[1] > 0.7
