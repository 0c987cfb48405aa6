"""Ops of one's own: a lowering is a function or a module, wherever it is declared."""

from __future__ import annotations

import pytest
import torch
from archlang_torch import build, emit, function, layer, lowering
from torch import Tensor, nn

from archlang.ir.graph import Graph, WeightSpec
from tests.graphs import Sketch
from tests.torch.emitted import namespace_of


def squared(x: Tensor) -> Tensor:
    """The square."""
    return x * x


def energy(x: Tensor, *, power: int = 1) -> Tensor:
    """Uses a function beside it."""
    found = squared(x)
    return found**power


class Gate(nn.Module):
    """Scales each channel by a trained number in 0..1."""

    def __init__(self, channels: int, *, sharp: float = 1.0) -> None:
        super().__init__()
        self.sharp = sharp
        self.strength = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(self.sharp * self.strength)


@pytest.fixture(autouse=True)
def own_ops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lowering, "_LOWERINGS", dict(lowering._LOWERINGS))
    function("energy")(energy)
    layer("gate", channels=-1, init={"strength": ("zeros",)})(Gate)


def graph() -> Graph:
    sketch = Sketch("own")
    x = sketch.input("x", 4)
    x = sketch.apply("energy", x, output=sketch.shape(x), power=2)
    weights = [WeightSpec("strength", (4,), ("normal", 0.0, 1.0))]
    return sketch.graph(sketch.apply("gate", x, output=sketch.shape(x), weights=weights, site="gate", sharp=2.0))


def test_own_ops_are_built_and_emitted() -> None:
    network = build(graph())
    x = torch.randn(3, 4)
    torch.testing.assert_close(network(x), x**4 * torch.sigmoid(2 * network.gate.strength))
    source = emit(graph())
    assert source.index("def squared") < source.index("def energy") < source.index("class Gate")
    assert "self.gate = Gate(4, sharp=2.0)\n        nn.init.normal_(self.gate.strength, 0.0, 1.0)" in source
    assert "x = energy(x, power=2)" in source
    emitted = namespace_of(source)["build"]()
    emitted.load_state_dict(network.state_dict())
    assert torch.equal(emitted(x), network(x))


def test_what_cannot_be_copied_is_refused() -> None:
    def impure(x: Tensor) -> Tensor:
        shift = float(len(pytest.__name__))
        return x + shift

    function("energy")(impure)
    sketch = Sketch()
    x = sketch.input("x", 4)
    with pytest.raises(ValueError, match="uses pytest, which cannot be copied"):
        emit(sketch.graph(sketch.apply("energy", x, output=sketch.shape(x))))
