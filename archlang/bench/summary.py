"""What the runs of a bench say: a row for each searcher on each problem, ranks, and what is significant."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean
from typing import Any

import attrs
import numpy as np

from archlang.bench.run import Run
from archlang.bench.statistics import LEVEL, Array, average_ranks, band, friedman, holm, signed_rank

BASELINE = "random"
CHECKPOINT = 100.0  # full evaluations
BETTER, WORSE, SAME, TIED = "better", "worse", "not significant", "tied"


@attrs.frozen
class Estimate:
    """A mean or median over seeds with the ends of its 95 % confidence interval."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float], statistic: str = "mean") -> Estimate:
        """The estimate from a sample; infinite where one of a mean is, as nothing succeeded by then."""
        if not all(map(math.isfinite, values)):
            return cls(math.inf, math.inf, math.inf)
        value, low, high = (float(part[0]) for part in band(np.array(values)[:, None], statistic))
        return cls(value, low, high)


@attrs.frozen(kw_only=True)
class Row:
    """A searcher on a problem, over the seeds whose runs did not fail.

    `early` is the regret after 100 evaluations (None where there were no more), `late` that at the end.
    `rank` is the mean over the seeds of its rank at the end. `against` says how the end compares with that of
    random search, by `p_against` (Wilcoxon signed-rank test over the seeds, Holm's correction for the searchers
    of the problem); None for random search itself and without it. `leads`: it is the best in the mean or not
    significantly worse than the best. `repeats` and `equal` are shares of the proposals.
    """

    searcher: str
    runs: tuple[Run, ...]
    early: Estimate | None
    late: Estimate
    median: Estimate
    rank: float
    against: str | None
    p_against: float | None
    leads: bool
    repeats: float
    equal: float | None

    @property
    def milliseconds(self) -> tuple[float, float]:
        """CPU time of an ask and a tell together: the mean, and the mean over the runs of what 95 % stay below."""
        return fmean(run.ask.mean + run.tell.mean for run in self.runs), fmean(
            run.ask.p95 + run.tell.p95 for run in self.runs
        )

    def as_dict(self) -> dict[str, Any]:
        """The row as plain data; of the runs their number and the simulated seconds."""
        mean, p95 = self.milliseconds
        seconds = [run.seconds for run in self.runs if run.seconds is not None]
        return {
            "searcher": self.searcher,
            "seeds": len(self.runs),
            "regret_at_100": None if self.early is None else attrs.asdict(self.early),
            "regret": attrs.asdict(self.late),
            "median": attrs.asdict(self.median),
            "rank": self.rank,
            "against_random": self.against,
            "p_against_random": self.p_against,
            "leads": self.leads,
            "repeats": self.repeats,
            "equal_in_function": self.equal,
            "ask_and_tell_ms": mean,
            "ask_and_tell_ms_p95": p95,
            "simulated_seconds": fmean(seconds) if seconds else None,
            "proposals": fmean(run.asked for run in self.runs),
        }


@attrs.frozen(kw_only=True)
class Outcome:
    """A problem: its searchers from the best in the mean to the worst, and the runs that failed."""

    problem: str
    evaluations: int
    rows: tuple[Row, ...]
    broken: tuple[Run, ...]

    def row(self, searcher: str) -> Row | None:
        """The row of a searcher; None when all its runs failed."""
        return next((row for row in self.rows if row.searcher == searcher), None)

    def as_dict(self) -> dict[str, Any]:
        """The outcome as plain data."""
        return {
            "problem": self.problem,
            "evaluations": self.evaluations,
            "searchers": [row.as_dict() for row in self.rows],
            "failed": [{"searcher": run.searcher, "seed": run.seed, "error": run.error} for run in self.broken],
        }


@attrs.frozen(kw_only=True)
class Standing:
    """A searcher over all problems: the mean of its ranks, and on how many problems it was better or worse than
    random search, or neither."""

    searcher: str
    rank: float
    better: int
    worse: int
    neither: int


@attrs.frozen(kw_only=True)
class Summary:
    """All outcomes; the standings of the searchers that ran on every problem, the best first; the others in
    `absent`; `p_ranks` of the Friedman test that the ranks differ (None for less than two problems)."""

    outcomes: tuple[Outcome, ...]
    standings: tuple[Standing, ...]
    absent: tuple[str, ...]
    p_ranks: float | None

    def as_dict(self) -> dict[str, Any]:
        """The summary as plain data, with None for what is infinite."""
        data = {
            "problems": [outcome.as_dict() for outcome in self.outcomes],
            "ranks": [attrs.asdict(standing) for standing in self.standings],
            "absent": list(self.absent),
            "p_ranks": self.p_ranks,
        }
        return _finite(data)  # type: ignore[no-any-return]


def _finite(data: Any) -> Any:
    if isinstance(data, dict):
        return {name: _finite(value) for name, value in data.items()}
    if isinstance(data, list):
        return [_finite(value) for value in data]
    return None if isinstance(data, float) and not math.isfinite(data) else data


def summary(runs: Sequence[Run]) -> Summary:
    """What runs say; a problem's have one budget."""
    outcomes = tuple(_outcome([run for run in runs if run.problem == name]) for name in _unique(runs, "problem"))
    searchers = _unique(runs, "searcher")
    present = [name for name in searchers if all(outcome.row(name) for outcome in outcomes)]
    rows = {name: [row for outcome in outcomes if (row := outcome.row(name))] for name in present}
    # Ranks among the searchers that are everywhere, so that a mean is one of like with like.
    ranks = np.array([_ranks([rows[name][place] for name in present]) for place in range(len(outcomes))])
    standings = [
        Standing(
            searcher=name,
            rank=float(ranks[:, place].mean()),
            better=sum(row.against == BETTER for row in rows[name]),
            worse=sum(row.against == WORSE for row in rows[name]),
            neither=sum(row.against in (SAME, TIED) for row in rows[name]),
        )
        for place, name in enumerate(present)
    ]
    return Summary(
        outcomes=outcomes,
        standings=tuple(sorted(standings, key=lambda standing: standing.rank)),
        absent=tuple(name for name in searchers if name not in present),
        p_ranks=friedman(ranks) if len(outcomes) > 1 and len(present) > 1 else None,
    )


