"""The `archlang` command. Exit code 0, or 1 when the input is wrong (with diagnostics), or 2 when
the command is used wrongly."""

from __future__ import annotations

import sys

import click

from archlang import __version__
from archlang.cli import bench, converting, moving, opening, profiling, programs, spaces, studies
from archlang.diagnostics import ArchError


class _Group(click.Group):
    """Turns errors in the input into diagnostics and exit code 1."""

    def invoke(self, ctx: click.Context) -> object:
        sys.set_int_max_str_digits(0)  # the number of programs may be long
        try:
            return super().invoke(ctx)
        except ArchError as problem:
            click.echo(str(problem), err=True)
            count = sum(found.severity == "error" for found in problem.diagnostics)
            if count > 1:
                click.echo(f"\n{count} errors", err=True)
            ctx.exit(1)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)  # as they are declared: the order in which they are used


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="archlang")
def main() -> None:
    """Symbolic search spaces for neural architecture search.

    FILE is the path of an .arch file, `path:space` where it declares several, or a library module
    such as std.spaces.nasbench201.

    \b
    archlang check net.arch
    archlang count std.spaces.nasbench201
    archlang search examples/digits.arch --data digits --maximize accuracy --store runs/digits.db
    """


for command in (
    spaces.check,
    spaces.fmt,
    spaces.count,
    spaces.optimum,
    opening.open_command,
    opening.suggest,
    programs.sample,
    programs.show,
    programs.cost,
    programs.explain,
    profiling.profile,
    programs.emit,
    programs.export,
    converting.convert,
    moving.move,
    studies.search,
    studies.resume,
    studies.report,
    bench.bench,
    spaces.list_modules,
):
    main.add_command(command)


if __name__ == "__main__":
    sys.exit(main())
