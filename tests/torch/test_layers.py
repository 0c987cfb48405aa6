"""Layers that are built: torch's own, and what their constructors make of them."""

from __future__ import annotations

import copy
import math

import attrs
import pytest
import torch
from archlang_torch import build
from archlang_torch.lowering import LOWERINGS
from torch import nn
from torch.nn.utils import prune
from torch.nn.utils.fusion import fuse_conv_bn_eval

from archlang.diagnostics import ArchError
from archlang.lowering.declared import Layer
from archlang.lowering.initial import Drawing
from tests.graphs import Sketch
from tests.torch.cases import CASES, Case
from tests.torch.test_build import tied

LAYERS = [case for case in CASES if isinstance(LOWERINGS.get(case.op), Layer)]


@pytest.mark.parametrize("case", LAYERS, ids=str)
def test_built_layer_is_a_constructed_one(case: Case) -> None:
    """Nothing tells a layer that was built from one whose constructor was called."""
    graph = case.graph()
    (node,) = graph.nodes
    lowered = LOWERINGS.get(case.op)
    assert isinstance(lowered, Layer)
    by_hand = lowered.factory(**lowered.config(node.operation)).double()
    (built,) = build(graph).children()
    assert type(built) is type(by_hand)
    assert list(vars(built)) == list(vars(by_hand))
    for name, value in vars(by_hand).items():
        if name in ("_parameters", "_buffers"):
            kinds = {key: (type(held), held is not None and held.dtype) for key, held in value.items()}
            assert list(vars(built)[name]) == list(value)
            assert {key: (type(h), h is not None and h.dtype) for key, h in vars(built)[name].items()} == kinds
        else:
            assert vars(built)[name] == value, name
    assert repr(built) == repr(by_hand)
    shapes = {name: value.shape for name, value in by_hand.state_dict().items()}
    assert {name: value.shape for name, value in built.state_dict().items()} == shapes
    assert [name for name, _ in built.named_parameters()] == [name for name, _ in by_hand.named_parameters()]
    assert {lowered.name(spec.name) for spec in case.weights} == set(shapes) - {"num_batches_tracked"}
    built.load_state_dict(by_hand.state_dict())
    x = [torch.from_numpy(x) for x in case.arrays()]
    torch.testing.assert_close(copy.deepcopy(built)(*x), by_hand(*x), rtol=0, atol=0)


def test_layers_have_nothing_in_common() -> None:
    sketch = Sketch()
    x = sketch.input("x", 4, 8, 8)
    for site in ("a", "b"):
        x = sketch.batch_norm(sketch.conv2d(x, 4, site=f"{site}/conv"), site=f"{site}/norm")
    network = build(sketch.graph(x))
    for kind in ("conv", "norm"):
        one, other = (network.get_submodule(f"{site}.{kind}") for site in ("a", "b"))
        for name, value in vars(one).items():
            if isinstance(value, dict | list | set):
                assert vars(other)[name] is not value, name
    network(torch.randn(2, 4, 8, 8))
    one.register_forward_hook(lambda *_: None)
    assert not other._forward_hooks
    one.num_batches_tracked.add_(1)
    assert (int(one.num_batches_tracked), int(other.num_batches_tracked)) == (2, 1)


def test_declared_starts_are_those_of_the_constructors() -> None:
    """What `init` says of a layer, so that emitted files leave it to the constructor."""
    for case in LAYERS:
        (node,) = case.graph().nodes
        lowered = LOWERINGS.get(case.op)
        assert isinstance(lowered, Layer)
        torch.manual_seed(0)
        made = [lowered.factory(**lowered.config(node.operation)).state_dict() for _ in range(200)]
        drawing = Drawing(0)
        for spec in case.weights:
            start = lowered.start(node.operation, spec.name)
            assert start is not None
            declared = attrs.evolve(spec, init=start, fan_in=fan_in(case))
            drawn = torch.stack([torch.from_numpy(drawing.draw(str(i), declared)) for i in range(200)])
            found = torch.stack([state[lowered.name(spec.name)] for state in made])
            spread = drawn.abs().max().item()
            assert abs(found.mean() - drawn.mean()) <= 0.1 * spread, case
            assert abs(found.std() - drawn.std()) <= 0.1 * spread, case
            if "uniform" in start[0]:
                assert abs(found.abs().max() / spread - 1) < 0.03, case


def fan_in(case: Case) -> int:
    """That of the op's first weight, as where an op is applied in a program."""
    return math.prod(case.weights[0].shape[1:])


def test_layers_are_those_of_torch() -> None:
    """What finds layers by their types works: fusing, pruning, tracing."""
    network = build(tied(2)).eval()
    assert {type(module) for module in network.modules() if not list(module.children())} == {nn.Conv2d, nn.BatchNorm2d}
    expected = network(images_of(4))
    prune.l1_unstructured(network.t.conv2d, "weight", amount=0.5)
    assert (network.t.conv2d.weight == 0).float().mean() == 0.5
    assert not torch.equal(network(images_of(4)), expected)
    network = build(tied(2)).eval()
    unit = network.t
    unit.conv2d, unit.batch_norm = fuse_conv_bn_eval(unit.conv2d, unit.batch_norm), nn.Identity()
    torch.testing.assert_close(network(images_of(4)), expected)


def images_of(channels: int) -> torch.Tensor:
    return torch.randn(2, channels, 8, 8, generator=torch.Generator().manual_seed(0))


def test_a_norm_by_the_number_of_dimensions() -> None:
    sketch = Sketch()
    shapes = ((), (5,), (5, 6), (3, 4, 5))
    inputs = [sketch.input(f"x{i}", 4, *shape) for i, shape in enumerate(shapes)]
    made = {f"y{i}": sketch.batch_norm(x, site=f"norm[{i}]") for i, x in enumerate(inputs)}
    network = build(sketch.graph(**made))
    assert [type(module) for module in network.norm] == [
        nn.BatchNorm1d,
        nn.BatchNorm1d,
        nn.BatchNorm2d,
        nn.BatchNorm3d,
    ]
    found = network(*[torch.randn(2, 4, *shape) for shape in shapes])
    assert [tuple(y.shape) for y in found.values()] == [(2, 4, *shape) for shape in shapes]


def test_dimensions_that_torch_has_no_norm_for() -> None:
    sketch = Sketch()
    x, y = sketch.input("x", 4, 2, 2, 2, 2), sketch.input("y", 4)
    x = sketch.batch_norm(x, site="deep")
    y = sketch.apply("instance_norm", y, output=sketch.shape(y), site="flat", eps=1e-5, affine=False)
    with pytest.raises(ArchError) as caught:
        build(sketch.graph(x=x, y=y))
    assert [found.message for found in caught.value.diagnostics] == [
        "the torch backend has no layer for op `batch_norm` on 6 dimensions, which `deep` needs",
        "the torch backend has no layer for op `instance_norm` on 2 dimensions, which `flat` needs",
    ]


def test_a_norm_cannot_be_tied_between_numbers_of_dimensions() -> None:
    sketch = Sketch()
    x, y = sketch.input("x", 4, 5, 6), sketch.input("y", 4, 5)
    a = sketch.batch_norm(x, site="a")
    with sketch.block("again", "unit", home=""):
        b = sketch.batch_norm(y, site="a")
    with pytest.raises(
        ArchError, match="cannot tie op `batch_norm` between inputs of different ranks, which `again/a`"
    ):
        build(sketch.graph(a=a, b=b))
