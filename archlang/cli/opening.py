"""The command that opens a fixed network up."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import click

from archlang.cli.common import Settings, as_json, file_argument, open_space, print_json, writing
from archlang.conversion.opening import open_up
from archlang.diagnostics import ArchError, error

if TYPE_CHECKING:
    from archlang.conversion.opening.sensitivity import Sensitivities
    from archlang.space.shares import CostShare


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
@click.option("--weights", metavar="PATH", help="The network's weights, a .safetensors file.")
@click.option("--output-weights", metavar="PATH", help="Write them by the addresses of the opened network.")
def open_command(
    file: str,
    settings: Settings,
    output: str | None,
    weights: str | None,
    output_weights: str | None,
    **wanted: Any,
) -> None:
    """Derive a space from a fixed network: rules that open some of its sizes and parts.

    The network is the first program of the space, and every program is valid: sizes that can only change
    together are one decision.

    \b
    archlang open net.arch --kernel --width 0.5..1.5 -o net_open.arch
    archlang open std.models.resnet:resnet18 --expand 0.25..1 --depth -o resnet_open.arch
    """
    if (weights is None) != (output_weights is None):
        raise click.UsageError("--weights and --output-weights go together")
    folder = Path(output).parent if output is not None else Path()
    space = open_space(file, settings)
    opened = open_up(space, folder=folder, **wanted)
    if weights is not None and output_weights is not None:
        from archlang.ir.weights import read_weights, write_weights  # late, as numpy is

        carried = opened.weights(read_weights(weights))
        with writing(output_weights) as target:
            write_weights(target, carried)
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
@click.option("--data", metavar="DATA", help="Measure on a data set too what decisions do to the network.")
@click.option("--weights", metavar="PATH", help="The network's weights; without, it is trained.")
@click.option("--epochs", default=3, show_default=True, type=click.IntRange(min=1), help="Of this training.")
@click.option(
    "--samples", default=1000, show_default=True, type=click.IntRange(min=1), help="How many samples are measured on."
)
@click.option("--backend", default="torch", show_default=True, help="The backend that trains and measures.")
@as_json
def suggest(
    file: str,
    settings: Settings,
    draws: int,
    data: str | None,
    weights: str | None,
    epochs: int,
    samples: int,
    backend: str,
    json_output: bool,
) -> None:
    """Say which decisions of a space matter: to its costs, and with --data to what its network gives.

    The shares of the costs' variance that each explains, of programs that are drawn. And the accuracy that
    the space's first program, trained, loses when one decision is changed and the weights are carried over.

    \b
    archlang suggest examples/digits.arch
    archlang suggest examples/digits.arch --data digits --epochs 1
    """
    from archlang.space.shares import cost_shares

    space = open_space(file, settings)
    shares = cost_shares(space, draws=draws)
    effects = None
    if data is not None:
        from archlang.conversion.opening.sensitivity import sensitivities
        from archlang.ir.weights import read_weights

        effects = sensitivities(
            space,
            data,
            read_weights(weights) if weights is not None else None,
            epochs=epochs,
            samples=samples,
            engine=backend,
            told=lambda step: None if json_output else click.echo(f"{step} …", err=True),
        )
    if json_output:
        _print_as_json(shares, effects)
        return
    _print_shares(shares, draws)
    if effects is not None:
        _print_effects(effects)


def _print_as_json(shares: list[CostShare], effects: Sensitivities | None) -> None:
    found = [{"decision": each.address, "shares": dict(each.shares)} for each in shares]
    if effects is None:
        print_json(found)
    else:
        print_json({"costs": found, "network": attrs.asdict(effects)})


def _print_shares(shares: list[CostShare], draws: int) -> None:
    from rich.text import Text

    from archlang.report.tables import as_text, plain_table

    table = plain_table(f"shares of the variance of costs, by {draws:,} programs")
    table.add_column("decision")
    names = list(shares[0].shares) if shares else []
    for name in names:
        table.add_column(name, justify="right")
    for each in shares:
        table.add_row(Text(each.address), *(f"{each.shares[name]:.1%}" for name in names))
    click.echo(as_text(table).rstrip())


def _print_effects(effects: Sensitivities) -> None:
    from rich.text import Text

    from archlang.report.tables import as_text, plain_table

    table = plain_table(
        f"what the network loses of its accuracy of {effects.accuracy:.1%} by {effects.samples:,} samples"
    )
    for name in ("decision", "is", "becomes"):
        table.add_column(name)
    for name in ("accuracy", "loss", "MACs"):
        table.add_column(name, justify="right")
    for each in effects.decisions:
        for place, change in enumerate(each.changes):
            named = (Text(each.address), Text(each.pick)) if place == 0 else ("", "")
            numbers = f"{-change.accuracy + 0.0:+.1%}", f"{change.loss:+.3f}", f"{change.macs:.0%}"
            table.add_row(*named, Text(change.pick), *numbers)
    click.echo("\n" + as_text(table).rstrip())
