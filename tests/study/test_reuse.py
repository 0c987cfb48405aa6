"""Results that are taken from earlier trials: of which, what of them, and what is kept of it."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from archlang.diagnostics import ArchError
from archlang.evaluate import costs
from archlang.report.html import html_report
from archlang.report.tables import as_text
from archlang.report.text import study_overview, trials_table
from archlang.space import Program, Space, loads
from archlang.study import Study, read_study, resume, search
from tests.study import runs

# Of the four programs two are the input itself, with a convolution that nothing needs and without. The two
# others differ in how the same is written, by more than rewriting shows.
TEXT = """
use std.nn
space cell(x: f32[n, 4, 6, 6]) {
  x + (x |> choose {
    none: zero,
    dead: conv2d(4) >> zero,
    once: relu,
    twice: relu >> relu
  })
}
"""


def space() -> Space:
    return loads(TEXT)


def measure(program: Program) -> dict[str, float]:
    """A number for each function, and the program's own costs."""
    pick = str(program.choices["choice"])
    return {"accuracy": {"none": 0.5, "dead": 0.5}.get(pick, 0.75), **costs(program)}


def run(reuse: bool | str, **given: Any) -> tuple[Study, list[str]]:
    """A study of all four programs, and those that were evaluated."""
    evaluated: list[str] = []

    def evaluate(program: Program) -> dict[str, float]:
        evaluated.append(str(program.choices["choice"]))
        return measure(program)

    arguments: dict[str, Any] = {"searcher": "grid", "maximize": "accuracy", "minimize": "macs", "reuse": reuse}
    return search(space(), evaluate, **(arguments | given)), evaluated


@pytest.mark.parametrize(
    ("reuse", "evaluated"),
    [
        (True, ["none", "once", "twice"]),
        ("function", ["none", "once", "twice"]),
        ("outputs", ["none", "once"]),
        ("choices", ["none", "dead", "once", "twice"]),
        ("none", ["none", "dead", "once", "twice"]),
        (False, ["none", "dead", "once", "twice"]),
    ],
)
def test_what_is_evaluated(reuse: bool | str, evaluated: list[str]) -> None:
    study, found = run(reuse)
    assert found == evaluated
    assert [trial.choices["choice"] for trial in study.trials if trial.state == "complete"] == evaluated
    assert len(study.equals) == 4 - len(evaluated)
    assert not study.repeats
    for trial in study.trials:
        assert dict(trial.metrics) == measure(study.program(trial)), "costs are the program's own"


def test_the_trial_that_a_result_is_of(tmp_path: Path) -> None:
    study, _ = run("function", store=tmp_path / "study.db")
    assert [trial.same_as for trial in study.trials] == [None, 0, None, None]
    assert study.trials[0].identity == study.trials[1].identity != study.trials[2].identity
    assert study.trials[1].metrics["params"] == 4 * 4 * 9
    assert study.trials[0].metrics["params"] == 0
    assert read_study(tmp_path / "study.db").trials == study.trials
    found = study.as_dict()
    assert found["reuse"] == "function"
    assert found["saved"] == {"repeats": 0, "equals": 1}
    assert found["trials"][1]["same_as"] == 0


def test_reports_say_what_was_saved() -> None:
    given = {"searcher": "random", "settings": {"dedupe": False}, "trials": 12, "seed": 1}
    study, evaluated = run("function", **given)
    assert len(study.equals) == 1
    assert len(study.repeats) == 11 - len(evaluated)
    line = f"{12 - len(evaluated)} of 12 evaluations saved: {11 - len(evaluated)} repeats, 1 equal in function"
    assert line in as_text(study_overview(study))
    assert line in html_report(study)
    assert f"cached as {study.equals[0].same_as}" in as_text(trials_table(study))
    grid, _ = run("function")
    assert "1 of 4 evaluations saved: 1 equal in function" in as_text(study_overview(grid))
    for reuse in ("choices", "none"):
        other, _ = run(reuse)
        assert "saved" not in as_text(study_overview(other))


