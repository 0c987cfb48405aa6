"""The library's blocks have the shapes, parameters and MACs of the same blocks written in PyTorch."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import archlang as al
from tests.stdlib.applied import declared, executed


def conv_bn(c: int, out: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> nn.Sequential:
    padding = kernel // 2
    conv = nn.Conv2d(c, out, kernel, stride=stride, padding=padding, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(out))


def relu_conv_bn(c: int, out: int, kernel: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.ReLU(), *conv_bn(c, out, kernel, stride))


def factorized_conv(c: int, out: int, kernel: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.ReLU(),
        nn.Conv2d(c, out, (1, kernel), stride=(1, stride), padding=(0, kernel // 2), bias=False),
        nn.Conv2d(out, out, (kernel, 1), stride=(stride, 1), padding=(kernel // 2, 0), bias=False),
        nn.BatchNorm2d(out),
    )


def sep_conv(c: int, out: int, kernel: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.ReLU(),
        nn.Conv2d(c, c, kernel, stride, kernel // 2, groups=c, bias=False),
        nn.Conv2d(c, c, 1, bias=False),
        nn.BatchNorm2d(c),
        nn.ReLU(),
        nn.Conv2d(c, c, kernel, 1, kernel // 2, groups=c, bias=False),
        nn.Conv2d(c, out, 1, bias=False),
        nn.BatchNorm2d(out),
    )


def dil_conv(c: int, out: int, kernel: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.ReLU(),
        nn.Conv2d(c, c, kernel, stride, kernel - 1, dilation=2, groups=c, bias=False),
        nn.Conv2d(c, out, 1, bias=False),
        nn.BatchNorm2d(out),
    )


class FactorizedReduce(nn.Module):
    def __init__(self, c: int, out: int, odd: bool) -> None:
        super().__init__()
        self.left = nn.Conv2d(c, out // 2, 1, stride=2, bias=False)
        self.right = nn.Conv2d(c, out - out // 2, 1, stride=2, bias=False)
        self.norm = nn.BatchNorm2d(out)
        self.odd = odd

    def forward(self, x: Tensor) -> Tensor:
        moved = F.pad(x, (0, 1, 0, 1)) if self.odd else x
        both: Tensor = self.norm(torch.cat([self.left(x), self.right(moved[:, :, 1:, 1:])], 1))
        return both


class Residual(nn.Module):
    """body(x) + shortcut(x)"""

    def __init__(self, body: nn.Module, shortcut: nn.Module | None = None) -> None:
        super().__init__()
        self.body, self.shortcut = body, shortcut or nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        both: Tensor = self.body(x) + self.shortcut(x)
        return both


class Gate(nn.Module):
    def __init__(self, c: int, hidden: int) -> None:
        super().__init__()
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(c, hidden, 1), nn.ReLU(), nn.Conv2d(hidden, c, 1), nn.Hardsigmoid()
        )

    def forward(self, x: Tensor) -> Tensor:
        gated: Tensor = x * self.gate(x)
        return gated


class Attention(nn.Module):
    def __init__(self, d: int, heads: int, width: int, context: int) -> None:
        super().__init__()
        self.heads = heads
        self.q, self.k, self.v = nn.Linear(d, width), nn.Linear(context, width), nn.Linear(context, width)
        self.out = nn.Linear(width, d)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        context = x if context is None else context
        projected = self.q(x), self.k(context), self.v(context)
        q, k, v = (y.reshape(*y.shape[:2], self.heads, -1).transpose(1, 2) for y in projected)
        attended: Tensor = self.out(((q @ k.mT).softmax(-1) @ v).transpose(1, 2).flatten(2))
        return attended


def encoder(d: int, heads: int, hidden: int, pre_norm: bool) -> nn.Module:
    attention, mlp = Attention(d, heads, d, d), nn.Sequential(nn.Linear(d, hidden), nn.GELU(), nn.Linear(hidden, d))
    if pre_norm:
        return nn.Sequential(
            Residual(nn.Sequential(nn.LayerNorm(d), attention)), Residual(nn.Sequential(nn.LayerNorm(d), mlp))
        )
    return nn.Sequential(Residual(attention), nn.LayerNorm(d), Residual(mlp), nn.LayerNorm(d))


def mbconv(c: int, hidden: int, out: int, kernel: int, stride: int, gate: int = 0) -> nn.Module:
    body = nn.Sequential(
        conv_bn(c, hidden) if hidden != c else nn.Identity(),
        conv_bn(hidden, hidden, kernel, stride, groups=hidden),
        Gate(hidden, gate) if gate else nn.Identity(),
        conv_bn(hidden, out),
    )
    return Residual(body) if stride == 1 and c == out else body


IMAGE = (1, 16, 8, 12)
ODD = (1, 16, 7, 9)
TOKENS = (1, 10, 24)
CASES = [
    ("conv_bn(20, kernel=5, stride=2)", IMAGE, conv_bn(16, 20, 5, 2)),
    ("conv_bn(20, kernel=1, act=identity)", IMAGE, conv_bn(16, 20)),
    ("depthwise_bn(kernel=5, stride=2)", IMAGE, conv_bn(16, 16, 5, 2, groups=16)),
    ("relu_conv_bn(20, kernel=3, stride=2)", IMAGE, relu_conv_bn(16, 20, 3, 2)),
    ("factorized_conv(16)", IMAGE, factorized_conv(16, 16, 7, 1)),
    ("factorized_conv(20, kernel=3, stride=2)", ODD, factorized_conv(16, 20, 3, 2)),
    ("sep_conv(20, kernel=5, stride=2)", IMAGE, sep_conv(16, 20, 5, 2)),
    ("dil_conv(20, kernel=5, stride=2)", IMAGE, dil_conv(16, 20, 5, 2)),
    ("factorized_reduce(21)", IMAGE, FactorizedReduce(16, 21, odd=False)),
    ("factorized_reduce(21)", ODD, FactorizedReduce(16, 21, odd=True)),
    (
        "resnet_basic(32)",
        IMAGE,
        Residual(
            nn.Sequential(relu_conv_bn(16, 32, 3, 2), relu_conv_bn(32, 32, 3)),
            nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(16, 32, 1, bias=False)),
        ),
    ),
    (
        "resnet_basic(32, stride=1)",
        IMAGE,
        Residual(nn.Sequential(relu_conv_bn(16, 32, 3), relu_conv_bn(32, 32, 3)), relu_conv_bn(16, 32, 1)),
    ),
    (
        "resnet_basic(16, stride=1)",
        IMAGE,
        Residual(nn.Sequential(relu_conv_bn(16, 16, 3), relu_conv_bn(16, 16, 3))),
    ),
    ("basic_block(16)", IMAGE, Residual(nn.Sequential(conv_bn(16, 16, 3), conv_bn(16, 16, 3)))),
    (
        "basic_block(24, stride=2)",
        ODD,
        Residual(nn.Sequential(conv_bn(16, 24, 3, 2), conv_bn(24, 24, 3)), conv_bn(16, 24, 1, 2)),
    ),
    (
        "bottleneck(64, stride=2)",
        IMAGE,
        Residual(nn.Sequential(conv_bn(16, 16), conv_bn(16, 16, 3, 2), conv_bn(16, 64)), conv_bn(16, 64, 1, 2)),
    ),
    (
        "bottleneck(16, width=32, groups=8)",
        IMAGE,
        Residual(nn.Sequential(conv_bn(16, 32), conv_bn(32, 32, 3, groups=8), conv_bn(32, 16))),
    ),
    ("squeeze_excite(4)", IMAGE, Gate(16, 4)),
    ("mbconv(16)", IMAGE, mbconv(16, 96, 16, 3, 1)),
    ("mbconv(24, kernel=5, stride=2, expand=3, se=0.25)", ODD, mbconv(16, 48, 24, 5, 2, gate=16)),
    ("mbconv(16, expand=1, act=hswish)", IMAGE, mbconv(16, 16, 16, 3, 1)),
    ("mlp(40, 6)", TOKENS, nn.Sequential(nn.Linear(24, 40), nn.Linear(40, 6))),
    ("mlp(40, 6, rate=0.1)", (1, 24), nn.Sequential(nn.Linear(24, 40), nn.Linear(40, 6))),
    ("self_attention(4, 32)", TOKENS, Attention(24, 4, 32, 24)),
    ("transformer_encoder(4)", TOKENS, encoder(24, 4, 96, pre_norm=True)),
    ("transformer_encoder(4, ratio=2.0, pre_norm=false, rate=0.1, path_rate=0.1)", TOKENS, encoder(24, 4, 48, False)),
]


@pytest.mark.parametrize(("stage", "shape", "module"), CASES, ids=[f"{case[0]} {case[1]}" for case in CASES])
def test_block(stage: str, shape: tuple[int, ...], module: nn.Module) -> None:
    assert declared(stage, shape) == executed(module, [shape])


def test_cross_attention() -> None:
    shapes = [TOKENS, (1, 7, 36)]
    assert declared("cross_attention(4, 32)", *shapes) == executed(Attention(24, 4, 32, 36), shapes)


def published_make_divisible(value: float, divisor: int = 8) -> int:
    """The function as the MobileNet repositories have it."""
    rounded = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * value else rounded


@pytest.mark.parametrize("value", [1, 8, 11.9, 12, 18, 24.5, 33.6, 37, 100, 1280])
def test_make_divisible(value: float) -> None:
    space = al.loads(f"use std.blocks: make_divisible\nspace width {{ make_divisible({value}) }}")
    assert space.program({}).values[""] == published_make_divisible(value)


@pytest.mark.parametrize(
    ("value", "size", "first"),
    [
        ("permutation([1, 2, 3])", 6, [1, 2, 3]),
        ("any_of([1, 2, 3])", 8, []),
    ],
)
def test_choices_of_lists(value: str, size: int, first: list[int]) -> None:
    space = al.loads(f"use std.blocks\nspace lists {{ {{ xs: {value} }} }}")
    assert space.size == size
    assert space.program(next(space.enumerate())).values["xs"] == first


def test_maybe() -> None:
    text = "use std.nn\nuse std.blocks\nspace s(x: f32[n, 4, 8, 8]) { x |> maybe(conv_bn(4, kernel=choose [3, 5])) }"
    space = al.loads(text)
    assert space.size == 3
    params = sorted(space.program(choices).cost().params for choices in space.enumerate())
    assert params == [0, 4 * 4 * 9 + 8, 4 * 4 * 25 + 8]
