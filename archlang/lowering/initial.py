"""Initial values of weights, as declared by the op, drawn by address: the same on every backend."""

from __future__ import annotations

import math
from collections.abc import Callable
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from archlang.ir.graph import WeightSpec

Array = NDArray[np.float32]
Draw = Callable[[np.random.Generator, WeightSpec], Array]


def fan_in_bound(spec: WeightSpec) -> float:
    """1 / √fan_in, where the fan-in is the number of inputs that one output sums over."""
    return 1 / math.sqrt(max(spec.fan_in, 1))


def kaiming_bound(spec: WeightSpec) -> float:
    """The bound of PyTorch's default for convolutions and linear layers (a = √5): 1 / √fan_in, where
    the fan-in is the number of elements of one slice along the first dimension."""
    return 1 / math.sqrt(max(math.prod(spec.shape[1:]), 1))


def fans(spec: WeightSpec) -> tuple[int, int]:
    """The fan-in and fan-out of Glorot and Bengio (2010) and He et al. (2015)."""
    receptive = math.prod(spec.shape[2:])
    return spec.shape[1] * receptive, spec.shape[0] * receptive


def xavier_bound(spec: WeightSpec) -> float:
    return math.sqrt(6 / sum(fans(spec)))


def _uniform(random: np.random.Generator, spec: WeightSpec, low: float, high: float) -> Array:
    drawn = random.random(spec.shape, dtype=np.float32)
    drawn *= high - low
    drawn += low
    return drawn


def _around_zero(bound: Callable[[WeightSpec], float]) -> Draw:
    return lambda random, spec: _uniform(random, spec, -bound(spec), bound(spec))


def _normal(random: np.random.Generator, spec: WeightSpec, mean: float, deviation: float) -> Array:
    drawn = random.standard_normal(spec.shape, dtype=np.float32)
    drawn *= deviation
    drawn += mean
    return drawn


def _trunc_normal(random: np.random.Generator, spec: WeightSpec) -> Array:
    """Normal values, those beyond -2 and 2 drawn again."""
    mean, deviation = spec.init[1:3]
    drawn = _normal(random, spec, mean, deviation)
    outside = np.abs(drawn) > 2
    while outside.any():
        drawn[outside] = random.standard_normal(int(outside.sum()), dtype=np.float32) * deviation + mean
        outside = np.abs(drawn) > 2
    return drawn


DRAWS: dict[str, Draw] = {
    "zeros": lambda random, spec: np.zeros(spec.shape, np.float32),
    "ones": lambda random, spec: np.ones(spec.shape, np.float32),
    "identity": lambda random, spec: np.eye(*spec.shape, dtype=np.float32),
    "constant": lambda random, spec: np.full(spec.shape, spec.init[1], np.float32),
    "kaiming_uniform": _around_zero(kaiming_bound),
    "fan_in_uniform": _around_zero(fan_in_bound),
    "uniform": lambda random, spec: _uniform(random, spec, spec.init[1], spec.init[2]),
    "normal": lambda random, spec: _normal(random, spec, spec.init[1], spec.init[2]),
    "trunc_normal": _trunc_normal,
    "kaiming_normal": lambda random, spec: _normal(random, spec, 0.0, math.sqrt(2 / fans(spec)[1])),
    "xavier_uniform": _around_zero(xavier_bound),
}
_FIXED = frozenset({"zeros", "ones", "identity", "constant"})


class Drawing:
    """Draws initial values: the same for the same seed and address, whatever else is drawn."""

    def __init__(self, seed: int) -> None:
        self._prefix = f"{seed}/"
        self._unused = np.random.Generator(np.random.SFC64(0))

    def draw(self, address: str, spec: WeightSpec) -> Array:
        """A new float32 array for the weight at an address."""
        kind = spec.init[0]
        random = self._unused
        if kind not in _FIXED:
            digest = blake2b(f"{self._prefix}{address}".encode(), digest_size=8).digest()
            random = np.random.Generator(np.random.SFC64(int.from_bytes(digest, "little")))
        return DRAWS[kind](random, spec)
