"""Searchers of Optuna and PyGlove in the harness of `archlang bench`: `python -m benchmarks.peers`.

Each is given the space's decisions in its own terms, with its own defaults or the population that its name says:
Optuna's samplers suggest decision by decision as a program is walked, PyGlove's algorithms propose all decisions at
once, of which those count that the program makes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from random import Random
from typing import Any

import click
import optuna
import pyglove as pg

from archlang.bench.run import Entry
from archlang.cli.bench import bench_options, run_bench
from archlang.searchers import Objective
from archlang.semantics.decision import Decision, Integers, Pick, Reals
from archlang.space import Choices, Space

MANY = 10_000  # picks of a subset decision, more of which are not listed


class OptunaSearch:
    """A study of Optuna whose trials walk through a space."""

    def __init__(self, space: Space, objectives: Sequence[Objective], sampler: Any) -> None:
        directions = ["maximize" if objective.maximize else "minimize" for objective in objectives]
        self._study = optuna.create_study(directions=directions, sampler=sampler)
        self._space, self._objectives = space, objectives
        self._asked: defaultdict[Choices, list[Any]] = defaultdict(list)

    def ask(self) -> Choices:
        trial = self._study.ask()
        choices = self._space.walk(lambda decision, options: _suggested(trial, decision), Random(trial.number))
        self._asked[choices].append(trial)
        return choices

    def tell(self, choices: Choices, metrics: Mapping[str, float] | None) -> None:
        trial = self._asked[choices].pop(0)
        if metrics is None:
            self._study.tell(trial, state=optuna.trial.TrialState.FAIL)
        else:
            self._study.tell(trial, [metrics[objective.metric] for objective in self._objectives])


def _suggested(trial: Any, decision: Decision) -> Pick:
    """What a trial picks. An address may have other picks where other choices are made: its domain is part
    of the parameter's name."""
    domain = decision.domain
    name = f"{decision.address}: {domain}"
    match domain:
        case Reals(low, high, log):
            return trial.suggest_float(name, low, high, log=log)
        case Integers(low, high, step):
            return trial.suggest_int(name, low, high, step=step)
    return domain.pick(trial.suggest_categorical(name, range(_listed(decision))))


def _listed(decision: Decision) -> int:
    if decision.domain.size > MANY:
        raise ValueError(f"`{decision.address}` has {decision.domain.size} picks, which are too many to list")
    return int(decision.domain.size)


def _sampler(make: Callable[[int], Any]) -> Callable[[Space, Sequence[Objective], int], OptunaSearch]:
    def made(space: Space, objectives: Sequence[Objective], seed: int) -> OptunaSearch:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        return OptunaSearch(space, objectives, make(seed))

    return made


optuna_random = _sampler(lambda seed: optuna.samplers.RandomSampler(seed=seed))
optuna_tpe = _sampler(lambda seed: optuna.samplers.TPESampler(seed=seed))
optuna_tpe_multivariate = _sampler(lambda seed: optuna.samplers.TPESampler(seed=seed, multivariate=True))
optuna_nsga2 = _sampler(lambda seed: optuna.samplers.NSGAIISampler(seed=seed))
optuna_nsga2_20 = _sampler(lambda seed: optuna.samplers.NSGAIISampler(seed=seed, population_size=20))
optuna_gp = _sampler(lambda seed: optuna.samplers.GPSampler(seed=seed))


class PyGloveSearch:
    """An algorithm of PyGlove that proposes the picks of all decisions of a space."""

    def __init__(self, space: Space, objectives: Sequence[Objective], algorithm: Any) -> None:
        self._space, self._objectives, self._algorithm = space, objectives, algorithm
        self._decisions = [decision for decision in space.all_decisions() if decision.domain.size > 1]
        self._algorithm.setup(pg.geno.space([_point(decision) for decision in self._decisions]))
        self._asked: defaultdict[Choices, list[Any]] = defaultdict(list)

    def ask(self) -> Choices:
        dna = self._algorithm.propose()
        picks = zip(self._decisions, dna.to_numbers(), strict=True)
        choices = self._space.repair({decision.address: _pick(decision, number) for decision, number in picks})
        self._asked[choices].append(dna)
        return choices

    def tell(self, choices: Choices, metrics: Mapping[str, float] | None) -> None:
        dna = self._asked[choices].pop(0)
        if metrics is not None:
            scores = tuple(objective.score(metrics[objective.metric]) for objective in self._objectives)
            self._algorithm.feedback(dna, scores if len(scores) > 1 else scores[0])


def _point(decision: Decision) -> Any:
    if isinstance(decision.domain, Reals):
        return pg.geno.floatv(decision.domain.low, decision.domain.high)
    return pg.geno.oneof([pg.geno.constant() for _ in range(_listed(decision))])


def _pick(decision: Decision, number: Any) -> Pick:
    return float(number) if isinstance(decision.domain, Reals) else decision.domain.pick(int(number))


def _algorithm(
    make: Callable[..., Any], objectives_at_most: int, **settings: Any
) -> Callable[[Space, Sequence[Objective], int], PyGloveSearch]:
    def made(space: Space, objectives: Sequence[Objective], seed: int) -> PyGloveSearch:
        if len(objectives) > objectives_at_most:
            raise ValueError("this algorithm is for one objective")
        # Its default mutator draws by the clock, whatever the seed is.
        mutator = pg.evolution.mutators.Uniform(seed=seed)
        return PyGloveSearch(space, objectives, make(mutator, seed=seed, **settings))

    return made


_evolution = partial(_algorithm, pg.evolution.regularized_evolution, 1)
pyglove_evolution = _evolution()
pyglove_evolution_50 = _evolution(population_size=50, tournament_size=10)
pyglove_evolution_20 = _evolution(population_size=20, tournament_size=5)
pyglove_nsga2 = _algorithm(pg.evolution.nsga2, 9, population_size=20)


PEERS = {
    "optuna: random": "optuna_random",
    "optuna: TPE": "optuna_tpe",
    "optuna: TPE, multivariate": "optuna_tpe_multivariate",
    "optuna: NSGA-II": "optuna_nsga2",
    "optuna: NSGA-II of 20": "optuna_nsga2_20",
    "optuna: GP": "optuna_gp",
    "pyglove: regularized evolution": "pyglove_evolution",
    "pyglove: regularized evolution of 50": "pyglove_evolution_50",
    "pyglove: regularized evolution of 20": "pyglove_evolution_20",
    "pyglove: NSGA-II of 20": "pyglove_nsga2",
}


@click.command()
@bench_options
@click.option("--searcher", "searchers", multiple=True, metavar="RECIPE", help="A searcher of archlang (repeatable).")
@click.option("--peer", "peers", multiple=True, type=click.Choice(list(PEERS)), help="A peer (repeatable).")
def main(searchers: tuple[str, ...], peers: tuple[str, ...], **options: Any) -> None:
    """Measure searchers of Optuna and PyGlove as `archlang bench` measures its own.

    \b
    python -m benchmarks.peers --problem nb201-c10 --seeds 10 --evaluations 100 --searcher random
    """
    chosen = [Entry(name, f"benchmarks.peers:{PEERS[name]}") for name in peers or PEERS]
    run_bench([*map(Entry.of, searchers), *chosen], **options)


if __name__ == "__main__":
    main()
