"""Running searches: trials, failures, objectives, cached results, several in flight."""

import random
from collections import deque
from collections.abc import Mapping
from typing import Any

import pytest

from archlang.diagnostics import ArchError
from archlang.evaluate import FunctionEvaluator
from archlang.searchers import Objective, Recipe
from archlang.searchers.populations.evolution import Evolution
from archlang.space import Choices, Program, Space, loads
from archlang.study.executor import Outcome, evaluate
from archlang.study.progress import Silent
from archlang.study.runner import Run
from archlang.study.store import Store, open_store
from tests.study import runs

SMALL = "space small { { a: choose [1, 2], b: choose [1, 2, 3] } }"


def test_best_and_front() -> None:
    study = runs.begin(None)
    assert len(study.trials) == runs.TRIALS
    best = study.best_trial
    assert best is not None
    assert study.best is not None
    assert best.metrics["accuracy"] == max(trial.metrics["accuracy"] for trial in study.measured)
    assert study.best.choices.as_dict() == best.choices
    front = study.pareto_front()
    assert front[0] is best
    for member in front:
        for trial in study.measured:
            better = trial.metrics["accuracy"] >= member.metrics["accuracy"]
            cheaper = trial.metrics["cost"] <= member.metrics["cost"]
            assert not (better and cheaper) or dict(trial.metrics) == dict(member.metrics)


def test_failures_are_recorded_and_end_nothing() -> None:
    study = runs.begin(None)
    assert study.failed
    assert len(study.finished) == runs.TRIALS
    for trial in study.failed:
        assert trial.error.startswith("Traceback")
        assert trial.error.endswith("ValueError: this one fails\n")
        assert not trial.metrics


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (None, "the evaluation returned nothing"),
        ("high", "the evaluation returned 'high' for `accuracy`"),
        (True, "the evaluation returned True for `accuracy`"),
        (float("nan"), "the evaluation returned nan for `accuracy`"),
        ({"accuracy": float("inf")}, "the evaluation returned inf for `accuracy`"),
        ({"accuracy": [1, 2]}, "the evaluation returned [1, 2] for `accuracy`"),
        ({}, "the evaluation returned an empty dictionary"),
        ({1: 2.0}, "the evaluation returned the key 1"),
        ({"acuracy": 1.0}, "error[E0711]: the evaluator gave no metric `accuracy`"),
    ],
)
def test_results_that_are_no_metrics(result: Any, message: str) -> None:
    study = runs.begin(None, evaluator=lambda program: result, minimize=(), trials=2)
    assert [trial.state for trial in study.trials] == ["failed", "failed"]
    assert message in study.trials[0].error
    assert "Traceback" not in study.trials[0].error
    assert study.best is None
    assert study.pareto_front() == ()


def test_exit_of_the_function_ends_nothing() -> None:
    def leave(program: Program) -> float:
        raise SystemExit(3)

    study = runs.begin(None, evaluator=leave, minimize=(), trials=2)
    assert all("SystemExit: 3" in trial.error for trial in study.trials)


def test_number_is_the_first_objective() -> None:
    study = runs.begin(None, evaluator=lambda program: program.choices["depth"], minimize=(), trials=10)
    assert study.best is not None
    assert study.best.choices["depth"] == max(trial.choices["depth"] for trial in study.trials)


def test_program_measured_before_is_not_evaluated_again() -> None:
    calls = []

    def count(program: Program) -> float:
        calls.append(program.choices)
        return float(program.choices["a"])

    given: dict[str, Any] = {
        "space": loads(SMALL), "evaluator": count, "maximize": "value", "minimize": (), "searcher": "random",
        "settings": {"dedupe": False}, "trials": 30,
    }  # fmt: skip
    study = runs.begin(None, **given)
    assert len(calls) == len(set(calls)) <= 6
    assert [trial.state for trial in study.trials].count("cached") == 30 - len(calls)
    assert len(study.pareto_front()) <= 3
    calls.clear()
    runs.begin(None, **given, reuse=False)
    assert len(calls) == 30


def test_small_space_ends_the_search() -> None:
    given: dict[str, Any] = {"evaluator": lambda program: 1.0, "maximize": "value", "minimize": (), "settings": {}}
    for searcher in ("random", "grid", "evolution"):
        study = runs.begin(None, space=loads(SMALL), searcher=searcher, **given)
        assert len(study.trials) == 6


