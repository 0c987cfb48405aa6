"""Built modules: names, seeds, ties, outputs, and what PyTorch can do with them."""

from __future__ import annotations

import copy
import io
import subprocess
import sys
from typing import Any

import pytest
import torch
from archlang_torch import build, parameter_names
from torch import nn

from archlang.diagnostics import ArchError
from archlang.ir.graph import Graph, WeightSpec
from tests.graphs import Sketch, nasbench201, relu_conv_bn

SMALL: dict[str, Any] = {"channels": 4, "repeats": 2}


def small() -> Graph:
    return nasbench201(**SMALL)


def images(samples: int = 2) -> torch.Tensor:
    return torch.randn(samples, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def test_parameters_are_named_by_address() -> None:
    graph = nasbench201(("conv3", "none", "skip", "none", "none", "conv1"), channels=2, repeats=1, classes=3)
    names = list(build(graph).state_dict())
    assert names[:6] == [
        "conv2d.weight",
        "batch_norm_1.weight",
        "batch_norm_1.bias",
        "batch_norm_1.running_mean",
        "batch_norm_1.running_var",
        "batch_norm_1.num_batches_tracked",
    ]
    assert names[6] == "shared_1.0.edge_1.conv3.conv2d.weight"
    assert "shared_3.0.edge_6.conv1.batch_norm.running_var" in names
    assert "resnet_basic_2.shortcut.weight" in names
    assert names[-2:] == ["linear_1.weight", "linear_1.bias"]


def test_every_weight_of_the_graph_is_in_the_state() -> None:
    graph = small()
    state = build(graph).state_dict()
    names = parameter_names(graph)
    assert list(names) == list(graph.weights)
    assert sorted(names.values()) == sorted(name for name in state if not name.endswith("num_batches_tracked"))
    assert all(tuple(state[names[address]].shape) == spec.shape for address, spec in graph.weights.items())


def test_clashing_names_are_told_apart() -> None:
    sketch = Sketch()
    x = sketch.input("x", 3)
    for site in ("a#1", "a_1", "train", "class", "b:0.5", "b:0_5", "c[0]", "c:0", "d", "d/e"):
        x = sketch.linear(x, 3, bias=False, site=site)
    graph = sketch.graph(x)
    network = build(graph)
    assert list(parameter_names(graph).values()) == [
        "a_1.weight",
        "a_1_.weight",
        "train_.weight",
        "class_.weight",
        "b.0_5.weight",
        "b.0_5_.weight",
        "c.0.weight",
        "c.0_.weight",
        "d.weight",
        "d_.e.weight",
    ]
    assert len(network.state_dict()) == 10
    assert network(torch.ones(2, 3)).shape == (2, 3)


def test_a_seed_gives_the_same_weights_in_another_process() -> None:
    code = (
        "from tests.graphs import nasbench201; from archlang_torch import build;"
        f"print(sum(p.double().abs().sum().item() for p in build(nasbench201(**{SMALL!r}), seed=5).parameters()))"
    )
    command = [sys.executable, "-c", code]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert float(printed) == sum(p.double().abs().sum().item() for p in build(small(), seed=5).parameters())
    assert float(printed) != sum(p.double().abs().sum().item() for p in build(small(), seed=6).parameters())


def test_a_weight_is_the_same_in_neighbouring_programs() -> None:
    one = build(nasbench201(("conv3",) * 6, **SMALL)).state_dict()
    other = build(nasbench201(("conv3", "skip", "conv1", *["conv3"] * 3), **SMALL)).state_dict()
    common = one.keys() & other.keys()
    assert "shared_1.1.edge_6.conv3.conv2d.weight" in common
    assert all(torch.equal(one[name], other[name]) for name in common)


def test_building_leaves_the_global_random_state_alone() -> None:
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    build(small())
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize(
    ("init", "check"),
    [
        (("zeros",), lambda w: w.eq(0).all()),
        (("ones",), lambda w: w.eq(1).all()),
        (("constant", 0.5), lambda w: w.eq(0.5).all()),
        (("uniform", 2.0, 3.0), lambda w: w.min() >= 2 and w.max() <= 3 and w.std() > 0.2),
        (("normal", 1.0, 0.1), lambda w: abs(w.mean() - 1) < 0.01 and abs(w.std() - 0.1) < 0.01),
        (("trunc_normal", 0.0, 1.5), lambda w: w.abs().max() <= 2 and w.std() > 0.8),
        (("kaiming_uniform",), lambda w: 0.09 < w.abs().max() <= 0.1),
        (("fan_in_uniform",), lambda w: 0.19 < w.abs().max() <= 0.2),
        (("kaiming_normal",), lambda w: abs(w.std() - (2 / 400) ** 0.5) < 0.005),
        (("xavier_uniform",), lambda w: 0.9 < w.abs().max() / (6 / 500) ** 0.5 <= 1),
    ],
)
def test_initial_values(init: tuple[Any, ...], check: Any) -> None:
    sketch = Sketch()
    x = sketch.input("x", 100)
    spec = WeightSpec("kernel", (400, 100), init, True, 25)
    x = sketch.apply("linear", x, output=(x, 400), weights=[spec], out=400, bias=False)
    (weight,) = build(sketch.graph(x)).parameters()
    assert check(weight.detach().double())


def tied(calls: int = 2, other_stride: int = 1) -> Graph:
    """One block with its weights in common to all calls."""
    sketch = Sketch("tied")
    x = sketch.input("x", 4, 8, 8)
    for call in range(calls):
        with sketch.block(f"t#{call + 1}", "unit", home="t"):
            x = relu_conv_bn(sketch, x, 4, 3, other_stride if call else 1)
    return sketch.graph(x)


def test_tied_blocks_are_one_module() -> None:
    network = build(tied(3))
    assert list(network.state_dict()) == [
        "t.conv2d.weight",
        "t.batch_norm.weight",
        "t.batch_norm.bias",
        "t.batch_norm.running_mean",
        "t.batch_norm.running_var",
        "t.batch_norm.num_batches_tracked",
    ]
    network.eval()
    x = torch.randn(2, 4, 8, 8)
    unit = network.get_submodule("t")
    assert torch.equal(network(x), unit(unit(unit(x))))


def test_tied_operations_that_differ_share_their_parameters() -> None:
    sketch = Sketch()
    x = sketch.input("x", 4, 8, 8)
    a = sketch.conv2d(x, 4, site="a")
    with sketch.block("again", "unit", home=""):
        b = sketch.conv2d(x, 4, stride=2, site="a")
    network = build(sketch.graph(a=a, b=b))
    assert len(list(network.parameters())) == 1
    assert {name: tuple(y.shape) for name, y in network(torch.randn(2, 4, 8, 8)).items()} == {
        "a": (2, 4, 8, 8),
        "b": (2, 4, 4, 4),
    }
    assert network.a.weight is network.a_2.weight


def test_running_statistics_cannot_be_tied_under_different_settings() -> None:
    sketch = Sketch()
    x = sketch.input("x", 4)
    a = sketch.batch_norm(x, eps=1e-5, site="a")
    with sketch.block("again", "unit", home=""):
        b = sketch.batch_norm(a, eps=1e-3, site="a")
    with pytest.raises(ArchError) as caught:
        build(sketch.graph(b))
    (found,) = caught.value.diagnostics
    assert found.code == "E0803"
    assert found.message == (
        "the torch backend cannot tie states between operations with different attributes, which `again/a` needs"
    )


def test_unsupported_ops_are_reported_together() -> None:
    sketch = Sketch()
    x = sketch.input("x", 4)
    x = sketch.apply("fourier", x, output=sketch.shape(x))
    x = sketch.apply("relu", x, output=sketch.shape(x), site="r", threshold=3)
    x = sketch.apply("fourier", x, output=sketch.shape(x))
    with pytest.raises(ArchError) as caught:
        build(sketch.graph(x))
    assert [found.code for found in caught.value.diagnostics] == ["E0803", "E0803"]
    assert [found.message for found in caught.value.diagnostics] == [
        "the torch backend has no lowering for op `fourier`, which `fourier#1` needs",
        "the torch backend does not know `threshold` of op `relu`, which `r` needs",
    ]
    assert caught.value.diagnostics[0].notes == ("op `fourier` is applied at `fourier#1`, `fourier#2`",)


def test_several_inputs_and_named_outputs() -> None:
    sketch = Sketch()
    a, b = sketch.input("a", 4), sketch.input("b", 4)
    total = sketch.add(a, b)
    network = build(sketch.graph(**{"sum": total, "inner.first": a}))
    x, y = torch.randn(2, 4), torch.randn(2, 4)
    found = network(x, y)
    assert list(found) == ["sum", "inner.first"]
    assert torch.equal(found["sum"], x + y)
    assert found["inner.first"] is x
    with pytest.raises(TypeError, match=r"Sketch takes 2 inputs \(a, b\), not 1"):
        network(x)


def test_a_child_may_be_replaced() -> None:
    network = build(tied(1)).eval()
    network.get_submodule("t").conv2d = nn.Identity()
    x = torch.randn(2, 4, 8, 8)
    torch.testing.assert_close(network(x), torch.relu(x) / (1 + 1e-5) ** 0.5)


def test_blocks_can_be_hooked_and_called() -> None:
    network = build(small())
    seen: list[str] = []
    for name, module in network.named_modules():
        if type(module).__name__ == "Block" and name.endswith("edge_1"):
            module.register_forward_hook(lambda m, given, result, name=name: seen.append(name))
    network(images())
    assert seen == [f"shared_{stage}.{i}.edge_1" for stage in (1, 2, 3) for i in (0, 1)]


def test_copies_and_files_of_modules() -> None:
    network = build(small()).eval()
    copied = copy.deepcopy(network)
    expected = network(images())
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
    assert torch.equal(copied(images()), expected)
    buffer = io.BytesIO()
    torch.save(copied, buffer)
    buffer.seek(0)
    assert torch.equal(torch.load(buffer, weights_only=False)(images()), expected)


def test_modes_types_and_gradients() -> None:
    network = build(small()).double()
    assert network(images().double()).dtype == torch.float64
    network.train()
    network(images().double()).sum().backward()
    # The operations of a zeroed edge do not reach the output.
    assert all(parameter.grad is not None for parameter in network.parameters())
    assert build(small()).to("meta")(images().to("meta")).shape == (2, 10)


def test_blocks_with_several_results() -> None:
    sketch = Sketch()
    x = sketch.input("x", 4)
    with sketch.block("split", "halves"):
        a, b = sketch.linear(x, 3), sketch.linear(x, 3)
    network = build(sketch.graph(sketch.add(sketch.relu(a), b)))
    x_ = torch.randn(2, 4)
    first, second = network.split(x_)
    assert torch.equal(network(x_), torch.relu(first) + second)
