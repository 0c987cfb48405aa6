"""The surrogates by name."""

from __future__ import annotations

from importlib import import_module

from archlang.searchers.smbo.surrogate import Surrogate

# Where each lives: it is imported when it is first used.
SURROGATES = {
    "gp": "archlang.searchers.smbo.gp:GaussianProcess",
    "forest": "archlang.searchers.smbo.forest:RandomForest",
    "boosting": "archlang.searchers.smbo.boosting:Boosting",
    "ensemble": "archlang.searchers.smbo.ensemble:NeuralEnsemble",
}


def surrogate_class(name: str) -> type[Surrogate]:
    """The surrogate of that name."""
    module, _, kind = SURROGATES[name].partition(":")
    found: type[Surrogate] = getattr(import_module(module), kind)
    return found
