"""Policies over the program tree, and what the searchers that learn one have in common.

A policy has one distribution for each decision (by address and domain); a program is drawn by walking
from the root of the tree. Addresses say in which alternatives a decision stands, so what is learned of
it is learned given these.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from math import inf
from random import Random
from typing import TYPE_CHECKING, Any

import attrs

from archlang.searchers.base import Searcher
from archlang.searchers.mutants import mutant
from archlang.searchers.objectives import Scores
from archlang.searchers.policies.distributions import Distribution, Options, Vector, distribution
from archlang.searchers.rewards import MeanShare
from archlang.searchers.unseen import Unseen
from archlang.semantics.decision import Decision, Pick

if TYPE_CHECKING:
    from archlang.space import Choices, SearchSpace

Weighted = tuple[Pick, Options, float, float]

ATTEMPTS = 10  # draws in search of a program that was not proposed before


@attrs.frozen(eq=False)
class Step:
    """One pick of a program, among what, and the distribution that it is drawn from."""

    distribution: Distribution
    pick: Pick
    options: Options

    def log_chance(self) -> float:
        """The logarithm of the chance of the pick, as the policy is now."""
        return self.distribution.log_chance(self.pick, self.options)


class Policy:
    """Chances of the programs of a space: the product of those of their picks."""

    def __init__(self, space: SearchSpace):
        self._space = space
        self._known: dict[str, list[tuple[Decision, Distribution]]] = {}

    def of(self, decision: Decision) -> Distribution:
        """The distribution of a decision, even until it learns."""
        known = self._known.setdefault(decision.address, [])
        for other, found in known:
            if other is decision or other.domain == decision.domain:
                return found
        found = distribution(decision.domain)
        known.append((decision, found))
        return found

    def draw(self, random: Random) -> Choices:
        """A program drawn pick by pick; where requirements forbid what was drawn, the nearest one."""
        return self._space.walk(lambda decision, options: self.of(decision).draw(options, random), random)

    def steps(self, choices: Choices) -> list[Step]:
        """The picks of a program in the order in which they are drawn."""
        found: list[Step] = []

        def follow(decision: Decision, options: Options) -> Pick:
            pick = choices.get(decision.address)
            if pick is None:  # some walks ask for decisions that the program turns out not to make
                return options[0] if options else decision.domain.draw(Random(0))
            found.append(Step(self.of(decision), pick, options))
            return pick

        self._space.walk(follow, Random(0))
        return found


@attrs.frozen(eq=False)
class Sample:
    """A program that was told: its steps, and the logarithms of the chances that these had when it was
    asked for (None where it never was)."""

    steps: list[Step]
    scores: Scores
    log_chances: Vector | None


def by_distribution(batch: Sequence[Sample], weights: Sequence[float]) -> dict[Distribution, list[Weighted]]:
    """The picks of some programs by the distributions that they are drawn from: with the weight of the
    program, and the logarithms of the chances that they had when they were asked for, or else have now."""
    found: dict[Distribution, list[Weighted]] = {}
    for sample, weight in zip(batch, weights, strict=True):
        befores = sample.log_chances or [step.log_chance() for step in sample.steps]
        for step, before in zip(sample.steps, befores, strict=True):
            found.setdefault(step.distribution, []).append((step.pick, step.options, weight, before))
    return found


class PolicySearch(Searcher):
    """Draws programs from a policy that learns from each `batch` of those told; failed ones score worst.

    Settings have `batch` and `dedupe`.
    """

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.policy = Policy(self.space)
        self.rewards = MeanShare(len(self.objectives))
        self._unseen = Unseen(self.space)
        self._flying: dict[Choices, list[tuple[list[Step], Vector]]] = {}
        self._batch: list[Sample] = []

    def propose(self, random: Random) -> Choices:
        if self.settings.dedupe:
            draws = self._draws(random)
            choices = self._unseen.find(lambda: next(draws), random, 2 * ATTEMPTS)
        else:
            choices = self.policy.draw(random)
        steps = self.policy.steps(choices)
        self._flying.setdefault(choices, []).append((steps, [step.log_chance() for step in steps]))
        return choices

    def _draws(self, random: Random) -> Iterator[Choices]:
        """Draws from the policy; once it has all but settled on what was proposed, programs beside its own."""
        for _ in range(ATTEMPTS):
            yield self.policy.draw(random)
        while True:
            yield mutant(self.space, self.policy.draw(random), random, near=False)

    def observe(self, choices: Choices, scores: Scores | None) -> None:
        self._unseen.add(choices)
        asked = self._flying.get(choices)
        steps, log_chances = asked.pop(0) if asked else (self.policy.steps(choices), None)
        if not asked:
            self._flying.pop(choices, None)
        sample = Sample(steps, scores or (-inf,) * len(self.objectives), log_chances)
        self.rewards.add(sample.scores)
        self._batch.append(sample)
        if len(self._batch) >= self.settings.batch:
            self.learn(self._batch)
            self._batch = []

    @abstractmethod
    def learn(self, batch: Sequence[Sample]) -> None:
        """Change the policy by some programs that were told."""
