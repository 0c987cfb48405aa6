"""How the weights and the architecture of a supernet are optimised."""

from __future__ import annotations

import math
from collections.abc import Sequence

import attrs
from attrs.validators import ge, in_


@attrs.frozen(kw_only=True)
class WeightSettings:
    """SGD with momentum for the shared weights: the learning rate falls as a cosine from `lr` to `least`
    over the epochs; L2 decay; `clip` bounds the global gradient norm (or, `clip_values`, each entry)."""

    lr: float = attrs.field(default=0.025, converter=float, validator=ge(0))
    least: float = attrs.field(default=0.001, converter=float, validator=ge(0))
    momentum: float = attrs.field(default=0.9, converter=float, validator=ge(0))
    nesterov: bool = False
    decay: float = attrs.field(default=3e-4, converter=float, validator=ge(0))
    clip: float | None = 5.0
    clip_values: bool = False
    smoothing: float = attrs.field(default=0.0, converter=float, validator=ge(0))

    def rate(self, progress: float) -> float:
        """The learning rate when that share of the training is done."""
        return self.least + (self.lr - self.least) * 0.5 * (1 + math.cos(math.pi * progress))


def _floats(pair: Sequence[float]) -> tuple[float, float]:
    first, second = pair
    return float(first), float(second)


@attrs.frozen(kw_only=True)
class ArchitectureSettings:
    """Adam for the parameters of the mixture, with L2 decay."""

    lr: float = attrs.field(default=3e-4, converter=float, validator=ge(0))
    betas: tuple[float, float] = attrs.field(default=(0.5, 0.999), converter=_floats)
    decay: float = attrs.field(default=1e-3, converter=float, validator=ge(0))


@attrs.frozen
class Schedule:
    """A number that goes from `start` to `end` over the training, linearly or (`kind`) exponentially."""

    start: float
    end: float
    kind: str = attrs.field(default="linear", validator=in_(("linear", "exponential")))

    def at(self, progress: float) -> float:
        """The number when that share of the training is done."""
        if self.kind == "linear":
            return self.start + (self.end - self.start) * progress
        return float(self.start * (self.end / self.start) ** progress)


def as_schedule(value: float | Schedule) -> Schedule:
    """A schedule; of a number that stays where it is given one."""
    return value if isinstance(value, Schedule) else Schedule(value, value)
