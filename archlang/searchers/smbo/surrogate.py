"""What a surrogate is: a regression of scores on programs that says how sure it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import attrs
import numpy as np

from archlang.searchers.smbo.features import Features

if TYPE_CHECKING:
    from archlang.space import Choices

Array = np.ndarray[Any, Any]


@attrs.frozen(eq=False)
class Prediction:
    """Scores of candidates: their means and standard deviations; with `covariance` the deviations hang
    together, with `members` each row is a function that may be the true one."""

    mean: Array
    spread: Array
    covariance: Array | None = None
    members: Array | None = None

    def draw(self, random: np.random.Generator) -> Array:
        """One function, drawn, at all candidates."""
        if self.members is not None:
            drawn: Array = self.members[int(random.integers(len(self.members)))]
            return drawn
        if self.covariance is None:
            return self.mean + self.spread * random.standard_normal(len(self.mean))
        values, vectors = np.linalg.eigh(self.covariance)
        root = vectors * np.sqrt(np.maximum(values, 0.0))
        found: Array = self.mean + root @ random.standard_normal(len(self.mean))
        return found


class Surrogate(Protocol):
    """Learns scores from all programs told, and predicts those of others."""

    def fit(self, features: Features, programs: Sequence[Choices], scores: Array, seed: int, believed: int = 0) -> None:
        """Learn: scores (programs,), as `targets` scales them. The same fits give the same predictions. The last
        `believed` scores are only what the surrogate, fitted to the others just before, expects."""

    def predict(self, features: Features, candidates: Sequence[Choices], joint: bool = False) -> Prediction:
        """The scores of candidates; with `joint` such that `draw` gives whole functions."""
        ...
