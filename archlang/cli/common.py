"""What commands have in common: their FILE argument, its settings, and how data is printed."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from archlang.diagnostics import ArchError, error
from archlang.space.choices import Choices
from archlang.space.loading import load
from archlang.space.program import Program
from archlang.space.space import Space
from archlang.space.values import parse_setting

Command = TypeVar("Command", bound=Callable[..., Any])

as_json = click.option("--json", "json_output", is_flag=True, help="Print JSON.")


def file_argument(command: Command) -> Command:
    """FILE and `--set name=value`."""
    command = click.option(
        "--set", "settings", multiple=True, metavar="NAME=VALUE", help="Set configuration of the space (repeatable)."
    )(command)
    return click.argument("file", metavar="FILE")(command)


def program_options(command: Command) -> Command:
    """Which program of a space: `--choices` or `--seed`."""
    command = click.option("--seed", default=0, show_default=True, help="Draw the program by this seed.")(command)
    return click.option(
        "--choices", metavar="JSON|PATH", help="Take these choices: a JSON object, or a file that holds one."
    )(command)


def open_space(file: str, settings: tuple[str, ...]) -> Space:
    """The checked space that FILE and its settings name."""
    return load(file, dict(map(parse_setting, settings)))


def open_program(file: str, settings: tuple[str, ...], choices: str | None, seed: int) -> Program:
    """The program that the options name: by choices, by seed, or the only one."""
    space = open_space(file, settings)
    if choices is None:
        return space.sample(seed)
    if not choices.lstrip().startswith("{"):
        try:
            choices = Path(choices).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as problem:
            raise ArchError(
                error(
                    "E0415",
                    f"the choices in `{choices}` cannot be read: {getattr(problem, 'strerror', None) or problem}",
                    hints=["give a JSON object: '{\"address\": pick}'"],
                )
            ) from None
    return space.program(Choices.from_json(choices))


def write_text(path: str | None, text: str, quiet: bool = False) -> None:
    """Print the text, or write it to a file and (unless `quiet`) say so."""
    if path is None:
        click.echo(text, nl=not text.endswith("\n"))
        return
    try:
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    except OSError as problem:
        raise ArchError(
            error("E0217", f"`{path}` cannot be written: {problem.strerror}", hints=["give a path that may be written"])
        ) from None
    if not quiet:
        click.echo(f"written to {path}", err=True)


def print_json(data: Mapping[str, Any] | list[Any]) -> None:
    """Print data as JSON."""
    click.echo(json.dumps(data, indent=2, default=str))
