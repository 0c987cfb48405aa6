"""The benchmarks run. What they measure is no matter of tests: `make bench` shows it."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from benchmarks.__main__ import BENCHMARKS, main
from benchmarks.language import text_of


@pytest.mark.parametrize("name", [benchmark.name for benchmark in BENCHMARKS])
def test_benchmark_runs(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for size, small in (("CHANNELS", 4), ("LAYERS", 3), ("FEW", 2), ("MANY", 4)):
        monkeypatch.setattr(f"benchmarks.supernets.{size}", small)
    result = CliRunner().invoke(main, ["--only", name, "--repetitions", "1", "--json"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    (figures,) = json.loads(result.stdout).values()
    for figure in figures:
        assert 0 < figure["min"] <= figure["median"] <= figure["max"]
        assert (figure["ratio"] is None) == (figure["against"] is None)


def test_table() -> None:
    result = CliRunner().invoke(main, ["--only", "text", "--repetitions", "1"], catch_exceptions=False)
    lines = result.stdout.splitlines()
    assert "median" in lines[1]
    assert lines[2].startswith("parse")
    assert "< 100" in result.stdout


def test_the_text_has_the_lines_that_are_asked_for() -> None:
    assert 180 <= text_of(200).count("\n") <= 220
