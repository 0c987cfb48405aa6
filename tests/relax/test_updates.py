"""Updates against gradients that are worked out otherwise."""

import numpy as np
import pytest
import torch
from archlang_torch.supernet.engine import TorchEngine
from archlang_torch.supernet.network import Supernet

from archlang.relax.method import Method
from archlang.relax.mixtures.softmax import Softmax
from archlang.relax.session import Session
from archlang.relax.settings import ArchitectureSettings, WeightSettings
from archlang.relax.updates.alternating import Alternating
from archlang.relax.updates.joint import Joint
from archlang.relax.updates.rarts import Rarts
from archlang.relax.updates.unrolled import Unrolled
from archlang.relax.updates.update import Update
from tests.relax.training import batches_of, session_of

Values = dict[str, torch.Tensor]

# No batch norm, whose statistics a functional reference would have to carry, and smooth activations.
SMOOTH = """
use std.nn
space smooth(x: f32[n, 6]) {
  x |> linear(4) |> choose { tanh: tanh, linear: linear(4), gelu: gelu } as first |> linear(5)
}
"""


def by_hand(values: Values, logits: torch.Tensor, batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    """The loss of SMOOTH for some weights and logits."""
    x = batch[0] @ values["linear#1.weight"].T + values["linear#1.bias"]
    w = logits.softmax(0)
    inner = x @ values["first:linear.weight"].T + values["first:linear.bias"]
    x = w[0] * x.tanh() + w[1] * inner + w[2] * torch.nn.functional.gelu(x)
    out = x @ values["linear#2.weight"].T + values["linear#2.bias"]
    return torch.nn.functional.cross_entropy(out, batch[1])


def test_the_unrolled_gradient_is_that_of_one_exact_step() -> None:
    settings = WeightSettings(lr=0.1, decay=0.01, momentum=0.5, clip=None)
    method = Method(sampler=Softmax(spread=1.0), update=Unrolled(), weights=settings)
    session = session_of(method, SMOOTH)
    train, validation = batches_of(session)
    for _ in range(2):  # fill the momentum's buffer
        session.train_weights(train)
    engine = session.engine
    supernet: Supernet = engine.supernet  # type: ignore[attr-defined]
    names = [name for name, _ in supernet.named_parameters()]
    weights = dict(supernet.named_parameters())
    logits = engine.parameters["first"].detach().clone().requires_grad_()
    gradients = torch.autograd.grad(
        by_hand(weights, logits, train), [weights[name] for name in names], create_graph=True
    )
    buffers = engine._sgd.state  # type: ignore[attr-defined]
    ahead = {
        name: weights[name] - 0.1 * (0.5 * buffers[weights[name]]["momentum_buffer"] + gradient + 0.01 * weights[name])
        for name, gradient in zip(names, gradients, strict=True)
    }
    (exact,) = torch.autograd.grad(by_hand(ahead, logits, validation), [logits])

    before = {name: tensor.detach().clone() for name, tensor in weights.items()}
    session.rate = 0.1
    engine.clear(parameters=True)
    method.update._add_gradients(session, train, validation)  # type: ignore[attr-defined]
    found = engine.parameter_gradients()["first"]
    torch.testing.assert_close(found, exact, rtol=2e-3, atol=1e-5)
    for name, tensor in supernet.named_parameters():
        torch.testing.assert_close(tensor, before[name], rtol=0, atol=0)


class ByHand:
    """A set of weights with an SGD optimizer of its own, beside the engine's."""

    def __init__(self, session: Session) -> None:
        settings = session.method.weights
        named = network_of(session).named_parameters()
        self.values = {name: tensor.detach().clone().requires_grad_() for name, tensor in named}
        self.optimizer = torch.optim.SGD(
            [*self.values.values()], lr=settings.lr, momentum=settings.momentum, weight_decay=settings.decay
        )

    def step(self, loss: torch.Tensor) -> None:
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()

    def check(self, session: Session) -> None:
        for name, tensor in network_of(session).named_parameters():
            torch.testing.assert_close(tensor.detach(), self.values[name].detach(), rtol=1e-5, atol=1e-6)


def network_of(session: Session) -> Supernet:
    assert isinstance(session.engine, TorchEngine)
    return session.engine.supernet


def smooth_session(update: Update) -> tuple[Session, torch.Tensor, torch.optim.Adam]:
    """A session on SMOOTH, and its logits with their optimizer again."""
    weights = WeightSettings(lr=0.1, decay=0.01, momentum=0.5, clip=None)
    architecture = ArchitectureSettings(lr=0.05, betas=(0.5, 0.999), decay=0.002)
    method = Method(sampler=Softmax(spread=1.0), update=update, weights=weights, architecture=architecture)
    session = session_of(method, SMOOTH)
    logits = session.engine.parameters["first"].detach().clone().requires_grad_()
    return session, logits, torch.optim.Adam([logits], lr=0.05, betas=(0.5, 0.999), weight_decay=0.002)


def test_joint_steps_move_weights_and_architecture_on_one_batch() -> None:
    session, logits, adam = smooth_session(Joint())
    assert not session.method.update.uses_validation
    train, validation = batches_of(session)
    reference = ByHand(session)
    for _ in range(3):
        loss = by_hand(reference.values, logits, train)
        adam.zero_grad()
        assert session.method.update.step(session, train, validation) == pytest.approx(loss.item(), rel=1e-5)
        reference.step(loss)
        adam.step()
        reference.check(session)
        torch.testing.assert_close(session.engine.parameters["first"], logits, rtol=1e-4, atol=1e-6)


def test_rarts_alternates_two_networks_that_are_drawn_together() -> None:
    session, logits, adam = smooth_session(Rarts(share=1.5, pull=0.7))
    assert session.method.update.uses_validation
    train, validation = batches_of(session)
    w, v = ByHand(session), ByHand(session)

    def apart() -> torch.Tensor:
        pairs = zip(w.values.values(), v.values.values(), strict=True)
        return torch.stack([(one - other).square().sum() for one, other in pairs]).sum()

    for _ in range(4):
        loss = by_hand(w.values, logits, train).item()
        assert session.method.update.step(session, train, validation) == pytest.approx(loss, rel=1e-4)
        w.step(1.5 * by_hand(w.values, logits, train) + 0.7 / 2 * apart())
        v.step(by_hand(v.values, logits, validation) + 0.7 / 2 * apart())
        adam.zero_grad()
        (1.5 * by_hand(w.values, logits, train) + by_hand(v.values, logits, validation)).backward()
        adam.step()
        w.check(session)
        session.engine.exchange()
        v.check(session)
        session.engine.exchange()
        torch.testing.assert_close(session.engine.parameters["first"], logits, rtol=1e-3, atol=1e-5)
    assert apart() > 1e-4


def test_the_second_set_of_weights_has_states_of_its_own() -> None:
    session = session_of(Method(sampler=Softmax()))
    engine, supernet = session.engine, network_of(session)
    train, validation = batches_of(session)
    session.train_weights(train)
    before = {name: tensor.clone() for name, tensor in supernet.state_dict().items()}
    engine.exchange()
    for name, tensor in supernet.state_dict().items():
        torch.testing.assert_close(tensor, before[name], rtol=0, atol=0)
    session.train_weights(validation)
    moved = {name: tensor.clone() for name, tensor in supernet.state_dict().items()}
    engine.exchange()
    for name, tensor in supernet.state_dict().items():
        torch.testing.assert_close(tensor, before[name], rtol=0, atol=0)
    assert not torch.equal(moved["batch_norm.running_mean"], before["batch_norm.running_mean"])
    engine.clear(weights=True)
    engine.pull(2.0)
    for name, tensor in supernet.named_parameters():
        torch.testing.assert_close(tensor.grad, 2 * (before[name] - moved[name]))


@pytest.mark.parametrize("update", [Alternating(), Joint(), Rarts()], ids=["alternating", "joint", "rarts"])
def test_training_learns_which_alternative_matters(update: Update) -> None:
    text = """
use std.nn
space s(x: f32[n, 4]) {
  seen = x |> choose { useless: slice(1, 2, 4), useful: slice(1, 0, 2) } as way
  seen |> linear(8) >> relu >> linear(5)
}
"""
    weights, architecture = WeightSettings(lr=0.2, momentum=0, decay=0), ArchitectureSettings(lr=0.1)
    method = Method(sampler=Softmax(), update=update, weights=weights, architecture=architecture)
    session = session_of(method, text)
    random = np.random.default_rng(0)
    x = random.standard_normal((512, 4)).astype(np.float32)
    y = np.where(x[:, 0] > 0, 1, 3)
    batches = [session.engine.batch(x[:256], y[:256]), session.engine.batch(x[256:], y[256:])]
    losses = [method.update.step(session, *batches) for _ in range(60)]
    assert losses[-1] < 0.4 < losses[0]
    useless, useful = session.engine.tensors.numbers(session.engine.parameters["way"].softmax(-1))
    assert useful > 0.8 > 0.2 > useless


def test_the_architecture_is_trained_in_the_last_of_some_steps() -> None:
    session = session_of(Method(sampler=Softmax(spread=1.0), update=Alternating(interval=3)), SMOOTH)
    steps = session.feeding.steps
    moved = []
    before = session.engine.parameters["first"].detach().clone()

    def stepped(step: int, loss: float) -> None:
        nonlocal before
        now = session.engine.parameters["first"].detach().clone()
        moved.append(not torch.equal(now, before))
        before = now

    session.stepped = stepped
    for number in range(2):
        session.train_epoch(number)
    assert moved == [step % 3 == 2 for step in range(2 * steps)]
    assert any(moved)
