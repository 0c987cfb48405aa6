"""Derived supernets equal those that are written by hand: with equal weights, all that a training step asks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial

import pytest
import torch
from archlang_torch.supernet.engine import TorchEngine
from torch import Tensor
from torch.nn import functional as F

import archlang as al
from archlang.relax.method import Method
from archlang.relax.mixtures.softmax import Softmax
from archlang.relax.questions import questions
from archlang.relax.session import Session
from archlang.relax.settings import WeightSettings
from archlang.relax.updates.unrolled import Unrolled
from archlang.space import Space
from benchmarks.oneshot import darts, gdas
from benchmarks.oneshot.darts import first_order, second_order
from tests.relax.correspondence import darts_name, edge_number, in_reference, load, nasbench201_name, renamed
from tests.relax.training import session_of

CLASSES = 5
RATE = 0.025


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)  # small networks gain nothing by more
    torch.manual_seed(0)


def engine_of(session: Session) -> TorchEngine:
    assert isinstance(session.engine, TorchEngine)
    return session.engine


def batch(count: int = 4, side: int = 32) -> tuple[Tensor, Tensor]:
    return torch.randn(count, 3, side, side), torch.randint(CLASSES, (count,))


def in_double(session: Session) -> None:
    """Rounding hides what is compared in single precision."""
    engine = engine_of(session)
    engine.supernet.double()
    for tensor in engine.parameters.values():
        tensor.data = tensor.data.double()


def assert_close(found: Mapping[str, Tensor], wanted: Mapping[str, Tensor], double: bool, within: float = 1e-5) -> None:
    """Equal up to rounding: relative to the norm of each tensor, or a tenth of that of all, as some are zero but
    for rounding (gradients of biases before norms)."""
    assert found.keys() == wanted.keys()
    within = 1e-9 if double else within
    norms = {name: float(tensor.detach().double().norm()) for name, tensor in wanted.items()}
    least = 0.1 * math.hypot(*norms.values())
    for name, tensor in wanted.items():
        distance = float((found[name].detach().double() - tensor.detach().double()).norm())
        assert distance <= within * max(norms[name], least), name


def gradients(loss: Tensor, weights: dict[str, Tensor], architecture: Tensor | None = None) -> dict[str, Tensor]:
    """By name; zeros of weights that no alternative drawn has."""
    wanted = weights if architecture is None else {**weights, "architecture": architecture}
    found = torch.autograd.grad(loss, [*wanted.values()], allow_unused=architecture is not None)
    return {
        name: torch.zeros_like(weight) if gradient is None else gradient
        for (name, weight), gradient in zip(wanted.items(), found, strict=True)
    }


def rows(gradients: Sequence[Tensor]) -> dict[str, Tensor]:
    """The reference's gradients of DARTS' architecture by the names of our questions."""
    return {
        f"{kind}/candidate[{i}][{j}]": gradient[edge_number(i, j)]
        for kind, gradient in zip(("normal", "reduce"), gradients, strict=True)
        for i in range(4)
        for j in range(2 + i)
    }


def darts_pair(session: Session) -> tuple[darts.SearchNetwork, dict[str, str]]:
    """The reference with the weights and the architecture of a session, and the names in it."""
    supernet = engine_of(session).supernet
    reference = darts.SearchNetwork(4, layers=3, classes=CLASSES)
    reference.to(next(supernet.parameters()).dtype)
    names = in_reference(supernet, darts_name)
    load(supernet, reference, names)
    with torch.no_grad():
        for name, row in rows(reference.architecture).items():
            row.copy_(session.engine.parameters[name])
    return reference, names


@pytest.fixture(scope="module")
def space_of_darts() -> Space:
    return al.load("std.spaces.darts", channels=4, layers=3, classes=CLASSES, supernet=True)


def test_parameters_of_darts() -> None:
    space = al.load("std.spaces.darts", channels=16, layers=8, supernet=True)
    reference = darts.SearchNetwork(16, layers=8)
    names = in_reference(space.supernet("torch"), darts_name)
    assert {*names.values()} == {*reference.state_dict()}
    load(space.supernet("torch"), reference, names)  # of the same shapes


@pytest.mark.parametrize("double", [False, True])
@pytest.mark.parametrize("training", [False, True])
def test_darts(space_of_darts: Space, double: bool, training: bool) -> None:
    session = session_of(Method(sampler=Softmax(null=True, spread=1.0)), space_of_darts)
    x, y = batch()
    if double:
        in_double(session)
        x = x.double()
    supernet = engine_of(session).supernet
    reference, names = darts_pair(session)
    if not training:  # after some training, as statistics are those of no batch in the beginning
        session.train_weights((x, y))
        load(supernet, reference, names)
    supernet.train(training)
    reference.train(training)
    draw = session.draw(of_weights=True)
    output = supernet.mixed(draw.weights, x)
    wanted = reference(x)
    assert_close({"": output}, {"": wanted}, double)
    assert_close(
        renamed(gradients(F.cross_entropy(output, y), dict(supernet.named_parameters())), names),
        gradients(F.cross_entropy(wanted, y), dict(reference.named_parameters())),
        double,
    )
    assert_close(renamed(supernet.state_dict(), names), reference.state_dict(), double)  # statistics


@pytest.mark.parametrize("double", [False, True])
def test_architecture_gradients_of_darts(space_of_darts: Space, double: bool) -> None:
    session = session_of(Method(sampler=Softmax(null=True, spread=1.0)), space_of_darts)
    x, y = batch()
    if double:
        in_double(session)
        x = x.double()
    reference, _ = darts_pair(session)
    session.engine.add_gradients(session.objective((x, y)), parameters=True)
    wanted = rows(first_order(reference, F.cross_entropy, (x, y)))
    assert_close(session.engine.parameter_gradients(), wanted, double)


@pytest.mark.parametrize("steps", [0, 1])
def test_second_order_gradients_of_darts(space_of_darts: Space, steps: int) -> None:
    settings = WeightSettings(lr=RATE, clip=None)
    session = session_of(
        Method(sampler=Softmax(null=True, spread=1.0), update=Unrolled(), weights=settings), space_of_darts
    )
    in_double(session)
    train, valid = [(x.double(), y) for x, y in (batch(), batch())]
    for _ in range(steps):  # so that momentum has a buffer
        session.train_weights(train)
    reference, names = darts_pair(session)
    engine = engine_of(session)
    buffers = None
    if steps:
        own = {names[name]: engine._sgd.state[weight] for name, weight in engine.supernet.named_parameters()}
        buffers = [own[name]["momentum_buffer"] for name, _ in reference.named_parameters()]
    wanted = second_order(reference, F.cross_entropy, train, valid, RATE, buffers=buffers)
    engine.clear(parameters=True)
    session.method.update._add_gradients(session, train, valid)  # type: ignore[attr-defined]
    first = rows(first_order(reference, F.cross_entropy, valid))
    assert all((wanted - first[name]).norm() > 1e-3 * wanted.norm() for name, wanted in rows(wanted).items())
    assert_close(session.engine.parameter_gradients(), rows(wanted), double=True)


# NAS-Bench-201: the softmax of DARTS, and one drawn alternative per edge


def weights_from(reference: gdas.SearchNetwork, chosen: Sequence[int] | None) -> Tensor:
    """Of each edge: soft ones, or hard ones with the gradient of soft ones."""
    (logits,) = reference.architecture
    if chosen is None:
        return logits.softmax(1)
    noise = 10 * F.one_hot(torch.tensor(chosen), 5).to(logits.dtype)
    return gdas.one_hot(logits, noise, temperature=5.0)


@pytest.mark.parametrize("double", [False, True])
@pytest.mark.parametrize("chosen", [None, (3, 1, 4, 2, 0, 3), (3, 0, 3, 0, 0, 3), (1, 2, 0, 4, 3, 0)])
def test_nasbench201(double: bool, chosen: Sequence[int] | None) -> None:
    space = al.load("std.spaces.nasbench201", channels=4, repeats=2, classes=CLASSES, supernet=True)
    supernet, reference = space.supernet("torch"), gdas.SearchNetwork(4, repeats=2, classes=CLASSES)
    x, y = batch()
    with torch.no_grad():
        reference.architecture[0].normal_()
    if double:
        supernet, reference, x = supernet.double(), reference.double(), x.double()
    names = in_reference(supernet, partial(nasbench201_name, repeats=2))
    load(supernet, reference, names)
    variables = {question.name: question.variable for question in questions(supernet.varied)}
    edges = [variables[f"shared/edge#{edge}"] for edge in range(1, 7)]

    drawn = weights_from(reference, chosen)
    weights = {(variable, False): row for variable, row in zip(edges, drawn, strict=True)}
    active = {} if chosen is None else {edge: (pick,) for edge, pick in zip(edges, chosen, strict=True)}
    output = supernet.mixed(weights, x, active=active, ghosts=chosen is not None)
    wanted = reference(x) if chosen is None else reference.drawn(x, weights_from(reference, chosen))
    assert_close({"": output}, {"": wanted}, double)
    found = gradients(F.cross_entropy(output, y), dict(supernet.named_parameters()), reference.architecture[0])
    by_hand = gradients(F.cross_entropy(wanted, y), dict(reference.named_parameters()), reference.architecture[0])
    assert_close(renamed(found, {**names, "architecture": "architecture"}), by_hand, double)
    assert_close(renamed(supernet.state_dict(), names), reference.state_dict(), double)  # statistics


def test_parameters_of_nasbench201() -> None:
    supernet = al.load("std.spaces.nasbench201", supernet=True).supernet("torch")
    load(supernet, gdas.SearchNetwork(), in_reference(supernet, partial(nasbench201_name, repeats=5)))
