"""The cross-entropy method."""

from __future__ import annotations

import math
from collections.abc import Sequence

import attrs
from attrs.validators import and_, ge, gt, le

from archlang.searchers.policies.distributions import Distribution, Options
from archlang.searchers.policies.policy import PolicySearch, Sample
from archlang.semantics.decision import Pick


@attrs.frozen(kw_only=True)
class CEMSettings:
    """`batch`: programs from which the elite is chosen. `elite`: its share of them. `smoothing`: how far
    the chances go to those of the elite. `dedupe`: propose no program twice (and stop when a finite
    space is used up)."""

    batch: int = attrs.field(default=10, validator=ge(1))
    elite: float = attrs.field(default=0.2, validator=and_(gt(0), le(1)))
    smoothing: float = attrs.field(default=0.5, validator=and_(gt(0), le(1)))
    dedupe: bool = True


class CrossEntropy(PolicySearch):
    """The cross-entropy method (Rubinstein 1999; de Boer et al. 2005, "A tutorial on the cross-entropy method").

    The best programs of each batch are the elite, to which the chances of all picks are fitted by maximum
    likelihood, with smoothing. With several objectives the best are those that beat the largest shares of
    all programs told, in the mean over the objectives. Failed programs are never among them.
    """

    name = "cem"
    Settings = CEMSettings

    def learn(self, batch: Sequence[Sample]) -> None:
        """Fit the policy to the elite of a batch."""
        count = math.ceil(self.settings.elite * len(batch))
        valid = [sample for sample in batch if sample.scores[0] > -math.inf]
        elite = sorted(valid, key=lambda sample: -self.rewards.of(sample.scores))[:count]
        picks: dict[Distribution, list[tuple[Pick, Options]]] = {}
        for sample in elite:
            for step in sample.steps:
                picks.setdefault(step.distribution, []).append((step.pick, step.options))
        for distribution, taken in picks.items():
            distribution.fit(taken, self.settings.smoothing)
