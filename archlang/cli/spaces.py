"""Commands about whole spaces: check, fmt, count, list."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import click

from archlang.cli.common import as_json, file_argument, open_space, print_json
from archlang.diagnostics import ArchError, Source, error
from archlang.semantics.modules import Loader, library_modules
from archlang.space.loading import open_module, space_of
from archlang.space.values import parse_setting
from archlang.syntax import ast


@click.command()
@file_argument
@as_json
def check(file: str, settings: tuple[str, ...], json_output: bool) -> None:
    """Check a file and every program of its spaces.

    \b
    archlang check net.arch
    archlang check net.arch:small --set classes=100
    """
    try:
        lines, data = _checked(file, settings)
    except ArchError as problem:
        if not json_output:
            raise
        print_json({"valid": False, "diagnostics": [found.as_json() for found in problem.diagnostics]})
        raise SystemExit(1) from None
    if json_output:
        print_json({"valid": True, "spaces": data})
    else:
        for line in lines:
            click.echo(line)


def _checked(file: str, settings: tuple[str, ...]) -> tuple[list[str], list[dict[str, Any]]]:
    loader = Loader()
    config = dict(map(parse_setting, settings))
    module, name = open_module(file, loader)
    problems: list[Any] = []
    lines: list[str] = []
    data: list[dict[str, Any]] = []
    for each in [name] if name else module.spaces():
        try:
            space = space_of(module, each, loader, config)
        except ArchError as problem:
            problems += problem.diagnostics
            continue
        if space.unproved is not None:
            lines.append(f"{space.name}: some programs were tried and are valid; not proved for all: {space.unproved}")
            data.append({"space": space.name, "proved": False, "reason": space.unproved})
        else:
            lines.append(f"{space.name}: every program is valid ({shown_size(space.size)})")
            data.append({"space": space.name, "proved": True, "programs": _json_size(space.size)})
    if problems:
        raise ArchError(problems)
    if not lines:
        lines.append(f"{file}: no spaces; the names and the text are in order")
    return lines, data


def shown_size(size: int | float) -> str:
    """A number of programs in words."""
    if size == math.inf:
        return "infinitely many programs"
    return f"{size:,} program{'s' * (size != 1)}"


def _json_size(size: int | float) -> int | str:
    return "inf" if size == math.inf else int(size)


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
@as_json
def count(file: str, settings: tuple[str, ...], json_output: bool) -> None:
    """Print the exact number of programs of a space.

    \b
    archlang count std.spaces.nasbench201
    """
    space = open_space(file, settings)
    if json_output:
        print_json({"space": space.name, "programs": _json_size(space.size)})
    else:
        click.echo("inf" if space.size == math.inf else str(space.size))


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
    if json_output:
        print_json({"modules": modules, "searchers": list(SEARCHERS), "backends": sorted(known_backends())})
        return
    for name, items in modules.items():
        click.echo(name)
        for item in items:
            click.echo(f"  {item['kind']:<9} {item['name']:<22} {item['about']}".rstrip())
    click.echo(f"searchers: {', '.join(SEARCHERS)}")
    click.echo(f"backends: {', '.join(sorted(known_backends()))}")


def _first_line(item: ast.Item) -> str:
    doc = None if isinstance(item, ast.Use) else item.doc
    return doc.strip().splitlines()[0] if doc and doc.strip() else ""
