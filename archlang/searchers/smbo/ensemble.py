"""An ensemble of neural networks."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from archlang.extras import required
from archlang.searchers.smbo.features import Features
from archlang.searchers.smbo.surrogate import Prediction

if TYPE_CHECKING:
    from archlang.space import Choices

Array = np.ndarray[Any, Any]

MEMBERS = 5
LAYERS = (32, 32)
STEPS = 200  # of L-BFGS


class NeuralEnsemble:
    """Regression by an ensemble of small multi-layer perceptrons of scikit-learn's (White et al. 2021,
    BANANAS, section 4: five networks; theirs train by Adam), each from other weights; the spread is that of
    the networks' predictions."""

    members = MEMBERS

    def fit(self, features: Features, programs: Sequence[Choices], scores: Array, seed: int, believed: int = 0) -> None:
        networks = required("sklearn.neural_network", "an ensemble of networks", "smbo")
        vectors = features.vectors(programs)
        self._networks = []
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it has not converged: it need not
            for member in range(self.members):
                network = networks.MLPRegressor(
                    hidden_layer_sizes=LAYERS,
                    solver="lbfgs",
                    alpha=0.01,
                    max_iter=STEPS,
                    random_state=seed + member,
                )
                self._networks.append(network.fit(vectors, scores))

    def predict(self, features: Features, candidates: Sequence[Choices], joint: bool = False) -> Prediction:
        vectors = features.vectors(candidates)
        members = np.stack([network.predict(vectors) for network in self._networks])
        return Prediction(members.mean(axis=0), members.std(axis=0), members=members)
