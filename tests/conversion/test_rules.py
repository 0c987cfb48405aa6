"""Calls that models hold, one by one: each is converted without opaque parts, and computes the same."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import archlang as al
from tests.conversion.models import randomised


class Calls(nn.Module):
    """A function of a tensor as a module."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


IMAGE, TOKENS, HEADS = (2, 4, 8, 12), (2, 6, 8), (2, 3, 6, 4)
WHERE = torch.arange(6)[:, None] >= torch.arange(6)

CALLS: list[tuple[tuple[int, ...], Callable[[Tensor], Tensor], str]] = [
    (TOKENS, lambda x: torch.addcmul(x, x, x.relu(), value=2.0), "mul"),
    (TOKENS, lambda x: x.clamp(min=0.3), "maximum"),
    (TOKENS, lambda x: x.clamp(max=0.3), "maximum"),
    (TOKENS, lambda x: torch.minimum(x, x.tanh()), "maximum"),
    (TOKENS, lambda x: F.normalize(x, dim=-1), "power"),
    (TOKENS, lambda x: x / x.norm(1, dim=-1, keepdim=True), "absolute"),
    (TOKENS, lambda x: x.max(dim=1)[0], "max_reduce"),
    (HEADS, lambda x: (x @ x.mT).masked_fill(~WHERE, -1e9).softmax(-1) @ x, "mul"),
    (HEADS, lambda x: torch.where(WHERE, x @ x.mT, 0.5), "mul"),
    (HEADS, lambda x: torch.einsum("bhtd,bhsd->bhts", x, x), "matmul"),
    (HEADS, lambda x: torch.einsum("bhtd,bhsd->bths", x, x), "matmul"),
    (TOKENS, lambda x: x[:, [3, 1, 2]], "concat"),
    ((2, 40, 3), lambda x: x[:, torch.arange(40) ** 2 % 40], "take"),
    ((2, 5, 3), lambda x: x[:, torch.tensor([[0, 4], [2, 0]])], "concat"),
    (TOKENS, lambda x: x.flip(1), "concat"),
    (TOKENS, lambda x: x.unfold(1, 3, 2), "concat"),
    (TOKENS, lambda x: x.unfold(1, 3, 3), "permute"),
    (IMAGE, lambda x: F.unfold(x, 4, stride=4), "permute"),
    (IMAGE, lambda x: F.interpolate(x, size=(5, 7), mode="bilinear"), "resize"),
    (IMAGE, lambda x: F.interpolate(x, size=(16, 18), mode="bicubic", align_corners=True), "resize"),
    (IMAGE, lambda x: F.interpolate(x, scale_factor=0.5), "resize"),
    (IMAGE, lambda x: F.adaptive_avg_pool2d(x, (2, 3)), "resize"),
    (IMAGE, lambda x: F.avg_pool2d(x, (2, 4)), "resize"),
    (IMAGE, lambda x: F.adaptive_avg_pool2d(x, (None, 1)), "mean"),
    (IMAGE, lambda x: F.adaptive_max_pool2d(x, (8, 1)), "max_reduce"),
    (IMAGE, lambda x: F.adaptive_max_pool2d(x, (4, 6)), "max_pool2d"),
    (IMAGE, lambda x: F.max_pool2d(F.pad(x, (1, 1, 1, 1), value=-torch.inf), 3, 2), "pad"),
    (HEADS, lambda x: x @ x.repeat_interleave(2, 1)[:, ::2].mT, "matmul"),
    (HEADS, lambda x: x[:, :, None].expand(-1, 3, 2, 6, 4).reshape(-1, 6, 6, 4) * 2.0, "concat"),
    (TOKENS, lambda x: x + x.new_zeros(6, 8).fill_(0.5), "shift"),
]


@pytest.mark.parametrize(("shape", "call", "op"), CALLS)
def test_calls(shape: tuple[int, ...], call: Callable[[Tensor], Tensor], op: str) -> None:
    torch.manual_seed(0)
    found = al.convert(Calls(call), torch.randn(shape))
    assert not found.opaque
    assert op in [node.operation.name for node in found.program.graph.nodes]


