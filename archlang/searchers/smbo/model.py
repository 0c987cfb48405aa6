"""What is believed of all programs: surrogates of the objectives on one encoding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from archlang.searchers.objectives import INFEASIBLE
from archlang.searchers.smbo.acquisitions import Acquisition, Known
from archlang.searchers.smbo.features import Features
from archlang.searchers.smbo.gp import GaussianProcess, agreement
from archlang.searchers.smbo.surrogate import Surrogate
from archlang.searchers.smbo.surrogates import surrogate_class
from archlang.searchers.smbo.targets import Plain, Ranked, Scale

if TYPE_CHECKING:
    from archlang.space import Choices

Array = np.ndarray[Any, Any]


class Model:
    """One surrogate an objective. Scores are learnt by rank, or, by a Gaussian process, as they are, whichever is
    learnt better: smooth functions, and costs that add up over decisions, are as they are."""

    def __init__(self, features: Features, surrogate: str, objectives: int):
        self.features = features
        self.surrogates: list[Surrogate] = [surrogate_class(surrogate)() for _ in range(objectives)]
        self._plain: dict[int, tuple[int, bool]] = {}  # by objective: with so many programs, whether it is as it is

    def fit(self, programs: Sequence[Choices], scores: Array, flying: Sequence[Choices], seed: int) -> None:
        """Learn the scores, (programs, objectives), of the programs told. Those in flight count as told with what
        is expected of them (Ginsbourger et al. 2010, kriging believer)."""
        scales = tuple(self._scale(place, programs, column) for place, column in enumerate(scores.T))
        self._learn(programs, _learnt(scales, scores), scales, seed)
        if flying:
            expected = np.stack([each.predict(self.features, flying).mean for each in self.surrogates], axis=1)
            targets = np.concatenate([self.known.learnt, expected])
            self._learn([*programs, *flying], targets, scales, seed)

    def _learn(self, programs: Sequence[Choices], targets: Array, scales: tuple[Scale, ...], seed: int) -> None:
        for surrogate, column in zip(self.surrogates, targets.T, strict=True):
            surrogate.fit(self.features, programs, column, seed)
        self.programs = programs
        self.known = Known(targets, scales)

    def _scale(self, objective: int, programs: Sequence[Choices], scores: Array) -> Scale:
        ranked, plain = Ranked.of(scores), Plain.of(scores)
        if scores.min() <= INFEASIBLE or not isinstance(self.surrogates[objective], GaussianProcess):
            return ranked
        count, is_plain = self._plain.get(objective, (0, False))
        # Decided anew when there are a tenth more programs than last time.
        if not count <= len(scores) < 1.1 * count:
            fits = [agreement(self.features, programs, scale.learnt(scores)) for scale in (ranked, plain)]
            is_plain = fits[1] > fits[0]
            self._plain[objective] = len(scores), is_plain
        return plain if is_plain else ranked

    def promise(
        self, candidates: Sequence[Choices], acquire: Acquisition, joint: bool, random: np.random.Generator
    ) -> Array:
        """How much an evaluation of each candidate promises by an acquisition; `joint`: by whole functions drawn."""
        return acquire([each.predict(self.features, candidates, joint) for each in self.surrogates], self.known, random)


def _learnt(scales: Sequence[Scale], scores: Array) -> Array:
    return np.stack([scale.learnt(column) for scale, column in zip(scales, scores.T, strict=True)], axis=1)
