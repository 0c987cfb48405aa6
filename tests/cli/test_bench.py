"""`archlang bench`: what it prints and writes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from archlang.bench.problems import PROBLEMS
from archlang.cli import bench as command
from archlang.searchers.recipe import Recipe
from archlang.searchers.registry import SEARCHERS
from tests.cli.conftest import Run

SMALL = ("bench", "--problem", "synthetic-order", "--seeds", "3", "--evaluations", "12")
TWO = ("--searcher", "random", "--searcher", "evolution(population=4)")


def test_tables_and_page(run: Run) -> None:
    result = run(*SMALL, *TWO, "--problem", "synthetic-subset", "-o", "out/bench.html")
    for words in ("synthetic-order: mean regret, 3 seeds", "evolution(population=4)", "after 12", "all 2 problems"):
        assert words in result.stdout
    assert result.stdout.splitlines()[-1].split() == ["page", "out/bench.html"]
    assert Path("out/bench.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_json(run: Run) -> None:
    data = json.loads(run(*SMALL, *TWO, "--json").stdout)
    (problem,) = data["problems"]
    rows = {row["searcher"]: row for row in problem["searchers"]}
    assert set(rows) == {"random", "evolution(population=4)"}
    assert rows["random"]["seeds"] == 3
    assert rows["random"]["regret"]["low"] <= rows["random"]["regret"]["value"] <= rows["random"]["regret"]["high"]
    assert rows["random"]["regret_at_100"] is None
    assert problem["failed"] == []
    assert Path("runs/bench.html").exists()


def test_it_goes_on_where_it_was(run: Run) -> None:
    first = run(*SMALL, "--searcher", "random", "--results", "runs.jsonl", "--json")
    kept = Path("runs.jsonl").read_text(encoding="utf-8")
    assert len(kept.splitlines()) == 3
    again = run(*SMALL, "--searcher", "random", "--results", "runs.jsonl", "--json")
    assert json.loads(again.stdout) == json.loads(first.stdout)
    run(*SMALL, *TWO, "--results", "runs.jsonl")
    assert Path("runs.jsonl").read_text(encoding="utf-8").startswith(kept)
    assert len(Path("runs.jsonl").read_text(encoding="utf-8").splitlines()) == 6


def test_one_recipe_is_one_searcher(run: Run) -> None:
    spellings = ("--searcher", "evolution(population=4)", "--searcher", "evolution( population = 4 )")
    data = json.loads(run(*SMALL, *spellings, "--json").stdout)
    assert [row["searcher"] for row in data["problems"][0]["searchers"]] == ["evolution(population=4)"]


def test_what_fails_is_shown_and_ends_nothing(run: Run) -> None:
    result = run(*SMALL, "--problem", "synthetic-float", "--searcher", "random", "--searcher", "grid")
    assert "3 failed: grid on synthetic-float: E0910" in result.stdout
    assert result.stderr.count("grid failed on synthetic-float") == 1
    assert "grid" in result.stdout.split("synthetic-float: mean regret")[0]


def test_list(run: Run) -> None:
    text = run("bench", "--list").stdout
    for name in [*PROBLEMS, *SEARCHERS]:
        assert name in text
    data = json.loads(run("bench", "--list", "--json").stdout)
    assert list(data["problems"]) == list(PROBLEMS)
    assert data["searchers"] == list(SEARCHERS)


def test_defaults_are_there() -> None:
    assert {*command.ON_TABLES, *command.WITHOUT_TABLES} <= set(PROBLEMS)
    assert [str(Recipe.of(text)) for text in command.SEARCHERS] == list(command.SEARCHERS)
    assert all(name.startswith("synthetic-") for name in command.WITHOUT_TABLES)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--problem", "synthetic-ordr"], "E0920"),
        (["--searcher", "evolutoin"], "E0901"),
        (["--searcher", "evolution(populations=3)"], "E0902"),
        (["--problem", "nb201-c10", "--data", "nowhere"], "E0923"),
    ],
)
def test_wrong_input(run: Run, arguments: list[str], words: str) -> None:
    result = run("bench", "--seeds", "1", "--evaluations", "2", *arguments, code=1)
    assert words in result.stderr


def test_missing_tables_are_named(run: Run) -> None:
    result = run("bench", "--problem", "nb201-c10", "--data", "nowhere", "--searcher", "random", code=1)
    assert "nb201_tss.csv.gz" in result.stderr