def _unique(runs: Sequence[Run], name: str) -> list[str]:
    return list(dict.fromkeys(getattr(run, name) for run in runs))


def _outcome(runs: Sequence[Run]) -> Outcome:
    by_name = {
        name: {run.seed: run for run in runs if run.searcher == name and not run.error}
        for name in _unique(runs, "searcher")
    }
    ends = {name: {seed: run.regret for seed, run in found.items()} for name, found in by_name.items() if found}
    means = {name: fmean(found.values()) for name, found in ends.items()}
    order = sorted(means, key=lambda name: means[name])
    against = _compared(ends, BASELINE)
    behind = _compared(ends, order[0]) if order else {}
    ranks = dict(zip(ends, _seed_ranks(list(ends.values())), strict=True))
    return Outcome(
        problem=runs[0].problem,
        evaluations=runs[0].evaluations,
        rows=tuple(
            _row(name, tuple(by_name[name].values()), ranks[name], against.get(name), behind.get(name))
            for name in order
        ),
        broken=tuple(run for run in runs if run.error),
    )


def _row(
    name: str,
    runs: tuple[Run, ...],
    rank: float,
    against: tuple[str, float] | None,
    behind: tuple[str, float] | None,
) -> Row:
    asked = sum(run.asked for run in runs) or 1
    early = [regret_at(run, CHECKPOINT) for run in runs]
    late = [run.regret for run in runs]
    known = [run.equal for run in runs if run.equal is not None]
    return Row(
        searcher=name,
        runs=runs,
        early=Estimate.of(early) if runs[0].evaluations > CHECKPOINT else None,
        late=Estimate.of(late),
        median=Estimate.of(late, "median"),
        rank=rank,
        against=None if against is None else against[0],
        p_against=None if against is None else against[1],
        leads=behind is None or behind[0] != WORSE,
        repeats=sum(run.repeats for run in runs) / asked,
        equal=sum(known) / asked if len(known) == len(runs) else None,
    )


def regret_at(run: Run, spent: float) -> float:
    """The regret of a run after so many full evaluations; infinite before its first success."""
    return next((step.regret for step in reversed(run.steps) if step.spent <= spent + 1e-9), math.inf)


def _compared(ends: dict[str, dict[int, float]], other: str) -> dict[str, tuple[str, float]]:
    """How the searchers but `other` compare with it, over the seeds that both have, and the p-values."""
    if other not in ends:
        return {}
    pairs: dict[str, tuple[list[float], list[float]]] = {}
    for name, found in ends.items():
        seeds = [seed for seed in found if seed in ends[other]]
        if name != other and seeds:
            pairs[name] = [found[seed] for seed in seeds], [ends[other][seed] for seed in seeds]
    values = holm([_p_value(mine, others) for mine, others in pairs.values()])
    return {
        name: (_verdict(mine, others, value), value)
        for (name, (mine, others)), value in zip(pairs.items(), values, strict=True)
    }


def least_p(outcome: Outcome) -> float:
    """The least p-value that a comparison with random search could have, all pairs differing in one direction
    and the others' too; 0 without comparisons."""
    compared = [row for row in outcome.rows if row.against is not None]
    pairs = min((len(row.runs) for row in outcome.rows), default=0)
    return min(1.0, len(compared) * 2.0 ** (1 - pairs))


def _p_value(mine: list[float], others: list[float]) -> float:
    return signed_rank(_comparable(mine), _comparable(others))


def _comparable(values: list[float]) -> Array:
    """Values whose differences are numbers: runs in which nothing succeeded are equally bad."""
    return np.minimum(values, 1e300)


def _verdict(mine: list[float], others: list[float], value: float) -> str:
    if mine == others:
        return TIED
    if value >= LEVEL:
        return SAME
    # The test is one of ranks: its direction is that of the larger sum of ranks.
    difference = _comparable(mine) - _comparable(others)
    return WORSE if float(average_ranks(np.abs(difference)) @ np.sign(difference)) > 0 else BETTER


def _seed_ranks(ends: Sequence[dict[int, float]]) -> list[float]:
    """The mean rank of each searcher over the seeds that all have (over means, when there is none)."""
    seeds = [seed for seed in ends[0] if all(seed in found for found in ends)] if ends else []
    if not seeds:
        return [float(rank) for rank in average_ranks([fmean(found.values()) for found in ends])]
    ranks = [average_ranks([found[seed] for found in ends]) for seed in seeds]
    return [float(rank) for rank in np.mean(ranks, axis=0)]


def _ranks(rows: Sequence[Row]) -> list[float]:
    return _seed_ranks([{run.seed: run.regret for run in row.runs} for row in rows])


def curve(runs: Sequence[Run], at: Array, over: str = "spent") -> tuple[Array, Array]:
    """The regrets of runs [runs, points] where so much was spent (or `over` "seconds"), and from which point
    on all of them have one."""
    found = np.full((len(runs), len(at)), math.inf)
    for place, run in enumerate(runs):
        xs = np.array([getattr(step, over) for step in run.steps])
        regrets = np.array([math.inf, *(step.regret for step in run.steps)])
        found[place] = regrets[np.searchsorted(xs, at + 1e-9, side="right")]
    return found, np.asarray(np.isfinite(found).all(axis=0))
