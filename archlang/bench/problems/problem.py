"""What a benchmark problem is: a space, what a search is told, and how far from the best it got."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import attrs

from archlang.diagnostics import ArchError, error
from archlang.evaluate.evaluator import Metrics, Report, nearest_level
from archlang.searchers import Objective, scores_of
from archlang.searchers.pareto import front, hypervolume

if TYPE_CHECKING:
    from archlang.space import Choices, Program, Space

Told = Callable[["Choices", float], "Metrics"]


@attrs.frozen
class Evaluation:
    """One step of a search: choices, what they were told (None: the evaluation failed), and at which
    share of a full evaluation."""

    choices: Choices
    metrics: Metrics | None
    share: float = 1.0


@attrs.frozen(slots=False, eq=False, kw_only=True)
class Problem(ABC):
    """A search whose best outcome is known.

    `levels` are the shares of a full evaluation at which programs can be told, the last is 1. Where
    evaluations have a simulated cost it is the metric `seconds`. Files are read when first needed.
    """

    name: str
    title: str
    objectives: tuple[Objective, ...]
    make_space: Callable[[], Space]
    levels: tuple[float, ...] = (1.0,)

    @cached_property
    def space(self) -> Space:
        """The space that is searched."""
        return self.make_space()

    @property
    @abstractmethod
    def told(self) -> Told:
        """What a search is told of choices at a share of a full evaluation."""

    @property
    @abstractmethod
    def floor(self) -> float:
        """The regret of a search that has found what is best in what it is told."""

    @abstractmethod
    def regrets(self, history: Iterable[Evaluation]) -> list[float]:
        """How far from the best a search was after each of its evaluations; infinite as long as
        none succeeded."""

    def evaluate(self, choices: Choices, share: float = 1.0) -> Metrics:
        """What a search is told of choices, at the level nearest to the share. ArchError
        where the evaluation fails, as a trial may."""
        return self.told(choices, self.level(share))

    def level(self, share: float) -> float:
        """The level nearest to a share, by ratio."""
        return nearest_level(self.levels, share)

    @property
    def evaluator(self) -> ProblemEvaluator:
        """The problem as an evaluator of a study."""
        return ProblemEvaluator(self)


@attrs.frozen(slots=False, eq=False, kw_only=True)
class Answers:
    """What is known of a problem with one objective: what is told, the value that counts in the end
    (such as test accuracy where validation accuracy was told), and the best of both.

    `floor` is the regret of the program that is told to be best, the mean where several are. `proven`:
    no program is better than `best_scored`; else it is the best that is known.
    """

    told: Told
    scored: Callable[[Choices], float]
    best_told: float
    best_scored: float
    floor: float = 0.0
    proven: bool = True


@attrs.frozen(slots=False, eq=False, kw_only=True)
class BestOf(Problem):
    """A problem with one objective. Its regret is how far the value that counts, of the program that
    was told to be best (of equals the first; those told at the highest share only), is from the best."""

    make_answers: Callable[[], Answers]

    @cached_property
    def answers(self) -> Answers:
        """What is known of the problem."""
        return self.make_answers()

    @property
    def told(self) -> Told:
        return self.answers.told

    @property
    def floor(self) -> float:
        return self.answers.floor

    def regret(self, choices: Choices) -> float:
        """How far the value that counts is from the best, for one program; below 0 only where the best is
        not proven."""
        lost = self.answers.best_scored - self.answers.scored(choices)
        lost = lost if self.objectives[0].maximize else -lost
        return max(0.0, lost) if self.answers.proven else lost

    def regrets(self, history: Iterable[Evaluation]) -> list[float]:
        found: list[float] = []
        best, regret = (-math.inf, -math.inf), math.inf
        for each in history:
            scores = scores_of(each.metrics, self.objectives)
            if scores is not None and (each.share, scores[0]) > best:
                best, regret = (each.share, scores[0]), self.regret(each.choices)
            found.append(regret)
        return found


@attrs.frozen(slots=False, eq=False, kw_only=True)
class Front:
    """What is known of a problem with two objectives: what is told, and the values of all programs that
    have them, in the order of the objectives."""

    told: Told
    points: Sequence[tuple[float, float]]


@attrs.frozen(slots=False, eq=False, kw_only=True)
class FrontOf(Problem):
    """A problem with two objectives. Its regret is the share of the hypervolume of all programs that is
    missing in that of the programs found; the reference point is the worst of each objective."""

    make_front: Callable[[], Front]

    @cached_property
    def answers(self) -> Front:
        """What is known of the problem."""
        return self.make_front()

    @property
    def told(self) -> Told:
        return self.answers.told

    @property
    def floor(self) -> float:
        return 0.0

    @cached_property
    def _scores(self) -> list[tuple[float, float]]:
        first, second = self.objectives
        return [(first.score(a), second.score(b)) for a, b in self.answers.points]

    @cached_property
    def reference(self) -> tuple[float, float]:
        """The worst value of each objective, turned so that larger is better."""
        return min(score[0] for score in self._scores), min(score[1] for score in self._scores)

    @cached_property
    def volume(self) -> float:
        """The hypervolume of all programs."""
        return hypervolume(self._scores, self.reference)

    def regrets(self, history: Iterable[Evaluation]) -> list[float]:
        found: list[float] = []
        kept: list[tuple[float, ...]] = []
        missing = math.inf
        for each in history:
            scores = scores_of(each.metrics, self.objectives)
            if scores is not None and each.share == 1.0 and scores not in kept:
                points = [*kept, scores]
                kept = [points[place] for place in front(points)]
                missing = max(0.0, 1 - hypervolume(kept, self.reference) / self.volume)
            found.append(missing)
        return found


@attrs.frozen
class ProblemEvaluator:
    """Tells a study what a problem tells a search. A store cannot hold it: resume with it given again."""

    problem: Problem

    def __call__(self, program: Program, fidelity: Mapping[str, Any], report: Report) -> Metrics:
        return self.problem.evaluate(program.choices, fidelity.get("share", 1.0))

    def check(self, program: Program, metrics: Sequence[str] = ()) -> None:
        """ArchError when the problem's files are not there, or a metric is not told (E0711)."""
        told = [objective.metric for objective in self.problem.objectives]
        for metric in metrics:
            if metric not in told:
                hints = (f"it tells {', '.join(f'`{name}`' for name in told)}",)
                raise ArchError(
                    error("E0711", f"the problem `{self.problem.name}` has no metric `{metric}`", hints=hints)
                )
        self.problem.told  # noqa: B018 (reads the files)

    def at(self, share: float) -> Mapping[str, Any]:
        """The level nearest to the share; {} for a full evaluation."""
        level = self.problem.level(share)
        return {"share": level} if level < 1 else {}

    def describe(self) -> dict[str, Any]:
        """The problem by its name."""
        return {"kind": "problem", "problem": self.problem.name}

    def spec(self) -> None:
        """None: where the problem's data lies is not the study's to keep."""
        return None
