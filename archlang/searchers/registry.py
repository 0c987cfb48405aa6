"""The searchers by name."""

from __future__ import annotations

from importlib import import_module

from archlang.diagnostics import ArchError, did_you_mean, error
from archlang.searchers.base import Searcher

# Where each searcher lives: it is imported when it is first used.
SEARCHERS: dict[str, str] = {
    "random": "archlang.searchers.random:RandomSearch",
    "grid": "archlang.searchers.grid:GridSearch",
    "evolution": "archlang.searchers.evolution:Evolution",
    "smbo": "archlang.searchers.smbo.search:Smbo",
    "bananas": "archlang.searchers.smbo.presets:Bananas",
    "gbdt-nas": "archlang.searchers.smbo.presets:GbdtNas",
    "neural-predictor": "archlang.searchers.smbo.presets:NeuralPredictor",
    "milp": "archlang.searchers.milp:IntegerProgramming",
    "reinforce": "archlang.searchers.reinforce:Reinforce",
    "ppo": "archlang.searchers.ppo:PPO",
    "cem": "archlang.searchers.cem:CrossEntropy",
    "optuna": "archlang.adapters.optuna:OptunaSearch",
    "tpe": "archlang.searchers.tpe:TPE",
    "successive-halving": "archlang.searchers.hyperband:SuccessiveHalving",
    "hyperband": "archlang.searchers.hyperband:Hyperband",
    "asha": "archlang.searchers.asha:ASHA",
    "bohb": "archlang.searchers.hyperband:BOHB",
    "mcts": "archlang.searchers.mcts:MCTS",
    "then": "archlang.searchers.flows.then:Then",
    "alternate": "archlang.searchers.flows.alternate:Alternate",
    "parts": "archlang.searchers.flows.parts:Parts",
    "nested": "archlang.searchers.flows.nested:Nested",
    "filter": "archlang.searchers.flows.filter:Filter",
    "distinct": "archlang.searchers.flows.distinct:Distinct",
    "retry": "archlang.searchers.flows.retry:Retry",
    "nsga2": "archlang.searchers.nsga2:NSGA2",
    "nsga3": "archlang.searchers.nsga3:NSGA3",
    "local-search": "archlang.searchers.local_search:LocalSearch",
    "annealing": "archlang.searchers.annealing:Annealing",
}


def searcher_class(name: str) -> type[Searcher]:
    """The searcher of that name; ArchError (E0901) when there is none."""
    if name not in SEARCHERS:
        known = ", ".join(f"`{other}`" for other in SEARCHERS)
        hints = did_you_mean(name, SEARCHERS) or (f"the searchers are {known}",)
        raise ArchError(error("E0901", f"there is no searcher `{name}`", hints=hints))
    module, _, kind = SEARCHERS[name].partition(":")
    found: type[Searcher] = getattr(import_module(module), kind)
    return found
