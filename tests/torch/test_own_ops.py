"""Ops of one's own: a lowering is a function or a module, wherever it is declared."""

from __future__ import annotations

import pytest
import torch
from archlang_torch import LOWERINGS, backend, build, function, layer, parameter_names
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


class Rotation(nn.Module):
    """Multiplies by a fixed matrix, drawn once, and a trained one."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.seen: list[int] = []
        self.matrix = nn.Parameter(torch.randn(channels, channels))
        self.fixed: Tensor
        self.register_buffer("fixed", torch.randn(channels, channels))

    def forward(self, x: Tensor) -> Tensor:
        self.seen.append(len(x))
        return x @ self.fixed @ self.matrix


class Nested(nn.Module):
    """Holds its weight in a module of its own."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.inner = nn.Linear(channels, channels, bias=False)


def bottleneck(channels: int, factor: int, bias: bool) -> nn.Linear:
    return nn.Linear(channels, channels // factor, bias=bias)


@pytest.fixture(autouse=True)
def own_ops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LOWERINGS, "_lowerings", dict(LOWERINGS._lowerings))
    function("energy")(energy)
    layer("gate", channels=-1, init={"strength": ("zeros",)})(Gate)
    layer("rotation", channels=-1, init={"matrix": ("normal", 0.0, 1.0)})(Rotation)
    layer("nested", channels=-1, init={"inner.weight": ("zeros",)})(Nested)
    layer("bottleneck", channels=-1, init={"down": ("zeros",)}, names={"down": "weight"})(bottleneck)


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
    source = backend.emit(graph())
    assert source.index("def squared") < source.index("def energy") < source.index("class Gate")
    assert "self.gate = Gate(4, sharp=2.0)\n        nn.init.normal_(self.gate.strength, 0.0, 1.0)" in source
    assert "x = energy(x, power=2)" in source
    emitted = namespace_of(source)["build"]()
    emitted.load_state_dict(network.state_dict())
    assert torch.equal(emitted(x), network(x))


def weighted(op: str, weight: WeightSpec, sites: int = 1, **attributes: object) -> Graph:
    sketch = Sketch(op)
    x = sketch.input("x", 4)
    made = {
        f"y{i}": sketch.apply(op, x, output=(x, weight.shape[0]), weights=[weight], site=f"{op}[{i}]", **attributes)
        for i in range(sites)
    }
    return sketch.graph(**made)


def test_a_function_gives_a_layer_of_torch() -> None:
    graph = weighted("bottleneck", WeightSpec("down", (2, 4), ("ones",)), factor=2, bias=False)
    network = build(graph)
    assert parameter_names(graph) == {"bottleneck[0].down": "bottleneck.0.weight"}
    assert network.bottleneck[0].weight.eq(1).all()
    source = backend.emit(graph)
    assert "self.bottleneck = nn.ModuleList([nn.Linear(4, 2, bias=False)])" in source
    assert "nn.init.ones_(self.bottleneck[0].weight)" in source
    assert "def bottleneck" not in source
    namespace_of(source)["build"]().load_state_dict(network.state_dict())


def test_what_a_layer_holds_beside_its_weights() -> None:
    graph = weighted("rotation", WeightSpec("matrix", (4, 4), ("normal", 0.0, 1.0)), sites=2)
    torch.manual_seed(5)
    state = torch.get_rng_state()
    one, other = build(graph, seed=1).rotation
    assert torch.equal(torch.get_rng_state(), state)
    assert not torch.equal(one.matrix, other.matrix)
    assert torch.equal(one.fixed, other.fixed)
    assert one.fixed.data_ptr() != other.fixed.data_ptr()
    assert one.fixed.std() > 0.3
    one(torch.ones(3, 4))
    assert (one.seen, other.seen) == ([3], [])
    assert build(graph, seed=1).rotation[0].seen == []


def test_layers_that_do_not_have_the_weights() -> None:
    with pytest.raises(TypeError, match=r"op `gate` has the weights \{'strength': \(3,\)\} .* \{'strength': \(4,\)\}"):
        build(weighted("gate", WeightSpec("strength", (3,))))
    with pytest.raises(TypeError, match=r"op `gate` has the weights \{'force'"):
        build(weighted("gate", WeightSpec("force", (4,))))
    with pytest.raises(TypeError, match="the layer Nested has modules in it"):
        build(weighted("nested", WeightSpec("inner.weight", (4, 4))))


def test_what_cannot_be_copied_is_refused() -> None:
    def impure(x: Tensor) -> Tensor:
        shift = float(len(pytest.__name__))
        return x + shift

    function("energy")(impure)
    sketch = Sketch()
    x = sketch.input("x", 4)
    with pytest.raises(ValueError, match="uses pytest, which cannot be copied"):
        backend.emit(sketch.graph(sketch.apply("energy", x, output=sketch.shape(x))))
