"""The outcome of a bench as one HTML page that needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from archlang.bench.charts import regret_chart, styles, swatch, time_chart
from archlang.bench.problems import Problem, problem
from archlang.bench.statistics import LEVEL
from archlang.bench.style import STYLE
from archlang.bench.summary import BASELINE, BETTER, SAME, TIED, WORSE, Outcome, Row, Summary, least_p
from archlang.bench.text import differ, failures, interval
from archlang.report.numbers import short
from archlang.report.page import figure, header, page

VERDICTS = {
    BETTER: ("better", "better"),
    WORSE: ("worse", "WORSE"),
    SAME: ("same", "not better"),
    TIED: ("same", "tied"),
}


def bench_page(found: Summary, folder: str | None = None) -> str:
    """The page as text; `folder` is that of the benchmark data."""
    names = [row.searcher for outcome in found.outcomes for row in outcome.rows]
    classes = styles(list(dict.fromkeys([*_names(found), *names])), BASELINE)
    sections = [_head(found), _standings(found, classes), _reading(found)]
    sections += [_outcome(outcome, problem(outcome.problem, folder), classes) for outcome in found.outcomes]
    return page("archlang bench", [*sections, _failures(found)], STYLE)


def _names(found: Summary) -> list[str]:
    return [standing.searcher for standing in found.standings]


def _head(found: Summary) -> str:
    rows = [row for outcome in found.outcomes for row in outcome.rows]
    seeds = max((len(row.runs) for row in rows), default=0)
    searchers = len({row.searcher for row in rows})
    budgets = sorted({outcome.evaluations for outcome in found.outcomes})
    facts = [
        f"<b>{len(found.outcomes)}</b> problems",
        f"<b>{searchers}</b> searchers",
        f"<b>{seeds}</b> seeds",
        f"<b>{', '.join(map(str, budgets))}</b> evaluations",
    ]
    return header("archlang bench", "Searchers on benchmark problems", facts)


def _reading(found: Summary) -> str:
    few = "".join(
        f" <b>{escape(outcome.problem)} has too few seeds for any difference to be significant.</b>"
        for outcome in found.outcomes
        if 0 < least_p(outcome) >= LEVEL
    )
    return (
        "<section><h2>How to read this</h2><p class=note>Regret is how far a search is from the best outcome: of the "
        "program that was told to be best, what counts (such as test accuracy) against the best of all programs; with "
        "two objectives, the share of the hypervolume that is missing. Every proposal counts as an evaluation, "
        "repeats too; one at a share of a full evaluation counts as this share. Lines are means (or medians) over the "
        "seeds, bands their 95 % confidence intervals by bootstrap. Searchers are compared with random search seed by "
        "seed, by the exact Wilcoxon signed-rank test on the regret at the end, two-sided, with Holm's correction for "
        f"all searchers of a problem, at p &lt; 0.05.{few} Names in bold are the best of a problem and those not "
        "significantly worse than it. <i>Repeats</i> are proposals made before, <i>equal</i> those that compute what "
        "an earlier one does (repeats among them); <i>ask</i> and <i>tell</i> are CPU times.</p></section>"
    )


def _standings(found: Summary, classes: Mapping[str, str]) -> str:
    if not found.standings:
        return ""
    heads = ("searcher", "mean rank", *(outcome.problem for outcome in found.outcomes))
    counts = ("better", "no different", "worse")
    lines = [_row((*heads, *counts), "th")]
    for standing in found.standings:
        found_rows = [row for outcome in found.outcomes if (row := outcome.row(standing.searcher))]
        cells = [_name(standing.searcher, classes), f"{standing.rank:.2f}"]
        cells += [f'<span class="{_kind(row)}">{row.rank:.2f}</span>' for row in found_rows]
        counted = (standing.better, standing.neither, standing.worse)
        cells += map(str, counted) if any(counted) else [""] * 3
        lines.append(_row(cells, "td"))
    notes = ["A rank is the mean, over the seeds, of a searcher's place by regret at the end; equal regrets share it."]
    notes.append(
        f"The last columns count problems where a searcher was significantly better than {BASELINE} search, "
        "no different, or worse."
    )
    if found.p_ranks is not None:
        notes.append(f"Friedman test that the ranks over problems differ: p = {found.p_ranks:.2g}.")
    if found.absent:
        notes.append(f"Not on every problem, so neither here nor in the mean ranks: {escape(', '.join(found.absent))}.")
    return (
        f"<section><h2>All problems <small>{escape(differ(found).strip(' ()'))}</small></h2>"
        f'<p class=note>{" ".join(notes)}</p><div class="wide"><table>'
        f"<thead>{lines[0]}</thead><tbody>{''.join(lines[1:])}</tbody></table></div></section>"
    )


def _row(cells: Sequence[str], tag: str) -> str:
    """A row of HTML cells, the first a text, the others numbers."""
    first, *others = cells
    return f"<tr><{tag}>{first}</{tag}>{''.join(f'<{tag} class=num>{cell}</{tag}>' for cell in others)}</tr>"


def _name(name: str, classes: Mapping[str, str], bold: bool = False) -> str:
    shown = f"<b>{escape(name)}</b>" if bold else escape(name)
    return f'<span class="searcher">{swatch(classes[name])}{shown}</span>'


def _kind(row: Row) -> str:
    return "" if row.against is None else VERDICTS[row.against][0]


def _outcome(outcome: Outcome, about: Problem, classes: Mapping[str, str]) -> str:
    rows = outcome.rows
    if not rows:
        return ""
    floor = about.floor
    legend = f'<p class="legend">{"".join(_name(name, classes) for name in classes if outcome.row(name))}</p>'
    unit = "regret" if len(about.objectives) == 1 else "share of the hypervolume missing"
    name = escape(outcome.problem)
    charts = [
        figure(
            regret_chart(rows, classes, floor, f"mean regret on {outcome.problem}", unit=unit),
            "Mean over the evaluations",
            "band: 95 % confidence",
        ),
        figure(
            regret_chart(rows, classes, floor, f"median regret on {outcome.problem}", "median", unit=unit),
            "Median over the evaluations",
            "band: 95 % confidence",
        ),
    ]
    timed = regret_chart(
        rows, classes, floor, f"mean regret over simulated seconds on {outcome.problem}", over="seconds", unit=unit
    )
    if timed:
        charts.append(figure(timed, "Mean over the simulated wall clock", "as far as all runs of a searcher went"))
    charts.append(
        figure(time_chart(rows, classes, f"time per ask and tell on {outcome.problem}"), "Time per ask and tell")
    )
    note = f"<p class=note>{escape(about.title)}{_floor_text(floor)}</p>"
    return (
        f"<section><h2>{name} <small>{outcome.evaluations} evaluations</small></h2>{note}{legend}"
        f'<div class="charts">{"".join(charts)}</div>{_table(outcome, classes)}</section>'
    )


def _floor_text(floor: float) -> str:
    if floor <= 0:
        return "."
    return f". A search that finds the best of what is told has a regret of {short(floor)}: the dotted line."


def _table(outcome: Outcome, classes: Mapping[str, str]) -> str:
    early = any(row.early for row in outcome.rows)
    seconds = any(run.seconds is not None for row in outcome.rows for run in row.runs)
    compared = any(row.against for row in outcome.rows)
    heads = ["searcher", *(["mean after 100"] if early else []), f"mean after {outcome.evaluations}", "median", "rank"]
    heads += [*([f"against {BASELINE}"] if compared else []), "repeats", "equal", "asked"]
    heads += [*(["simulated s"] if seconds else []), "ask ms", "tell ms", "seeds"]
    body = "".join(_row(_cells(row, classes, early, compared, seconds), "td") for row in outcome.rows)
    return (
        f'<div class="wide"><table class="bench"><thead>{_row(heads, "th")}</thead><tbody>{body}</tbody></table></div>'
    )


def _cells(row: Row, classes: Mapping[str, str], early: bool, compared: bool, seconds: bool) -> list[str]:
    data = row.as_dict()
    ask = sum(run.ask.mean for run in row.runs) / len(row.runs)
    tell = sum(run.tell.mean for run in row.runs) / len(row.runs)
    simulated = data["simulated_seconds"]
    return [
        _name(row.searcher, classes, row.leads),
        *([_interval(interval(row.early)) if row.early else ""] if early else []),
        _interval(interval(row.late)),
        short(float(f"{row.median.value:.3g}")),
        f"{row.rank:.2f}",
        *([_verdict(row)] if compared else []),
        f"{row.repeats:.1%}",
        "-" if row.equal is None else f"{row.equal:.1%}",
        f"{data['proposals']:.0f}",
        *([short(float(f"{simulated:.3g}")) if simulated is not None else ""] if seconds else []),
        f"{ask:.3g}",
        f"{tell:.3g}",
        str(len(row.runs)),
    ]


def _verdict(row: Row) -> str:
    if row.against is None:
        return ""
    kind, verdict = VERDICTS[row.against]
    return f'<span class="{kind}">{verdict}</span> <small>p {row.p_against:.2g}</small>'


def _interval(text: str) -> str:
    value, _, ends = text.partition(" ")
    return f"{value} <small>{ends}</small>"


def _failures(found: Summary) -> str:
    lines = failures(found)
    if not lines:
        return ""
    shown = "".join(f"<pre>{escape(line)}</pre>" for line in lines)
    return f"<section><h2>Failed runs</h2>{shown}</section>"
