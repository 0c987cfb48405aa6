"""The command that grows and shrinks a trained network."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import click

from archlang.cli.common import Settings, file_argument, open_program, program_options, writing
from archlang.diagnostics import ArchError, did_you_mean, error
from archlang.space.program import Program

if TYPE_CHECKING:
    from archlang.morphism import Moved
    from archlang.morphism.alignment import Fill

_FORMS = {
    "widen": "widen ADDRESS SIZE",
    "narrow": "narrow ADDRESS SIZE",
    "prune": "prune SHARE",
    "deepen": "deepen ADDRESS",
    "remove": "remove ADDRESS",
    "branch": "branch ADDRESS [add|concat]",
    "merge": "merge ADDRESS",
}


@click.command()
@file_argument
@click.argument("moves", nargs=-1, required=True, metavar="MOVE...")
@program_options
@click.option("--weights", metavar="PATH", help="The program's weights, a .safetensors file.")
@click.option("--score", default="l2", show_default=True, help="What stays of what becomes fewer: l2, l1, batch_norm.")
@click.option("--fresh", is_flag=True, help="Further channels are new and not read yet, instead of copies.")
@click.option("-o", "--output", metavar="PATH", required=True, help="The .arch file to write.")
@click.option("--output-weights", metavar="PATH", help="The .safetensors file to write.")
def move(
    file: str,
    settings: Settings,
    moves: tuple[str, ...],
    choices: str | None,
    seed: int,
    weights: str | None,
    score: str,
    fresh: bool,
    output: str,
    output_weights: str | None,
) -> None:
    """Grow or shrink a program, and carry its weights: where it can, it computes what it did.

    Each MOVE is a text: `widen ADDRESS SIZE`, `narrow ADDRESS SIZE`, `prune SHARE`, `deepen ADDRESS`,
    `remove ADDRESS`, `branch ADDRESS [add|concat]` or `merge ADDRESS`. Addresses are those of `archlang show --flat`.

    \b
    archlang move std.models.resnet:resnet18 'deepen resnet/stage[3]/residual[1]' 'prune 0.2' -o net.arch
    """
    from archlang.ir.weights import check_weights, read_weights, write_weights
    from archlang.morphism.moves import outputs_apart, written

    steps = [_parsed(text, score, fresh, seed) for text in moves]
    program = open_program(file, settings, choices, seed)
    if weights is not None:
        found = read_weights(weights)
        check_weights(program.graph, found)
        program = program.with_weights(found)
    before = program
    for text, step in zip(moves, steps, strict=True):
        made = step(program)
        click.echo(f"{text}: {program.cost().params:,} -> {made.program.cost().params:,} parameters", err=True)
        program = made.program
    click.echo(f"outputs differ by {outputs_apart(before, program):.1e} of the largest", err=True)
    source, carried = written(program)
    with writing(output) as target:
        target.write_text(source, encoding="utf-8")
    if output_weights is not None:
        with writing(output_weights) as target:
            write_weights(target, carried)


def _parsed(text: str, score: str, fresh: bool, seed: int) -> Callable[[Program], Moved]:
    """What a text asks for; ArchError (E0421) when it is no move."""
    from archlang import morphism

    fill: Fill = "fresh" if fresh else "copy"
    moves: dict[str, tuple[tuple[type, ...], Callable[..., Moved]]] = {
        "widen": ((str, int), partial(morphism.widen, fill=fill, seed=seed)),
        "narrow": ((str, int), partial(morphism.narrow, score=score, seed=seed)),
        "prune": ((float,), partial(morphism.prune, score=score, seed=seed)),
        "deepen": ((str,), partial(morphism.deepen, seed=seed)),
        "remove": ((str,), partial(morphism.remove, seed=seed)),
        "branch": ((str, str), lambda program, at, join="add": morphism.branch(program, at, join=join, seed=seed)),
        "merge": ((str,), morphism.merge),
    }
    name, *given = text.split() or [""]
    kinds, function = moves.get(name, ((), None))
    try:
        values = [kind(value) for kind, value in zip(kinds, given, strict=False)]
    except ValueError:
        values = []
    if function is None or len(values) != len(given) or len(given) < len(kinds) - (name == "branch"):
        hints = (f"write `{_FORMS[name]}`",) if name in _FORMS else did_you_mean(name, _FORMS)
        raise ArchError(error("E0421", f"`{text}` is no move", hints=hints or (", ".join(_FORMS.values()),)))
    return lambda program: function(program, *values)
