"""The command that opens a fixed network up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from archlang.cli.common import Settings, as_json, file_argument, open_space, print_json
from archlang.conversion.opening import open_up
from archlang.diagnostics import ArchError, error


def _bounds(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[float, float] | None:
    """`0.5..1.5`: multiples of what is there."""
    if value is None:
        return None
    low, dots, high = value.partition("..")
    try:
        found = float(low), float(high)
    except ValueError:
        found = 0.0, 0.0
    if not dots or not 0 < found[0] <= found[1] < float("inf"):
        raise click.BadParameter(f"{value!r} are no bounds such as 0.5..1.5", ctx, param)
    return found


@click.command("open")
@file_argument
@click.option(
    "--width", metavar="LOW..HIGH", callback=_bounds, help="Sizes outside residual branches, as multiples: 0.5..1.5."
)
@click.option(
    "--expand", metavar="LOW..HIGH", callback=_bounds, help="Hidden sizes of residual branches, as multiples: 0.5..1.5."
)
@click.option("--kernel", is_flag=True, help="Kernels of convolutions that keep the size: 3, 5, 7.")
@click.option("--depth", is_flag=True, help="How many blocks of a row of like ones there are.")
@click.option("--activation", is_flag=True, help="Activations: relu, gelu, silu.")
@click.option("--attention-heads", is_flag=True, help="Numbers of attention heads.")
@click.option("--quantize", is_flag=True, help="Bits of convolutions and linear layers.")
@click.option("-o", "--output", metavar="PATH", type=click.Path(dir_okay=False), help="Where to write it.")
def open_command(file: str, settings: Settings, output: str | None, **wanted: Any) -> None:
    """Derive a space from a fixed network: rules that open some of its sizes and parts.

    The network is the first program of the space, and every program is valid: sizes that can only change
    together are one decision.

    \b
    archlang open net.arch --kernel --width 0.5..1.5 -o net_open.arch
    archlang open std.models.resnet:resnet18 --expand 0.25..1 --depth -o resnet_open.arch
    """
    folder = Path(output).parent if output is not None else Path()
    opened = open_up(open_space(file, settings), folder=folder, **wanted)
    for line in opened.left_out:
        click.echo(f"left as it is, for the network's own blocks fix it: {line}", err=True)
    if output is None:
        click.echo(opened.text, nl=False)
        return
    try:
        Path(output).write_text(opened.text, encoding="utf-8")
    except OSError as problem:
        reason = problem.strerror or str(problem)
        raise ArchError(error("E0217", f"`{output}` cannot be written: {reason}")) from None
    click.echo(f"{opened.name} is in {output}: `archlang check {output}:{opened.name}`")


@click.command()
@file_argument
@click.option(
    "--draws", default=4096, show_default=True, type=click.IntRange(min=2), help="How many programs are drawn."
)
@as_json
def suggest(file: str, settings: Settings, draws: int, json_output: bool) -> None:
    """Say which decisions of a space matter: what share of the costs' variance each explains.

    Of programs that are drawn. Decisions without a share change how accurate programs are, or nothing.

    \b
    archlang suggest examples/digits.arch
    """
    from rich.text import Text

    from archlang.report.tables import as_text, plain_table
    from archlang.space.shares import cost_shares

    found = cost_shares(open_space(file, settings), draws=draws)
    if json_output:
        print_json([{"decision": each.address, "shares": dict(each.shares)} for each in found])
        return
    table = plain_table(f"shares of the variance of costs, by {draws:,} programs")
    table.add_column("decision")
    names = list(found[0].shares) if found else []
    for name in names:
        table.add_column(name, justify="right")
    for each in found:
        table.add_row(Text(each.address), *(f"{each.shares[name]:.1%}" for name in names))
    click.echo(as_text(table).rstrip())
