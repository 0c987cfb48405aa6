"""Gradient-boosted trees, and what they say of each pick."""

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

MEMBERS = 3
ROUNDS = 60
SETTINGS = {
    "objective": "regression",
    "learning_rate": 0.1,
    "num_leaves": 15,
    "min_data_in_leaf": 3,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "feature_fraction": 0.8,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,
    "verbosity": -1,
}


class Boosting:
    """Regression by gradient-boosted trees (LightGBM, Ke et al. 2017): a few models, each on other
    samples and features, whose predictions give the spread."""

    def fit(self, features: Features, programs: Sequence[Choices], scores: Array, seed: int, believed: int = 0) -> None:
        lightgbm = required("lightgbm", "boosting", "smbo")
        vectors = features.vectors(programs)
        self._models = []
        for member in range(MEMBERS):
            # A data set is bound to the parameters of its first training.
            data = lightgbm.Dataset(vectors, scores)
            settings = {**SETTINGS, "seed": seed + member}
            self._models.append(lightgbm.train(settings, data, ROUNDS))

    def predict(self, features: Features, candidates: Sequence[Choices], joint: bool = False) -> Prediction:
        vectors = features.vectors(candidates)
        members = np.stack([model.predict(vectors) for model in self._models])
        return Prediction(members.mean(axis=0), members.std(axis=0), members=members)

    def contributions(self, features: Features, programs: Sequence[Choices]) -> Array:
        """By how much each column of the programs' vectors raises what is predicted for them (SHAP values,
        Lundberg and Lee 2017): (programs, columns)."""
        vectors = features.vectors(programs)
        parts = [np.asarray(model.predict(vectors, pred_contrib=True))[:, :-1] for model in self._models]
        found: Array = np.mean(parts, axis=0)
        return found
