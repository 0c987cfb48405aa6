"""One run: a searcher on a problem with one seed, from the first proposal to the last."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib import import_module
from time import process_time
from typing import TYPE_CHECKING, Any, Protocol

import attrs

from archlang.bench.problems import BestOf, Evaluation, Problem, problem
from archlang.diagnostics import ArchError
from archlang.searchers import Exhausted, Objective, scores_of
from archlang.searchers.recipe import Recipe
from archlang.searchers.smbo.meanings import function
from archlang.settings import read_settings

if TYPE_CHECKING:
    from archlang.evaluate.evaluator import Metrics
    from archlang.space import Choices, Space

ENOUGH = 1e-9  # a sum of shares that comes so near to the budget has used it up


class Asking(Protocol):
    """What a run needs of a searcher. `ask` raises `Exhausted` when nothing is left to propose."""

    def ask(self) -> Choices: ...

    def tell(self, choices: Choices, metrics: Mapping[str, float] | None) -> None: ...


Factory = Callable[["Space", Sequence[Objective], int], Asking]


@attrs.frozen
class Entry:
    """A searcher that takes part: its name, which is the recipe, unless `factory` ("module:function") makes
    it from a space, objectives and a seed."""

    name: str
    factory: str | None = None

    @classmethod
    def of(cls, recipe: str) -> Entry:
        """The entry of a recipe, by its usual spelling. ArchError for no searcher, and for settings that do
        not fit, so that a slip of the pen is told at once."""
        found = Recipe.of(recipe)
        read_settings(found.kind.Settings, found.settings, f"the searcher `{found.kind.name}`")
        return cls(str(found))

    def make(self, space: Space, objectives: Sequence[Objective], seed: int) -> Asking:
        """A searcher that has not asked yet."""
        if self.factory is None:
            return Recipe.of(self.name).make(space, objectives, seed)
        module, _, function = self.factory.partition(":")
        made: Factory = getattr(import_module(module), function)
        return made(space, objectives, seed)


@attrs.frozen
class Task:
    """A run to be done. `evaluations` is how many full evaluations it may spend; one at a share of a full
    one counts as this share."""

    problem: str
    entry: Entry
    seed: int
    evaluations: int
    folder: str | None = None

    @property
    def key(self) -> tuple[str, str, int, int]:
        """What tells runs apart."""
        return self.problem, self.entry.name, self.seed, self.evaluations


@attrs.frozen
class Step:
    """Where a curve changes: after what was spent (in full evaluations, and in simulated seconds, None where
    the problem has none), the best value told so far (None for fronts), and the regret."""

    spent: float
    seconds: float | None
    told: float | None
    regret: float


@attrs.frozen
class Times:
    """CPU milliseconds of a call: the mean, and what 95 % of the calls stay below."""

    mean: float
    p95: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Times:
        """The times of calls; 0 of none."""
        ordered = sorted(seconds)
        if not ordered:
            return cls(0.0, 0.0)
        return cls(1e3 * sum(ordered) / len(ordered), 1e3 * ordered[math.ceil(0.95 * len(ordered)) - 1])


@attrs.frozen(kw_only=True)
class Run:
    """What a run gave. `asked` counts proposals, `repeats` those made before at the same share, `equal` those
    that compute what an earlier one does (which repeats do; None where it is not known), `failed` evaluations
    that failed. `exhausted`: the searcher had nothing left before the budget was spent. `error`: the run
    itself failed, and the rest is empty."""

    problem: str
    searcher: str
    seed: int
    evaluations: int
    steps: tuple[Step, ...] = ()
    asked: int = 0
    spent: float = 0.0
    seconds: float | None = None
    repeats: int = 0
    equal: int | None = None
    failed: int = 0
    exhausted: bool = False
    ask: Times = Times(0.0, 0.0)
    tell: Times = Times(0.0, 0.0)
    error: str = ""

    @property
    def key(self) -> tuple[str, str, int, int]:
        """What tells runs apart."""
        return self.problem, self.searcher, self.seed, self.evaluations

    @property
    def regret(self) -> float:
        """The regret at the end; infinite when nothing succeeded."""
        return self.steps[-1].regret if self.steps else math.inf

    def as_dict(self) -> dict[str, Any]:
        """The run as plain data; a step is a list."""
        return {**attrs.asdict(self), "steps": [list(attrs.astuple(step)) for step in self.steps]}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Run:
        """The run that `as_dict` gave. TypeError when the data is not of a run."""
        steps = tuple(Step(*step) for step in data["steps"])
        return cls(**{**data, "steps": steps, "ask": Times(**data["ask"]), "tell": Times(**data["tell"])})

    @classmethod
    def broken(cls, task: Task, error: str) -> Run:
        """The run of a task that failed."""
        return cls(
            problem=task.problem,
            searcher=task.entry.name,
            seed=task.seed,
            evaluations=task.evaluations,
            error=error,
        )


@cache  # a process reads a problem's files once, and what was worked out of a program is known to all of its runs
def _opened(name: str, folder: str | None) -> Problem:
    return problem(name, folder)


def perform(task: Task) -> Run:
    """Do a run. What goes wrong in it is part of the run."""
    try:
        return _searched(task, _opened(task.problem, task.folder))
    except ArchError as problem:
        return Run.broken(task, "\n".join(f"{found.code}: {found.message}" for found in problem.diagnostics))
    except Exception as problem:  # a searcher may raise anything; it is shown with the results
        return Run.broken(task, f"{type(problem).__name__}: {problem}")


def _searched(task: Task, problem: Problem) -> Run:
    problem.told  # noqa: B018 (reads the files before anything is timed)
    searcher = task.entry.make(problem.space, problem.objectives, task.seed)
    history: list[Evaluation] = []
    asks: list[float] = []
    tells: list[float] = []
    spent, exhausted = 0.0, False
    while spent < task.evaluations - ENOUGH and not exhausted:
        started = process_time()
        try:
            choices = searcher.ask()
        except Exhausted:
            exhausted = True
            continue
        asks.append(process_time() - started)
        metrics, share = _evaluated(problem, choices)
        history.append(Evaluation(choices, metrics, share))
        spent += share
        started = process_time()
        searcher.tell(choices, metrics)
        tells.append(process_time() - started)
    return Run(
        problem=task.problem,
        searcher=task.entry.name,
        seed=task.seed,
        evaluations=task.evaluations,
        steps=tuple(steps(problem, history)),
        asked=len(history),
        spent=round(spent, 6),
        seconds=_seconds(history),
        repeats=len(history) - len({(each.choices, each.share) for each in history}),
        equal=_equal(problem, history),
        failed=sum(each.metrics is None for each in history),
        exhausted=exhausted,
        ask=Times.of(asks),
        tell=Times.of(tells),
    )


def _evaluated(problem: Problem, choices: Choices) -> tuple[Metrics | None, float]:
    share = problem.level(choices.fidelity)
    try:
        return problem.evaluate(choices, share), share
    except ArchError:
        return None, share


def _seconds(history: Sequence[Evaluation]) -> float | None:
    if not any(each.metrics and "seconds" in each.metrics for each in history):
        return None
    return sum(each.metrics["seconds"] for each in history if each.metrics)


def _equal(problem: Problem, history: Sequence[Evaluation]) -> int | None:
    try:
        return len(history) - len({(function(problem.space, each.choices), each.share) for each in history})
    except ArchError:
        return None


def steps(problem: Problem, history: Sequence[Evaluation]) -> list[Step]:
    """The curve of a search, a step wherever the best told or the regret changes."""
    found: list[Step] = []
    seconds = None if _seconds(history) is None else 0.0
    spent, told, best = 0.0, None, (-math.inf, -math.inf)
    for each, regret in zip(history, problem.regrets(history), strict=True):
        spent += each.share
        if seconds is not None and each.metrics is not None:
            seconds += each.metrics["seconds"]
        scores = scores_of(each.metrics, problem.objectives)
        if isinstance(problem, BestOf) and scores is not None and (each.share, scores[0]) > best:
            best, told = (each.share, scores[0]), problem.objectives[0].score(scores[0])
        changed = not found or (found[-1].told, found[-1].regret) != (told, regret)
        if changed and math.isfinite(regret):
            found.append(Step(round(spent, 6), seconds, told, regret))
    return found
