"""The pictures of a report."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean

from archlang.report.numbers import exact, pick_text, short
from archlang.report.summary import DecisionEffect, best_so_far, failure_line
from archlang.report.svg import Picture, scale
from archlang.searchers import Objective
from archlang.searchers.pareto import front
from archlang.study import Study, Trial

WIDTH, HEIGHT = 540.0, 320.0
LEFT, RIGHT, TOP, BOTTOM = 62.0, 14.0, 34.0, 48.0
ROW = 24.0
STRIP_WIDTH = 360.0


def tip(study: Study, trial: Trial) -> str:
    """What a trial's mark says when it is pointed at."""
    values = ", ".join(f"{objective.metric} {exact(trial.metrics[objective.metric])}" for objective in study.objectives)
    picks = list(trial.choices.items())
    shown = "\n".join(f"{address} = {pick_text(pick)}" for address, pick in picks[:12])
    more = f"\nand {len(picks) - 12} more" if len(picks) > 12 else ""
    return f"trial {trial.number}: {values}\n{shown}{more}"


def history(study: Study, objective: Objective) -> str:
    """An objective over the trials, with the best so far as a line and failures below."""
    steps = best_so_far(study, objective)
    values = [trial.metrics[objective.metric] for trial, _ in steps]
    numbers = [trial.number for trial in study.trials]
    x = scale([0, max(*numbers, 1)], LEFT, WIDTH - RIGHT, log=False, pad=0.02)
    y = scale(values, HEIGHT - BOTTOM, TOP, pad=0.08)
    best = steps[-1][1]
    picture = Picture(
        WIDTH,
        HEIGHT,
        f"{objective.metric} over the trials",
        f"{len(steps)} trials; the best {objective.metric} is {exact(best)}.",
    )
    picture.axes(x, y, "trial", _axis_name(objective), [tick for tick in x.ticks() if tick == int(tick) and tick >= 0])
    line: list[tuple[float, float]] = []
    for trial, so_far in steps:
        if line:
            line.append((x(trial.number), line[-1][1]))
        line.append((x(trial.number), y(so_far)))
    line.append((x(max(numbers)), line[-1][1]))
    for trial in study.failed:
        picture.cross(x(trial.number), y.start - 6, f"trial {trial.number} failed: {failure_line(trial)}", "failed")
    for trial, so_far in steps:
        value = trial.metrics[objective.metric]
        kind = "point record" if value == so_far and trial is _first_with(steps, value) else "point"
        picture.dot(x(trial.number), y(value), tip(study, trial), kind)
    picture.line(line, "best-line")
    return str(picture)


def _first_with(steps: Sequence[tuple[Trial, float]], value: float) -> Trial:
    return next(trial for trial, best in steps if best == value)


def pareto(study: Study, across: Objective, up: Objective) -> str:
    """Two objectives against each other: all trials, the front between these two, the best trial."""
    trials = list(study.comparable)
    points = [(up.score(t.metrics[up.metric]), across.score(t.metrics[across.metric])) for t in trials]
    members = {id(trials[position]) for position in front(points)}
    x = scale([trial.metrics[across.metric] for trial in trials], LEFT, WIDTH - RIGHT)
    y = scale([trial.metrics[up.metric] for trial in trials], HEIGHT - BOTTOM, TOP, pad=0.08)
    picture = Picture(
        WIDTH,
        HEIGHT,
        f"{up.metric} against {across.metric}",
        f"{len(members)} of {len(trials)} trials are on the Pareto front.",
    )
    picture.axes(x, y, _axis_name(across), _axis_name(up))
    chosen = [trial for trial in trials if id(trial) in members]
    chosen.sort(key=lambda trial: across.score(trial.metrics[across.metric]), reverse=True)
    line: list[tuple[float, float]] = []
    for trial in chosen:
        here = (x(trial.metrics[across.metric]), y(trial.metrics[up.metric]))
        if line:
            line.append((here[0], line[-1][1]))
        line.append(here)
    picture.line(line, "front-line")
    for trial in [t for t in trials if id(t) not in members] + chosen:
        here = (x(trial.metrics[across.metric]), y(trial.metrics[up.metric]))
        kind = "point front" if id(trial) in members else "point"
        picture.dot(*here, tip(study, trial), kind, 5 if id(trial) in members else 4)
    best = study.best_trial
    if best is not None:
        here = (x(best.metrics[across.metric]), y(best.metrics[up.metric]))
        picture.add("circle", cx=here[0], cy=here[1], r=9, class_="ring")
    return str(picture)


