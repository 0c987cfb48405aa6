"""Modules of PyTorch converted: the program is the module, in numbers, parameters and structure."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import archlang
import archlang as al
from tests.conversion.models import (
    Contexts,
    Encoder,
    Mobile,
    PartlyOdd,
    Recurrent,
    ResNet,
    Results,
    Twice,
    UNet,
    ViT,
    Watched,
    Windows,
    randomised,
)


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)


def ops(conversion: al.Conversion) -> list[str]:
    return [node.operation.name for node in conversion.program.graph.nodes]


FAMILIES: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "resnet": (ResNet, (2, 3, 32, 32)),
    "mobile": (Mobile, (1, 3, 16, 16)),
    "unet": (UNet, (1, 3, 16, 16)),
    "vit": (ViT, (2, 3, 16, 16)),
    "vit-written-out": (lambda: ViT(fused=False), (2, 3, 16, 16)),
    "vit-distilled": (lambda: ViT(tokens=2), (1, 3, 16, 16)),
    "swin": (Windows, (2, 8, 4, 4)),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_families(family: str) -> None:
    make, shape = FAMILIES[family]
    model = randomised(make())
    x = torch.randn(shape)
    found = al.convert(model, x)
    assert found.params == found.model_params == sum(p.numel() for p in model.parameters())
    network = found.program.build("torch")
    again = torch.randn(5, *shape[1:])
    with torch.no_grad():
        torch.testing.assert_close(network.eval()(again), model(again), rtol=1e-5, atol=1e-5)


def test_recurrent_layers() -> None:
    model = Recurrent()
    found = al.convert(model, torch.randn(2, 7, 4))
    assert found.params == found.model_params
    assert found.relative <= 1e-5
    assert (ops(found).count("lstm"), ops(found).count("gru")) == (4, 1)


def test_the_text_has_the_modules() -> None:
    found = al.convert(randomised(ResNet()), torch.randn(1, 3, 32, 32), name="small")
    assert "use std.blocks: basic_block, conv_bn" in found.text
    assert "repeat(depth, basic_block(out, stride=stride))" in found.text
    assert "space small(x: f32[n, 3, 32, 32]) -> [n, 5] {" in found.text
    assert "reshape" not in found.text


@pytest.mark.parametrize("fused", [True, False])
def test_attention_is_found(fused: bool) -> None:
    found = al.convert(randomised(ViT(fused)), torch.randn(1, 3, 16, 16))
    assert "matmul" not in ops(found)
    assert ops(found).count("attention") == 2
    assert "class_token" in ops(found)
    assert "position_embedding" in ops(found)
    assert "feature_scale" in ops(found)


def test_window_bias_is_found() -> None:
    found = al.convert(randomised(Windows()), torch.randn(1, 8, 4, 4))
    assert "window_bias" in ops(found)
    assert ops(found).count("roll") == 4
    assert "constant" in ops(found)


def test_ties_stay() -> None:
    model = Twice()
    found = al.convert(model, torch.zeros(1, 7, dtype=torch.int64))
    assert found.params == found.model_params == 11 * 6 + 42
    network = found.program.build("torch")
    assert sum(weight.numel() for weight in network.parameters()) == found.params
    tokens = torch.randint(0, 11, (3, 7))
    with torch.no_grad():
        torch.testing.assert_close(network(tokens), model(tokens))
    assert al.loads(found.program.source()).program().canonical_hash == found.program.canonical_hash


def test_several_inputs_and_results() -> None:
    model = Results()
    found = al.convert(model, [torch.randn(1, 4), torch.randn(1, 6)])
    made = found.program.build("torch")(torch.ones(2, 4), torch.ones(2, 6))
    expected = model(torch.ones(2, 4), torch.ones(2, 6))
    assert list(made) == ["first", "others[0]", "others[1]"]
    torch.testing.assert_close(made["first"], expected["first"])
    torch.testing.assert_close(made["others[1]"], expected["others"][1])


@pytest.mark.parametrize(
    ("bare", "way"), [(False, "`torch.export` in strict mode"), (True, "`torch.fx.symbolic_trace`")]
)
def test_what_is_not_exported_may_be_followed_otherwise(bare: bool, way: str) -> None:
    found = al.convert(Watched(bare), torch.randn(1, 4))
    assert found.notes == (f"its calls were followed by {way}",)
    assert ops(found) == ["linear", "relu", "linear"]
    assert found.params == found.model_params


def test_contexts_are_looked_into() -> None:
    found = al.convert(Contexts(), torch.randn(1, 4))
    assert ops(found) == ["linear", "silu"]


def test_the_model_stays_as_it_was() -> None:
    model = ResNet().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    al.convert(model, torch.randn(1, 3, 32, 32))
    assert all(module.training for module in model.modules())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_files(tmp_path: Path) -> None:
    model = randomised(Mobile())
    x = torch.randn(2, 3, 16, 16)
    al.convert(model, x).save(tmp_path / "net.arch", tmp_path / "net.safetensors")
    program = al.load(str(tmp_path / "net.arch")).program()
    for backend in ("torch", "numpy"):
        network = program.build(backend)
        program.load_weights(network, tmp_path / "net.safetensors", backend)
        made = network.eval()(x) if backend == "torch" else network(x.numpy())
        np.testing.assert_allclose(
            np.asarray(made.detach()) if backend == "torch" else made, model(x).detach(), atol=1e-5
        )


# ------------------------------------------------------------------ single calls


class Call(nn.Module):
    """A function as a module."""

    def __init__(self, function: Callable[..., Any]):
        super().__init__()
        self.function = function
        self.weight = nn.Parameter(torch.randn(6))

    def forward(self, *inputs: Tensor) -> Any:
        return self.function(*inputs, self.weight)


IMAGE, TOKENS = (2, 6, 4, 6), (2, 4, 6)
CALLS: dict[str, tuple[Callable[..., Any], tuple[int, ...], set[str]]] = {
    "silu": (lambda x, w: x * torch.sigmoid(x), TOKENS, {"silu"}),
    "rms_norm": (lambda x, w: w * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-5)), TOKENS, {"rms_norm"}),
    "not quite rms_norm": (
        lambda x, w: w * (x * torch.rsqrt(x.pow(2).mean(1, keepdim=True) + 1e-5)),
        TOKENS,
        {"square", "mean", "shift", "power", "mul", "feature_scale"},
    ),
    "tanh gelu": (
        lambda x, w: 0.5 * x * (1 + torch.tanh((2 / torch.pi) ** 0.5 * (x + 0.044715 * torch.pow(x, 3)))),
        TOKENS,
        {"gelu"},
    ),
    "channel scale": (lambda x, w: x * w.view(1, -1, 1, 1), IMAGE, {"channel_scale"}),
    "feature bias": (lambda x, w: w + x, TOKENS, {"feature_bias"}),
    "learned": (lambda x, w: x - w.view(6, 1, 1), IMAGE, {"parameter", "sub"}),
    "one minus": (lambda x, w: 1 - x / 4, TOKENS, {"scale", "shift"}),
    "inverse": (lambda x, w: 2 / (x.abs() + 1), TOKENS, {"absolute", "shift", "power", "scale"}),
    "numbers": (lambda x, w: (x + 2) * 3 - x.sum(-1, keepdim=True), TOKENS, {"shift", "scale", "mean", "sub"}),
    "constant": (lambda x, w: x * torch.arange(6.0), TOKENS, {"constant", "mul"}),
    "shuffle": (lambda x, w: F.channel_shuffle(x, 3), IMAGE, {"channel_shuffle"}),
    "stack": (lambda x, w: torch.stack([x, 2 * x], 1), TOKENS, {"scale", "reshape", "concat"}),
    "chunks": (lambda x, w: torch.cat(x.chunk(2, -1)[::-1], -1), TOKENS, {"slice", "concat"}),
    "in place": (lambda x, w: (x * 2).add_(1).relu_().mul_(w), TOKENS, {"scale", "shift", "relu", "feature_scale"}),
    "batch in the middle": (lambda x, w: x.transpose(0, 1).relu().mean(0), TOKENS, {"relu", "mean"}),
    "batch in a product": (lambda x, w: F.relu(x.reshape(-1, 6)).view(-1, 4, 6) * 2, TOKENS, {"relu", "scale"}),
    "narrow": (lambda x, w: F.pad(x, (-1, 2))[:, 1:3, ::2], TOKENS, {"slice", "pad"}),
    "maximum": (lambda x, w: torch.maximum(x, x.amax(1, keepdim=True) - 1), TOKENS, {"max_reduce", "shift", "maximum"}),
    "max pool": (lambda x, w: F.max_pool2d(x, 2, ceil_mode=True), IMAGE, {"max_pool2d"}),
    "average pool": (lambda x, w: F.avg_pool2d(x, 3, 2, 1), IMAGE, {"avg_pool2d"}),
    "shuffled pixels": (lambda x, w: F.pixel_shuffle(x[:, :4], 2), IMAGE, {"slice", "pixel_shuffle"}),
    "nearest": (lambda x, w: F.interpolate(x, scale_factor=2), IMAGE, {"upsample"}),
    "product": (lambda x, w: x @ x.transpose(1, 2), TOKENS, {"matmul"}),
}


@pytest.mark.parametrize("call", CALLS)
def test_calls(call: str) -> None:
    function, shape, expected = CALLS[call]
    found = al.convert(Call(function), torch.randn(shape))
    assert set(ops(found)) <= expected | {"permute", "reshape"}
    assert expected - {"reshape", "permute"} <= set(ops(found))
    assert found.relative <= 1e-5


def attended(window: int = 0, scale: float | None = None, causal: bool = False) -> Callable[..., Tensor]:
    def call(x: Tensor, w: Tensor) -> Tensor:
        q = x.view(len(x), 6, 2, 4).transpose(1, 2)
        k, v = (y.view(len(x), 6, 1, 4).transpose(1, 2).expand(-1, 2, -1, -1) for y in (x[..., :4], x[..., 4:]))
        mask = None
        if window:
            back = torch.arange(6)[:, None] - torch.arange(6)
            mask = (back >= 0) & (back < window)
        y = F.scaled_dot_product_attention(q, k, v, mask, is_causal=causal, scale=scale)
        return y.transpose(1, 2).reshape(len(x), 6, 8)

    return call


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, {"window": 0, "causal": False}),
        ({"causal": True}, {"window": 0, "causal": True}),
        ({"window": 6}, {"window": 0, "causal": True}),
        ({"window": 3}, {"window": 3, "causal": True}),
        ({"scale": 0.3}, {"window": 0, "causal": False}),
    ],
)
def test_masks_of_attention(settings: dict[str, Any], expected: dict[str, Any]) -> None:
    found = al.convert(Call(attended(**settings)), torch.randn(2, 6, 8))
    (made,) = [node.operation for node in found.program.graph.nodes if node.operation.name == "attention"]
    assert {name: made.attribute(name) for name in expected} == expected
    assert (made.attribute("heads"), made.attribute("kv_heads")) == (2, 1)
    assert found.relative <= 1e-5


def test_a_mask_of_another_form_is_added() -> None:
    mask = torch.ones(6, 6, dtype=torch.bool).tril() | torch.eye(6, dtype=torch.bool).roll(1, 1)

    def call(x: Tensor, w: Tensor) -> Tensor:
        q = x.view(len(x), 6, 2, 4).transpose(1, 2)
        return F.scaled_dot_product_attention(q, q, q, mask).transpose(1, 2).flatten(2)

    found = al.convert(Call(call), torch.randn(2, 6, 8))
    assert {"matmul", "softmax", "constant"} <= set(ops(found))
    assert found.relative <= 1e-5


# ------------------------------------------------------------------ what has no op


def test_what_has_no_op_stays_a_module() -> None:
    model = PartlyOdd()
    x = torch.randn(2, 3, 4)
    found = al.convert(model, x)
    (opaque,) = found.opaque
    assert (opaque.name, opaque.path, opaque.params) == ("odd", "odd", 20)
    assert opaque.reason == "`sin`, for which there is no op"
    assert found.params == found.model_params
    program = al.loads(found.text, externs={"odd": model.odd}).program()
    network = program.with_weights(found.program.weights).build("torch")
    torch.testing.assert_close(network(x), model(x))
    assert al.loads(program.source(), externs={"odd": model.odd}).program().canonical_hash == program.canonical_hash


class Running(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.cumsum(x, -1)


@pytest.mark.parametrize("after", [nn.Linear(6, 2), nn.Identity()])
def test_a_call_that_is_only_part_of_patterns_stays_too(after: nn.Module) -> None:
    found = al.convert(nn.Sequential(nn.Linear(4, 6), Running(), after), torch.randn(2, 4))
    assert [(opaque.path, opaque.reason) for opaque in found.opaque] == [("1", "`cumsum`, for which there is no op")]


def test_a_module_that_is_not_handed_over_is_asked_for() -> None:
    found = al.convert(PartlyOdd(), torch.randn(2, 3, 4))
    program = al.loads(found.text).program()
    with pytest.raises(al.ArchError, match="externs=") as caught:
        program.build("torch")
    assert caught.value.diagnostics[0].code == "E0813"
    with pytest.raises(al.ArchError, match="takes no modules"):
        found.program.build("numpy")


def test_networks_have_modules_of_their_own() -> None:
    found = al.convert(PartlyOdd(), torch.randn(2, 3, 4))
    one, other = found.program.build("torch"), found.program.build("torch")
    with torch.no_grad():
        one.externs.odd.mix.weight.zero_()
    assert other.externs.odd.mix.weight.abs().sum() > 0
    x = torch.randn(2, 3, 4)
    assert not torch.allclose(one(x), other(x))


def test_a_space_around_what_is_opaque() -> None:
    model = PartlyOdd()
    text = al.convert(model, torch.randn(2, 3, 4)).text
    opened = text.replace(" relu", " choose { relu: relu, gelu: gelu }")
    space = al.loads(opened, externs={"odd": model.odd})
    assert space.size == 2
    assert space.sample(0).build("torch")(torch.zeros(2, 3, 4)).shape == (2, 3, 2)


class Sorted(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.sort(x, -1).values


class Wrong(nn.Module):
    """Computes something else when it is run than when it is followed."""

    def forward(self, x: Tensor) -> Tensor:
        return x * (2.0 if torch.compiler.is_exporting() else 3.0)


class Endless(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * 1e30 * 1e30


class Branching(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x if x.sum() > 0 else -x


@pytest.mark.parametrize(
    ("model", "shape", "code", "message"),
    [
        (Sorted(), (2, 4), "E0811", "Sorted"),
        (Wrong(), (2, 4), "E0812", "differs"),
        (Endless(), (2, 4), "E0812", "not finite"),
        (Branching(), (2, 4), "E0810", "cannot be followed"),
        (nn.Linear(4, 2), (2, 5), "E0810", "does not take"),
        (nn.BatchNorm1d(4, track_running_stats=False), (2, 4), "E0811", "running statistics"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else "",
)
def test_what_cannot_be_converted(model: nn.Module, shape: tuple[int, ...], code: str, message: str) -> None:
    with pytest.raises(al.ArchError, match=message) as caught:
        al.convert(model, torch.randn(shape))
    assert [found.code for found in caught.value.diagnostics] == [code]


def test_unused_parameters_are_told() -> None:
    model = Encoder(8, 2, True)
    model.extra = nn.Linear(3, 3)
    found = al.convert(model, torch.randn(2, 5, 8))
    assert found.model_params - found.params == 12
    assert found.unused == 12
    assert "does not use: 9 of `extra.weight`, 3 of `extra.bias`" in found.notes[0]


def test_no_public_name_is_hidden_by_a_package() -> None:
    """A package that is imported becomes an attribute of `archlang`."""
    assert not {found.name for found in pkgutil.iter_modules(archlang.__path__)} & set(al.__all__)


def test_a_text_that_is_another_network_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    other = "use std.nn\nspace other(x: f32[n, 4]) { x |> linear(3) >> relu }"
    monkeypatch.setattr("archlang.conversion.converting.captured_text", lambda captured: other)
    with pytest.raises(al.ArchError, match="E0812"):
        al.convert(nn.Linear(4, 3), torch.randn(2, 4))