class Offsets(nn.Module):
    """Attention with a learned number for each distance of two tokens, looked up or worked out by a layer."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how
        self.qkv = nn.Linear(8, 24)
        if how == "computed":
            self.mlp = nn.Sequential(nn.Linear(1, 5), nn.ReLU(inplace=True), nn.Linear(5, 2, bias=False))
        else:
            self.table = nn.Parameter(torch.randn(11, 2))
        back = torch.arange(6)[:, None] - torch.arange(6)
        self.places: Tensor
        self.register_buffer("places", back + 5, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).view(len(x), 6, 3, 2, 4).permute(2, 0, 3, 1, 4)
        distances = torch.arange(-5.0, 6.0)[:, None]
        table = self.mlp(distances / 8) if self.how == "computed" else self.table
        bias = table[self.places].permute(2, 0, 1)
        if self.how == "other":
            bias = bias.flip(0)
        x = F.scaled_dot_product_attention(q, k, v, bias)
        if self.how == "shared":
            x = x + F.scaled_dot_product_attention(k, q, v, bias)
        return x.transpose(1, 2).flatten(2)


@pytest.mark.parametrize(
    ("how", "op"),
    [
        ("looked up", "window_bias"),
        ("other", "indexed_parameter"),
        ("shared", "indexed_parameter"),
        ("computed", "linear"),
    ],
)
def test_offsets(how: str, op: str) -> None:
    torch.manual_seed(0)
    found = al.convert(randomised(Offsets(how)), torch.randn(1, 6, 8))
    assert not found.opaque
    assert found.params + found.unused == found.model_params
    assert op in [node.operation.name for node in found.program.graph.nodes]


class Merged(nn.Module):
    """A bias that is put together, tokens as samples of a batch norm, a table from its third row on, and a
    learned token that is used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(8, 8, bias=False)
        self.bias = nn.Parameter(torch.randn(4))
        self.bn = nn.BatchNorm1d(8)
        self.places = nn.Embedding(9, 8)
        self.token = nn.Parameter(torch.randn(1, 1, 8))

    def forward(self, x: Tensor) -> Tensor:
        x = F.linear(x, self.linear.weight, torch.cat([self.bias, torch.zeros(2), self.bias[:2]]))
        x = self.bn(x.flatten(0, 1)).view_as(x) + self.places(torch.arange(6) + 2)
        token = self.token.expand(len(x), -1, -1)
        return torch.cat([token, x], 1) * 0.5 + token


def test_parameters_that_are_put_together() -> None:
    torch.manual_seed(0)
    found = al.convert(randomised(Merged()), torch.randn(1, 6, 8))
    ops = [node.operation.name for node in found.program.graph.nodes]
    assert not found.opaque
    assert "position_embedding(9, start=2)" in found.text
    assert ops.count("parameter") == 3
    assert found.params + found.unused == found.model_params + 2  # two numbers of the bias are there twice


class TimeFirst(nn.Module):
    """Tokens with the batch second, as `nn.MultiheadAttention` has them, and such a result."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = x.transpose(0, 1)
        found: Tensor = self.attention(x, x, x, need_weights=False)[0]
        return found


def test_results_have_the_batch_first() -> None:
    torch.manual_seed(0)
    found = al.convert(randomised(TimeFirst()), torch.randn(1, 6, 8))
    assert found.notes == ("the result `` has the batch first",)
    assert "attention" in [node.operation.name for node in found.program.graph.nodes]


def test_macs_are_those_that_pytorch_counts() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(4, 6, 3, groups=2), nn.ReLU(), nn.Flatten(), nn.Linear(6 * 6 * 10, 3))
    found = al.convert(model, torch.randn(3, *IMAGE[1:]))
    assert found.macs == found.model_macs == 6 * 6 * 10 * 2 * 9 + 6 * 6 * 10 * 3


def test_other_macs_are_told() -> None:
    torch.manual_seed(0)
    model = nn.LSTM(4, 3, batch_first=True)
    found = al.convert(model, torch.randn(1, 5, 4))
    assert found.macs == 5 * 4 * 3 * (4 + 3)
    assert found.model_macs != found.macs
    assert "the result `[1][1]` has no op, and is left out" in found.notes
    assert "MACs in the model, and archlang 420" in found.notes[-1]
