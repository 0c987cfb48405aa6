"""What selections take and give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs

from archlang.evaluate.evaluator import costs
from archlang.relax.engine import Batch
from archlang.space.choices import Choices
from archlang.space.space import Space


@attrs.frozen(eq=False)
class Data:
    """Batches of the samples that the weights are trained on, and of those that are for the architecture."""

    train: Sequence[Batch]
    validation: Sequence[Batch]


@attrs.frozen
class Found:
    """A program that was selected, with its costs and what was measured of it."""

    choices: Choices
    metrics: Mapping[str, float]

    @classmethod
    def of(cls, space: Space, choices: Choices) -> Found:
        """A program of which nothing was measured."""
        return cls(choices, costs(space.program(choices)))


def quality(metrics: Mapping[str, float]) -> float:
    """How good measured metrics are, larger is better: by the accuracy or, without one, by the loss."""
    return metrics["accuracy"] if "accuracy" in metrics else -metrics["loss"]
