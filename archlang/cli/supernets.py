"""What `search`, `resume` and `report` do with methods that train a supernet."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from archlang.cli.common import open_space, print_json, write_text

if TYPE_CHECKING:
    from archlang.cli.common import Settings
    from archlang.relax.outcome import Relaxed

SUFFIX = ".supernet"


def is_supernet(store: str) -> bool:
    """Whether a store is the file of a supernet's training."""
    return store.endswith(SUFFIX)


def train_supernet(
    file: str,
    settings: Settings,
    data: str,
    method: str,
    changes: dict[str, Any],
    store: str | None,
    seed: int,
    json: bool,
) -> None:
    """Train a supernet by a method, and hand over what it found."""
    from archlang.relax.run import train_supernet as run

    space = open_space(file, settings)
    where = store or f"runs/{space.name}-{method}{SUFFIX}"
    outcome = run(space, data, method=method, settings=changes, store=where, seed=seed, progress=not json)
    hand_over(outcome, where, json)


def resume_supernet(store: str, json: bool) -> None:
    """Go on with a training."""
    from archlang.relax.run import resume

    hand_over(resume(store, progress=not json), store, json)


def hand_over(outcome: Relaxed, store: str, json: bool) -> None:
    """Print the outcome; write the report, and the best program with its weights, beside the store."""
    from archlang.ir.weights import write_weights
    from archlang.relax.page import write_relaxed
    from archlang.relax.progress import shown_epoch

    beside = Path(store).with_suffix("")
    notes = [f"supernet    {store}", f"report      {write_relaxed(outcome, beside.with_name(beside.name + '.html'))}"]
    if json:
        print_json(outcome.as_dict())
    elif outcome.history:
        click.echo(f"{len(outcome.history)} epochs; the last: {shown_epoch(outcome.history[-1])}")
    for text in outcome.warnings:
        click.echo(f"warning: {text}", err=True)
    best, inherited = outcome.best, outcome.inherited
    if best is not None and inherited is not None:
        if not json:
            metrics = ", ".join(f"{name} {value:,.6g}" for name, value in outcome.found[0].metrics.items())
            click.echo(
                f"the best of {len(outcome.found)} selected{': ' + metrics if metrics else ''}\n\n{best.source()}"
            )
        text, weights = f"{beside}_best.arch", f"{beside}_best.safetensors"
        write_text(text, best.source(), quiet=True)
        write_weights(weights, inherited.weights)
        notes += [f"program     {text}", f"weights     {weights}  (inherited: for the program as the supernet has it)"]
    if outcome.interrupted:
        notes.append(f"interrupted: go on with `archlang resume {store}`")
    click.echo("\n".join(notes), err=json)
