"""A study: the trials of a search, the best program, the Pareto front."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archlang.searchers import Objective, scores_of, violation
from archlang.searchers.pareto import front
from archlang.study.origin import require_same_space, space_from_record
from archlang.study.record import CACHED, COMPLETE, FAILED, StudyRecord, StudySummary, Trial
from archlang.study.store import Store, damaged, open_store

if TYPE_CHECKING:
    from archlang.space import Program, SearchSpace


class Study:
    """The state of a search when it was read.

    `interrupted` says that the run which gave this study was stopped from the keyboard; `resume` goes
    on with it.
    """

    def __init__(
        self,
        record: StudyRecord,
        trials: tuple[Trial, ...],
        store: str,
        space: SearchSpace | None = None,
        interrupted: bool = False,
    ) -> None:
        self.record = record
        self.trials = trials
        self.store = store
        self.interrupted = interrupted
        self._given_space = space

    def __repr__(self) -> str:
        return f"Study({self.name!r}, {len(self.finished)} of {self.record.trials} trials, store={self.store!r})"

    @property
    def name(self) -> str:
        return self.record.name

    @property
    def objectives(self) -> tuple[Objective, ...]:
        """What is maximized and minimized, the most important first."""
        return self.record.objectives

    @cached_property
    def space(self) -> SearchSpace:
        """The space that is searched; made from the store's texts when it was not given."""
        return self._given_space if self._given_space is not None else space_from_record(self.record.space)

    @property
    def has_space(self) -> bool:
        """Whether there is a space, to make programs of: not where it is a Python function that was not given."""
        return self._given_space is not None or "python" not in self.record.space

    @property
    def finished(self) -> tuple[Trial, ...]:
        """The trials that are done: measured or failed."""
        return tuple(trial for trial in self.trials if trial.state in (COMPLETE, CACHED, FAILED))

    @property
    def measured(self) -> tuple[Trial, ...]:
        """The trials that have metrics."""
        return tuple(trial for trial in self.trials if trial.is_measured)

    @property
    def failed(self) -> tuple[Trial, ...]:
        """The trials that failed."""
        return tuple(trial for trial in self.trials if trial.state == FAILED)

    @property
    def repeats(self) -> tuple[Trial, ...]:
        """The trials that were not evaluated because their choices had been measured before."""
        return tuple([trial for trial in self.trials if trial.state == CACHED and self._is_repeat(trial)])

    @property
    def equals(self) -> tuple[Trial, ...]:
        """The trials that were not evaluated because another program, equal in function or outputs, had been."""
        return tuple([trial for trial in self.trials if trial.state == CACHED and not self._is_repeat(trial)])

    def _is_repeat(self, trial: Trial) -> bool:
        return trial.same_as is None or self.trials[trial.same_as].choices_json == trial.choices_json

    def scores(self, trial: Trial) -> tuple[float, ...]:
        """The trial's objectives turned so that larger is better."""
        scores = scores_of(trial.metrics, self.objectives)
        assert scores is not None, "a measured trial has all objectives"
        return scores

    @property
    def best_trial(self) -> Trial | None:
        """The trial that is best in the first objective, then in the next; of equals the first. Only
        trials of the greatest fidelity count, and such as keep the constraints where there are any."""
        return max(self.candidates, key=lambda trial: (self.scores(trial), -trial.number), default=None)

    @property
    def comparable(self) -> tuple[Trial, ...]:
        """The measured trials of the greatest fidelity: metrics of other fidelities say something else."""
        greatest = max((trial.fidelity for trial in self.measured), default=1.0)
        return tuple(trial for trial in self.measured if trial.fidelity == greatest)

    @property
    def candidates(self) -> tuple[Trial, ...]:
        """The measured trials of the greatest fidelity that violate the constraints least."""
        limits = self.record.constraints.limits
        beyond = {trial.number: violation(trial.metrics, limits) for trial in self.comparable}
        least = min(beyond.values(), default=0.0)
        return tuple(trial for trial in self.measured if beyond.get(trial.number) == least)

    @property
    def best(self) -> Program | None:
        """The program of the best trial; None when no trial was measured."""
        trial = self.best_trial
        return None if trial is None else self.program(trial)

    def pareto_front(self) -> tuple[Trial, ...]:
        """The trials that no other dominates, best first objective first; a program that was tried
        more than once appears once."""
        unique = {trial.choices_json: trial for trial in reversed(self.candidates)}
        trials = list(unique.values())
        chosen = [trials[position] for position in front([self.scores(trial) for trial in trials])]
        return tuple(sorted(chosen, key=lambda trial: (self.scores(trial), -trial.number), reverse=True))

    def program(self, trial: Trial) -> Program:
        """The program of a trial."""
        return self.space.program(trial.choices)

    def as_dict(self) -> dict[str, Any]:
        """The study as plain data: its settings, all trials, the best and the front by number."""
        best = self.best_trial
        return {
            "name": self.name,
            "space": self.record.space["name"],
            "searcher": self.record.searcher,
            "settings": dict(self.record.settings),
            "seed": self.record.seed,
            "objectives": [str(objective) for objective in self.objectives],
            "constraints": [str(limit) for limit in self.record.constraints.limits],
            "evaluator": {name: value for name, value in self.record.evaluator.items() if name != "spec"},
            "reuse": self.record.reuse,
            "saved": {"repeats": len(self.repeats), "equals": len(self.equals)},
            "store": self.store,
            "wanted": self.record.trials,
            "best": None if best is None else best.number,
            "front": [trial.number for trial in self.pareto_front()],
            "trials": [trial.as_dict() for trial in self.trials],
        }


def read_study(store: str | Path, name: str | None = None, space: SearchSpace | None = None) -> Study:
    """The study in a store, as it is now; `name` may be left out where there is only one.

    A running search may be read at any time. ArchError: see `open_store`, and E0908 for no such study.
    """
    with open_store(store) as opened:
        record = opened.only_study(name)
        if space is not None:
            require_same_space(record.space, space)
        return study_of(opened, record, space)


def study_of(store: Store, record: StudyRecord, space: SearchSpace | None = None, interrupted: bool = False) -> Study:
    """A study from an open store."""
    trials = tuple(store.trials(record.name))
    for trial in trials:
        if trial.is_measured and scores_of(trial.metrics, record.objectives) is None:
            raise damaged(store.location, f"trial {trial.number} of `{record.name}` lacks an objective")
    return Study(record, trials, store.location, space, interrupted)


def list_studies(store: str | Path) -> list[StudySummary]:
    """The studies of a store, oldest first."""
    with open_store(store) as opened:
        return opened.summaries()
