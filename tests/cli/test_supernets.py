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
    assert "did you mean `darts`" in run("search", "small.arch", "--method", "dart", code=1).stderr
