"""The pictures of a bench: regrets with their bands, and times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs
import numpy as np

from archlang.bench.run import Run
from archlang.bench.statistics import Array, band
from archlang.bench.summary import Row, curve
from archlang.report.numbers import short
from archlang.report.svg import Picture, Scale, scale

WIDTH, HEIGHT = 540.0, 340.0
LEFT, RIGHT, TOP, BOTTOM = 62.0, 14.0, 34.0, 48.0
POINTS = 80
COLOURS, DASHES = 9, 4  # as many as the style sheet has
ROW = 22.0
LOG_RATIO = 4.0  # between the largest and the least regret shown


@attrs.frozen
class Line:
    """A curve with its band, as far as all of its runs have a value."""

    xs: Array
    value: Array
    low: Array
    high: Array


def styles(searchers: Sequence[str], baseline: str) -> dict[str, str]:
    """The classes of a searcher's marks: a colour and a dash pattern, the baseline's its own."""
    others = [name for name in searchers if name != baseline]
    found = {name: f"c{place % COLOURS} d{place % DASHES}" for place, name in enumerate(others)}
    return {**found, baseline: "base"}


def regret_chart(
    rows: Sequence[Row],
    classes: Mapping[str, str],
    floor: float,
    title: str,
    statistic: str = "mean",
    over: str = "spent",
    unit: str = "regret",
) -> str:
    """The regret over what was spent (evaluations, or simulated seconds), a line a searcher with its band."""
    lines = {row.searcher: line for row in rows if (line := _line(row.runs, statistic, over)) is not None}
    if not lines:
        return ""
    values = np.concatenate([line.value for line in lines.values()])
    y = regret_scale([*values.tolist(), *([floor] if floor > 0 else [])], HEIGHT - BOTTOM, TOP)
    ends = [float(line.xs[place]) for line in lines.values() for place in (0, -1)]
    x = scale(ends, LEFT, WIDTH - RIGHT, log=over == "seconds", pad=0.0)
    picture = Picture(
        WIDTH,
        HEIGHT,
        title,
        "; ".join(f"{name}: {short(float(line.value[-1]))} at the end" for name, line in lines.items()),
    )
    picture.axes(
        x, y, "full evaluations" if over == "spent" else "simulated seconds", f"{statistic} {unit}", x.ticks(8)
    )
    if floor > 0:
        picture.add("line", x1=LEFT, x2=WIDTH - RIGHT, y1=y(floor), y2=y(floor), class_="floor")
        picture.add("text", "best of what is told", x=LEFT + 6, y=y(floor) - 5, class_="tick")
    for name in [name for name in classes if name in lines]:
        _draw(picture, lines[name], x, y, classes[name], name)
    return str(picture)


def _line(runs: Sequence[Run], statistic: str, over: str) -> Line | None:
    if over == "spent":
        ends = [float(run.evaluations) for run in runs]
        xs = np.unique(np.round(np.linspace(1, ends[0], POINTS)))
    else:
        # No further than all runs went: beyond, the mean would be one of runs that ended.
        ends = [run.seconds for run in runs if run.seconds]
        starts = [run.steps[0].seconds for run in runs if run.steps and run.steps[0].seconds]
        if len(ends) < len(runs) or len(starts) < len(runs):
            return None
        xs = np.geomspace(max(starts), min(ends), POINTS) if min(ends) > max(starts) else np.array([max(starts)])
    values, known = curve(runs, xs, over)
    if not known.any():
        return None
    return Line(xs[known], *band(values[:, known], statistic))


def regret_scale(values: Sequence[float], start: float, end: float) -> Scale:
    """A scale for regrets, logarithmic where they differ much; regrets of 0 are then on its edge."""
    positive = [value for value in values if value > 0]
    if not positive or min(values) < 0 or max(positive) / min(positive) < LOG_RATIO:
        return scale([0.0, *values] if min(values) >= 0 else values, start, end, log=False)
    return scale([max(min(positive), max(positive) * 1e-5), max(positive)], start, end, log=True)


def _draw(picture: Picture, line: Line, x: Scale, y: Scale, class_: str, name: str) -> None:
    def points(values: Array) -> list[tuple[float, float]]:
        clipped = np.clip(values, y.low, y.high)
        return [(x(float(a)), y(float(b))) for a, b in zip(line.xs, clipped, strict=True)]

    around = [*points(line.low), *reversed(points(line.high))]
    with picture.group(f"series {class_}", name):
        picture.add("polygon", points=" ".join(f"{a},{b}" for a, b in around), class_="band")
        picture.line(points(line.value), "curve")


def time_chart(rows: Sequence[Row], classes: Mapping[str, str], title: str) -> str:
    """The time of an ask and a tell, a row a searcher: the mean as a dot, and up to what 95 % take."""
    times = {row.searcher: row.milliseconds for row in rows}
    label = min(max(max(map(len, times)) * 6.6 + 14, 60), 240)
    bottom = 12 + ROW * len(times)
    shown = [max(value, 1e-4) for pair in times.values() for value in pair]
    x = scale(shown, label, WIDTH - RIGHT, log=max(shown) / min(shown) > LOG_RATIO)
    picture = Picture(WIDTH, bottom + 40, title)
    for tick in x.ticks(5):
        picture.add("line", x1=x(tick), x2=x(tick), y1=8, y2=bottom, class_="grid")
        picture.add("text", short(tick), x=x(tick), y=bottom + 16, class_="tick middle")
    for place, (name, (mean, p95)) in enumerate(times.items()):
        middle = 12 + ROW * (place + 0.5)
        text = name if len(name) <= 36 else name[:35] + "…"
        picture.add("text", text, x=label - 10, y=middle + 4, class_="tick end")
        with picture.group(f"series {classes[name]}", name):
            ends = sorted((x(max(mean, 1e-4)), x(max(p95, 1e-4))))
            picture.add("line", x1=ends[0], x2=ends[1], y1=middle, y2=middle, class_="curve")
            tip = f"{name}: {short(mean)} ms, 95 % below {short(p95)} ms"
            picture.dot(x(max(mean, 1e-4)), middle, tip, "mark", 4.5)
    picture.add("text", "ms of CPU for an ask and a tell", x=WIDTH - RIGHT, y=bottom + 34, class_="name end")
    return str(picture)


def swatch(class_: str) -> str:
    """A short piece of a searcher's line, for tables and legends."""
    return (
        f'<svg class="swatch series {class_}" viewBox="0 0 30 10" aria-hidden="true">'
        '<line x1="1" x2="29" y1="5" y2="5" class="curve"/></svg>'
    )


__all__ = ["regret_chart", "regret_scale", "styles", "swatch", "time_chart"]
