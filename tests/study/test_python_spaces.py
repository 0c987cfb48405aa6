"""Studies of Python functions: evaluators are given what the function returns, and stores are gone on with."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import archlang as al
from archlang.cli import main
from archlang.searchers import Recipe
from archlang.searchers.registry import SEARCHERS
from archlang.study import read_study

SCRIPT = """
import sys
import archlang as al

def unit(width):
    return {"width": width, "kernel": al.choose([1, 3, 5], name="kernel")}

def model():
    width = al.integer(4, 32, step=4)
    rate = al.real(1e-3, 1e-1, log=True)
    return {"rate": rate, "units": [unit(width) for _ in range(al.integer(1, 3))]}

def score(made):
    return {"score": sum(unit["width"] * unit["kernel"] for unit in made["units"]) - made["rate"]}

if __name__ == "__main__":
    store, trials, begins = sys.argv[1], int(sys.argv[2]), sys.argv[3] == "begin"
    space = al.space_of(model)
    if begins:
        study = al.search(space, score, searcher=sys.argv[4], maximize="score", trials=trials, store=store, seed=2)
    else:
        study = al.resume(store, space=space, evaluator=score, trials=trials)
    print([trial.choices_json for trial in study.trials])
"""


def model() -> dict[str, Any]:
    width = al.choose([4, 8, 16])
    heads = [al.choose({"a": 0, "b": lambda: al.integer(1, 3)}) for _ in range(2)]
    return {"width": width, "heads": heads}


def score(made: dict[str, Any]) -> float:
    return float(made["width"] + sum(made["heads"]))


@pytest.mark.parametrize("searcher", ["smbo", "evolution", "tpe"])
def test_a_second_process_goes_on_as_if_it_had_not_stopped(tmp_path: Path, searcher: str) -> None:
    script = tmp_path / "space.py"
    script.write_text(SCRIPT, encoding="utf-8")

    def run(store: str, trials: int, how: str) -> str:
        command = [sys.executable, str(script), str(tmp_path / store), str(trials), how, searcher]
        paths = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        return subprocess.run(command, capture_output=True, text=True, check=True, env=paths).stdout

    run("stopped.db", 6, "begin")
    assert run("stopped.db", 14, "resume") == run("whole.db", 14, "begin")


def test_the_space_is_given_again_and_is_the_same(tmp_path: Path) -> None:
    store = tmp_path / "study.db"
    al.search(al.space_of(model), score, searcher="random", maximize="value", trials=4, store=store)
    with pytest.raises(al.ArchError, match="E0924"):
        al.resume(store, evaluator=score)
    with pytest.raises(al.ArchError, match="E0924"):
        _ = read_study(store).best
    reported = CliRunner().invoke(main, ["report", str(store)])
    assert reported.exit_code == 0, reported.output
    assert "heads" in reported.output
    assert "heads" in store.with_name("model.html").read_text(encoding="utf-8")

    def other() -> dict[str, Any]:
        return {"width": al.choose([4, 8, 32], name="width"), "heads": []}

    with pytest.raises(al.ArchError, match="E0904") as refused:
        al.resume(store, space=al.space_of(other, name="model"), evaluator=score)
    notes = refused.value.diagnostics[0].notes
    assert "the decision `width` was one of 4, 8, 16, now it is one of 4, 8, 32" in notes
    study = al.resume(store, space=al.space_of(model), evaluator=score, trials=8)
    best, best_trial = study.best, study.best_trial
    assert best is not None
    assert best_trial is not None
    assert score(best.value) == max(trial.metrics["value"] for trial in study.trials)  # type: ignore[attr-defined]
    assert read_study(store, space=al.space_of(model)).program(best_trial).choices == best.choices
    assert "value" in json.dumps(study.as_dict())


def test_an_evaluator_is_given_the_value_and_the_choices_if_it_asks() -> None:
    def both(made: dict[str, Any], choices: al.Choices) -> float:
        assert made["width"] == choices["width"]
        return score(made)

    study = al.search(al.space_of(model), both, searcher="grid", maximize="value", trials=100)
    assert len(study.trials) == 3 * 4**2
    assert study.best_trial is not None
    assert study.best_trial.metrics["value"] == 16 + 3 + 3


def test_what_the_function_raises_fails_the_trial() -> None:
    def fragile() -> int:
        width: int = al.choose([1, 2, 3])
        if width == 2:
            raise OverflowError("too wide")
        return width

    study = al.search(al.space_of(fragile), float, searcher="grid", maximize="value", trials=9)
    assert [trial.state for trial in study.trials] == ["complete", "failed", "complete"]
    assert "too wide" in study.failed[0].error


def test_limits_on_metrics_are_the_evaluators() -> None:
    study = al.search(
        al.space_of(model),
        lambda made: {"value": score(made), "params": made["width"]},
        searcher="evolution",
        maximize="value",
        constraints=["params <= 8"],
        trials=40,
    )
    assert study.best_trial is not None
    assert study.best_trial.metrics["params"] == 8


# Flows are made of other searchers; what `milp` solves has to be known of all programs.
FLOWS: dict[str, Mapping[str, Any]] = {
    "then": {"stages": ["random", 4, "evolution"]},
    "alternate": {"members": ["random", "evolution"]},
    "parts": {"parts": [["width", "random"]], "rest": "random"},
    "nested": {"outer": "random", "inner": "random", "part": "width", "trials": 4},
    "filter": {"searcher": "random", "condition": lambda program: program.value["width"] > 4},
    "distinct": {"searcher": "random"},
    "retry": {"searcher": "random"},
}


@pytest.mark.parametrize("searcher", sorted({*SEARCHERS} - {"milp"}))
def test_every_searcher_takes_it(searcher: str) -> None:
    space = al.space_of(model)
    study = al.search(space, score, searcher=Recipe.of(searcher, FLOWS.get(searcher)), maximize="value", trials=8)
    assert len(study.measured) == 8
    assert all(space.choices(trial.choices).to_json() == trial.choices_json for trial in study.trials)
