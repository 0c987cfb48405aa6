"""A study as tables for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from archlang.report.numbers import duration, exact, pick_text
from archlang.report.summary import extra_metrics, failure_line, has_fidelities, limits_line, saved_line, state_line
from archlang.report.tables import plain_table
from archlang.study import Study, StudySummary, Trial

if TYPE_CHECKING:
    from archlang.searchers import Objective

SHOWN_FAILURES = 5


def study_overview(study: Study) -> RenderableType:
    """The study in brief: what it is, its best program's choices, the front, and what failed."""
    parts: list[RenderableType] = [heading(study)]
    best = study.best_trial
    if best is not None:
        parts += [Text(), best_table(study)]
        if len(study.objectives) > 1:
            parts += [Text(), front_table(study)]
    if study.failed:
        parts += [Text(), failures(study)]
    return Group(*parts)


def heading(study: Study) -> Text:
    """Two lines, the study and its trials, and a third where evaluations were saved."""
    record = study.record
    line = Text()
    line.append(study.name, style="bold")
    line.append(f"  {record.searcher} on {record.space['name']}, seed {record.seed}; ")
    line.append(", ".join(map(str, study.objectives)))
    line.append("\n" + state_line(study))
    seconds = sum(trial.seconds for trial in study.finished)
    if seconds:
        line.append(f"; {duration(seconds)} of evaluation")
    if saved := saved_line(study):
        line.append("\n" + saved)
    if limits := limits_line(study):
        line.append("\n" + limits)
    return line


def best_table(study: Study) -> Table:
    """The best trial: its metrics and its choices."""
    trial = study.best_trial
    table = plain_table("best program" if trial is None else f"best program: trial {trial.number}")
    table.add_column("")
    table.add_column("", overflow="fold")
    if trial is not None:
        if trial.fidelity != 1:
            table.add_row(Text("fidelity", style="bold"), f"{trial.fidelity:.3g}")
        names = [objective.metric for objective in study.objectives]
        for name in [*names, *extra_metrics(study, [trial])]:
            table.add_row(Text(name, style="bold"), exact(trial.metrics[name]))
        table.add_section()
        for address, pick in trial.choices.items():
            table.add_row(Text(address), Text(pick_text(pick)))
    table.show_header = False
    return table


def front_table(study: Study) -> Table:
    """The Pareto front, best first objective first; its choices are in the page and the JSON."""
    extra = extra_metrics(study, study.comparable)
    return _trial_table("Pareto front", study.objectives, study.pareto_front(), extra, with_choices=False)


def trials_table(study: Study) -> Table:
    """All trials in order, with their state, objectives, and choices."""
    return _trial_table(f"trials of {study.name}", study.objectives, study.trials, (), with_state=True)


def failures(study: Study) -> Group:
    """The failed trials, each with the line of its error that says most."""
    lines: list[RenderableType] = [Text(f"{len(study.failed)} failed", style="bold red")]
    lines += [Text(f"  trial {trial.number}: {failure_line(trial)}") for trial in study.failed[:SHOWN_FAILURES]]
    if len(study.failed) > SHOWN_FAILURES:
        lines.append(Text(f"  and {len(study.failed) - SHOWN_FAILURES} more"))
    return Group(*lines)


def studies_table(studies: Sequence[StudySummary]) -> Table:
    """The studies of a store."""
    table = plain_table("studies")
    for name in ("study", "space", "searcher", "objectives", "begun"):
        table.add_column(name, overflow="fold")
    table.add_column("trials", justify="right")
    table.add_column("failed", justify="right")
    for study in studies:
        table.add_row(
            Text(study.name, style="bold"),
            Text(study.space),
            Text(study.searcher),
            Text(", ".join(map(str, study.objectives))),
            study.created[:16].replace("T", " "),
            f"{study.finished}/{study.trials}",
            str(study.states.get("failed", 0)),
        )
    return table


def _trial_table(
    title: str,
    objectives: Sequence[Objective],
    trials: Sequence[Trial],
    extra: Sequence[str],
    with_state: bool = False,
    with_choices: bool = True,
) -> Table:
    table = plain_table(title)
    table.add_column("trial", justify="right")
    if with_state:
        table.add_column("state")
    by_fidelity = has_fidelities(trials)
    if by_fidelity:
        table.add_column("fidelity", justify="right", no_wrap=True)
    names = [objective.metric for objective in objectives]
    for name in [*names, *extra]:
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("time", justify="right", no_wrap=True)
    if with_choices:
        table.add_column("choices", overflow="fold", ratio=1)
    for trial in trials:
        values = [exact(trial.metrics[name]) if name in trial.metrics else "-" for name in [*names, *extra]]
        picks = " ".join(f"{address}={pick_text(pick)}" for address, pick in trial.choices.items())
        choices = [Text(picks, style="dim")] if with_choices else []
        shown = trial.state if trial.same_as is None else f"{trial.state} as {trial.same_as}"
        state = [Text(shown, style="red" if trial.state == "failed" else "")] if with_state else []
        fidelity = [f"{trial.fidelity:.3g}"] if by_fidelity else []
        table.add_row(str(trial.number), *state, *fidelity, *values, duration(trial.seconds), *choices)
    return table
