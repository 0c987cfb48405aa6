"""What an evaluator is: a function of a program and a fidelity that gives metrics."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from archlang.space import Program

Metrics = dict[str, float]
Report = Callable[[Mapping[str, float]], None]


def nearest_level(levels: Sequence[float], wanted: float) -> float:
    """Of the levels at which something can be evaluated the one nearest to what is wanted, by ratio; of two as near
    the higher."""
    return min(reversed(levels), key=lambda level: abs(math.log(level / wanted)))


def no_report(metrics: Mapping[str, float]) -> None:
    """Takes intermediate metrics and does nothing."""


class Evaluator(Protocol):
    """Turns a program into metrics.

    An evaluator may raise anything: the trial is then recorded as failed, with the error's text.
    """

    def __call__(self, program: Program, fidelity: Mapping[str, Any], report: Report) -> Metrics:
        """The metrics of a program. `fidelity` overrides the evaluator's settings (`{"epochs": 1}` is a
        cheap look); `report` is called with intermediate metrics, such as those of an epoch."""
        ...

    def at(self, share: float) -> Mapping[str, Any]:
        """The fidelity that is a share (at most 1) of a full evaluation; {} for the full one."""
        ...

    def check(self, program: Program, metrics: Sequence[str]) -> None:
        """Raise ArchError when no program like this one can be evaluated (no data, wrong shape), or when
        it gives none of these metrics. It is called once, before a search begins."""

    def spec(self) -> dict[str, Any] | None:
        """What a store keeps to make the evaluator again, as JSON data; None when that cannot be."""

    def describe(self) -> dict[str, Any]:
        """What tells this evaluator from others, as JSON data; resuming compares it."""
        ...


def costs(program: Program) -> Metrics:
    """The costs of the program's graph by name, those of the space's tables too; empty for a program
    without a network."""
    if not program.has_graph:
        return {}
    return {name: float(value) for name, value in (program.cost().totals() | program.measured()).items()}
