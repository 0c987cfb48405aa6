"""search, resume and report on a tiny space."""

from __future__ import annotations

import json
import runpy
import sqlite3
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest

import archlang as al
from archlang.study import executor, list_studies, read_study
from tests.cli.conftest import Run
from tests.conftest import Golden

QUICK = ("--trials", "2", "--epochs", "1", "--train", "batch_size=512")
SEARCH = ("search", "net.arch", *QUICK, "--maximize", "accuracy", "--minimize", "macs", "--store", "runs/net.db")


@pytest.mark.usefixtures("few_digits")
def test_search_hands_over_the_best_program(run: Run) -> None:
    result = run(*SEARCH)
    study = read_study("runs/net.db")
    assert len(study.finished) == len(study.measured) == 2
    assert study.best is not None
    assert study.best.source() in result.stdout
    assert "Pareto front" in result.stdout
    for path in ("runs/small.html", "runs/small_best.py", "runs/small_best.arch"):
        assert path in result.stdout
        assert Path(path).is_file()
    assert al.load("runs/small_best.arch").program().canonical_hash == study.best.canonical_hash
    network = runpy.run_path("runs/small_best.py")["build"]()
    assert sum(weight.numel() for weight in network.parameters()) == study.best.cost().params
    assert result.stderr.count("\n") == 2, "a line for each trial"


@pytest.mark.usefixtures("few_digits")
def test_a_measured_cost_is_an_objective_and_stays_one(run: Run) -> None:
    run(*SEARCH, "--minimize", "latency", "--latency", "table.csv")
    Path("table.csv").unlink()
    run("resume", "runs/net.db", "--trials", "3")
    study = read_study("runs/net.db")
    assert [objective.metric for objective in study.objectives] == ["accuracy", "macs", "latency"]
    assert len(study.measured) == 3
    for trial in study.measured:
        assert trial.metrics["latency"] == study.program(trial).measured()["latency"] > 0


@pytest.mark.usefixtures("few_digits")
def test_a_store_holds_several_studies(run: Run) -> None:
    run(*SEARCH)
    taken = run(*SEARCH, code=1)
    assert taken.stderr.startswith("error[E0909]")
    run(*SEARCH, "--name", "second", "--searcher", "random", "--seed", "3")
    assert [study.name for study in list_studies("runs/net.db")] == ["small", "second"]
    both = run("report", "runs/net.db").stdout
    assert "small" in both
    assert "second" in both
    assert "--name" in both
    assert "random on small, seed 3" in run("report", "runs/net.db", "--name", "second").stdout
    assert run("resume", "runs/net.db", code=1).stderr.startswith("error[E0908]")


@pytest.mark.usefixtures("few_digits")
def test_resume_adds_trials_as_if_the_search_had_not_stopped(run: Run) -> None:
    run(*SEARCH, "--name", "whole", "--trials", "4")
    run(*SEARCH)
    run("resume", "runs/net.db", "--name", "small", "--trials", "4")
    whole, resumed = (read_study("runs/net.db", name) for name in ("whole", "small"))
    assert [trial.choices for trial in whole.trials] == [trial.choices for trial in resumed.trials]
    assert [trial.metrics["accuracy"] for trial in whole.trials] == [
        trial.metrics["accuracy"] for trial in resumed.trials
    ]
    again = run("resume", "runs/net.db", "--name", "small").stdout
    assert "4 of 4 trials" in again


@pytest.mark.usefixtures("few_digits")
def test_a_trial_that_was_cut_short_is_done_again(run: Run) -> None:
    run(*SEARCH)
    measured = read_study("runs/net.db").trials
    database = sqlite3.connect("runs/net.db")
    with database:
        database.execute("UPDATE trial SET state = 'running', told = NULL, metrics = NULL WHERE number = 1")
    database.close()
    run("resume", "runs/net.db")
    again = read_study("runs/net.db").trials
    assert [trial.state for trial in again] == ["complete", "complete"]
    assert again[1].metrics["accuracy"] == measured[1].metrics["accuracy"]


