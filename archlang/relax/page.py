"""The training of a supernet as one HTML page: how it went, and what the decisions came to."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from archlang.relax.agreement import Agreement
from archlang.relax.history import Epoch
from archlang.relax.outcome import Relaxed
from archlang.report.charts import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH
from archlang.report.numbers import duration, exact, pick_text, short
from archlang.report.page import figure, header, page, write_page
from archlang.report.svg import Picture, scale

SHOWN_DECISIONS = 30
ENTROPY = "entropy of the mixture, of 1"
BAND_WIDTH, BAND_HEIGHT = 360.0, 190.0
HUES = (220, 22, 150, 275, 45, 190, 330, 95)  # of bands, told apart also by their order and their tips

STYLE = "".join(
    f".band-{place} {{ fill: hsl({hue} 62% 55%); fill-opacity: .8; stroke: var(--paper); stroke-width: .6; }}"
    for place, hue in enumerate(HUES)
)


def write_relaxed(outcome: Relaxed, path: str | Path, against: Agreement | None = None) -> Path:
    """Write the page; ArchError (E0915) when that fails."""
    return write_page(relaxed_page(outcome, against), path)


def relaxed_page(outcome: Relaxed, against: Agreement | None = None) -> str:
    """The page as text, with how programs fare alone where that is known."""
    sections = [_head(outcome), _warnings(outcome), _charts(outcome.history), _programs(outcome), _decisions(outcome)]
    if against is not None:
        sections.append(_agreement(against))
    best = outcome.best
    if best is not None:
        sections.append(f"<section><h2>The best program</h2><pre>{escape(best.source())}</pre></section>")
    settings = {name: value for name, value in outcome.record.items() if name not in ("space", "history", "found")}
    sections.append(f"<section><h2>Settings</h2><pre>{escape(json.dumps(settings, indent=2))}</pre></section>")
    return page(f"{outcome.record['method']} on {outcome.space.name}", sections, STYLE)


def _head(outcome: Relaxed) -> str:
    seconds = sum(epoch.seconds for epoch in outcome.history)
    weights = sum(
        spec.elements for shared in outcome.supernet.varied.weights.values() for spec in shared.specs.values()
        if spec.trained
    )  # fmt: skip
    facts = [
        f"<b>{escape(outcome.record['method'])}</b> on <b>{escape(outcome.space.name)}</b>",
        f"{len(outcome.history)} of {outcome.session.method.epochs} epochs",
        f"{short(weights)} shared weights",
        duration(seconds),
        *(["interrupted"] if outcome.interrupted else []),
    ]
    return header("archlang supernet", f"{outcome.record['method']} on {outcome.space.name}", facts)


def _warnings(outcome: Relaxed) -> str:
    items = "".join(f"<li>{escape(text)}</li>" for text in outcome.warnings)
    return f"<section><h2>Warnings</h2><ul>{items}</ul></section>" if items else ""


def _charts(history: Sequence[Epoch]) -> str:
    if len(history) < 2:
        return ""
    curves: dict[str, dict[int, float]] = {"training loss": {epoch.number + 1: epoch.loss for epoch in history}}
    for name in history[-1].metrics:
        curves[f"validation {name}"] = {e.number + 1: e.metrics[name] for e in history if name in e.metrics}
    entropy = {epoch.number + 1: epoch.entropy for epoch in history if epoch.entropy is not None}
    if entropy:
        curves[ENTROPY] = {number: value for number, value in entropy.items()}
    pictures = [figure(_curve(values, name), name) for name, values in curves.items() if len(values) > 1]
    return f'<section><h2>Training</h2><div class="charts">{"".join(pictures)}</div></section>'


def _curve(values: Mapping[int, float], name: str) -> str:
    x = scale([*values], LEFT, WIDTH - RIGHT, log=False, pad=0.03)
    whole = [0.0, 1.0] if name == ENTROPY else []  # which small changes are to be seen against
    y = scale([*values.values(), *whole], HEIGHT - BOTTOM, TOP, pad=0.08)
    picture = Picture(WIDTH, HEIGHT, f"{name} over the epochs")
    picture.axes(x, y, "epoch", name, [tick for tick in x.ticks() if tick == int(tick) and tick > 0])
    picture.line([(x(number), y(value)) for number, value in values.items()], "best-line")
    for number, value in values.items():
        picture.dot(x(number), y(value), f"epoch {number}: {name} {exact(value)}", "point record", 3)
    return str(picture)


def _programs(outcome: Relaxed) -> str:
    if not outcome.found:
        return ""
    names = list(dict.fromkeys(name for found in outcome.found for name in found.metrics))
    heads = "".join(f'<th class="num">{escape(name)}</th>' for name in names)
    rows = []
    for place, found in enumerate(outcome.found[:20], 1):
        cells = "".join(
            f'<td class="num">{exact(found.metrics[name]) if name in found.metrics else ""}</td>' for name in names
        )
        picks = " ".join(
            f'<span class="pick">{escape(address)}=<b>{escape(pick_text(pick))}</b></span>'
            for address, pick in found.choices.items()
        )
        rows.append(f'<tr><td class="num">{place}</td>{cells}<td>{picks}</td></tr>')
    return (
        '<section><h2>Selected programs</h2><p class="note">Metrics with the shared weights.</p><div class="wide">'
        f"<table><thead><tr><th></th>{heads}<th>choices</th></tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
        "</section>"
    )


def _agreement(found: Agreement) -> str:
    """Each program by what it measures with the shared weights and alone."""
    across, up = found.shared.metric, found.alone.metric
    x = scale([program.shared for program in found.programs], LEFT, WIDTH - RIGHT)
    y = scale([program.alone for program in found.programs], HEIGHT - BOTTOM, TOP, pad=0.08)
    picture = Picture(WIDTH, HEIGHT, f"{up} alone against {across} with the shared weights", found.summary)
    picture.axes(x, y, f"{across} with the shared weights", f"{up} alone")
    for program in found.programs:
        tip = f"trial {program.trial}: {across} {exact(program.shared)} shared, {up} {exact(program.alone)} alone"
        picture.dot(x(program.shared), y(program.alone), tip, "point")
    drawn = figure(str(picture), "shared weights and programs alone")
    return f'<section><h2>Shared against alone</h2><p class="note">{escape(found.summary)}.</p>{drawn}</section>'


def _decisions(outcome: Relaxed) -> str:
    """What each decision came to: its likelihoods over the epochs as bands, those that moved most first."""
    history = [epoch for epoch in outcome.history if epoch.likelihoods]
    if len(history) < 2:
        return ""
    labels = {question.name: question.labels for question in outcome.session.questions}
    last = history[-1].likelihoods
    names = sorted(last, key=lambda name: (-max(last[name]), name))[:SHOWN_DECISIONS]
    pictures = [
        figure(_bands(history, name, labels[name]), name, _likeliest(last[name], labels[name])) for name in names
    ]
    more = f"<small>{SHOWN_DECISIONS} of {len(last)}</small>" if len(last) > SHOWN_DECISIONS else ""
    note = "How likely each alternative is after each epoch; the surest decisions come first."
    return (
        f'<section><h2>Decisions{more}</h2><p class="note">{note}</p>'
        f'<div class="small-charts">{"".join(pictures)}</div></section>'
    )


def _likeliest(shares: Sequence[float], labels: Sequence[str]) -> str:
    best = max(range(len(shares)), key=shares.__getitem__)
    return f"{labels[best]} {shares[best]:.0%}"


def _bands(history: Sequence[Epoch], name: str, labels: Sequence[str]) -> str:
    x = scale([epoch.number + 1 for epoch in history], 8, BAND_WIDTH - 8, log=False, pad=0)
    top, bottom = 8.0, BAND_HEIGHT - 26
    picture = Picture(
        BAND_WIDTH, BAND_HEIGHT, f"likelihoods of {name}", _likeliest(history[-1].likelihoods[name], labels)
    )
    totals = [max(sum(epoch.likelihoods[name]), 1e-12) for epoch in history]
    below = [0.0] * len(history)
    for place, label in enumerate(labels):
        above = [b + epoch.likelihoods[name][place] / t for b, epoch, t in zip(below, history, totals, strict=True)]
        edge = [(x(e.number + 1), round(bottom - a * (bottom - top), 2)) for e, a in zip(history, above, strict=True)]
        base = [(x(e.number + 1), round(bottom - b * (bottom - top), 2)) for e, b in zip(history, below, strict=True)]
        points = " ".join(f"{a},{b}" for a, b in [*edge, *reversed(base)])
        with picture.group(
            f"band-{place % len(HUES)}", f"{label}: {history[-1].likelihoods[name][place]:.1%} at the end"
        ):
            picture.add("polygon", points=points)
        if above[-1] - below[-1] > 0.1:
            middle = bottom - (above[-1] + below[-1]) / 2 * (bottom - top)
            picture.add("text", label, x=BAND_WIDTH - 14, y=round(middle + 4, 2), class_="name end")
        below = above
    for tick in [tick for tick in x.ticks(4) if tick == int(tick)]:
        picture.add("text", short(tick), x=x(tick), y=BAND_HEIGHT - 8, class_="tick middle")
    return str(picture)
