"""A random forest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from archlang.extras import required
from archlang.searchers.smbo.features import Features
from archlang.searchers.smbo.surrogate import Prediction

if TYPE_CHECKING:
    from archlang.space import Choices

Array = np.ndarray[Any, Any]

TREES = 60


class RandomForest:
    """Regression by a random forest (Breiman 2001) of scikit-learn's; the spread is that of the trees'
    predictions, as in SMAC (Hutter et al. 2011)."""

    def fit(self, features: Features, programs: Sequence[Choices], scores: Array, seed: int, believed: int = 0) -> None:
        ensemble = required("sklearn.ensemble", "a random forest", "smbo")
        self._forest = ensemble.RandomForestRegressor(TREES, max_features=0.5, random_state=seed, n_jobs=1)
        self._forest.fit(features.vectors(programs), scores)

    def predict(self, features: Features, candidates: Sequence[Choices], joint: bool = False) -> Prediction:
        vectors = features.vectors(candidates).astype(np.float32)
        members = np.stack([tree.tree_.predict(vectors)[:, 0] for tree in self._forest.estimators_])
        return Prediction(members.mean(axis=0), members.std(axis=0), members=members)
