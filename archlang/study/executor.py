"""Where evaluations run. Now in this process; the runner asks no more of an executor than `Executor`."""

from __future__ import annotations

import math
import time
import traceback
from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

import attrs

from archlang.diagnostics import ArchError
from archlang.evaluate import Evaluator, checked_metrics

if TYPE_CHECKING:
    from archlang.space import Choices, SearchSpace

OnReport = Callable[[int, Mapping[str, float]], None]


@attrs.frozen
class Outcome:
    """What came of an evaluation: metrics, or None and the error's text."""

    metrics: dict[str, float] | None
    error: str = ""
    curve: tuple[dict[str, float], ...] = ()
    seconds: float = 0.0


class Executor(Protocol):
    """Runs evaluations, up to `capacity` at a time."""

    capacity: int

    def submit(self, number: int, choices: Choices) -> None:
        """Begin, or put in line, the evaluation of a trial."""

    def wait(self) -> tuple[int, Outcome]:
        """The number and outcome of a trial that is done; blocks until one is."""
        ...

    def close(self) -> None:
        """Stop what still runs."""


class InProcess:
    """Runs one evaluation at a time, here, when it is waited for."""

    capacity = 1

    def __init__(self, space: SearchSpace, evaluator: Evaluator, on_report: OnReport) -> None:
        self._space = space
        self._evaluator = evaluator
        self._on_report = on_report
        self._line: deque[tuple[int, Choices]] = deque()

    def submit(self, number: int, choices: Choices) -> None:
        self._line.append((number, choices))

    def wait(self) -> tuple[int, Outcome]:
        number, choices = self._line.popleft()
        return number, evaluate(self._space, self._evaluator, choices, lambda metrics: self._on_report(number, metrics))

    def close(self) -> None:
        self._line.clear()


def evaluate(
    space: SearchSpace,
    evaluator: Evaluator,
    choices: Choices,
    on_report: Callable[[Mapping[str, float]], None],
) -> Outcome:
    """The outcome of evaluating one program, by the fidelity of the choices. Whatever goes wrong becomes
    part of it, so that one trial never ends a study; only an interrupt from the keyboard passes."""
    curve: list[dict[str, float]] = []
    began = time.perf_counter()

    def report(metrics: Mapping[str, float]) -> None:
        point = {name: float(value) for name, value in metrics.items()}
        curve.append({name: value for name, value in point.items() if math.isfinite(value)})
        on_report(metrics)

    metrics: dict[str, float] | None = None
    failure = ""
    try:
        metrics = checked_metrics(evaluator(space.program(choices), evaluator.at(choices.fidelity), report))
    except ArchError as problem:
        failure = str(problem)
    except (Exception, SystemExit):
        failure = traceback.format_exc()
    return Outcome(metrics, failure, tuple(curve), time.perf_counter() - began)
