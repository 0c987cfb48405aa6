"""What a training of a supernet was like, epoch by epoch, and what looks wrong with it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

EVEN = 0.99  # an entropy of more than this share of the highest says that nothing has been learnt
FEW = 8  # steps in an epoch
COLLAPSED = 0.5  # so many decisions of operations without weights are more than good programs have


@attrs.frozen
class Epoch:
    """One epoch: the mean loss of the weights' steps, what the supernet measures on the validation samples, how
    likely each pick of each mixed decision is after it, and the seconds that it took."""

    number: int
    loss: float
    metrics: Mapping[str, float]
    likelihoods: Mapping[str, Sequence[float]]
    seconds: float

    @property
    def entropy(self) -> float | None:
        """The mean entropy of the decisions as a share of the highest there can be; None without any."""
        found = [_entropy(shares) for shares in self.likelihoods.values() if len(shares) > 1]
        return sum(found) / len(found) if found else None

    def as_json(self) -> dict[str, Any]:
        """The epoch as plain data."""
        return attrs.asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Epoch:
        return cls(**data)


def _entropy(shares: Sequence[float]) -> float:
    total = sum(shares)
    if total <= 0:
        return 1.0
    return -sum(p / total * math.log(p / total) for p in shares if p > 0) / math.log(len(shares))


def warnings(
    history: Sequence[Epoch], free: Mapping[str, Sequence[bool]], trained_from: float, steps: int
) -> list[str]:
    """What looks like a known failure. `free` says of each named alternative whether it has no weights;
    the architecture is trained from that share of the epochs on; an epoch has so many steps."""
    if not history:
        return []
    found = []
    last = history[-1]
    if not math.isfinite(last.loss):
        found.append("the loss is not finite: lower the learning rate of the weights")
    if steps < FEW:
        few = "a step" if steps == 1 else f"{steps} steps"
        found.append(f"an epoch has {few}: the method is meant for more data; lower `batch_size` and `weights.lr`")
    entropy = last.entropy
    if entropy is not None and trained_from < 1 and entropy > EVEN and len(history) > 1:
        found.append(
            f"the mixture is still nearly even (entropy {entropy:.3f} of 1): train longer, or raise `architecture.lr`"
        )
    likeliest = {name: max(range(len(p)), key=p.__getitem__) for name, p in last.likelihoods.items() if name in free}
    without = sum(free[name][pick] for name, pick in likeliest.items())
    chance = sum(sum(flags) / len(flags) for flags in free.values())
    if likeliest and without > max(COLLAPSED * len(likeliest), chance + 1):
        found.append(
            f"{without} of {len(likeliest)} decisions prefer operations without weights (skips, pools): a known "
            "collapse of DARTS; try `pc-darts`, `darts-pt` or `drnas`, or fewer epochs"
        )
    return found
