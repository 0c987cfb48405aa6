"""The search that the tests of studies run, also as a program of its own that may be killed.

`python -m tests.study.runs STORE DELAY` begins the study, or goes on with it.
"""

from __future__ import annotations

import hashlib
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archlang.space import loads
from archlang.study import Study, resume, search

if TYPE_CHECKING:
    from archlang.space import Program, Space

TEXT = """
space tower(most: int = 4) {
  depth = choose 1..most
  { layers: [choose { wide: choose [32, 64, 96], deep: choose 1..3, none: 0 } for i in 0..<depth],
    rate: choose 1e-4..1e-1 log }
}
"""
TRIALS = 40


def space(**config: Any) -> Space:
    return loads(TEXT, None, config)


def evaluate(program: Program) -> dict[str, float]:
    """Numbers that hang on the choices alone; about one program in ten fails."""
    digest = hashlib.sha256(program.choices.to_json().encode()).digest()
    if digest[2] < 26:
        raise ValueError("this one fails")
    return {"accuracy": digest[0] / 255, "cost": float(digest[1] % 32)}


def begin(store: Path | str | None, **given: Any) -> Study:
    """The study of these tests, with what is given in place of the defaults."""
    arguments: dict[str, Any] = {
        "maximize": "accuracy",
        "minimize": "cost",
        "trials": TRIALS,
        "searcher": "evolution",
        "settings": {"population": 8, "sample": 3},
        "seed": 5,
        **given,
    }
    searched, evaluator = arguments.pop("space", None) or space(), arguments.pop("evaluator", evaluate)
    return search(searched, evaluator, store=store, **arguments)


def history(study: Study) -> list[tuple[Any, ...]]:
    """All of a study that has to be the same however often it was interrupted."""
    return [
        (trial.number, trial.choices_json, trial.state, dict(trial.metrics), trial.asked, trial.told)
        for trial in study.trials
    ]


def main() -> None:
    store, delay = Path(sys.argv[1]), float(sys.argv[2])

    def slow(program: Program) -> dict[str, float]:
        time.sleep(delay)
        return evaluate(program)

    from archlang.diagnostics import ArchError

    print("ready", flush=True)
    try:
        resume(store, evaluator=slow)
    except ArchError as refused:
        if refused.diagnostics[0].code not in ("E0905", "E0908"):
            raise
        begin(store, evaluator=slow)


if __name__ == "__main__":
    main()
