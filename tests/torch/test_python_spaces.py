"""Plain PyTorch code with choices makes plain PyTorch modules."""

from __future__ import annotations

import pickle
from random import Random
from typing import Any

import torch
from torch import nn

import archlang as al

Conv = al.searchable(nn.Conv2d)
ACTIVATION = al.choose([nn.ReLU, nn.GELU])


@al.searchable
class Unit(nn.Module):
    def __init__(self, channels: int, kernel: int = al.choose([1, 3]), activation: Any = nn.ReLU) -> None:
        super(Unit, self).__init__()  # noqa: UP008 - as older code does
        self.conv = Conv(channels, channels, kernel, padding=kernel // 2, groups=al.choose([1, channels]))
        self.activation = activation()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.activation(self.conv(x)) + x


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        width = al.choose([4, 8])
        self.stem = nn.Conv2d(1, width, 3, padding=1)
        self.body = nn.Sequential(*[Unit(width, activation=ACTIVATION) for _ in range(al.integer(0, 2, name="depth"))])
        self.head = nn.Linear(width, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(self.stem(x)).mean((2, 3)))


def test_programs_are_plain_modules_of_their_picks() -> None:
    space = al.space_of(Network)
    seen = set()
    for choices in space.enumerate():
        network = space.build(choices)
        units = list(network.body)
        assert len(units) == choices["depth"]
        for place, unit in enumerate(units):
            assert type(unit) is Unit
            assert type(unit.conv) is nn.Conv2d
            assert unit.conv.kernel_size == (choices[f"Unit[{place}].kernel"],) * 2
            assert type(unit.activation).__name__ == choices["ACTIVATION"]
            assert unit.conv.groups in (1, choices["width"])
        seen.add(tuple(network.state_dict()))
    assert len(seen) == 3
    assert space.size == 2 * (1 + 2 * 4 + 2 * 4**2)


def test_programs_run_learn_and_are_pickled() -> None:
    torch.manual_seed(0)
    space = al.space_of(Network)
    network = space.build({**space.draw(Random(1))})
    x = torch.randn(2, 1, 5, 5)
    network(x).sum().backward()
    assert all(weight.grad is not None for weight in network.parameters())
    again = pickle.loads(pickle.dumps(network))
    torch.testing.assert_close(again(x), network(x))