def test_objectives_in_their_order() -> None:
    study = runs.begin(
        None, maximize=(), minimize=(), objectives=[Objective("cost", False), Objective("accuracy", True)], trials=20
    )
    best = study.best_trial
    assert best is not None
    lowest = min(trial.metrics["cost"] for trial in study.measured)
    assert best.metrics["cost"] == lowest
    rivals = [trial for trial in study.measured if trial.metrics["cost"] == lowest]
    assert best.metrics["accuracy"] == max(trial.metrics["accuracy"] for trial in rivals)


@pytest.mark.parametrize(
    ("code", "given"),
    [
        ("E0911", {"maximize": (), "minimize": ()}),
        ("E0911", {"maximize": "accuracy", "minimize": "accuracy"}),
        ("E0901", {"searcher": "evolve"}),
        ("E0902", {"settings": {"populaton": 3}}),
        ("E0903", {"settings": {"population": 0}}),
        ("E0903", {"trials": 0}),
    ],
)
def test_wrong_arguments_are_refused_before_anything_runs(code: str, given: dict[str, Any]) -> None:
    with pytest.raises(ArchError) as refused:
        runs.begin(None, evaluator=lambda program: pytest.fail("was evaluated"), **given)
    assert [found.code for found in refused.value.diagnostics] == [code]


class Shuffled:
    """An executor with four places that gives outcomes back in any order, and may stop."""

    capacity = 4

    def __init__(self, space: Space, seed: int, stop: int | None = None) -> None:
        self.space, self.chance, self.stop = space, random.Random(seed), stop
        self.line: deque[tuple[int, Choices]] = deque()

    def submit(self, number: int, choices: Choices) -> None:
        self.line.append((number, choices))

    def wait(self) -> tuple[int, Outcome]:
        if self.stop is not None:
            self.stop -= 1
            if self.stop < 0:
                raise KeyboardInterrupt
        self.line.rotate(self.chance.randrange(4))
        number, choices = self.line.popleft()
        return number, evaluate(self.space, FunctionEvaluator(runs.evaluate), choices, lambda metrics: None)

    def close(self) -> None:
        self.line.clear()


def run(store: Store, executor: Shuffled) -> Any:
    record = store.only_study(None)
    space = executor.space
    return Run(
        store,
        record,
        space,
        FunctionEvaluator(runs.evaluate),
        Recipe.of(Evolution, record.settings),
        Silent(),
        executor,
    ).go()


def test_several_in_flight_are_told_in_any_order_and_resumed(tmp_path: Any) -> None:
    path = tmp_path / "study.db"
    runs.begin(path, trials=1)
    with open_store(path) as store:
        store.set_trials("tower", 30)
        stopped = run(store, Shuffled(runs.space(), seed=1, stop=9))
        assert stopped.interrupted
        flying = [trial.number for trial in stopped.trials if trial.state == "interrupted"]
        assert len(flying) == 4
        ended = run(store, Shuffled(runs.space(), seed=2))
    assert len(ended.finished) == 30
    events = [trial.asked for trial in ended.trials] + [trial.told for trial in ended.trials]
    assert sorted(events) == list(range(60)), "every ask and tell is one event"
    before = {trial.number: trial.choices_json for trial in stopped.trials}
    assert all(ended.trials[number].choices_json == text for number, text in before.items())
    assert len({trial.choices_json for trial in ended.trials}) == 30


def test_listener_is_told_what_happens() -> None:
    class Log(Silent):
        def __init__(self) -> None:
            self.lines: list[str] = []

        def asked(self, trial: Any) -> None:
            self.lines.append(f"ask {trial.number}")

        def reported(self, number: int, metrics: Mapping[str, float]) -> None:
            self.lines.append(f"report {number} {metrics['epoch']:g}")

        def told(self, trial: Any) -> None:
            self.lines.append(f"tell {trial.number}")

    class Reporting(FunctionEvaluator):
        def __call__(self, program: Program, fidelity: Mapping[str, Any], report: Any) -> dict[str, float]:
            report({"epoch": 1, "accuracy": float("nan")})
            return {"accuracy": 1.0}

    log = Log()
    study = runs.begin(None, evaluator=Reporting(runs.evaluate), minimize=(), trials=2, progress=log)
    assert log.lines == ["ask 0", "report 0 1", "tell 0", "ask 1", "report 1 1", "tell 1"]
    assert study.trials[0].curve == ({"epoch": 1.0},), "what is not finite is left out"
