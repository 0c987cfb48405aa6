"""Running a search, and going on with one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, cast

import attrs

from archlang.diagnostics import ArchError, did_you_mean, error
from archlang.evaluate import Evaluator, FunctionEvaluator, evaluator_from_spec
from archlang.searchers import NO_CONSTRAINTS, Constraint, Constraints, Exhausted, Objective, Recipe, Searcher
from archlang.settings import read_settings
from archlang.study.executor import Executor, InProcess, Outcome
from archlang.study.origin import require_same_space, space_from_record, space_record, versions
from archlang.study.progress import Listener, ProgressBar, Silent
from archlang.study.record import CACHED, COMPLETE, FAILED, RUNNING, StudyRecord, Trial
from archlang.study.reuse import Known, reuse_mode
from archlang.study.store import Store, open_store
from archlang.study.study import Study, study_of

if TYPE_CHECKING:
    from archlang.space import Choices, SearchSpace

Metrics = str | Sequence[str]
AnySearcher = str | type[Searcher] | Recipe
AnyEvaluator = Evaluator | Callable[..., Any]


def search(
    space: SearchSpace,
    evaluator: AnyEvaluator,
    *,
    searcher: AnySearcher = "smbo",
    maximize: Metrics = (),
    minimize: Metrics = (),
    objectives: Sequence[Objective] = (),
    constraints: Sequence[str] = (),
    handling: str = "domination",
    weight: float = 1.0,
    trials: int = 100,
    store: str | Path | None = None,
    name: str | None = None,
    seed: int = 0,
    settings: Mapping[str, Any] | None = None,
    reuse: bool | str = True,
    progress: bool | Listener = False,
) -> Study:
    """Search a space and return the study.

    `searcher` is a name such as `evolution`, a text such as `then(random, 50, evolution)`, or a class.
    `evaluator` is one such as `train("digits")`, or a function from a program (of a Python function, what that
    returned) to a number or a dictionary of numbers. What counts is given by `maximize` and `minimize` (names of
    metrics; those to maximize come first), or in another order by `objectives`. `constraints` such as `macs <=
    600M` are never left where they limit a cost that is known before an evaluation; what they mean for other
    metrics is said by `handling` and `weight` (see `Constraints`). `store` is the path of a SQLite file or a
    database URL; without it the study lives in memory. `name` is the study's name in the store, by default the
    space's. `settings` are the searcher's.

    `reuse` says when a result is known, so that nothing is evaluated: "function" (or True) for a program that
    computes the same as a measured one (`Program.functional_hash`), "outputs" by `Program.output_hash`, "choices"
    for the same choices, "none" (or False) never. Metrics named as a cost (`params`) stay the program's own; with
    an evaluator whose other metrics hang on how a program is written, such as its size, give "choices". Programs
    that are in flight at the same time are all evaluated.

    A failing trial is recorded and told as failed. An interrupt from the keyboard ends the run with
    `study.interrupted`; `resume` goes on with it, as it does after a crash.
    ArchError: see `open_store`, `train`, and E0901-E0903 (searcher), E0909 (name taken), E0911 (objectives).
    """
    wanted = _objectives(maximize, minimize, objectives)
    _require_trials(trials)
    space, limits = _limits(space, constraints, {"handling": handling, "weight": weight})
    mode = reuse_mode(reuse)
    recipe = Recipe.of(searcher, settings)
    machine = recipe.make(space, wanted, seed, limits)
    used = _evaluator(evaluator, wanted)
    used.check(space.program(_first(machine)), [objective.metric for objective in wanted])
    record = StudyRecord(
        name=name or space.name,
        created=_now(),
        space=space_record(space),
        evaluator={**used.describe(), "spec": used.spec()},
        searcher=recipe.kind.name if isinstance(searcher, type) else str(searcher),
        settings={name: str(value) if isinstance(value, Recipe) else value for name, value in (settings or {}).items()},
        seed=seed,
        objectives=wanted,
        constraints=limits,
        trials=trials,
        reuse=mode,
        versions=versions(),
    )
    with open_store(store, create=True) as opened:
        opened.create(record)
        return Run(opened, record, space, used, recipe, _listener(progress)).go()


def resume(
    store: str | Path,
    name: str | None = None,
    *,
    evaluator: AnyEvaluator | None = None,
    space: SearchSpace | None = None,
    searcher: AnySearcher | None = None,
    trials: int | None = None,
    progress: bool | Listener = False,
) -> Study:
    """Go on with a study where it was, exactly as if it had never stopped, and return it.

    Trials that were in flight are evaluated first. Space and evaluator are made again from the store; a function
    (as evaluator or as space), arrays, and a searcher that is not in the registry have to be given again. `trials`
    is the number that the study is to have in all, by default as many as it was begun with.
    ArchError: see `open_store`, and E0904 the space has changed, E0908 no such study, E0912 an evaluator is needed
    or is another, E0924 the space is a Python function that is not given, E0913 the searcher does not propose again
    what it did.
    """
    with open_store(store) as opened:
        record = opened.only_study(name)
        if space is not None:
            require_same_space(record.space, space)
        else:
            space = space_from_record(record.space)
        used = _evaluator_again(record, evaluator)
        recipe = Recipe.of(record.searcher if searcher is None else searcher, record.settings)
        if trials is not None and trials != record.trials:
            _require_trials(trials)
            opened.set_trials(record.name, trials)
            record = attrs.evolve(record, trials=trials)
        return Run(opened, record, space, used, recipe, _listener(progress)).go()


class Run:
    """One run of a study: replays what is there, then asks, evaluates and tells until it is done."""

    def __init__(
        self,
        store: Store,
        record: StudyRecord,
        space: SearchSpace,
        evaluator: Evaluator,
        searcher: Recipe,
        listener: Listener,
        executor: Executor | None = None,
    ) -> None:
        self._store = store
        self._record = record
        self._space = space
        self._listener = listener
        self._searcher = searcher.make(space, record.objectives, record.seed, record.constraints)
        self._executor = executor or InProcess(space, evaluator, listener.reported)
        self._count = 0
        self._events = 0
        self._known = Known(space, record.reuse)
        self._flying: dict[int, tuple[Trial, Choices]] = {}

    def go(self) -> Study:
        """Run until all trials are done or nothing is left, and return the study."""
        trials = self._store.trials(self._record.name)
        waiting = self._replay(trials)
        interrupted = False
        self._listener.begin(self._record.name, self._record.objectives, trials, self._record.trials)
        try:
            self._loop(waiting)
        except KeyboardInterrupt:
            interrupted = True
            for trial, _ in self._flying.values():
                self._store.interrupt(self._record.name, trial)
        finally:
            self._executor.close()
            self._listener.end()
        return study_of(self._store, self._record, self._space, interrupted)

    def _replay(self, trials: Sequence[Trial]) -> list[tuple[Trial, Choices]]:
        """Bring the searcher to where the study is; the trials that were asked but not told."""
        events = [(trial.asked, True, trial) for trial in trials]
        events += [(trial.told, False, trial) for trial in trials if trial.told is not None]
        asked: dict[int, Choices] = {}
        for number, is_ask, trial in sorted(events, key=lambda event: event[0]):
            self._events = number + 1
            if is_ask:
                asked[trial.number] = self._asked_again(trial)
            else:
                self._tell_searcher(trial, asked[trial.number])
        self._count = len(trials)
        return [(trial, asked[trial.number]) for trial in sorted(trials, key=_asked) if trial.told is None]

    def _asked_again(self, trial: Trial) -> Choices:
        try:
            choices = self._searcher.ask()
            if choices.to_json() == trial.choices_json and choices.fidelity == trial.fidelity:
                return choices
            found = f"it proposes {choices.to_json()} at fidelity {choices.fidelity:g}"
        except Exhausted:
            found = "it proposes nothing"
        before = ", ".join(f"{package} {number}" for package, number in self._record.versions.items())
        raise ArchError(
            error(
                "E0913",
                f"the searcher `{self._record.searcher}` does not repeat trial {trial.number} of `{self._record.name}`",
                notes=(
                    f"the trial was {trial.choices_json} at fidelity {trial.fidelity:g}, now {found}",
                    f"the study was begun with {before}",
                ),
                hints=("resume it with the versions that it was begun with, or begin a new study",),
            )
        )

    def _loop(self, waiting: list[tuple[Trial, Choices]]) -> None:
        while True:
            while len(self._flying) < self._executor.capacity:
                if waiting:
                    trial, choices = waiting.pop(0)
                    trial = attrs.evolve(trial, state=RUNNING, started=_now())
                    self._store.restart(self._record.name, trial)
                elif self._count < self._record.trials:
                    try:
                        choices = self._searcher.ask()
                    except Exhausted:
                        break
                    trial = self._begin(choices)
                else:
                    break
                self._launch(trial, choices)
            if not self._flying:
                return
            number, outcome = self._executor.wait()
            self._tell(self._flying[number][0], self._flying[number][1], outcome)

    def _begin(self, choices: Choices) -> Trial:
        text = choices.to_json()
        trial = Trial(
            number=self._count,
            choices=choices.as_dict(),
            choices_json=text,
            fidelity=choices.fidelity,
            state=RUNNING,
            asked=self._events,
            started=_now(),
        )
        self._store.ask(self._record.name, trial)
        self._count += 1
        self._events += 1
        return trial

    def _launch(self, trial: Trial, choices: Choices) -> None:
        known = self._known.by_choices(trial)
        found = None if known is None else (known, dict(known.metrics))
        if found is None:
            trial = attrs.evolve(trial, identity=self._known.identity(choices))
            found = self._known.by_identity(trial)
        if found is not None:
            trial = attrs.evolve(trial, same_as=found[0].number)
        self._flying[trial.number] = (trial, choices)
        self._listener.asked(trial)
        if found is None:
            self._executor.submit(trial.number, choices)
        else:
            self._tell(trial, choices, Outcome(found[1], curve=tuple(map(dict, found[0].curve))), CACHED)

    def _tell(self, trial: Trial, choices: Choices, outcome: Outcome, state: str = COMPLETE) -> None:
        failure = outcome.error if outcome.metrics is None else self._missing(outcome.metrics)
        told = attrs.evolve(
            trial,
            told=self._events,
            state=FAILED if failure else state,
            metrics=outcome.metrics or {},
            error=failure,
            curve=outcome.curve,
            seconds=outcome.seconds,
        )
        self._store.tell(self._record.name, told)
        self._events += 1
        del self._flying[trial.number]
        self._tell_searcher(told, choices)
        self._listener.told(told)

    def _tell_searcher(self, trial: Trial, choices: Choices) -> None:
        if trial.is_measured:
            self._known.add(trial)
        self._searcher.tell(choices, dict(trial.metrics) if trial.is_measured else None)

    def _missing(self, metrics: Mapping[str, float]) -> str:
        """What is wrong with the metrics of a trial, or nothing."""
        for objective in self._record.objectives:
            if objective.metric not in metrics:
                hints = did_you_mean(objective.metric, metrics) or (f"it gave {', '.join(metrics)}",)
                return str(ArchError(error("E0711", f"the evaluator gave no metric `{objective.metric}`", hints=hints)))
        return ""


def _asked(trial: Trial) -> int:
    return trial.asked


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _listener(progress: bool | Listener) -> Listener:
    if isinstance(progress, bool):
        return ProgressBar() if progress else Silent()
    return progress


def _first(searcher: Searcher) -> Choices:
    """The first proposal; ArchError when there is none."""
    try:
        return searcher.ask()
    except Exhausted:
        what = f"the searcher `{searcher.name}` proposes no program of `{searcher.space.name}`"
        hints = ("what it leaves out, by `filter` or by its settings, may be all there is",)
        raise ArchError(error("E0916", what, hints=hints)) from None


def _require_trials(trials: int) -> None:
    if trials < 1:
        raise ArchError(error("E0903", f"a study needs at least one trial, {trials} are asked for"))


def _names(metrics: Metrics) -> Iterable[str]:
    return (metrics,) if isinstance(metrics, str) else metrics


def _objectives(maximize: Metrics, minimize: Metrics, given: Sequence[Objective]) -> tuple[Objective, ...]:
    found = (
        *given,
        *(Objective(metric, True) for metric in _names(maximize)),
        *(Objective(metric, False) for metric in _names(minimize)),
    )
    metrics = [objective.metric for objective in found]
    if not found:
        hints = ('say what counts: `maximize="accuracy"`, `minimize="macs"`',)
        raise ArchError(error("E0911", "a search needs something to maximize or minimize", hints=hints))
    for metric in metrics:
        if metrics.count(metric) > 1:
            raise ArchError(error("E0911", f"the metric `{metric}` is given as an objective more than once"))
    return found


def _limits(space: SearchSpace, constraints: Sequence[str], how: Mapping[str, Any]) -> tuple[SearchSpace, Constraints]:
    """The programs that keep the limits on known costs, and the constraints that are left."""
    limits = []
    for text in constraints:
        limit = Constraint.parse(text)
        if limit.metric in space.known_costs:
            space = space.narrowed(text)
        else:
            limits.append(limit)
    space.draw(Random(0))  # there is a program, or an error says that there is none
    settings = read_settings(Constraints, {"limits": tuple(limits), **how}, "the constraints")
    return space, settings if limits else NO_CONSTRAINTS


def _evaluator(evaluator: Any, objectives: Sequence[Objective]) -> Evaluator:
    if hasattr(evaluator, "describe"):
        return cast(Evaluator, evaluator)
    return FunctionEvaluator(evaluator, objectives[0].metric)


def _evaluator_again(record: StudyRecord, given: AnyEvaluator | None) -> Evaluator:
    """The evaluator of a study, given or from the store; ArchError (E0912) when it is not the same."""
    spec = record.evaluator.get("spec")
    if given is None and spec is None:
        kind = "a function" if record.evaluator["kind"] == "function" else "an evaluator"
        raise ArchError(
            error(
                "E0912",
                f"the study `{record.name}` was evaluated by {kind} that a store cannot hold",
                hints=("resume it from Python and give it again: `resume(store, evaluator=…)`",),
            )
        )
    used = evaluator_from_spec(spec or {}) if given is None else _evaluator(given, record.objectives)
    now = json.loads(json.dumps(used.describe()))
    before = {name: value for name, value in record.evaluator.items() if name != "spec"}
    # A data set may lie elsewhere now; its digest says whether it is the same.
    changed = [name for name in sorted({*before, *now}) if name != "data" and before.get(name) != now.get(name)]
    if changed:
        raise ArchError(
            error(
                "E0912",
                f"the evaluator is not the one of the study `{record.name}`",
                notes=tuple(f"`{name}` was {before.get(name)!r}, now it is {now.get(name)!r}" for name in changed),
                hints=("resume with the evaluator that the study was begun with, or begin a new study",),
            )
        )
    return used
