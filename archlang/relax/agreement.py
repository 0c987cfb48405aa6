"""How well shared weights tell what programs reach that are trained alone."""

from __future__ import annotations

import math
from functools import cached_property
from typing import TYPE_CHECKING, Any

import attrs

from archlang.diagnostics import ArchError, error
from archlang.relax.correlation import Correlation, correlation
from archlang.relax.selections.searching import measuring
from archlang.searchers import Objective
from archlang.space.choices import Choices

if TYPE_CHECKING:
    from archlang.relax.outcome import Relaxed
    from archlang.study import Study, Trial


@attrs.frozen
class Measured:
    """One program: what it measures with the shared weights, and what it reached in a trial, alone."""

    choices: Choices
    trial: int
    shared: float
    alone: float


@attrs.frozen(slots=False)
class Agreement:
    """Programs measured both ways: `shared` is a metric on the supernet's validation samples, `alone` the first
    objective of a study."""

    study: str
    shared: Objective
    alone: Objective
    programs: tuple[Measured, ...]

    @cached_property
    def correlation(self) -> Correlation:
        """Of the two orders, in both of which the best comes first."""
        return correlation(
            [self.shared.score(program.shared) for program in self.programs],
            [self.alone.score(program.alone) for program in self.programs],
        )

    @property
    def place_of_best(self) -> int:
        """The place, trained alone, of the program that the shared weights hold for the best: 1 is the best."""
        best = max(self.programs, key=lambda program: self.shared.score(program.shared))
        score = self.alone.score(best.alone)
        return 1 + sum(self.alone.score(program.alone) > score for program in self.programs)

    @property
    def summary(self) -> str:
        """What comes of it, in words."""
        found = self.correlation
        shared, alone = f"{self.shared.metric} with the shared weights", f"{self.alone.metric} alone"
        begun = f"{found.programs} programs of study `{self.study}`: {shared}"
        if math.isnan(found.kendall):
            return f"{begun}, or {alone}, is the same for all, which ranks nothing"
        return (
            f"{begun} ranks them as {alone} with Kendall's tau {found.kendall:.3f}, Spearman's rho "
            f"{found.spearman:.3f}; the best by the first is number {self.place_of_best} by the second"
        )

    def as_dict(self) -> dict[str, Any]:
        """Everything as plain data."""
        programs = [{**attrs.asdict(each), "choices": each.choices.as_dict()} for each in self.programs]
        return {
            "study": self.study,
            "shared": str(self.shared),
            "alone": str(self.alone),
            **attrs.asdict(self.correlation),
            "place_of_best": self.place_of_best,
            "programs": programs,
        }


def agreement(outcome: Relaxed, study: Study, recalibration: int = 2048) -> Agreement:
    """Measure the programs of a study's trials, those of the greatest fidelity, with the shared weights: on the
    validation samples, after their batch norms have been through so many training samples.

    ArchError (E1006) when a program is none of the supernet's space, or there are fewer than two.
    """
    trials = {trial.choices_json: trial for trial in reversed(study.comparable)}
    if len(trials) < 2:
        what = f"study `{study.name}` has {len(trials)} measured programs"
        raise ArchError(error("E1006", what, hints=["an order takes two at the least, and of few it says little"]))
    measure = measuring(outcome.session, recalibration)
    alone = study.objectives[0]
    shared, programs = alone, []
    for trial in sorted(trials.values(), key=lambda trial: trial.number):
        metrics = measure(_choices(outcome, study, trial))
        if shared.metric not in metrics:
            shared = Objective("accuracy") if "accuracy" in metrics else Objective("loss", maximize=False)
        found = metrics[shared.metric], trial.metrics[alone.metric]
        programs.append(Measured(Choices(trial.choices), trial.number, *found))
    return Agreement(study.name, shared, alone, tuple(programs))


def _choices(outcome: Relaxed, study: Study, trial: Trial) -> Choices:
    try:
        return outcome.space.program(trial.choices).choices
    except ArchError as failure:
        what = f"trial {trial.number} of study `{study.name}` is no program of `{outcome.space.name}`"
        raise ArchError(error("E1006", what, notes=[failure.diagnostics[0].message])) from failure
