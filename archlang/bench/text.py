"""The outcome of a bench as tables for a terminal."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from archlang.bench.run import Run
from archlang.bench.summary import BASELINE, BETTER, SAME, TIED, WORSE, Estimate, Outcome, Row, Summary
from archlang.report.numbers import short
from archlang.report.tables import plain_table

MARKS = {BETTER: "better", WORSE: "WORSE", SAME: "no better", TIED: "tied"}


def overview(found: Summary) -> RenderableType:
    """A table for each problem, one over all, and what failed."""
    parts: list[RenderableType] = [outcome_table(outcome) for outcome in found.outcomes if outcome.rows]
    if len(found.outcomes) > 1 and found.standings:
        parts.append(standings_table(found))
    parts += [Text(line, style="red") for line in failures(found)]
    return Group(*parts)


def outcome_table(outcome: Outcome) -> Table:
    """The searchers of a problem."""
    seeds = max(len(row.runs) for row in outcome.rows)
    table = plain_table(f"{outcome.problem}: mean regret, {seeds} seed{'s' * (seeds > 1)}; 95 % confidence")
    table.add_column("searcher", overflow="fold", min_width=14)
    early = any(row.early for row in outcome.rows)
    compared = any(row.against for row in outcome.rows)
    columns = (
        *(("after 100",) if early else ()),
        f"after {outcome.evaluations}",
        "rank",
        *((BASELINE,) if compared else ()),
        "repeats",
        "ms",
    )
    for name in columns:
        table.add_column(name, justify="right", no_wrap=not name.startswith("after"))
    for row in outcome.rows:
        measured = [interval(row.early)] if row.early else []
        style = "green" if row.against == BETTER else "red" if row.against == WORSE else ""
        table.add_row(
            Text(row.searcher, style="bold" if row.leads else ""),
            *measured,
            interval(row.late),
            f"{row.rank:.2f}",
            *([Text(mark(row), style=style)] if compared else []),
            f"{row.repeats:.0%}",
            f"{row.milliseconds[0]:.3g}",
        )
    return table


def standings_table(found: Summary) -> Table:
    """The searchers over all problems."""
    table = plain_table(f"all {len(found.outcomes)} problems: mean rank{differ(found)}")
    table.add_column("searcher", overflow="fold")
    for name in ("rank", f"better than {BASELINE}", "no different", "worse"):
        table.add_column(name, justify="right", no_wrap=True)
    for standing in found.standings:
        counts = (standing.better, standing.neither, standing.worse)
        table.add_row(
            Text(standing.searcher), f"{standing.rank:.2f}", *(map(str, counts) if any(counts) else ("", "", ""))
        )
    return table


def differ(found: Summary) -> str:
    """What the Friedman test says, as the end of a title."""
    if found.p_ranks is None:
        return ""
    return f" (that ranks differ: p = {found.p_ranks:.2g}, Friedman)"


def failures(found: Summary) -> list[str]:
    """A line for each searcher whose runs failed on a problem."""
    groups: dict[tuple[str, str], list[Run]] = {}
    for outcome in found.outcomes:
        for run in outcome.broken:
            groups.setdefault((run.problem, run.searcher), []).append(run)
    return [
        f"{len(runs)} failed: {searcher} on {problem}: {runs[0].error}" for (problem, searcher), runs in groups.items()
    ]


def mark(row: Row) -> str:
    """How a searcher compares with random search; empty without it."""
    return "" if row.against is None else MARKS[row.against]


def interval(estimate: Estimate) -> str:
    """An estimate in three digits, its interval in two."""
    ends = " ".join(short(float(f"{number:.2g}")) for number in (estimate.low, estimate.high))
    return f"{short(float(f'{estimate.value:.3g}'))} [{ends}]"
