"""Initial values of weights, as declared by the op, drawn by address."""

from __future__ import annotations

import math
from collections.abc import Callable
from hashlib import blake2b
from typing import Any

import attrs
import torch
from torch import Generator, Tensor, nn

from archlang.ir.graph import WeightSpec


@attrs.frozen
class Initialiser:
    """How a weight is filled, and the same as source text with `{}` for the weight."""

    fill: Callable[[Tensor, WeightSpec, Generator], Any]
    text: Callable[[WeightSpec], str]


def _bound(spec: WeightSpec) -> float:
    return 1 / math.sqrt(max(spec.fan_in, 1))


def _kaiming_bound(spec: WeightSpec) -> float:
    """The bound of torch's default for convolutions and linear layers (a = √5): 1 / √fan_in,
    where the fan-in is the number of elements of one slice along the first dimension."""
    return 1 / math.sqrt(max(math.prod(spec.shape[1:]), 1))


def _fans(spec: WeightSpec) -> tuple[int, int]:
    receptive = math.prod(spec.shape[2:])
    return spec.shape[1] * receptive, spec.shape[0] * receptive


def _xavier_bound(spec: WeightSpec) -> float:
    return math.sqrt(6 / sum(_fans(spec)))


INITIALISERS: dict[str, Initialiser] = {
    "zeros": Initialiser(lambda w, s, g: w.zero_(), lambda s: "nn.init.zeros_({})"),
    "ones": Initialiser(lambda w, s, g: w.fill_(1.0), lambda s: "nn.init.ones_({})"),
    "constant": Initialiser(lambda w, s, g: w.fill_(s.init[1]), lambda s: f"nn.init.constant_({{}}, {s.init[1]!r})"),
    "kaiming_uniform": Initialiser(
        lambda w, s, g: w.uniform_(-_kaiming_bound(s), _kaiming_bound(s), generator=g),
        lambda s: "nn.init.kaiming_uniform_({}, a=math.sqrt(5))",
    ),
    "fan_in_uniform": Initialiser(
        lambda w, s, g: w.uniform_(-_bound(s), _bound(s), generator=g),
        lambda s: f"nn.init.uniform_({{}}, -{_bound(s)!r}, {_bound(s)!r})",
    ),
    "uniform": Initialiser(
        lambda w, s, g: w.uniform_(s.init[1], s.init[2], generator=g),
        lambda s: f"nn.init.uniform_({{}}, {s.init[1]!r}, {s.init[2]!r})",
    ),
    "normal": Initialiser(
        lambda w, s, g: w.normal_(s.init[1], s.init[2], generator=g),
        lambda s: f"nn.init.normal_({{}}, {s.init[1]!r}, {s.init[2]!r})",
    ),
    "trunc_normal": Initialiser(
        lambda w, s, g: nn.init.trunc_normal_(w, s.init[1], s.init[2], generator=g),
        lambda s: f"nn.init.trunc_normal_({{}}, {s.init[1]!r}, {s.init[2]!r})",
    ),
    "kaiming_normal": Initialiser(
        lambda w, s, g: w.normal_(0.0, math.sqrt(2 / _fans(s)[1]), generator=g),
        lambda s: 'nn.init.kaiming_normal_({}, mode="fan_out", nonlinearity="relu")',
    ),
    "xavier_uniform": Initialiser(
        lambda w, s, g: w.uniform_(-_xavier_bound(s), _xavier_bound(s), generator=g),
        lambda s: "nn.init.xavier_uniform_({})",
    ),
}


class Drawing:
    """Draws initial values: the same for the same seed and address, whatever else is drawn."""

    def __init__(self, seed: int) -> None:
        self._prefix = f"{seed}/"
        self._generator = Generator()

    def draw(self, address: str, spec: WeightSpec, dtype: torch.dtype) -> Tensor:
        """A new tensor for the weight at an address; call it where no gradients are recorded."""
        kind = spec.init[0]
        if kind == "zeros":
            return torch.zeros(spec.shape, dtype=dtype)
        if kind == "ones":
            return torch.ones(spec.shape, dtype=dtype)
        tensor = torch.empty(spec.shape, dtype=dtype)
        digest = blake2b(f"{self._prefix}{address}".encode(), digest_size=8).digest()
        self._generator.manual_seed(int.from_bytes(digest, "little"))
        INITIALISERS[kind].fill(tensor, spec, self._generator)
        return tensor
