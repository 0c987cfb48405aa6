"""Picks that boosted trees find so bad that programs with them are not looked at."""

from __future__ import annotations

import math
from collections.abc import Sequence
from random import Random
from typing import TYPE_CHECKING

import numpy as np

from archlang.searchers.smbo.boosting import Boosting
from archlang.searchers.smbo.features import Features
from archlang.semantics.decision import Decision, Pick, Subsets
from archlang.space.encoding import is_ordered

if TYPE_CHECKING:
    from archlang.space import Choices, SearchSpace

Banned = dict[str, set[Pick]]  # picks by address


def worst_picks(trees: Sequence[Boosting], features: Features, programs: Sequence[Choices], most: int) -> Banned:
    """At most so many picks of unordered decisions: those that lower the prediction (that of each objective,
    where there is a model for each) most, on the mean of the programs that make them (Luo et al. 2020,
    GBDT-NAS, section 3.3). Of each decision the best pick that was made stays, and what was not."""
    made = features.vectors(programs) > 0
    sums = [(each.contributions(features, programs) * made).sum(axis=0) for each in trees]
    means = np.max(sums, axis=0) / np.maximum(made.sum(axis=0), 1)
    means[~made.any(axis=0)] = -np.inf  # never the best, as nothing is known of it
    rated: list[tuple[float, str, Pick]] = []
    for block in features.encoder.blocks:
        domain = block.decision.domain
        if isinstance(domain, Subsets) or is_ordered(domain):
            continue
        columns = means[block.start : block.start + block.width]
        best = int(columns.argmax())
        for index, mean in enumerate(columns.tolist()):
            if -math.inf < mean < 0 and index != best:
                rated.append((mean, block.decision.address, domain.pick(index)))
    found: Banned = {}
    for _, address, pick in sorted(rated, key=lambda each: each[0])[:most]:
        found.setdefault(address, set()).add(pick)
    return found


def is_banned(choices: Choices, banned: Banned) -> bool:
    """Whether a program makes a banned pick."""
    return any(choices.get(address) in picks for address, picks in banned.items())


def draw(space: SearchSpace, banned: Banned, random: Random) -> Choices:
    """A program drawn decision by decision, without banned picks where there are others."""

    def choose(decision: Decision, options: tuple[Pick, ...] | None) -> Pick:
        if options is None:
            return decision.domain.draw(random)
        left = [pick for pick in options if pick not in banned.get(decision.address, ())] or options
        return left[int(random.random() * len(left))]

    return space.walk(choose, random)
