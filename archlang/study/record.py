"""What a store keeps of a study and its trials, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from archlang.searchers import NO_CONSTRAINTS, Constraints, Objective

RUNNING = "running"
INTERRUPTED = "interrupted"
COMPLETE = "complete"
CACHED = "cached"
FAILED = "failed"

FINISHED = (COMPLETE, CACHED, FAILED)
MEASURED = (COMPLETE, CACHED)


@attrs.frozen(kw_only=True)
class Trial:
    """One program that a study asked for, and what came of it.

    `asked` and `told` number the events of the study in order: feeding a new searcher with the asks and
    tells in this order brings it to where the study is. `state` is "running" (or "interrupted", the
    evaluation was cut short and will be done again), "complete", "cached" (the same program had been
    measured before), or "failed" with the `error`. `curve` holds what was reported on the way, such as
    the metrics of each epoch; `fidelity` is the share of a full evaluation that was asked for, `seconds`
    the time that the evaluation took.
    """

    number: int
    choices: Mapping[str, Any]
    choices_json: str = attrs.field(repr=False)
    state: str
    asked: int
    told: int | None = None
    metrics: Mapping[str, float] = attrs.field(factory=dict)
    error: str = attrs.field(default="", repr=False)
    curve: tuple[Mapping[str, float], ...] = attrs.field(default=(), repr=False)
    fidelity: float = 1.0
    started: str = ""
    seconds: float = 0.0

    @property
    def is_measured(self) -> bool:
        """Whether the trial has metrics."""
        return self.state in MEASURED

    def as_dict(self) -> dict[str, Any]:
        """The trial as plain data."""
        found = attrs.asdict(self, recurse=False) | {"choices": dict(self.choices), "metrics": dict(self.metrics)}
        del found["choices_json"]
        found["curve"] = [dict(point) for point in self.curve]
        return found


@attrs.frozen(kw_only=True)
class StudyRecord:
    """Everything that a study needs to go on.

    `space` holds the space's texts, name and configuration (see `origin`), `evaluator` what tells the
    evaluator from others and, under "spec", what makes it again. `trials` is how many the study is to
    have in all; `reuse` whether a program that was measured before is not evaluated again.
    """

    name: str
    created: str
    space: Mapping[str, Any] = attrs.field(repr=False)
    evaluator: Mapping[str, Any] = attrs.field(repr=False)
    searcher: str
    settings: Mapping[str, Any]
    seed: int
    objectives: tuple[Objective, ...]
    constraints: Constraints = NO_CONSTRAINTS
    trials: int
    reuse: bool = True
    versions: Mapping[str, str] = attrs.field(factory=dict, repr=False)


@attrs.frozen(kw_only=True)
class StudySummary:
    """A study in a list: how many trials it has in each state, of how many it is to have."""

    name: str
    created: str
    space: str
    searcher: str
    objectives: tuple[Objective, ...]
    trials: int
    states: Mapping[str, int]

    @property
    def finished(self) -> int:
        """The number of trials that are done."""
        return sum(count for state, count in self.states.items() if state in FINISHED)

    def as_dict(self) -> dict[str, Any]:
        """The summary as plain data."""
        found = attrs.asdict(self, recurse=False)
        return found | {
            "objectives": [str(objective) for objective in self.objectives],
            "states": dict(self.states),
            "finished": self.finished,
        }
