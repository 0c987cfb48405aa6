"""Existing code becomes searchable by few changed lines, and both versions run."""

from __future__ import annotations

import difflib
import os
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import archlang as al

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

FOLDER = Path(__file__).parents[2] / "examples" / "python"
MOST = 3  # changed lines

# What each example is to have among its decisions, and the picks that are the original.
ORIGINAL = {
    "resnet": {
        "ResNet.depths[0]": 1,
        "ResNet.depths[1]": 1,
        "ResNet.depths[2]": 1,
        "ResNet.width": 16,
        "ResNet.kernel": 3,
    },
    "mnist": {"Conv2D.filters": 16, "Conv2D.kernel_size": 3},
}


@pytest.mark.parametrize("name", ORIGINAL)
def test_few_lines_are_changed(name: str) -> None:
    before, after = (
        (FOLDER / f"{each}.py").read_text(encoding="utf-8").splitlines() for each in (name, f"{name}_searchable")
    )
    changes = [line for line in difflib.ndiff(before, after) if line[0] in "+-"]
    assert 1 <= sum(line[0] == "+" for line in changes) <= MOST
    assert sum(line[0] == "-" for line in changes) <= MOST
    assert all("al." in line or "import archlang" in line for line in changes if line[0] == "+")


@pytest.fixture
def one_trial(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Searches are one trial long; what they searched and found."""
    run: Callable[..., Any] = al.search
    studies: list[Any] = []

    def search(*given: Any, **named: Any) -> Any:
        studies.append(run(*given, **{**named, "trials": 1}))
        return studies[-1]

    monkeypatch.setattr(al, "search", search, raising=False)
    return studies


@pytest.mark.parametrize("name", ORIGINAL)
def test_both_versions_run(name: str, one_trial: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("sklearn")
    pytest.importorskip({"resnet": "torch", "mnist": "keras"}[name])
    original = runpy.run_path(str(FOLDER / f"{name}.py"), run_name="__main__")
    assert 0.2 < float(capsys.readouterr().out) <= 1.0
    runpy.run_path(str(FOLDER / f"{name}_searchable.py"), run_name="__main__")
    (study,) = one_trial
    assert [trial.state for trial in study.trials] == ["complete"]
    assert 0.05 < study.trials[0].metrics["value"] <= 1.0
    shapes = _shapes(study.space.build(ORIGINAL[name]))
    assert shapes == _shapes(original["ResNet"]([1, 1, 1], 16, 3) if name == "resnet" else original["build"]())


def _shapes(model: Any) -> list[tuple[int, ...]]:
    weights = model.parameters() if hasattr(model, "parameters") else model.weights
    return [tuple(weight.shape) for weight in weights]
