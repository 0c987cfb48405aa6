"""`python -m benchmarks`: all timings as a table, or as JSON."""

from __future__ import annotations

import json
import sys

import click

from benchmarks.keras_models import keras_models
from benchmarks.language import counts, moves, programs, texts
from benchmarks.latency import latency
from benchmarks.measure import Benchmark, Figure
from benchmarks.searchers import searchers
from benchmarks.spaces import budgets, compiled, distinct, errors
from benchmarks.startup import startup
from benchmarks.supernets import supernets
from benchmarks.torch_modules import torch_modules

BENCHMARKS = (
    Benchmark("startup", startup),
    Benchmark("text", texts),
    Benchmark("count", counts),
    Benchmark("move", moves),
    Benchmark("compiled", compiled),
    Benchmark("budget", budgets),
    Benchmark("errors", errors),
    Benchmark("distinct", distinct),
    Benchmark("searchers", searchers),
    Benchmark("program", programs),
    Benchmark("torch", torch_modules),
    Benchmark("supernets", supernets),
    Benchmark("keras", keras_models),
    Benchmark("latency", latency),
)
HEADER = f"{'':36}{'min':>9}{'median':>9}{'max':>9}{'by hand':>10}{'ratio':>8}   aim"


@click.command()
@click.option(
    "--only",
    multiple=True,
    type=click.Choice([benchmark.name for benchmark in BENCHMARKS]),
    help="Run this group (repeatable).",
)
@click.option("--repetitions", default=10, show_default=True, type=click.IntRange(min=1))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def main(only: tuple[str, ...], repetitions: int, as_json: bool) -> None:
    """Time archlang, in milliseconds; aims are for one core. Some figures take more rounds than asked for.

    \b
    python -m benchmarks
    python -m benchmarks --only torch --repetitions 30
    """
    chosen = [benchmark for benchmark in BENCHMARKS if not only or benchmark.name in only]
    data: dict[str, list[dict[str, object]]] = {}
    version = sys.version.split()[0]
    if not as_json:
        click.echo(
            f"milliseconds of CPU (of whole processes: of the clock); Python {version}, {repetitions} rounds\n{HEADER}"
        )
    for benchmark in chosen:
        for figure in benchmark.run(repetitions):
            data.setdefault(benchmark.name, []).append(figure.as_dict())
            if not as_json:
                click.echo(_row(figure))
    if as_json:
        click.echo(json.dumps(data, indent=2))


def _row(figure: Figure) -> str:
    found = figure.as_dict()
    times = "".join(f"{found[column]:9.2f}" for column in ("min", "median", "max"))
    other = f"{found['against']:10.2f}{found['ratio']:8.3f}" if found["ratio"] is not None else " " * 18
    aim = "" if figure.aim is None else f"< {figure.aim:g}{'  MISSED' if figure.missed else ''}"
    return f"{figure.name:36}{times}{other}   {aim:16}{figure.note}".rstrip()


if __name__ == "__main__":
    main()
