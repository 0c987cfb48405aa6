"""Building and running a NAS-Bench-201 network against the same network written by hand."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

import torch
from archlang_torch import build, emit
from torch import Tensor, nn

from archlang.ir.raising import raise_blocks
from tests.graphs import nasbench201

OPS = ("conv3", "conv1", "skip", "pool3", "none", "conv3")


class ReluConvBn(nn.Module):
    def __init__(self, channels: int, out: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.op = nn.Sequential(
            nn.ReLU(),
            nn.Conv2d(channels, out, kernel, stride=stride, padding=kernel // 2, bias=False),
            nn.BatchNorm2d(out),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.op(x)


class Zero(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.zeros_like(x)


EDGES: dict[str, Callable[[int], nn.Module]] = {
    "none": lambda channels: Zero(),
    "skip": lambda channels: nn.Identity(),
    "conv1": lambda channels: ReluConvBn(channels, channels, 1, 1),
    "conv3": lambda channels: ReluConvBn(channels, channels, 3, 1),
    "pool3": lambda channels: nn.AvgPool2d(3, 1, 1, count_include_pad=False),
}


class Cell(nn.Module):
    def __init__(self, channels: int, ops: Sequence[str]) -> None:
        super().__init__()
        self.edges = nn.ModuleList([EDGES[op](channels) for op in ops])

    def forward(self, x: Tensor) -> Tensor:
        a = self.edges[0](x)
        b = self.edges[1](x) + self.edges[2](a)
        return self.edges[3](x) + self.edges[4](a) + self.edges[5](b)


class Reduction(nn.Module):
    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.first = ReluConvBn(channels, out, 3, 2)
        self.second = ReluConvBn(out, out, 3, 1)
        self.shortcut = nn.Sequential(nn.AvgPool2d(2, 2, 0), nn.Conv2d(channels, out, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.first(x)) + self.shortcut(x)


class ByHand(nn.Module):
    """The reference network of NAS-Bench-201 as one writes it in PyTorch."""

    def __init__(self, ops: Sequence[str] = OPS, channels: int = 16, repeats: int = 5, classes: int = 10) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels))
        body: list[nn.Module] = []
        for stage in range(3):
            if stage:
                body.append(Reduction(channels, 2 * channels))
                channels *= 2
            body += [Cell(channels, ops) for _ in range(repeats)]
        self.body = nn.Sequential(*body)
        self.last = nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU())
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(channels, classes)

    def forward(self, image: Tensor) -> Tensor:
        x = self.last(self.body(self.stem(image)))
        return self.classifier(self.pool(x).flatten(1))


def timed(actions: Sequence[Callable[[], Any]], rounds: int = 25) -> list[float]:
    """The median time of each action in milliseconds, the actions taking turns."""
    for action in actions:
        action()
    times: list[list[float]] = [[] for _ in actions]
    for _ in range(rounds):
        for action, found in zip(actions, times, strict=True):
            started = time.perf_counter()
            action()
            found.append((time.perf_counter() - started) * 1e3)
    return [median(found) for found in times]


def main() -> None:
    """Print what building, emitting and running cost, with the ratio to the hand-written network."""
    torch.set_num_threads(1)
    graph = nasbench201(OPS)
    raising, emitting = timed([lambda: raise_blocks(graph), lambda: emit(graph)], 10)
    print(f"raise blocks   {raising:8.2f} ms")
    print(f"emit           {emitting:8.2f} ms")
    built_time, hand_time = timed([lambda: build(graph), ByHand])
    print(f"build          {built_time:8.2f} ms   by hand {hand_time:8.2f} ms   ratio {built_time / hand_time:.3f}")
    built, hand = build(graph).eval(), ByHand().eval()
    assert sum(w.numel() for w in built.parameters()) == sum(w.numel() for w in hand.parameters())
    x = torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        ours, theirs = timed([lambda: built(x), lambda: hand(x)])
    print(f"forward, n=1   {ours:8.2f} ms   by hand {theirs:8.2f} ms   ratio {ours / theirs:.3f}")
    built.train()
    hand.train()
    x = torch.randn(16, 3, 32, 32)
    ours, theirs = timed([lambda: built(x).sum().backward(), lambda: hand(x).sum().backward()], 7)
    print(f"train, n=16    {ours:8.2f} ms   by hand {theirs:8.2f} ms   ratio {ours / theirs:.3f}")


if __name__ == "__main__":
    main()