def curve(trial: Trial, metric: str) -> str | None:
    """A metric over the epochs of one trial; None when it was not reported so."""
    points = [(point["epoch"], point[metric]) for point in trial.curve if "epoch" in point and metric in point]
    if len(points) < 2:
        return None
    x = scale([epoch for epoch, _ in points], LEFT, WIDTH - RIGHT, log=False, pad=0.03)
    y = scale([value for _, value in points], HEIGHT - BOTTOM, TOP, pad=0.08)
    picture = Picture(WIDTH, HEIGHT, f"{metric} over the epochs of trial {trial.number}")
    picture.axes(x, y, "epoch", metric, [tick for tick in x.ticks() if tick == int(tick)])
    picture.line([(x(epoch), y(value)) for epoch, value in points], "best-line")
    for epoch, value in points:
        picture.dot(x(epoch), y(value), f"epoch {epoch:g}: {metric} {exact(value)}", "point record", 3)
    return str(picture)


def decision(effect: DecisionEffect, objective: Objective) -> str:
    """An objective by the picks of one decision."""
    return _scatter(effect, objective) if effect.is_number else _strips(effect, objective)


def _strips(effect: DecisionEffect, objective: Objective) -> str:
    """A row a pick: a dot a trial, a bar at the mean."""
    groups: dict[str, list[float]] = {}
    for pick, value in sorted(effect.values, key=lambda pair: (isinstance(pair[0], str), str(type(pair[0])), pair[0])):
        groups.setdefault(pick_text(pick), []).append(value)
    if len(groups) > 12:
        kept = sorted(groups, key=lambda name: len(groups[name]), reverse=True)[:12]
        groups = {name: groups[name] for name in groups if name in kept}
    label = min(max(max(map(len, groups)) * 7.2 + 14, 44), 130)
    bottom = 10 + ROW * len(groups)
    x = scale([value for _, value in effect.values], label, STRIP_WIDTH - 12)
    picture = Picture(
        STRIP_WIDTH,
        bottom + 36,
        f"{objective.metric} by {effect.address}",
        "; ".join(f"{name}: mean {short(fmean(values))} of {len(values)}" for name, values in groups.items()),
    )
    for tick in x.ticks(4):
        picture.add("line", x1=x(tick), x2=x(tick), y1=6, y2=bottom, class_="grid")
        picture.add("text", short(tick), x=x(tick), y=bottom + 16, class_="tick middle")
    for row, (name, values) in enumerate(groups.items()):
        middle = 10 + ROW * (row + 0.5)
        text = name if len(name) <= 16 else name[:15] + "…"
        picture.add("text", text, x=label - 10, y=middle + 4, class_="tick end")
        for place, value in enumerate(values):
            jitter = ((place * 0.618034) % 1 - 0.5) * 8
            picture.dot(x(value), round(middle + jitter, 2), f"{name}: {objective.metric} {exact(value)}", "point", 3)
        mean = x(fmean(values))
        picture.add("line", x1=mean, x2=mean, y1=middle - 9, y2=middle + 9, class_="mean")
    picture.add("text", objective.metric, x=STRIP_WIDTH - 12, y=bottom + 32, class_="name end")
    return str(picture)


def _scatter(effect: DecisionEffect, objective: Objective) -> str:
    """Picks across, the objective up."""
    width, height = STRIP_WIDTH, 220.0
    x = scale([pick for pick, _ in effect.values], LEFT, width - RIGHT)
    y = scale([value for _, value in effect.values], height - BOTTOM, TOP, pad=0.08)
    picture = Picture(width, height, f"{objective.metric} by {effect.address}")
    picture.axes(x, y, effect.address.rpartition(".")[2], objective.metric, x.ticks(4))
    for pick, value in effect.values:
        if math.isfinite(pick):
            picture.dot(x(pick), y(value), f"{pick_text(pick)}: {objective.metric} {exact(value)}", "point", 3)
    return str(picture)


def _axis_name(objective: Objective) -> str:
    return f"{objective.metric} ({'higher' if objective.maximize else 'lower'} is better)"
