"""Commands that train a supernet."""

import json
from pathlib import Path

import archlang as al
from archlang.ir.weights import read_weights
from tests.cli.conftest import Run
from tests.relax.test_run import SPACE


def test_the_commands(run: Run) -> None:
    Path("small.arch").write_text(SPACE)
    options = ["--method", "darts", "--epochs", "2", "--search", "batch_size=256", "--seed", "3"]
    done = run("search", "small.arch", *options)
    assert "2 epochs; the last: loss" in done.stdout
    assert "program     runs/small-darts_best.arch" in done.stdout
    assert al.load("runs/small-darts_best.arch").size == 1
    assert read_weights("runs/small-darts_best.safetensors")
    found = json.loads(run("resume", "runs/small-darts.supernet", "--json").stdout)
    assert found["method"] == "darts"
    assert len(found["history"]) == 2
    assert "--trials does not go with" in run("search", "small.arch", *options, "--trials", "3", code=2).stderr
    shown = run("report", "runs/small-darts.supernet").stdout
    assert "2 epochs; the last: loss" in shown
    assert "report      runs/small-darts.html" in shown
    run("search", "small.arch", "--searcher", "random", "--trials", "4", "--epochs", "1", "--store", "runs/a.db")
    shown = run("report", "runs/small-darts.supernet", "--against", "runs/a.db", "-o", "page.html").stdout
    assert "accuracy with the shared weights ranks them as accuracy alone with Kendall's tau" in shown
    assert "Shared against alone" in Path("page.html").read_text()
    found = json.loads(run("report", "runs/small-darts.supernet", "--against", "runs/a.db", "--json").stdout)
    assert len(found["against"]["programs"]) > 1
    assert "goes with the training of a supernet" in run("report", "runs/a.db", "--against", "x", code=2).stderr
    assert "there is no device `moon`" in run("search", "small.arch", *options, "--train", "device=moon", code=1).stderr
    assert "no setting `lr`" in run("search", "small.arch", *options, "--train", "lr=1", code=1).stderr
    assert "did you mean `darts`" in run("search", "small.arch", "--method", "dart", code=1).stderr
