"""What `search`, `resume` and `report` do with methods that train a supernet."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from archlang.cli.common import open_space, print_json, write_text
from archlang.diagnostics import ArchError, did_you_mean, error

if TYPE_CHECKING:
    from archlang.cli.common import Settings
    from archlang.relax.outcome import Relaxed
    from archlang.study import Study

SUFFIX = ".supernet"
HOW = ("backend", "device", "threads", "loss", "validation")  # settings of a training that are no method's


def is_supernet(store: str) -> bool:
    """Whether a store is the file of a supernet's training."""
    return store.endswith(SUFFIX)


def train_supernet(
    file: str,
    settings: Settings,
    data: str,
    method: str,
    changes: dict[str, Any],
    how: dict[str, Any],
    store: str | None,
    seed: int,
    json: bool,
) -> None:
    """Train a supernet by a method, whose settings are changed, and hand over what it found; `how` are the other
    settings of the training."""
    from archlang.relax.run import train_supernet as run

    for unknown in [name for name in how if name not in HOW]:
        hints = did_you_mean(unknown, HOW) or (f"it is one of {', '.join(HOW)}; the method's own go with --search",)
        raise ArchError(error("E1002", f"the training of a supernet has no setting `{unknown}`", hints=hints))
    space = open_space(file, settings)
    where = store or f"runs/{space.name}-{method}{SUFFIX}"
    outcome = run(space, data, method=method, settings=changes, store=where, seed=seed, progress=not json, **how)
    hand_over(outcome, where, json)


def resume_supernet(store: str, json: bool) -> None:
    """Go on with a training."""
    from archlang.relax.run import resume

    hand_over(resume(store, progress=not json), store, json)


def report_supernet(store: str, study: Study | None, output: str | None, text: bool, json: bool) -> None:
    """Show a training, against a study where there is one."""
    from archlang.relax.page import write_relaxed
    from archlang.relax.run import read_supernet

    outcome = read_supernet(store)
    found = None if study is None else outcome.against(study)
    if json:
        print_json({**outcome.as_dict(), **({} if found is None else {"against": found.as_dict()})})
        return
    _show(outcome)
    if found is not None:
        click.echo(f"\nagainst {found.summary}")
    if not text:
        click.echo(f"report      {write_relaxed(outcome, output or _beside(store, '.html'), found)}")


def _beside(store: str, ending: str) -> str:
    return str(Path(store).with_suffix("")) + ending


def _show(outcome: Relaxed) -> None:
    """Print how the training went, and the best program."""
    from archlang.relax.progress import shown_epoch

    if outcome.history:
        click.echo(f"{len(outcome.history)} epochs; the last: {shown_epoch(outcome.history[-1])}")
    for text in outcome.warnings:
        click.echo(f"warning: {text}", err=True)
    if outcome.best is not None:
        metrics = ", ".join(f"{name} {value:,.6g}" for name, value in outcome.found[0].metrics.items())
        click.echo(
            f"the best of {len(outcome.found)} selected{': ' + metrics if metrics else ''}\n\n{outcome.best.source()}"
        )


def hand_over(outcome: Relaxed, store: str, json: bool) -> None:
    """Print the outcome; write the report, and the best program with its weights, beside the store."""
    from archlang.ir.weights import write_weights
    from archlang.relax.page import write_relaxed

    notes = [f"supernet    {store}", f"report      {write_relaxed(outcome, _beside(store, '.html'))}"]
    if json:
        print_json(outcome.as_dict())
    else:
        _show(outcome)
    best, inherited = outcome.best, outcome.inherited
    if best is not None and inherited is not None:
        text, weights = _beside(store, "_best.arch"), _beside(store, "_best.safetensors")
        write_text(text, best.source(), quiet=True)
        write_weights(weights, inherited.weights)
        notes += [f"program     {text}", f"weights     {weights}  (inherited: for the program as the supernet has it)"]
    if outcome.interrupted:
        notes.append(f"interrupted: go on with `archlang resume {store}`")
    click.echo("\n".join(notes), err=json)
