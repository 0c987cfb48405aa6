"""Peers search the same spaces, are told what their own programs gave, and repeat themselves by their seed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from click.testing import CliRunner

from archlang.bench.problems import Problem, problem
from archlang.bench.run import Entry, Task, perform
from archlang.space import Choices
from benchmarks import peers
from benchmarks.peers import PEERS

FUNCTIONS = sorted(set(PEERS.values()) - {"optuna_gp"})  # GP needs torch, and seconds


def searched(
    function: str, about: Problem, seed: int, count: int
) -> tuple[Any, list[tuple[Choices, Mapping[str, float]]]]:
    searcher = getattr(peers, function)(about.space, about.objectives, seed)
    history = []
    for _ in range(count):
        choices = searcher.ask()
        metrics = about.evaluate(choices)
        searcher.tell(choices, metrics)
        history.append((choices, metrics))
    return searcher, history


@pytest.mark.parametrize("name", ["synthetic-conditional", "synthetic-mixed"])
@pytest.mark.parametrize("function", FUNCTIONS)
def test_programs_are_those_of_the_space(function: str, name: str) -> None:
    about = problem(name)
    _, history = searched(function, about, 0, 30)
    for choices, _ in history:
        assert about.space.choices(choices) == choices
    assert len({choices for choices, _ in history}) > 15
    _, again = searched(function, about, 0, 30)
    assert [choices for choices, _ in again] == [choices for choices, _ in history]
    _, other = searched(function, about, 1, 30)
    assert [choices for choices, _ in other] != [choices for choices, _ in history]


def test_optuna_knows_the_parameters_of_what_it_is_told() -> None:
    about = problem("synthetic-conditional")
    searcher, history = searched("optuna_tpe", about, 0, 25)
    trials = searcher._study.trials
    assert [trial.value for trial in trials] == [metrics["value"] for _, metrics in history]
    for trial, (choices, _) in zip(trials, history, strict=True):
        asked = {name.partition(": ")[0] for name in trial.params}
        assert asked == {decision.address for decision, _ in about.space.trace(choices)}


@pytest.mark.parametrize("function", ["pyglove_evolution_20", "optuna_tpe"])
def test_a_peer_learns(function: str) -> None:
    """The later half of its proposals is better than the earlier, which drawing is not."""
    _, history = searched(function, problem("synthetic-integer"), 0, 120)
    values = sorted(range(120), key=lambda place: history[place][1]["value"])
    assert sum(place >= 60 for place in values[:30]) > 20


def test_failed_evaluations_are_told() -> None:
    about = problem("synthetic-order")
    for function in FUNCTIONS:
        searcher = getattr(peers, function)(about.space, about.objectives, 0)
        for _ in range(3):
            searcher.tell(searcher.ask(), None)
        assert about.space.choices(searcher.ask())


def test_what_is_for_one_objective_refuses_two() -> None:
    space, (objective,) = problem("synthetic-order").space, problem("synthetic-order").objectives
    with pytest.raises(ValueError, match="one objective"):
        peers.pyglove_evolution(space, [objective, objective], 0)


def test_in_the_harness() -> None:
    run = perform(Task("synthetic-order", Entry("optuna: TPE", "benchmarks.peers:optuna_tpe"), 0, 12))
    assert (run.asked, run.error) == (12, "")


def test_the_command(tmp_path: Any) -> None:
    page = tmp_path / "peers.html"
    arguments = ["--problem", "synthetic-order", "--seeds", "2", "--evaluations", "12", "-o", str(page)]
    chosen = ["--searcher", "random", "--peer", "optuna: TPE", "--peer", "pyglove: NSGA-II of 20"]
    result = CliRunner().invoke(peers.main, [*arguments, *chosen], catch_exceptions=False)
    assert result.exit_code == 0
    for words in ("random", "optuna: TPE", "pyglove: NSGA-II of 20"):
        assert words in result.stdout
        assert words in page.read_text(encoding="utf-8")