def test_repeats_of_reused_results_are_repeats() -> None:
    study, _ = run("function", searcher="random", settings={"dedupe": False}, trials=30)
    seen = set()
    for trial in study.trials:
        assert (trial in study.repeats) == (trial.choices_json in seen)
        seen.add(trial.choices_json)
        if trial.same_as is not None:
            assert trial.same_as < trial.number
            assert dict(trial.metrics) == measure(study.program(trial))


@pytest.mark.parametrize("reuse", ["function", "outputs", "choices", "none"])
@pytest.mark.parametrize("stop", [1, 2, 3])
def test_resumed_as_if_never_stopped(tmp_path: Path, reuse: str, stop: int) -> None:
    given: dict[str, Any] = {"searcher": "random", "settings": {"dedupe": False}}
    whole, _ = run(reuse, **given, trials=12)
    path = tmp_path / "study.db"
    run(reuse, **given, trials=stop, store=path)
    evaluated: list[str] = []
    ended = resume(
        path, evaluator=lambda program: evaluated.append(program.choices.to_json()) or measure(program), trials=12
    )
    assert [(trial.state, trial.same_as, trial.metrics) for trial in ended.trials] == [
        (trial.state, trial.same_as, trial.metrics) for trial in whole.trials
    ]
    assert len(evaluated) == sum(trial.state == "complete" for trial in ended.trials[stop:])


def test_identity_that_cannot_be_worked_out_costs_an_evaluation_only() -> None:
    text = TEXT.replace("space cell", "op mine(x: [...dims]) -> [...dims]\n  elementwise\nspace cell")
    unknown = loads(text.replace("relu >> relu", "mine"))
    study = search(
        unknown, lambda program: 1.0, searcher="random", settings={"dedupe": False},
        maximize="value", trials=20, reuse="outputs",
    )  # fmt: skip
    assert not study.failed
    mine = [trial for trial in study.trials if trial.choices["choice"] == "twice"]
    assert [trial.state for trial in mine] == ["complete"] + ["cached"] * (len(mine) - 1), "by its choices"
    assert len(mine) > 1
    assert len(study.equals) >= 1


def test_failed_programs_are_known_to_nobody() -> None:
    tried = []

    def fail(program: Program) -> float:
        tried.append(program.choices)
        raise ValueError("no")

    study = search(space(), fail, searcher="grid", maximize="value")
    assert len(tried) == len(study.failed) == 4


def test_reuse_by_something_else() -> None:
    with pytest.raises(ArchError) as found:
        run("functions")
    assert [diagnostic.code for diagnostic in found.value.diagnostics] == ["E0903"]
    assert "did you mean `function`?" in str(found.value)


def as_version_1(path: Path, reuse: bool) -> None:
    """Make a store what it would be had the first version of the schema written it."""
    with sqlite3.connect(path) as connection:
        for statement in (
            "alter table trial drop column identity",
            "alter table trial drop column same_as",
            "alter table study drop column reuse",
            f"alter table study add column reuse boolean default {int(reuse)} not null",
            "update archlang_store set value = '1' where key = 'schema'",
        ):
            connection.execute(statement)


@pytest.mark.parametrize(("reuse", "mode"), [(True, "choices"), (False, "none")])
def test_store_of_the_first_version(tmp_path: Path, reuse: bool, mode: str) -> None:
    path = tmp_path / "study.db"
    whole = runs.begin(None, reuse=mode)
    runs.begin(path, trials=12, reuse=mode)
    before = runs.history(read_study(path))
    as_version_1(path, reuse)
    study = read_study(path)
    assert study.record.reuse == mode
    assert runs.history(study) == before
    assert runs.history(resume(path, evaluator=runs.evaluate, trials=runs.TRIALS)) == runs.history(whole)


def test_store_whose_upgrade_fails_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "study.db"
    runs.begin(path, trials=2)
    as_version_1(path, True)
    with sqlite3.connect(path) as connection:
        connection.execute("alter table study add column reused boolean")  # in the way
    for _ in range(2):
        with pytest.raises(ArchError) as found:
            read_study(path)
        assert found.value.diagnostics[0].code == "E0906"
    with sqlite3.connect(path) as connection:
        names = [row[1] for row in connection.execute("pragma table_info(trial)")]
    assert "identity" not in names
