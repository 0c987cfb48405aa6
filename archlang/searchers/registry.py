"""The searchers by name."""

from __future__ import annotations

from importlib import import_module

from archlang.diagnostics import ArchError, did_you_mean, error
from archlang.searchers.base import Searcher

# Where each searcher lives, by kind: it is imported when it is first used.
KINDS: dict[str, dict[str, str]] = {
    "baselines": {
        "random": "archlang.searchers.random:RandomSearch",
        "grid": "archlang.searchers.grid:GridSearch",
    },
    "local": {
        "local-search": "archlang.searchers.local.local_search:LocalSearch",
        "annealing": "archlang.searchers.local.annealing:Annealing",
    },
    "evolution": {
        "evolution": "archlang.searchers.populations.evolution:Evolution",
        "nsga2": "archlang.searchers.populations.nsga2:NSGA2",
        "nsga3": "archlang.searchers.populations.nsga3:NSGA3",
    },
    "tree search": {
        "mcts": "archlang.searchers.tree.mcts:MCTS",
    },
    "model-based": {
        "smbo": "archlang.searchers.smbo.search:Smbo",
        "bananas": "archlang.searchers.smbo.presets:Bananas",
        "gbdt-nas": "archlang.searchers.smbo.presets:GbdtNas",
        "neural-predictor": "archlang.searchers.smbo.presets:NeuralPredictor",
        "tpe": "archlang.searchers.tpe:TPE",
    },
    "policies": {
        "reinforce": "archlang.searchers.policies.reinforce:Reinforce",
        "ppo": "archlang.searchers.policies.ppo:PPO",
        "cem": "archlang.searchers.policies.cem:CrossEntropy",
    },
    "fidelities": {
        "successive-halving": "archlang.searchers.fidelities.hyperband:SuccessiveHalving",
        "hyperband": "archlang.searchers.fidelities.hyperband:Hyperband",
        "asha": "archlang.searchers.fidelities.asha:ASHA",
        "bohb": "archlang.searchers.fidelities.hyperband:BOHB",
    },
    "exact": {
        "milp": "archlang.searchers.milp:IntegerProgramming",
    },
    "flows": {  # made of other searchers
        "then": "archlang.searchers.flows.then:Then",
        "alternate": "archlang.searchers.flows.alternate:Alternate",
        "parts": "archlang.searchers.flows.parts:Parts",
        "nested": "archlang.searchers.flows.nested:Nested",
        "filter": "archlang.searchers.flows.filter:Filter",
        "distinct": "archlang.searchers.flows.distinct:Distinct",
        "retry": "archlang.searchers.flows.retry:Retry",
    },
    "adapters": {  # of other libraries
        "optuna": "archlang.adapters.optuna:OptunaSearch",
    },
}

SEARCHERS: dict[str, str] = {name: place for kind in KINDS.values() for name, place in kind.items()}


def searcher_class(name: str) -> type[Searcher]:
    """The searcher of that name; ArchError (E0901) when there is none."""
    if name not in SEARCHERS:
        known = ", ".join(f"`{other}`" for other in SEARCHERS)
        hints = did_you_mean(name, SEARCHERS) or (f"the searchers are {known}",)
        raise ArchError(error("E0901", f"there is no searcher `{name}`", hints=hints))
    module, _, kind = SEARCHERS[name].partition(":")
    found: type[Searcher] = getattr(import_module(module), kind)
    return found
