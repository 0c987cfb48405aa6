"""`python -m benchmarks.conversion`: which models that others wrote are converted, as a table.

Every model is in a process of its own, so that what one takes is no other's, and one that hangs is a failure.
"""

from __future__ import annotations

import json
import multiprocessing as mp
import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import click

SETS = ("zoo", "held-back")
SECONDS = 600.0


def models(chosen: str) -> Mapping[str, Any]:
    """What makes each model of a set."""
    from tests.conversion.held_back import HELD_BACK
    from tests.conversion.zoo import WHOLE

    return HELD_BACK if chosen == "held-back" else WHOLE


def converted(chosen: str, name: str, folder: str | None = None) -> dict[str, Any]:
    """What the conversion of a model says, as plain data; `folder` takes its text."""
    import torch

    import archlang as al
    from archlang.diagnostics import ArchError
    from tests.conversion.models import randomised

    torch.manual_seed(0)
    torch.set_num_threads(1)
    model, given = models(chosen)[name]()
    model = randomised(model)
    row: dict[str, Any] = {"model": name, "parameters": sum(weight.numel() for weight in model.parameters())}
    try:
        found = al.convert(model, given, name=name)
    except ArchError as failure:
        first = failure.diagnostics[0]
        return {**row, "failure": " ".join([f"{first.code}: {first.message}", *first.notes])}
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        (Path(folder) / f"{name}.arch").write_text(found.text, encoding="utf-8")
    return {
        **row,
        "converted": found.params,
        "unused": found.unused,
        "lines": len([line for line in found.text.splitlines() if line.strip()]),
        "difference": found.relative,
        "macs": found.macs,
        "model_macs": found.model_macs,
        "opaque": [f"{part.kind.rpartition('.')[2]} ({part.reason})" for part in found.opaque],
        "notes": list(found.notes),
    }


def _work(chosen: str, name: str, folder: str | None, pipe: Any) -> None:
    start = time.monotonic()
    try:
        row = converted(chosen, name, folder)
    except Exception as failure:
        said = str(failure).strip().partition("\n")[0]
        row = {"model": name, "failure": f"{type(failure).__name__}: {said}"}
        if os.environ.get("TRACE"):
            import traceback

            traceback.print_exc()
    pipe.send({**row, "seconds": time.monotonic() - start})


def tried(chosen: str, name: str, folder: str | None = None, seconds: float = SECONDS) -> dict[str, Any]:
    """The same of a process of its own."""
    ours, theirs = mp.Pipe(duplex=False)
    process = mp.get_context("spawn").Process(target=_work, args=(chosen, name, folder, theirs))
    process.start()
    theirs.close()
    try:
        late = {"model": name, "failure": f"more than {seconds:.0f} s"}
        row: dict[str, Any] = ours.recv() if ours.poll(seconds) else late
    except EOFError:
        row = {"model": name, "failure": "the process ended"}
    process.terminate()
    process.join()
    return row


def good(row: Mapping[str, Any]) -> bool:
    """Whether nothing is missing: the same results, the same parameters but for those that decide none, and no
    part that stays a module."""
    whole = row.get("converted", 0) + row.get("unused", 0) == row.get("parameters") and not row.get("opaque")
    return "failure" not in row and whole and row["difference"] <= 1e-4


def table(rows: Iterable[Mapping[str, Any]]) -> str:
    """The rows as a table in Markdown."""
    lines = ["| model | parameters | lines | difference | what is missing |", "| --- | ---: | ---: | ---: | --- |"]
    for row in rows:
        count = f"{row['parameters']:,}" if "parameters" in row else ""
        if "failure" in row:
            lines.append(f"| {row['model']} | {count} | | | {row['failure']} |")
            continue
        missing = "; ".join(dict.fromkeys(row["opaque"]))
        if row["converted"] + row["unused"] != row["parameters"]:
            missing = "; ".join(filter(None, [f"{row['converted']:,} parameters", missing]))
        elif row["unused"]:
            missing = "; ".join(filter(None, [f"{row['unused']:,} parameters have no use", missing]))
        lines.append(f"| {row['model']} | {count} | {row['lines']} | {row['difference']:.0e} | {missing} |")
    return "\n".join(lines)


@click.command()
@click.argument("names", nargs=-1)
@click.option("--set", "chosen", type=click.Choice(SETS), default="zoo", show_default=True)
@click.option("--results", type=click.Path(path_type=Path), help="JSON lines; what is there is not tried again")
@click.option("--texts", "folder", help="a folder for the texts")
def main(names: tuple[str, ...], chosen: str, results: Path | None, folder: str | None) -> None:
    """Convert the models of a set, or those named, and print a table."""
    known = results.read_text().splitlines() if results and results.exists() else []
    done = {row["model"]: row for row in map(json.loads, known)}
    rows = []
    for name in names or models(chosen):
        if name not in done or names:
            done[name] = tried(chosen, name, folder)
            if results:
                with results.open("a") as file:
                    print(json.dumps(done[name]), file=file)
        row = done[name]
        rows.append(row)
        said = "good" if good(row) else row.get("failure") or f"{row['converted']:,} parameters; {row['opaque']}"
        click.echo(f"{name}: {said[:300]}", err=True)
    click.echo(table(rows))
    click.echo(f"\n{sum(map(good, rows))} of {len(rows)}")


if __name__ == "__main__":
    main()
