"""Policy gradient: REINFORCE."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import attrs
from attrs.validators import and_, ge, gt, lt

from archlang.searchers.policies.policy import PolicySearch, Sample, by_distribution


@attrs.frozen(kw_only=True)
class ReinforceSettings:
    """`rate`: the step along the gradient. `baseline`: how much of the moving average of rewards is kept
    at each program. `entropy`: the weight of the entropy bonus. `batch`: programs a step. `dedupe`:
    propose no program twice (and stop when a finite space is used up)."""

    rate: float = attrs.field(default=1.0, validator=gt(0))
    baseline: float = attrs.field(default=0.9, validator=and_(ge(0), lt(1)))
    entropy: float = attrs.field(default=0.02, validator=ge(0))
    batch: int = attrs.field(default=1, validator=ge(1))
    dedupe: bool = True


class Reinforce(PolicySearch):
    """REINFORCE (Williams 1992; Zoph and Le 2017, "Neural architecture search with reinforcement learning").

    The policy climbs the gradient of the expected reward: that of the logarithm of a program's chance,
    times what its reward is above a moving average; with a bonus for entropy. The reward is the share of
    all programs told that it beats (of several objectives, the mean share). A program that was drawn from
    an earlier policy counts less where it has become unlikely: by the ratio of its chances, 1 at most; one
    that was never asked for counts in full.
    """

    name = "reinforce"
    Settings = ReinforceSettings

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self._baseline = 0.5  # the mean of all rewards

    def learn(self, batch: Sequence[Sample]) -> None:
        """One step along the gradient."""
        weights, kept = [], self.settings.baseline
        for sample in batch:
            reward = self.rewards.of(sample.scores)
            weights.append(importance(sample) * (reward - self._baseline))
            self._baseline = kept * self._baseline + (1 - kept) * reward
        for distribution, picks in by_distribution(batch, weights).items():
            weighted = [(pick, options, weight) for pick, options, weight, _ in picks]
            direction = distribution.direction(weighted, self.settings.entropy)
            distribution.climb(direction, self.settings.rate / len(batch))


def importance(sample: Sample) -> float:
    """The ratio of a program's chance now to that when it was asked for, 1 at most (as in Espeholt et al.
    2018, IMPALA); 1 where it never was."""
    if sample.log_chances is None:
        return 1.0
    now = sum(step.log_chance() for step in sample.steps)
    return math.exp(min(0.0, now - sum(sample.log_chances)))
