"""The command that measures: profile."""

from __future__ import annotations

import time

import click

from archlang.cli.common import Settings, as_json, file_argument, open_space, print_json


@click.command()
@file_argument
@click.option("-o", "--output", required=True, metavar="PATH", help="The table; rows that it has are kept.")
@click.option("--backend", default="torch", show_default=True, help="The framework that runs the ops.")
@click.option("--device", default="cpu", show_default=True, help="Where they run: cpu, cuda, …")
@click.option("--batch", default=1, show_default=True, type=click.IntRange(min=1), help="Samples at a time.")
@click.option("--threads", default=1, show_default=True, type=click.IntRange(min=1), help="Threads of the CPU.")
@click.option("--repeats", default=30, show_default=True, type=click.IntRange(min=1), help="Runs of each op.")
@click.option(
    "--programs", default=30, show_default=True, type=click.IntRange(min=0), help="Whole programs to fit the sum to."
)
@click.option("--seed", default=0, show_default=True, help="Draw these programs by this seed.")
@as_json
def profile(
    file: str,
    settings: Settings,
    output: str,
    backend: str,
    device: str,
    batch: int,
    threads: int,
    repeats: int,
    programs: int,
    seed: int,
    json_output: bool,
) -> None:
    """Measure how long every op of a space takes here, as a table for `latency`.

    Stop it at any time: the same command goes on where it was. Tables that FILE itself reads count
    as 0 meanwhile.

    \b
    archlang profile net.arch -o cpu.csv
    archlang profile net.arch -o batches.csv --batch 32 --threads 2 --programs 10
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    from archlang.cost.table import SCALE
    from archlang.evaluate.profiling import FITTED, Timing
    from archlang.evaluate.profiling import profile as run

    space = open_space(file, settings, tables=False)
    timing = Timing(backend, device, threads, batch, repeats, programs, seed)
    console = Console(stderr=True)
    columns = TextColumn("[bold]{task.description}"), BarColumn(bar_width=24), MofNCompleteColumn(), TimeElapsedColumn()
    started = time.monotonic()
    with Bars(*columns, console=console, disable=json_output or not console.is_terminal) as bars:
        tasks = {what: bars.add_task(what, total=None) for what in ("operations", "programs")}
        try:
            table = run(
                space, output, timing, lambda what, done, of: bars.update(tasks[what], completed=done, total=of)
            )
        except KeyboardInterrupt:
            raise click.ClickException(f"interrupted: the same command goes on with {output}") from None
    if json_output:
        found = {"rows": len(table.rows), "info": dict(table.info), "slopes": dict(table.slopes)}
        print_json({"table": output, **found, "intercept": table.intercept / SCALE})
        return
    seconds = time.monotonic() - started
    click.echo(f"{output}: {len(table.rows):,} rows, {table.info['profiled']}, in {seconds:.0f} s")
    click.echo(f"{table.info['backend']} on {table.info['device']}, batch {batch}, {table.info['clock']}")
    click.echo(f"fitted on {table.info.get(FITTED, 'no programs: what ops take by themselves is added up')}")
