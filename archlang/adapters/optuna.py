"""Optuna: its samplers as a searcher, and spaces as objectives of its studies.

Decisions are suggested one after the other along the program tree, by their addresses, so that only
those are that the program makes.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs

from archlang.adapters.names import Names, texts
from archlang.adapters.samplers import sampler_of
from archlang.diagnostics import ArchError, error
from archlang.evaluate import Evaluator, FunctionEvaluator
from archlang.extras import required
from archlang.searchers.base import Exhausted, Searcher
from archlang.searchers.objectives import INFEASIBLE, Scores
from archlang.semantics.decision import Decision, Domain, Integers, OneOf, Pick, Reals, Subsets

if TYPE_CHECKING:
    from archlang.space import Choices, Program, SearchSpace

Trial: TypeAlias = Any  # an optuna.trial.Trial
LISTED = 1_000  # subsets that are alternatives of their own; more of them are numbered
EXACT = 2**53  # integers up to which samplers count exactly


class Parameter:
    """A decision as a parameter of Optuna: a categorical one for alternatives and few subsets, integers and
    floats as they are, the numbers of many subsets, and shares from 0 to 1 where these are too many."""

    def __init__(self, name: str, domain: Domain):
        distributions = required("optuna", "a search by Optuna", "optuna").distributions
        self.name = name
        self._domain = domain
        self._texts: dict[str, Pick] = {}
        self._text_of: dict[tuple[type, Pick], str] = {}
        self._share = False
        self.distribution: Any
        if isinstance(domain, Reals):
            self.distribution = distributions.FloatDistribution(domain.low, domain.high, log=domain.log)
        elif isinstance(domain, OneOf) and len(set(domain.labels)) == len(domain.labels):
            self.distribution = distributions.CategoricalDistribution(domain.labels)
        elif isinstance(domain, OneOf) or (isinstance(domain, Subsets) and domain.size <= LISTED):
            self._texts = texts(map(domain.pick, range(domain.size)))
            self._text_of = {(type(pick), pick): text for text, pick in self._texts.items()}
            self.distribution = distributions.CategoricalDistribution(tuple(self._texts))
        elif domain.size > EXACT:
            self._share = True
            self.distribution = distributions.FloatDistribution(0.0, 1.0)
        elif isinstance(domain, Integers):
            self.distribution = distributions.IntDistribution(
                domain.low, domain.pick(domain.size - 1), step=domain.step
            )
        else:
            self.distribution = distributions.IntDistribution(0, domain.size - 1)

    def pick(self, value: Any) -> Pick:
        """The pick that a value of the parameter stands for."""
        domain = self._domain
        if self._texts:
            return self._texts[value]
        if self._share:
            return domain.pick(round(value * (int(domain.size) - 1)))
        if isinstance(domain, Subsets):
            return domain.pick(value)
        return domain.check(value) if isinstance(domain, Reals) else domain.pick(domain.index(value))

    def value(self, pick: Pick) -> Any:
        """The value of the parameter that stands for a pick."""
        if self._texts:
            return self._text_of[type(pick), pick]
        if self._share:
            return self._domain.index(pick) / (int(self._domain.size) - 1)
        return self._domain.index(pick) if isinstance(self._domain, Subsets) else pick

    def suggest(self, trial: Trial) -> Pick:
        """What a trial is suggested for the decision."""
        found = self.distribution
        match type(found).__name__:
            case "CategoricalDistribution":
                return self.pick(trial.suggest_categorical(self.name, found.choices))
            case "IntDistribution":
                return self.pick(trial.suggest_int(self.name, found.low, found.high, step=found.step))
        return self.pick(trial.suggest_float(self.name, found.low, found.high, log=found.log))


class Parameters:
    """The decisions of a space as parameters."""

    def __init__(self, space: SearchSpace):
        self._space = space
        self._names = Names(space)
        self._known: dict[tuple[str, Domain], Parameter] = {}

    def of(self, decision: Decision) -> Parameter:
        """The parameter of a decision."""
        key = decision.address, decision.domain
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = Parameter(self._names.of(decision), decision.domain)
        return found

    def suggest(self, trial: Trial, random: Random) -> Choices:
        """The program that a trial is suggested. Where requirements forbid a suggestion (Optuna has to be
        shown the same alternatives each time), another pick stands for it, always the same."""

        def choose(decision: Decision, options: tuple[Pick, ...] | None) -> Pick:
            pick = self.of(decision).suggest(trial)
            if options is None or len(options) == decision.domain.size or pick in options:
                return pick
            assert not isinstance(decision.domain, Reals), "options of floats are not listed"
            return options[decision.domain.index(pick) * len(options) // int(decision.domain.size)]

        return self._space.walk(choose, random)

    def told(self, choices: Choices) -> dict[str, Mapping[str, Any]]:
        """The parameters of a program and their distributions, as `optuna.create_trial` takes them."""
        trace = [(self.of(decision), pick) for decision, pick in self._space.trace(choices)]
        return {
            "params": {parameter.name: parameter.value(pick) for parameter, pick in trace},
            "distributions": {parameter.name: parameter.distribution for parameter, _ in trace},
        }


def suggest(space: SearchSpace, trial: Trial) -> Choices:
    """The choices that an Optuna trial suggests, decision by decision: its parameters are the addresses.

    Where requirements forbid what is suggested, the program is another, always the same for the trial.
    """
    return Parameters(space).suggest(trial, Random(trial.number))


def objective(
    space: SearchSpace, evaluator: Evaluator | Callable[[Program], object], metrics: str | Sequence[str] = "value"
) -> Callable[[Trial], float | tuple[float, ...]]:
    """A function for `optuna.Study.optimize`: the metric (or metrics) of the program that a trial suggests.

    `evaluator` is an evaluator, or a function of a program. What it reports of a single metric on the way
    is reported to the trial, and the study's pruner may end it. The trial's user attribute `choices` holds
    the choices as JSON. ArchError (E0711) for a metric that the evaluation does not give.
    """
    names = (metrics,) if isinstance(metrics, str) else tuple(metrics)
    function: Any = evaluator
    used: Evaluator = function if hasattr(evaluator, "describe") else FunctionEvaluator(function, names[0])
    parameters = Parameters(space)

    def evaluate(trial: Trial) -> float | tuple[float, ...]:
        choices = parameters.suggest(trial, Random(trial.number))
        trial.set_user_attr("choices", choices.to_json())
        steps = 0

        def report(found: Mapping[str, float]) -> None:
            nonlocal steps
            if isinstance(metrics, str) and metrics in found:
                trial.report(found[metrics], steps)
                steps += 1
                if trial.should_prune():
                    raise required("optuna", "a search by Optuna", "optuna").TrialPruned

        found = used(space.program(choices), {}, report)
        missing = [name for name in names if name not in found]
        if missing:
            hints = [f"it gives {', '.join(f'`{name}`' for name in found)}"]
            raise ArchError(error("E0711", f"the evaluation gives no metric `{missing[0]}`", hints=hints))
        values = tuple(float(found[name]) for name in names)
        return values[0] if isinstance(metrics, str) else values

    return evaluate


@attrs.frozen(kw_only=True)
class OptunaSettings:
    """`sampler`: the name of an Optuna sampler, with its arguments in parentheses; searchers' seeds are
    given to it."""

    sampler: str = "TPESampler"


class OptunaSearch(Searcher):
    """A sampler of Optuna (Akiba et al. 2019), asked and told.

    Failed programs are failed trials. Programs beyond constraints score below all others so far, the more
    they violate the lower, but not by orders of magnitude, for some samplers go by values. The sampler has
    random numbers of its own, from the seed.
    """

    name = "optuna"
    Settings = OptunaSettings

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        optuna = self._optuna = required("optuna", "a search by Optuna", "optuna")
        sampler = sampler_of(self.settings.sampler, self.seed, len(self.objectives))
        verbosity = optuna.logging.get_verbosity()
        optuna.logging.set_verbosity(optuna.logging.WARNING)  # it tells of each study that is made
        try:
            self._study = optuna.create_study(directions=["maximize"] * len(self.objectives), sampler=sampler)
        finally:
            optuna.logging.set_verbosity(verbosity)
        self._study.stop = self._stop  # samplers that have gone through everything call it
        self._parameters = Parameters(self.space)
        self._flying: dict[Choices, list[Trial]] = {}
        self._extent = [(math.inf, -math.inf)] * len(self.objectives)
        self._stopped = False

    def _stop(self) -> None:
        self._stopped = True

    def propose(self, random: Random) -> Choices:
        if self._stopped:
            raise Exhausted
        trial = self._study.ask()
        choices = self._parameters.suggest(trial, random)
        self._flying.setdefault(choices, []).append(trial)
        return choices

    def observe(self, choices: Choices, scores: Scores | None) -> None:
        state = self._optuna.trial.TrialState.FAIL if scores is None else self._optuna.trial.TrialState.COMPLETE
        values = None if scores is None else self._values(scores)
        trials = self._flying.get(choices)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", self._optuna.exceptions.ExperimentalWarning)
            if trials:
                self._study.tell(trials.pop(0), values, state)
            else:
                told = self._parameters.told(choices)
                self._study.add_trial(self._optuna.create_trial(state=state, values=values, **told))
        if not trials:
            self._flying.pop(choices, None)

    def _values(self, scores: Scores) -> list[float]:
        values = []
        for place, (score, (low, high)) in enumerate(zip(scores, self._extent, strict=True)):
            if score > INFEASIBLE:
                self._extent[place] = min(low, score), max(high, score)
                values.append(score)
                continue
            violated = score / INFEASIBLE - 1
            worst, spread = (low, high - low or 1.0) if low <= high else (0.0, 1.0)
            values.append(worst - spread * (1 + violated / (1 + violated)))
        return values
