"""The command that measures searchers: bench."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from archlang.cli.common import as_json, print_json, searchers_by_kind
from archlang.diagnostics import ArchError, error

if TYPE_CHECKING:
    from archlang.bench.run import Entry, Run, Task

DATA_VARIABLE = "ARCHLANG_DATA"
ON_TABLES = ("nb201-c10", "nbmacro", "nb201-c10-macs", "nb201-c10-epochs", "synthetic-mixed")
WITHOUT_TABLES = ("synthetic-mixed", "synthetic-conditional", "synthetic-subset", "synthetic-order")
SEARCHERS = ("random", "evolution", "local-search", "mcts", "tpe", "smbo")


def bench_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """What a bench is to run, and where its results go."""
    for option in (
        as_json,
        click.option(
            "--results", metavar="PATH", help="Keep runs in this file of JSON lines; those it has are not done again."
        ),
        click.option(
            "-o", "--output", metavar="PATH", default="runs/bench.html", show_default=True, help="Write the page here."
        ),
        click.option(
            "--data", metavar="FOLDER", help=f"The folder of benchmark tables.  [default: that of {DATA_VARIABLE}]"
        ),
        click.option("--jobs", type=click.IntRange(min=1), default=1, show_default=True, help="Processes at a time."),
        click.option(
            "--evaluations",
            type=click.IntRange(min=1),
            default=150,
            show_default=True,
            help="Full evaluations of a run; a shorter one counts by its share.",
        ),
        click.option(
            "--seeds", type=click.IntRange(min=1), default=10, show_default=True, help="Runs of each searcher."
        ),
        click.option(
            "--problem",
            "problems",
            multiple=True,
            metavar="NAME",
            help="A problem (repeatable).  [default: some of several kinds]",
        ),
    ):
        command = option(command)
    return command


@click.command()
@bench_options
@click.option(
    "--searcher", "searchers", multiple=True, metavar="RECIPE", help="A searcher (repeatable).  [default: some]"
)
@click.option("--list", "listed", is_flag=True, help="List the problems and the searchers.")
def bench(searchers: tuple[str, ...], listed: bool, **options: Any) -> None:
    """Measure searchers on problems whose best outcome is known.

    Regret is how far from the best outcome a search is. Stop it at any time: with --results the same
    command goes on where it was.

    \b
    archlang bench --list
    archlang bench --problem synthetic-mixed --seeds 3 --evaluations 100
    archlang bench --problem synthetic-order --searcher random --searcher 'evolution(population=50)' \\
      --seeds 3 --evaluations 100 --jobs 1 --results bench.jsonl -o bench.html
    """
    if listed:
        _list(options["json_output"])
        return
    from archlang.bench.run import Entry

    run_bench([Entry.of(text) for text in dict.fromkeys(searchers or SEARCHERS)], **options)


def _list(json_output: bool) -> None:
    from archlang.bench.problems import PROBLEMS, problem
    from archlang.searchers.registry import SEARCHERS as names

    titles = {name: problem(name).title for name in PROBLEMS}
    if json_output:
        print_json({"problems": titles, "searchers": list(names)})
        return
    width = max(map(len, titles))
    click.echo("\n".join(f"{name:{width}}  {title}" for name, title in titles.items()))
    click.echo(f"\n{searchers_by_kind()}")


def run_bench(
    entries: Sequence[Entry],
    *,
    problems: tuple[str, ...],
    seeds: int,
    evaluations: int,
    jobs: int,
    data: str | None,
    output: str,
    results: str | None,
    json_output: bool,
) -> None:
    """Run a bench, print what came out, and write the page. ArchError (E0923) when no run succeeded."""
    from archlang.bench.page import bench_page
    from archlang.bench.problems import problem
    from archlang.bench.runner import tasks
    from archlang.bench.summary import summary
    from archlang.report.page import write_page

    names = problems or (ON_TABLES if data or os.environ.get(DATA_VARIABLE) else WITHOUT_TABLES)
    wanted = tasks([problem(name, data).name for name in dict.fromkeys(names)], list(entries), seeds, evaluations, data)
    runs = _watched(wanted, jobs, results, quiet=json_output)
    if not any(run.steps for run in runs):
        notes = list(dict.fromkeys(run.error for run in runs if run.error))[:5]
        raise ArchError(error("E0923", "no run of the bench succeeded", notes=notes))
    found = summary(runs)
    page = write_page(bench_page(found, data), output)
    if json_output:
        print_json(found.as_dict())
    else:
        from rich.console import Console

        from archlang.bench.text import overview

        Console().print(overview(found))
    left = len(wanted) - len(runs)
    if left:
        click.echo(f"interrupted: {left} of {len(wanted)} runs were not done", err=json_output)
    click.echo(f"page        {page}", err=json_output)


def _watched(wanted: Sequence[Task], jobs: int, results: str | None, quiet: bool) -> list[Run]:
    """The runs, with a bar of progress, and the failures as they come."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from archlang.bench.runner import bench, missing

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    left = len(missing(wanted, results))
    with Progress(*columns, console=Console(stderr=True), disable=quiet, transient=True) as progress:
        bar = progress.add_task("runs", total=len(wanted), completed=len(wanted) - left)
        told: set[tuple[str, str]] = set()

        def watch(run: Run) -> None:
            progress.update(bar, advance=1, description=f"{run.problem}: {run.searcher}")
            if run.error and (run.problem, run.searcher) not in told and not quiet:
                told.add((run.problem, run.searcher))
                progress.console.print(f"{run.searcher} failed on {run.problem}: {run.error}", markup=False)

        return bench(wanted, jobs, results, watch)
