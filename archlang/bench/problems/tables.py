"""Problems whose programs are the rows of a table, and where such tables lie."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

from archlang.bench.problems.problem import Answers, Problem
from archlang.diagnostics import ArchError, error
from archlang.evaluate.table import TableEvaluator

if TYPE_CHECKING:
    from archlang.evaluate.evaluator import Metrics
    from archlang.searchers import Objective
    from archlang.space import Choices

VARIABLE = "ARCHLANG_DATA"
SCORED = "scored"  # the metric that counts, which a search is not told
Folder = str | Path | None
Makers = dict[str, Callable[[Folder], Problem]]  # by name: what makes a problem, given the folder with its data


def data_file(folder: Folder, name: str) -> Path:
    """The file in the folder of benchmark data, by default that of the environment variable
    ARCHLANG_DATA; ArchError (E0701) when it is not there."""
    given = folder if folder is not None else os.environ.get(VARIABLE)
    if not given:
        hints = (f"give the folder, or set the environment variable {VARIABLE} to it",)
        raise ArchError(
            error("E0701", f"it is not said where the benchmark data lies, of which `{name}` is part", hints=hints)
        )
    path = Path(given) / name
    if not path.is_file():
        hints = (f"`{given}` is the folder with the benchmark data, as {VARIABLE} or an argument says",)
        raise ArchError(error("E0701", f"the benchmark table `{path}` does not exist", hints=hints))
    return path


def answers(table: TableEvaluator, objective: Objective, levels: tuple[float, ...] = (1.0,)) -> Answers:
    """What a table says of a problem: the objective is one of its metrics, `scored` the one that counts."""
    at = {level: table.at(level) for level in levels}

    def told(choices: Choices, share: float) -> Metrics:
        metrics = table.lookup(choices, at[share])
        metrics.pop(SCORED, None)
        return metrics

    values = complete(table.values(objective.metric))
    scored = complete(table.values(SCORED))
    best_of = max if objective.maximize else min
    best, goal = best_of(values), best_of(scored)
    return Answers(
        told=told,
        scored=lambda choices: table.lookup(choices)[SCORED],
        best_told=best,
        best_scored=goal,
        floor=fmean(abs(goal - score) for value, score in zip(values, scored, strict=True) if value == best),
    )


def complete(column: tuple[float | None, ...]) -> list[float]:
    """A column without empty cells."""
    found = [value for value in column if value is not None]
    assert len(found) == len(column), "every program of the problem has a value"
    return found
