"""Updates against gradients that are worked out otherwise."""

import numpy as np
import torch
from archlang_torch.supernet.network import Supernet

from archlang.relax.method import Method
from archlang.relax.mixtures.softmax import Softmax
from archlang.relax.settings import ArchitectureSettings, WeightSettings
from archlang.relax.updates.unrolled import Unrolled
from tests.relax.training import batches_of, session_of

# No batch norm, whose statistics a functional reference would have to carry, and smooth activations.
SMOOTH = """
use std.nn
space smooth(x: f32[n, 6]) {
  x |> linear(4) |> choose { tanh: tanh, linear: linear(4), gelu: gelu } as first |> linear(5)
}
"""


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
    logits = {name: tensor.detach().clone().requires_grad_() for name, tensor in engine.parameters.items()}

    def loss(values: dict[str, torch.Tensor], batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        x = batch[0] @ values["linear#1.weight"].T + values["linear#1.bias"]
        w = logits["first"].softmax(0)
        inner = x @ values["first:linear.weight"].T + values["first:linear.bias"]
        x = w[0] * x.tanh() + w[1] * inner + w[2] * torch.nn.functional.gelu(x)
        out = x @ values["linear#2.weight"].T + values["linear#2.bias"]
        return torch.nn.functional.cross_entropy(out, batch[1])

    gradients = torch.autograd.grad(loss(weights, train), [weights[name] for name in names], create_graph=True)
    buffers = engine._sgd.state  # type: ignore[attr-defined]
    ahead = {
        name: weights[name] - 0.1 * (0.5 * buffers[weights[name]]["momentum_buffer"] + gradient + 0.01 * weights[name])
        for name, gradient in zip(names, gradients, strict=True)
    }
    (exact,) = torch.autograd.grad(loss(ahead, validation), [logits["first"]])

    before = {name: tensor.detach().clone() for name, tensor in weights.items()}
    session.rate = 0.1
    engine.clear(parameters=True)
    method.update._add_gradients(session, train, validation)  # type: ignore[attr-defined]
    found = engine.parameter_gradients()["first"]
    torch.testing.assert_close(found, exact, rtol=2e-3, atol=1e-5)
    for name, tensor in supernet.named_parameters():
        torch.testing.assert_close(tensor, before[name], rtol=0, atol=0)


def test_training_learns_which_alternative_matters() -> None:
    text = """
use std.nn
space s(x: f32[n, 4]) {
  seen = x |> choose { useless: slice(1, 2, 4), useful: slice(1, 0, 2) } as way
  seen |> linear(8) >> relu >> linear(5)
}
"""
    weights, architecture = WeightSettings(lr=0.2, momentum=0, decay=0), ArchitectureSettings(lr=0.1)
    method = Method(sampler=Softmax(), weights=weights, architecture=architecture)
    session = session_of(method, text)
    random = np.random.default_rng(0)
    x = random.standard_normal((512, 4)).astype(np.float32)
    y = np.where(x[:, 0] > 0, 1, 3)
    batches = [session.engine.batch(x[:256], y[:256]), session.engine.batch(x[256:], y[256:])]
    losses = [method.update.step(session, *batches) for _ in range(60)]
    assert losses[-1] < 0.4 < losses[0]
    useless, useful = session.engine.tensors.numbers(session.engine.parameters["way"].softmax(-1))
    assert useful > 0.8 > 0.2 > useless
