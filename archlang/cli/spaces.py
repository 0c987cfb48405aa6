"""Commands about whole spaces: check, fmt, count, list."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from archlang.cli.common import (
    Settings,
    as_json,
    file_argument,
    methods_line,
    open_named,
    open_space,
    print_json,
    searchers_by_kind,
)
from archlang.diagnostics import ArchError, Diagnostic, Source, error
from archlang.diagnostics.render import render
from archlang.semantics.modules import Loader, library_modules
from archlang.space.analysis import SAMPLES
from archlang.space.loading import open_module
from archlang.space.space import Space
from archlang.syntax import ast

if TYPE_CHECKING:
    from archlang.space.distinct.count import Distinct
    from archlang.space.optimum import Goal


@click.command()
@file_argument
@as_json
def check(file: str, settings: Settings, json_output: bool) -> None:
    """Check a file and every program of its spaces.

    Errors are told with the choices that cause them. Warnings are told of alternatives that no
    program picks or that make the same programs, and of decisions that change nothing.

    \b
    archlang check net.arch
    archlang check net.arch:small --set classes=100
    archlang check net.arch --prune
    """
    try:
        spaces = _checked(file, settings)
    except ArchError as problem:
        if not json_output:
            raise
        print_json({"valid": False, "diagnostics": [found.as_json() for found in problem.diagnostics]})
        raise SystemExit(1) from None
    if json_output:
        print_json({"valid": True, "spaces": [_as_json(space) for space in spaces]})
        return
    for space in spaces:
        if space.unproved is not None:
            click.echo(
                f"{space.name}: not proved for all programs: {space.unproved};"
                f" of {SAMPLES} that were tried none is wrong, and {space.tried} meet the requirements"
            )
            continue
        left_out = space.left_out() if space.prune else None
        if left_out is not None:
            click.echo(f"{space.name}: kept {space.count()}, left out {left_out} with errors")
        else:
            click.echo(f"{space.name}: every program is valid ({space.count()})")
        for place in space.left_open:
            click.echo(f"{space.name}: which programs meet the requirement at {place} is not followed")
        for found in space.findings():
            click.echo(render(found), err=True)
    if not spaces:
        click.echo(f"{file}: no spaces; the names and the text are in order")


def _checked(file: str, settings: Settings) -> list[Space]:
    """The spaces of a file; ArchError with the errors of all of them."""
    loader = Loader()
    module, name = open_module(file, loader)
    problems: list[Diagnostic] = []
    spaces: list[Space] = []
    for each in [name] if name else module.spaces():
        try:
            spaces.append(open_named(module, each, loader, settings))
        except ArchError as problem:
            problems += problem.diagnostics
    if problems:
        raise ArchError(problems)
    return spaces


def _as_json(space: Space) -> dict[str, Any]:
    if space.unproved is not None:
        return {"space": space.name, "proved": False, "reason": space.unproved}
    found: dict[str, Any] = {"space": space.name, "proved": True, **_counted(space)}
    if space.prune:
        left_out = space.left_out()
        found["left_out"] = None if left_out is None else left_out.low if left_out.exact else str(left_out)
    found["left_open"] = list(space.left_open)
    found["findings"] = [each.as_json() for each in space.findings()]
    return found


def _counted(space: Space) -> dict[str, Any]:
    """The number of programs as JSON: exact, or its bounds."""
    count = space.count()
    if count.endless:
        return {"programs": "inf", "but_for_floats": [count.low, count.high]}
    if count.exact:
        return {"programs": count.low}
    return {"programs": None, "at_least": count.low, "at_most": count.high}


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE…")
@click.option(
    "--check", "only_check", is_flag=True, help="Change nothing; exit 1 when a file is not in canonical form."
)
def fmt(files: tuple[str, ...], only_check: bool) -> None:
    """Rewrite files in canonical form.

    \b
    archlang fmt net.arch
    archlang fmt --check *.arch
    """
    from archlang.syntax.format import format_module
    from archlang.syntax.parser import parse

    loader = Loader()
    unformatted = []
    for file in files:
        text = loader.read(file)
        formatted = format_module(parse(Source(file, text)))
        if formatted == text:
            continue
        unformatted.append(file)
        if not only_check:
            try:
                Path(file).write_text(formatted, encoding="utf-8")
            except OSError as problem:
                raise ArchError(error("E0217", f"`{file}` cannot be written: {problem.strerror}")) from None
            click.echo(f"formatted {file}")
    if only_check and unformatted:
        click.echo("\n".join(f"not in canonical form: {file}" for file in unformatted), err=True)
        raise SystemExit(1)


@click.command()
@file_argument
@click.option("--distinct", is_flag=True, help="Count programs with equal networks once.")
@as_json
def count(file: str, settings: Settings, distinct: bool, json_output: bool) -> None:
    """Print the number of programs of a space: exact, or with proven bounds.

    \b
    archlang count std.spaces.nasbench201
    archlang count std.spaces.nasbench201 --distinct
    archlang count std.spaces.ofa_mobilenetv3 --where 'macs <= 150M'
    """
    space = open_space(file, settings)
    networks = _distinct(space) if distinct else None
    if json_output:
        found = {"space": space.name, **_counted(space)}
        if networks is not None:
            found["distinct"] = {"at_least": networks.low, "at_most": networks.high, "exact": networks.exact}
        print_json(found)
    elif networks is not None:
        click.echo(f"{networks}, of {space.count()}")
        if not networks.exact:
            click.echo(f"not exact: {networks.reason}", err=True)
    else:
        programs = space.count()
        click.echo(str(programs.low) if programs.exact and not programs.endless else str(programs))


def _distinct(space: Space) -> Distinct:
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as shown:
        task = shown.add_task("")

        def progress(what: str, done: int, of: int) -> None:
            shown.update(task, description=what, completed=done, total=of)

        return space.distinct(progress)


@click.command()
@file_argument
@click.option("--minimize", metavar="GOAL", help="What the best program has least of.")
@click.option("--maximize", metavar="GOAL", help="What the best program has most of.")
@click.option("--count", default=1, show_default=True, type=click.IntRange(1), help="Print so many, from the best on.")
@as_json
def optimum(
    file: str, settings: Settings, minimize: str | None, maximize: str | None, count: int, json_output: bool
) -> None:
    """Print the best program of a space, and what is proved of it.

    GOAL is a cost that adds up over a program (params, macs, latency with --latency, …), or a JSON
    object, or a file that holds one: costs with weights, and by address what picks score.

    \b
    archlang optimum std.spaces.nasbench201 --minimize macs --where 'params >= 500k'
    archlang optimum std.spaces.ofa_mobilenetv3 --maximize params --where 'macs <= 300M' --count 3
    archlang optimum examples/digits.arch --maximize '{"width": {"8": 1.5, "16": 2}, "macs": -1e-6}'
    """
    goals = {"minimize": minimize, "maximize": maximize}
    ranking = open_space(file, settings).ranking(**{side: _goal(text) for side, text in goals.items() if text})
    found = list(islice(ranking, count))
    if not found:
        raise ArchError(error("E0505", "no program of the space meets its requirements"))
    if json_output:
        print_json([each.as_json() for each in found])
        return
    from archlang.report.numbers import exact

    beyond = "above" if maximize else "below"
    for number, each in enumerate(found):
        click.echo(each.choices.to_json())
        what = "no other program" if number else "no program"
        proof = f"proven: {what} is {beyond}" if each.exact else f"not proven to be the best: {what} is {beyond}"
        click.echo(f"  {exact(each.value)} ({proof} {exact(each.proven)})")


def _goal(text: str) -> Goal:
    if not text.lstrip().startswith("{"):
        if not Path(text).is_file():
            return text
        text = Path(text).read_text(encoding="utf-8")
    try:
        goal: Goal = json.loads(text)
    except ValueError as problem:
        raise ArchError(error("E0911", f"the goal is not JSON: {problem}")) from None
    return goal


@click.command("list")
@as_json
def list_modules(json_output: bool) -> None:
    """List what is there: library modules with their spaces, searchers, backends.

    \b
    archlang list
    """
    from archlang.backend import known_backends
    from archlang.searchers.registry import SEARCHERS

    loader = Loader()
    modules: dict[str, list[dict[str, str]]] = {}
    for name in library_modules():
        module = loader.load_library(name)
        modules[name] = [
            {"name": item.name, "kind": type(item).__name__.lower(), "about": _first_line(item)}
            for item in module.declarations()
            if not item.name.startswith("_")
        ]
    from archlang.relax import NAMES

    if json_output:
        print_json(
            {
                "modules": modules,
                "searchers": list(SEARCHERS),
                "methods": list(NAMES),
                "backends": sorted(known_backends()),
            }
        )
        return
    for name, items in modules.items():
        click.echo(name)
        for item in items:
            click.echo(f"  {item['kind']:<9} {item['name']:<22} {item['about']}".rstrip())
    click.echo(f"{searchers_by_kind()}\n{methods_line()}")
    click.echo(f"backends: {', '.join(sorted(known_backends()))}")


def _first_line(item: ast.Item) -> str:
    doc = None if isinstance(item, ast.Use) else item.doc
    return doc.strip().splitlines()[0] if doc and doc.strip() else ""
