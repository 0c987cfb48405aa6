"""What a search is to reach: objectives, and constraints on what is known only after an evaluation."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

import attrs
from attrs.validators import ge, in_

from archlang.diagnostics import ArchError, error

Scores = tuple[float, ...]

INFEASIBLE = -1e9  # below any score that counts; lower still the more is violated
HANDLINGS = ("domination", "penalty", "lagrangian")


@attrs.frozen
class Objective:
    """A metric to maximize or to minimize."""

    metric: str
    maximize: bool = True

    def score(self, value: float) -> float:
        """The value turned so that larger is better."""
        return value if self.maximize else -value

    def __str__(self) -> str:
        return f"{'maximize' if self.maximize else 'minimize'} {self.metric}"


@attrs.frozen
class Constraint:
    """A metric that is to be at most (or at least) a limit."""

    metric: str
    limit: float
    at_most: bool = True

    @classmethod
    def parse(cls, text: str) -> Constraint:
        """The constraint that a text such as `latency <= 20` says; ArchError (E0917) when it says none."""
        found = re.fullmatch(r"\s*([\w.]+)\s*([<>]=?)\s*(\S+)\s*", text)
        try:
            if found is None:
                raise ValueError(text)
            limit = _number(found[3])
        except ValueError:
            hints = ["write a metric and its limit: `latency <= 20`, `accuracy >= 0.9`"]
            raise ArchError(error("E0917", f"`{text}` is not a constraint on a metric", hints=hints)) from None
        return cls(found[1], limit, found[2].startswith("<"))

    def excess(self, value: float) -> float:
        """By how much a value is beyond the limit, relative to it; negative within."""
        beyond = value - self.limit if self.at_most else self.limit - value
        return beyond / (abs(self.limit) or 1.0)

    def __str__(self) -> str:
        return f"{self.metric} {'<=' if self.at_most else '>='} {self.limit:g}"


def _number(text: str) -> float:
    factor = {"k": 1e3, "M": 1e6, "G": 1e9}.get(text[-1:], 0.0)  # the endings of the language
    number = float(text[:-1]) * factor if factor else float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def scores_of(metrics: Mapping[str, float] | None, objectives: Sequence[Objective]) -> Scores | None:
    """One number an objective, larger is better; None for a failed trial, and for metrics in which an
    objective is missing or not finite."""
    if metrics is None:
        return None
    scores = tuple(objective.score(metrics.get(objective.metric, math.nan)) for objective in objectives)
    return scores if all(map(math.isfinite, scores)) else None


def excesses(metrics: Mapping[str, float], constraints: Sequence[Constraint]) -> tuple[float, ...] | None:
    """By how much metrics are beyond each limit; None where one is missing or not finite."""
    found = tuple(constraint.excess(metrics.get(constraint.metric, math.nan)) for constraint in constraints)
    return found if all(map(math.isfinite, found)) else None


def violation(metrics: Mapping[str, float], constraints: Sequence[Constraint]) -> float:
    """The sum of what is beyond the limits, relative to them; 0 where all are kept, infinite where a
    metric is missing."""
    found = excesses(metrics, constraints)
    return math.inf if found is None else sum(max(0.0, excess) for excess in found)


@attrs.frozen(kw_only=True)
class Constraints:
    """Limits on metrics that an evaluation gives, and what a searcher is told of programs beyond them.

    `domination`: scores below those of every program within the limits, lower the more is violated, so
    that the comparison is that of constraint domination (Deb et al. 2002, NSGA-II, section VI).
    `penalty`: every score less `weight` times the violation. `lagrangian`: every score less the sum over
    the limits of a multiplier times the (signed) excess; a multiplier rises by `weight` times the excess
    of each program told, and falls to 0 at least (dual ascent).
    """

    limits: tuple[Constraint, ...] = ()
    handling: str = attrs.field(default="domination", validator=in_(HANDLINGS))
    weight: float = attrs.field(default=1.0, validator=ge(0))

    def judge(self) -> Judge:
        """Something that scores the programs of one search, in the order in which they are told."""
        return Judge(self)


NO_CONSTRAINTS = Constraints()


class Judge:
    """Scores under constraints; with multipliers that follow what was told."""

    def __init__(self, constraints: Constraints):
        self._constraints = constraints
        self.multipliers = [0.0] * len(constraints.limits)

    def scores(self, metrics: Mapping[str, float] | None, objectives: Sequence[Objective]) -> Scores | None:
        """What a searcher is told: `scores_of`, changed where limits are not kept."""
        scores = scores_of(metrics, objectives)
        constraints = self._constraints
        if scores is None or metrics is None or not constraints.limits:
            return scores
        beyond = excesses(metrics, constraints.limits)
        if beyond is None:
            return None
        violated = sum(max(0.0, excess) for excess in beyond)
        if constraints.handling == "domination":
            return tuple(INFEASIBLE * (1 + violated) for _ in scores) if violated else scores
        if constraints.handling == "penalty":
            return tuple(score - constraints.weight * violated for score in scores)
        less = sum(multiplier * excess for multiplier, excess in zip(self.multipliers, beyond, strict=True))
        self.multipliers = [
            max(0.0, multiplier + constraints.weight * excess)
            for multiplier, excess in zip(self.multipliers, beyond, strict=True)
        ]
        return tuple(score - less for score in scores)