@pytest.mark.usefixtures("few_digits")
def test_search_and_report_as_json(run: Run) -> None:
    result = run(*SEARCH, "--json")
    found = json.loads(result.stdout)
    assert found["name"] == found["space"] == "small"
    assert found["objectives"] == ["maximize accuracy", "minimize macs"]
    assert [trial["number"] for trial in found["trials"]] == [0, 1]
    assert found["best"] in (0, 1)
    assert found["trials"][0]["metrics"]["macs"] > 0
    assert found["evaluator"]["epochs"] == 1
    assert "runs/small_best.py" in result.stderr
    assert json.loads(run("report", "runs/net.db", "--json").stdout) == found
    assert json.loads(run("resume", "runs/net.db", "--json").stdout) == found


def test_report(run: Run, golden: Golden, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executor, "time", SimpleNamespace(perf_counter=count().__next__))  # a second each
    space = al.load("net.arch")
    al.search(
        space,
        lambda program: {"score": program.cost().macs % 1009 / 1009},
        searcher="grid",
        maximize="score",
        minimize="params",
        trials=9,
        store="net.db",
    )
    text = run("report", "net.db", "--text").stdout
    golden("report.txt", "".join(f"{line.rstrip()}\n" for line in text.splitlines()))
    assert not Path("small.html").exists()
    assert "report      page/x.html" in run("report", "net.db", "-o", "page/x.html").stdout
    assert Path("page/x.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_a_function_is_needed_to_resume_a_study_of_one(run: Run) -> None:
    al.search(al.load("net.arch"), lambda program: 1.0, maximize="value", trials=1, store="net.db")
    result = run("resume", "net.db", "--trials", "2", code=1)
    assert result.stderr.startswith("error[E0912]")


@pytest.mark.usefixtures("few_digits")
def test_what_is_reused_is_said(run: Run) -> None:
    for reuse in ("function", "none"):
        again = (*SEARCH, "--searcher", "random", "--search", "dedupe=false", "--trials", "8", "--name", reuse)
        result = run(*again, "--reuse", reuse)
        study = read_study("runs/net.db", reuse)
        assert study.record.reuse == reuse
        assert bool(study.repeats) == (reuse == "function"), "eight draws of four programs"
        saved = f"{len(study.repeats)} of 8 evaluations saved: {len(study.repeats)} repeat"
        assert (saved in result.stdout) == (reuse == "function")
    assert "--reuse" in run(*SEARCH, "--reuse", "sometimes", code=2).stderr


def test_programs_are_looked_up_in_a_table(run: Run) -> None:
    Path("rows.csv").write_text(
        "w,u,a,b,c\n16,p,0.1,0.3,9\n32,p,0.5,0.7,9\n16,w,0.2,0.2,9\n32,w,0.4,0.4,9\n", encoding="utf-8"
    )
    keyed = ("--table", "rows.csv", "--key", "w=width", "--key", "u=unit", "--codes", "plain=p,deep=w")
    run("search", "net.arch", *keyed, "--metric", "accuracy=a+b", "--searcher", "grid", "--store", "runs/t.db")
    study = read_study("runs/t.db")
    assert study.best_trial is not None
    assert dict(study.best_trial.choices) == {"unit": "plain", "width": 32}
    assert study.best_trial.metrics == {"accuracy": 0.6}
    run("resume", "runs/t.db")
    refused = run("search", "net.arch", "--metric", "accuracy=a", code=2).stderr
    assert "--metric needs --table" in refused
    assert (
        "--epochs/--train does not go with --table" in run("search", "net.arch", *keyed, "--epochs", "3", code=2).stderr
    )
    assert "E0414" in run("search", "net.arch", "--table", "rows.csv", "--metric", "a", code=1).stderr
