"""Selection by a search among the paths of a supernet."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs
from attrs.validators import ge

from archlang.diagnostics import ArchError, error
from archlang.relax.outcome import Found
from archlang.space.choices import Choices
from archlang.study import Study, Trial, search

if TYPE_CHECKING:
    from archlang.relax.session import Session
    from archlang.space.program import Program


@attrs.frozen(kw_only=True)
class Searching:
    """The best programs of a search by what they reach with the shared weights (Guo et al. 2020, "Single path
    one-shot NAS", section 3.3).

    `searcher` is one of archlang's, as a name or a text such as `then(random, 50, evolution)`; `maximize`,
    `minimize`, `constraints` and `trials` are those of `archlang.search`, on the accuracy, the loss, and the
    costs of programs. By default the accuracy counts, or the loss where there is none. With several objectives
    it is the programs on the Pareto front that are given, else all, the best first. Before a program is measured
    on the validation samples its batch norms go through so many training samples (`recalibration`); the shared
    statistics stay as they are. A search that was interrupted goes on with what had been measured.
    """

    searcher: str = "evolution"
    trials: int = attrs.field(default=1000, validator=ge(1))
    maximize: tuple[str, ...] = ()
    minimize: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    recalibration: int = attrs.field(default=2048, validator=ge(0))

    def select(self, session: Session) -> list[Found]:
        return self.search(session, measuring(session, self.recalibration))

    def search(self, session: Session, measure: Measure, against: tuple[str, ...] = ()) -> list[Found]:
        """The programs, by how their choices are measured; `against` is minimized besides."""
        maximize, minimize = self.maximize, self.minimize
        if not maximize and not minimize:
            maximize, minimize = _usual(measure(session.derived.sample(session.feeding.seed).choices))

        def evaluate(program: Program) -> dict[str, float]:
            return measure(program.choices)

        study = search(
            session.derived,
            evaluate,
            searcher=self.searcher,
            maximize=maximize,
            minimize=(*minimize, *against),
            constraints=self.constraints,
            trials=self.trials,
            seed=session.feeding.seed,
            # Programs that compute the same may have other weights here.
            reuse="choices",
        )
        if study.interrupted:
            raise KeyboardInterrupt
        trials = _ranked(study)
        if not trials:
            what = f"no program of `{session.derived.name}` could be measured with the shared weights"
            raise ArchError(error("E0916", what, notes=[trial.error for trial in study.failed[:1]]))
        return [Found(study.program(trial).choices, trial.metrics) for trial in trials]


Measure = Callable[[Choices], dict[str, float]]


def measuring(session: Session, recalibration: int) -> Measure:
    """What measures the program of some choices on validation samples with the shared weights, after its batch
    norms have been through so many training samples. Each program is measured once: what was is in the notes."""
    engine = session.engine
    training, validation = session.feeding.calibrating(recalibration), session.feeding.measuring()
    notes: list[tuple[dict[str, Any], dict[str, float]]] = session.notes.setdefault(f"measured/{recalibration}", [])
    known = {Choices(picks): metrics for picks, metrics in notes}

    def measure(choices: Choices) -> dict[str, float]:
        found = known.get(choices)
        if found is None:
            kept = engine.snapshot()
            try:
                if training:
                    engine.recalibrate(training, choices)
                found = known[choices] = engine.measure(validation, choices)
            finally:
                engine.restore(kept)
            notes.append((choices.as_dict(), found))
            session.selecting(f"{len(notes)} programs measured")
        return dict(found)

    return measure


def _usual(metrics: Mapping[str, float]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return (("accuracy",), ()) if "accuracy" in metrics else ((), ("loss",))


def _ranked(study: Study) -> Sequence[Trial]:
    if len(study.objectives) > 1:
        return study.pareto_front()
    unique = {trial.choices_json: trial for trial in reversed(study.candidates)}
    return sorted(unique.values(), key=lambda trial: (study.scores(trial), -trial.number), reverse=True)
