"""Runs the command line in a temporary folder that holds the files of `tests/cli/files` and the examples."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from archlang.cli import main

HERE = Path(__file__).parent
Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs `archlang` with these arguments; `code` is the exit code that is expected."""
    shutil.copytree(HERE / "files", tmp_path, dirs_exist_ok=True)
    shutil.copytree(HERE.parents[1] / "examples", tmp_path / "examples")
    monkeypatch.chdir(tmp_path)
    runner = CliRunner(env={"COLUMNS": "100"})

    def invoke(*arguments: str, code: int = 0) -> Result:
        result = runner.invoke(main, arguments, prog_name="archlang")
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == code, f"archlang {' '.join(arguments)}\n{result.stdout}{result.stderr}"
        return result

    return invoke


@pytest.fixture
def few_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The data set `digits` with a tenth of its samples, and one thread to train on."""
    import torch

    from archlang.evaluate import data

    torch.set_num_threads(1)
    whole = data._digits()
    monkeypatch.setattr(data, "_digits", lambda: tuple(array[::10] for array in whole))
