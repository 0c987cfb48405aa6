"""What commands have in common: their FILE argument, its settings, and how data is printed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import attrs
import click

from archlang.cost.table import CostTable
from archlang.diagnostics import ArchError, error
from archlang.semantics.modules import Loader, ModuleScope
from archlang.space.choices import Choices
from archlang.space.loading import open_module, space_of
from archlang.space.program import Program
from archlang.space.space import Space
from archlang.space.values import parse_setting

Command = TypeVar("Command", bound=Callable[..., Any])

as_json = click.option("--json", "json_output", is_flag=True, help="Print JSON.")


@attrs.frozen
class Settings:
    """What the options say of the space: its configuration, which of its programs are meant, and the
    tables of what they take."""

    config: Mapping[str, Any]
    where: tuple[str, ...]
    prune: bool
    tables: Mapping[str, CostTable]


def file_argument(command: Callable[..., Any]) -> Callable[..., Any]:
    """FILE, and the options that say which space of it is meant: as `file` and `settings`."""

    @wraps(command)
    def called(
        *,
        given: tuple[str, ...],
        where: tuple[str, ...],
        prune: bool,
        latency: str | None,
        energy: str | None,
        **options: Any,
    ) -> Any:
        tables = read_tables(latency=latency, energy=energy)
        return command(settings=Settings(dict(map(parse_setting, given)), where, prune, tables), **options)

    for option in (
        click.option("--energy", metavar="PATH", help="A table of measured energy: `energy` (mJ) is a cost too."),
        click.option("--latency", metavar="PATH", help="A table of measured times: `latency` (ms) is a cost too."),
        click.option("--prune", is_flag=True, help="Leave programs with errors out: the others are the space."),
        click.option(
            "--where",
            multiple=True,
            metavar="CONDITION",
            help="Keep programs of some costs: 'macs <= 600M' (repeatable).",
        ),
        click.option(
            "--set", "given", multiple=True, metavar="NAME=VALUE", help="Set configuration of the space (repeatable)."
        ),
        click.argument("file", metavar="FILE"),
    ):
        called = option(called)
    return called


def read_tables(**paths: str | None) -> dict[str, CostTable]:
    """The tables of measured costs in files, by what each is to hold."""
    found: dict[str, CostTable] = {}
    for metric, path in paths.items():
        if path is not None:
            table = found[metric] = CostTable.read(path)
            if table.metric != metric:
                raise ArchError(error("E0218", f"`{path}` is a table of {table.metric}, not of {metric}"))
    return found


def program_options(command: Command) -> Command:
    """Which program of a space: `--choices` or `--seed`."""
    command = click.option("--seed", default=0, show_default=True, help="Draw the program by this seed.")(command)
    return click.option(
        "--choices", metavar="JSON|PATH", help="Take these choices: a JSON object, or a file that holds one."
    )(command)


def open_space(file: str, settings: Settings, tables: bool = True) -> Space:
    """The checked space that FILE and its settings name; `tables` says whether the file's own tables
    are read (see `Loader`)."""
    loader = Loader(tables=tables)
    module, name = open_module(file, loader)
    return open_named(module, name, loader, settings)


def open_named(module: ModuleScope, name: str | None, loader: Loader, settings: Settings) -> Space:
    """The checked space of a module."""
    return space_of(
        module,
        name,
        loader,
        settings.config,
        prune=settings.prune,
        where=settings.where,
        tables=settings.tables,
    )


def open_program(file: str, settings: Settings, choices: str | None, seed: int) -> Program:
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
    with writing(path, quiet) as target:
        target.write_text(text, encoding="utf-8")


@contextmanager
def writing(path: str, quiet: bool = False) -> Iterator[Path]:
    """The path of a file to write, in a folder that is there; (unless `quiet`) says that it is written."""
    try:
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        yield target
    except OSError as problem:
        raise ArchError(
            error("E0217", f"`{path}` cannot be written: {problem.strerror}", hints=["give a path that may be written"])
        ) from None
    if not quiet:
        click.echo(f"written to {path}", err=True)


def print_json(data: Mapping[str, Any] | list[Any]) -> None:
    """Print data as JSON."""
    click.echo(json.dumps(data, indent=2, default=str))


def methods_line() -> str:
    """The names of the methods that train a supernet, in a line."""
    from archlang.relax import NAMES

    return f"supernets: {', '.join(NAMES)}"


def searchers_by_kind() -> str:
    """The names of the searchers, a line for each kind."""
    from archlang.searchers.registry import KINDS

    width = max(map(len, KINDS))
    return "\n".join(["searchers", *(f"  {kind:<{width}}  {', '.join(names)}" for kind, names in KINDS.items())])
