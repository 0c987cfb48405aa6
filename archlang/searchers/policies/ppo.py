"""Policy gradient: proximal policy optimization."""

from __future__ import annotations

import math
from collections.abc import Sequence

import attrs
from attrs.validators import ge, gt

from archlang.searchers.policies.distributions import Distribution
from archlang.searchers.policies.policy import PolicySearch, Sample, Weighted, by_distribution


@attrs.frozen(kw_only=True)
class PPOSettings:
    """`rate`: the step along the gradient. `batch`: programs from which the policy learns at once.
    `epochs`: steps a batch. `clip`: how far the ratio of a pick's chances may leave 1. `entropy`: the
    weight of the entropy bonus. `dedupe`: propose no program twice (and stop when a finite space is used
    up)."""

    rate: float = attrs.field(default=1.0, validator=gt(0))
    batch: int = attrs.field(default=10, validator=ge(1))
    epochs: int = attrs.field(default=4, validator=ge(1))
    clip: float = attrs.field(default=0.2, validator=gt(0))
    entropy: float = attrs.field(default=0.005, validator=ge(0))
    dedupe: bool = True


class PPO(PolicySearch):
    """Proximal policy optimization (Schulman et al. 2017), with the clipped objective.

    Each pick is an action, and all picks of a program have its advantage: its reward (the share of all
    programs told that it beats; of several objectives, the mean share) less the mean of the batch, over the
    standard deviation. Ratios are to the chances that picks had when they were asked for, whatever the
    policy learned since; for programs that were never asked for, to those when the batch begins.
    """

    name = "ppo"
    Settings = PPOSettings

    def learn(self, batch: Sequence[Sample]) -> None:
        """Some steps along the gradient of the clipped objective."""
        rewards = [self.rewards.of(sample.scores) for sample in batch]
        mean = sum(rewards) / len(rewards)
        deviation = math.sqrt(sum((reward - mean) ** 2 for reward in rewards) / len(rewards))
        if deviation < 1e-9:  # nothing tells the programs of the batch apart
            return
        advantages = [(reward - mean) / deviation for reward in rewards]
        # Each pick has a ratio and a clip of its own, so that the distributions climb independently.
        for distribution, picks in by_distribution(batch, advantages).items():
            for _ in range(self.settings.epochs):
                self._climb(distribution, picks, self.settings.rate / len(batch))

    def _climb(self, distribution: Distribution, picks: Sequence[Weighted], rate: float) -> None:
        weighted = []
        for pick, options, advantage, before in picks:
            ratio = math.exp(min(distribution.log_chance(pick, options) - before, 50.0))
            weighted.append((pick, options, clipped_weight(ratio, advantage, self.settings.clip)))
        distribution.climb(distribution.direction(weighted, self.settings.entropy), rate)


def clipped_weight(ratio: float, advantage: float, clip: float) -> float:
    """What the gradient of a log-chance is multiplied by to climb min(r A, clip(r, 1 - c, 1 + c) A): r A, or
    0 where the ratio r has left the interval in the direction of the advantage."""
    beyond = ratio > 1 + clip if advantage > 0 else ratio < 1 - clip
    return 0.0 if beyond else ratio * advantage
