"""Commands about programs of a space: sample, show, cost, explain, emit, export."""

from __future__ import annotations

from random import Random

import click

from archlang.cli.common import (
    Settings,
    as_json,
    file_argument,
    open_program,
    open_space,
    print_json,
    program_options,
    write_text,
    writing,
)
from archlang.space.space import Space


@click.command()
@file_argument
@click.option(
    "-n", "--number", default=1, show_default=True, type=click.IntRange(min=1), help="How many programs to draw."
)
@click.option("--seed", default=0, show_default=True, help="Draw by this seed.")
@click.option("--evenly", is_flag=True, help="All programs equally likely, not the picks of each decision.")
@as_json
def sample(file: str, settings: Settings, number: int, seed: int, evenly: bool, json_output: bool) -> None:
    """Draw programs and print their choices, one JSON object a line.

    \b
    archlang sample std.spaces.nasbench201 -n 3 --seed 7
    archlang sample std.spaces.ofa_mobilenetv3 --where 'macs <= 200M' --evenly
    """
    space = open_space(file, settings)
    random = Random(seed)
    drawn = [space.draw(random, evenly) for _ in range(number)]
    if json_output:
        print_json([choices.as_dict() for choices in drawn])
        return
    for choices in drawn:
        click.echo(choices.to_json())


@click.command()
@file_argument
@program_options
@click.option("--flat", is_flag=True, help="One op a line, blocks dissolved: the text of the IR.")
@click.option("--dot", is_flag=True, help="Graphviz text, for a picture.")
@click.option("-o", "--output", metavar="PATH", help="Write to a file.")
def show(
    file: str, settings: Settings, choices: str | None, seed: int, flat: bool, dot: bool, output: str | None
) -> None:
    """Print a program as .arch text without choices.

    \b
    archlang show std.spaces.nasbench201 --seed 1
    archlang show net.arch --choices best.json --flat
    archlang show std.models.resnet:resnet18 --dot -o runs/resnet18.dot
    """
    program = open_program(file, settings, choices, seed)
    write_text(output, program.dot() if dot else program.source(flat=flat))


@click.command()
@file_argument
@program_options
@click.option("--blocks", is_flag=True, help="Costs of every block too.")
@click.option("--nodes", is_flag=True, help="Costs of every node too.")
@click.option("--bounds", is_flag=True, help="The least and greatest costs of all programs instead.")
@as_json
def cost(
    file: str,
    settings: Settings,
    choices: str | None,
    seed: int,
    blocks: bool,
    nodes: bool,
    bounds: bool,
    json_output: bool,
) -> None:
    """Print a program's exact costs: parameters, multiply-adds, activations, memory, depth.

    With --bounds, what they are at least and at most over the whole space, with choices that reach
    it.

    \b
    archlang cost std.models.resnet:resnet50
    archlang cost net.arch --choices '{"width": 32}' --blocks
    archlang cost std.spaces.ofa_mobilenetv3 --bounds
    archlang cost net.arch --latency table.csv
    """
    if bounds:
        _print_bounds(open_space(file, settings), json_output)
        return
    program = open_program(file, settings, choices, seed)
    found, measured = program.cost(), program.measured()
    if json_output:
        figures = found.as_dict()
        hidden = [name for name, wanted in (("blocks", blocks), ("nodes", nodes)) if not wanted]
        kept = {name: value for name, value in figures.items() if name not in hidden}
        print_json({"choices": program.choices.as_dict(), **kept, **measured})
        return
    from rich.console import Console

    from archlang.report.costs import cost_overview

    Console().print(cost_overview(found, measured, blocks=blocks, nodes=nodes))


def _print_bounds(space: Space, json_output: bool) -> None:
    from archlang.space.bounds import BOUNDED

    found = {name: space.bounds(name) for name in (*BOUNDED, *space.tables)}
    if json_output:
        print_json({"space": space.name, "bounds": {name: bound.as_json() for name, bound in found.items()}})
        return
    from rich.console import Console

    from archlang.report.costs import bounds_overview

    Console().print(bounds_overview(found))


@click.command()
@file_argument
@click.argument("address", metavar="ADDRESS")
@as_json
def explain(file: str, settings: Settings, address: str, json_output: bool) -> None:
    """Say what a decision is, what it hangs from, and what it changes.

    \b
    archlang explain examples/digits.arch width
    """
    from archlang.report.decisions import explanation_json, explanation_text

    found = open_space(file, settings).explain(address)
    if json_output:
        print_json(explanation_json(found))
    else:
        click.echo(explanation_text(found))


@click.command()
@file_argument
@program_options
@click.option("--backend", default="torch", show_default=True, help="Which framework the code is for.")
@click.option("-o", "--output", metavar="PATH", help="Write to a file.")
def emit(file: str, settings: Settings, choices: str | None, seed: int, backend: str, output: str | None) -> None:
    """Print a program as readable source code that needs the framework alone.

    \b
    archlang emit std.spaces.nasbench201 --seed 1 -o net.py
    """
    write_text(output, open_program(file, settings, choices, seed).emit(backend))


@click.command()
@file_argument
@program_options
@click.option("--weights", metavar="PATH", help="Take the weights of this file, not initial ones.")
@click.option("--backend", default="torch", show_default=True, help="Which framework exports it.")
@click.option("-o", "--output", metavar="PATH", required=True, help="The file to write.")
def export(
    file: str, settings: Settings, choices: str | None, seed: int, weights: str | None, backend: str, output: str
) -> None:
    """Write a program with its weights as an ONNX model, for inference anywhere.

    \b
    archlang export net.arch --seed 1 -o net.onnx
    archlang export net.arch --choices best.json --weights best.safetensors -o net.onnx
    """
    program = open_program(file, settings, choices, seed)
    network = program.build(backend)
    if weights is not None:
        program.load_weights(network, weights, backend)
    with writing(output) as target:
        program.export_onnx(network, target, backend)
