"""A study as one HTML page that needs nothing else: no network, no scripts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from archlang.diagnostics import ArchError
from archlang.report.charts import curve, decision, history, pareto
from archlang.report.numbers import duration, exact, pick_text, short
from archlang.report.page import figure, header, page, write_page
from archlang.report.summary import decision_effects, extra_metrics, failure_line, limits_line, saved_line, state_line
from archlang.study import Study, Trial

SHOWN_DECISIONS = 12
SHOWN_FAILURES = 20


def html_report(study: Study) -> str:
    """The page as text."""
    sections = [_head(study)]
    if study.measured:
        sections += [_best_cards(study), _charts(study), _front(study), _decisions(study), _program(study)]
    else:
        sections.append("<section><p>No trial has been measured yet.</p></section>")
    sections += [_failures(study), _settings(study)]
    return page(f"{study.name}: a search of {study.record.space['name']}", sections)


def write_report(study: Study, path: str | Path) -> Path:
    """Write the page to a file, whose folder is made where needed; ArchError (E0915) when that fails."""
    return write_page(html_report(study), path)


def _head(study: Study) -> str:
    record = study.record
    seconds = sum(trial.seconds for trial in study.finished)
    facts = [
        f"<b>{escape(record.searcher)}</b> search of <b>{escape(record.space['name'])}</b>",
        escape(" and ".join(map(str, study.objectives))),
        escape(state_line(study)),
    ]
    if seconds:
        facts.append(f"{duration(seconds)} of evaluation")
    if saved := saved_line(study):
        facts.append(saved)
    if limits := limits_line(study):
        facts.append(escape(limits))
    return header("archlang study", study.name, facts)


def _best_cards(study: Study) -> str:
    best = study.best_trial
    assert best is not None
    names = [objective.metric for objective in study.objectives]
    values = [(name, best.metrics[name]) for name in [*names, *extra_metrics(study, [best])][:5]]
    cards = [
        f'<div><dt>{escape(name)}</dt><dd title="{exact(value)}">{short(value)}</dd></div>' for name, value in values
    ]
    return (
        f'<section class="best"><h2>Best program <small>trial {best.number}</small></h2>'
        f"<dl class='cards'>{''.join(cards)}</dl></section>"
    )


def _charts(study: Study) -> str:
    first, *others = study.objectives
    over_trials = [
        figure(history(study, objective), f"{objective.metric} over the trials", "the line is the best so far")
        for objective in study.objectives
    ]
    against = [
        figure(
            pareto(study, other, first),
            f"{first.metric} against {other.metric}",
            "line: Pareto front, ring: best program",
        )
        for other in others
    ]
    figures = [over_trials[0], *against, *over_trials[1:]]
    best = study.best_trial
    drawn = curve(best, first.metric) if best is not None else None
    if drawn and best is not None:
        figures.append(figure(drawn, f"{first.metric} over the epochs", f"of the best program, trial {best.number}"))
    return f'<section><h2>Search</h2><div class="charts">{"".join(figures)}</div></section>'


def _front(study: Study) -> str:
    front = study.pareto_front()
    names = [objective.metric for objective in study.objectives]
    names += extra_metrics(study, front)
    title = "Pareto front" if len(study.objectives) > 1 else "Best programs"
    if len(study.objectives) == 1:
        unique = {trial.choices_json: trial for trial in reversed(study.comparable)}
        ordered = sorted(unique.values(), key=lambda trial: (study.scores(trial), -trial.number), reverse=True)
        front = tuple(ordered[:10])
    head = _row(("trial", *names, "choices"), "th", len(names))
    rows = "".join(_front_row(trial, names) for trial in front)
    return (
        f"<section><h2>{title} <small>{len(front)} programs</small></h2>"
        f'<div class="wide"><table><thead>{head}</thead><tbody>{rows}</tbody></table></div></section>'
    )


def _row(cells: Sequence[str], tag: str, numbers: int) -> str:
    kinds = ["num"] * (numbers + 1) + [""] * len(cells)
    classes = [f" class={kind}" if kind else "" for kind in kinds]
    drawn = "".join(f"<{tag}{kind}>{escape(cell)}</{tag}>" for cell, kind in zip(cells, classes, strict=False))
    return f"<tr>{drawn}</tr>"


def _front_row(trial: Trial, names: Sequence[str]) -> str:
    numbers = "".join(f"<td class=num>{exact(trial.metrics[name])}</td>" for name in names)
    return f"<tr><td class=num>{trial.number}</td>{numbers}<td>{_choices(trial.choices.items())}</td></tr>"


def _choices(picks: Iterable[tuple[str, object]]) -> str:
    shown = [f"<span class=pick>{escape(address)} <b>{escape(pick_text(pick))}</b></span>" for address, pick in picks]
    if len(shown) <= 8:
        return " ".join(shown)
    return f"<details><summary>{' '.join(shown[:5])} … {len(shown)} choices</summary>{' '.join(shown[5:])}</details>"


def _decisions(study: Study) -> str:
    effects = decision_effects(study)
    if not effects:
        return ""
    objective = study.objectives[0]
    figures = "".join(
        figure(
            decision(effect, objective),
            effect.address,
            f"{effect.effect:.0%} of the variance in {len(effect.values)} trials",
        )
        for effect in effects[:SHOWN_DECISIONS]
    )
    left = len(effects) - SHOWN_DECISIONS
    more = f"<p class=note>{left} further decisions have a smaller effect.</p>" if left > 0 else ""
    return (
        f"<section><h2>Decisions <small>by {escape(objective.metric)}</small></h2>"
        "<p class=note>A dot is a trial, a bar the mean of a pick. Decisions that go with most of the "
        "objective's variance come first; as the search did not try all picks equally often, this shows where it "
        "looked and proves no cause.</p>"
        f'<div class="small-charts">{figures}</div>{more}</section>'
    )


def _program(study: Study) -> str:
    best = study.best_trial
    assert best is not None
    try:
        program = study.program(best) if study.has_space else None
        source = program.source() if program is not None and program.has_graph else ""
    except ArchError as problem:
        return f"<section><h2>Best program</h2><pre>{escape(str(problem))}</pre></section>"
    if source:
        shown = f"<pre><code>{escape(source)}</code></pre>"
    else:
        rows = "".join(
            f"<tr><td>{escape(address)}</td><td><b>{escape(pick_text(pick))}</b></td></tr>"
            for address, pick in best.choices.items()
        )
        shown = f'<div class="wide"><table class="picks"><tbody>{rows}</tbody></table></div>'
    return f"<section><h2>Best program <small>{'as .arch' if source else 'its choices'}</small></h2>{shown}</section>"


def _failures(study: Study) -> str:
    if not study.failed:
        return ""
    shown = "".join(
        f"<details><summary>trial {trial.number}: {escape(failure_line(trial))}</summary>"
        f"<pre>{escape(trial.error)}</pre></details>"
        for trial in study.failed[:SHOWN_FAILURES]
    )
    left = len(study.failed) - SHOWN_FAILURES
    more = f"<p class=note>and {left} more</p>" if left > 0 else ""
    return f"<section><h2>Failed trials <small>{len(study.failed)}</small></h2>{shown}{more}</section>"


def _settings(study: Study) -> str:
    record = study.record
    facts: dict[str, object] = {
        "store": study.store,
        "begun": record.created.replace("T", " "),
        "seed": record.seed,
        "reuse": record.reuse,
        **{f"searcher · {name}": value for name, value in record.settings.items()},
        **{f"space · {name}": json.dumps(value) for name, value in record.space["config"].items()},
        **{f"evaluator · {name}": value for name, value in record.evaluator.items() if name != "spec"},
        **{f"version · {name}": value for name, value in record.versions.items()},
    }
    rows = "".join(f"<tr><td>{escape(name)}</td><td>{escape(str(value))}</td></tr>" for name, value in facts.items())
    return (
        "<section><h2>Settings</h2><details><summary>everything that this study was run with</summary>"
        f'<div class="wide"><table class="picks"><tbody>{rows}</tbody></table></div></details></section>'
    )
