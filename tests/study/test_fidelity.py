"""Studies whose trials are evaluated by several fidelities, from the searcher to the report."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from archlang.diagnostics import ArchError
from archlang.evaluate import train
from archlang.report.html import html_report
from archlang.report.tables import as_text
from archlang.report.text import study_overview, trials_table
from archlang.space import Program, Space, loads
from archlang.study import Study, read_study, resume, search

TRIALS = 26  # two brackets of nine, three and one


def space() -> Space:
    return loads("space numbers { { a: choose 0..99, b: choose 0..99 } }")


def evaluate(program: Program, fidelity: float) -> dict[str, float]:
    """Better the less is evaluated: a study that mixed fidelities would say so."""
    a, b = int(program.choices["a"]), int(program.choices["b"])  # type: ignore[arg-type]
    if a % 10 == 0:
        raise ValueError("this one fails")
    return {"value": a + b / 100 + 1000 * (1 - fidelity), "seen": fidelity}


def begin(store: Path | None, evaluator: Any = evaluate, **given: Any) -> Study:
    arguments: dict[str, Any] = {"searcher": "successive-halving", "maximize": "value", "trials": TRIALS, **given}
    return search(space(), evaluator, store=store, **arguments)


def history(study: Study) -> list[tuple[Any, ...]]:
    return [(t.number, t.choices_json, t.fidelity, t.state, dict(t.metrics), t.asked, t.told) for t in study.trials]


def test_the_function_is_given_the_fidelity_that_the_trial_keeps() -> None:
    study = begin(None)
    assert Counter(trial.fidelity for trial in study.trials) == {1 / 9: 18, 1 / 3: 6, 1.0: 2}
    assert study.measured
    assert all(trial.metrics["seen"] == trial.fidelity for trial in study.measured)
    assert all(trial.state == "complete" for trial in study.measured), "another fidelity is not measured before"


def test_the_best_is_among_the_greatest_fidelity() -> None:
    study = begin(None)
    full = [trial for trial in study.measured if trial.fidelity == 1]
    assert study.best_trial is max(full, key=lambda trial: trial.metrics["value"])
    assert all(trial in full for trial in study.pareto_front())
    assert study.comparable == tuple(full)
    early = begin(None, trials=11)
    assert {trial.fidelity for trial in early.comparable} == {1 / 3}


@pytest.mark.parametrize("searcher", ["successive-halving", "hyperband", "asha", "bohb(searcher=tpe(startup=4))"])
def test_an_interrupted_study_goes_on_as_if_it_had_not_stopped(tmp_path: Path, searcher: str) -> None:
    whole = begin(None, searcher=searcher)
    for stop in (4, 10, 15):
        path = tmp_path / f"{stop}.db"
        calls: list[float] = []

        def interrupted(
            program: Program, fidelity: float, calls: list[float] = calls, stop: int = stop
        ) -> dict[str, float]:
            calls.append(fidelity)
            if len(calls) == stop:
                raise KeyboardInterrupt
            return evaluate(program, fidelity)

        assert begin(path, interrupted, searcher=searcher).interrupted
        resume(path, evaluator=evaluate)
        assert history(read_study(path)) == history(whole)


def test_another_fidelity_is_no_repetition(tmp_path: Path) -> None:
    path = tmp_path / "study.db"
    begin(path, settings={"least": 1 / 9})
    with pytest.raises(ArchError) as refused:
        resume(path, evaluator=evaluate, searcher="asha")
    assert [found.code for found in refused.value.diagnostics] == ["E0913"]
    assert "at fidelity 0.111111" in str(refused.value)


def test_reports_say_the_fidelities() -> None:
    study = begin(None)
    overview, table, page = as_text(study_overview(study)), as_text(trials_table(study)), html_report(study)
    said = "by fidelity: 18 at 0.111, 6 at 0.333, 2 at 1"
    assert said in " ".join(overview.split())
    assert said in page
    assert "fidelity" in table
    assert table.count("0.333") == 6
    assert {trial["fidelity"] for trial in study.as_dict()["trials"]} == {1 / 9, 1 / 3, 1.0}
    low = begin(None, trials=3)
    assert "fidelity  0.111" in as_text(study_overview(low)).replace("   ", " ")
    full = begin(None, searcher="random", trials=5)
    assert "fidelity" not in as_text(study_overview(full)) + as_text(trials_table(full))


def test_training_takes_the_share_of_the_epochs() -> None:
    evaluator = train("digits", epochs=9)
    assert [evaluator.at(share) for share in (1 / 9, 1 / 3, 1.0)] == [{"epochs": 1}, {"epochs": 3}, {}]
    network = loads("""
use std.nn
space net(image: f32[n, 1, 8, 8]) {
  width = choose [2, 3, 4, 5, 6, 7, 8, 9, 10, 11]
  image |> flatten |> linear(width) |> relu |> linear(10)
}
""")
    study = search(network, evaluator, searcher="successive-halving", maximize="accuracy", trials=13)
    assert [trial.metrics["epochs"] for trial in study.measured] == [1.0] * 9 + [3.0] * 3 + [9.0]
