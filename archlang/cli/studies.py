"""Commands that search: search, resume, report."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from archlang.cli.common import Settings, as_json, file_argument, open_space, print_json, write_text
from archlang.cli.supernets import is_supernet, report_supernet, resume_supernet, train_supernet
from archlang.diagnostics import ArchError, did_you_mean, error
from archlang.searchers.objectives import HANDLINGS
from archlang.searchers.registry import SEARCHERS
from archlang.space.values import parse_setting

if TYPE_CHECKING:
    from archlang.evaluate import TableEvaluator
    from archlang.study import Study

Command = TypeVar("Command", bound=Callable[..., Any])


@click.command()
@file_argument
@click.option("--data", help="The data set: digits, or the path of an .npz file.  [default: digits]")
@click.option("--table", metavar="PATH", help="Look programs up in this CSV file instead of training them.")
@click.option("--key", multiple=True, metavar="COLUMN=ADDRESS", help="Which decisions a column holds (repeatable).")
@click.option("--codes", metavar="PICK=CODE,…", help="What the table writes for picks.")
@click.option("--metric", multiple=True, metavar="NAME=COLUMN", help="A metric that the table gives (repeatable).")
@click.option(
    "--searcher",
    "--method",
    default="smbo",
    show_default=True,
    help="How programs are proposed, or a method that trains them all in one network: see `archlang list`.",
)
@click.option("--trials", default=40, show_default=True, type=click.IntRange(min=1), help="How many programs to try.")
@click.option("--maximize", multiple=True, metavar="METRIC", help="A metric to maximize (repeatable).")
@click.option("--minimize", multiple=True, metavar="METRIC", help="A metric to minimize (repeatable).")
@click.option(
    "--constraint",
    "constraints",
    multiple=True,
    metavar="LIMIT",
    help="A limit on a metric: 'macs <= 600M' (repeatable).",
)
@click.option(
    "--handling",
    default="domination",
    show_default=True,
    type=click.Choice(HANDLINGS),
    help="What limits on metrics mean that only an evaluation gives.",
)
@click.option("--weight", default=1.0, show_default=True, help="Of what violates a limit, for a penalty or lagrangian.")
@click.option("--store", metavar="PATH|URL", help="Where the study is kept.  [default: runs/SPACE.db]")
@click.option("--name", help="The study's name in the store.  [default: the space's]")
@click.option("--seed", default=0, show_default=True, help="Fixes everything that is drawn.")
@click.option("--epochs", type=click.IntRange(min=1), help="Epochs of training for each program.")
@click.option(
    "--train", "training", multiple=True, metavar="NAME=VALUE", help="A setting of the training (repeatable)."
)
@click.option(
    "--search", "searching", multiple=True, metavar="NAME=VALUE", help="A setting of the searcher (repeatable)."
)
@click.option(
    "--reuse",
    default="function",
    show_default=True,
    type=click.Choice(["function", "choices", "outputs", "none"]),
    help="Take the result of an earlier program that is equal in this.",
)
@as_json
def search(
    file: str,
    settings: Settings,
    data: str | None,
    table: str | None,
    key: tuple[str, ...],
    codes: str | None,
    metric: tuple[str, ...],
    searcher: str,
    trials: int,
    maximize: tuple[str, ...],
    minimize: tuple[str, ...],
    constraints: tuple[str, ...],
    handling: str,
    weight: float,
    store: str | None,
    name: str | None,
    seed: int,
    epochs: int | None,
    training: tuple[str, ...],
    searching: tuple[str, ...],
    reuse: str,
    json_output: bool,
) -> None:
    """Search a space: train its programs on data (or look them up in a table), keep every trial, hand over the best.

    Stop it at any time: `archlang resume STORE` goes on where it was.

    \b
    archlang search examples/digits.arch --data digits --searcher evolution --trials 40 \\
      --maximize accuracy --minimize macs --store runs/digits.db --seed 0
    archlang search examples/digits.arch --epochs 20 --train lr=0.02 --searcher "evolution(population=16)"
    archlang search examples/digits.arch --method darts --data digits --epochs 10 --search weights.lr=0.1
    archlang search std.spaces.nasbench201 --table nb201.csv --key 'ops=shared/edge#*' \\
      --codes none=0,skip=1,conv1=2,conv3=3,pool3=4 --metric accuracy=c10_val_200
    """
    from archlang.evaluate import train
    from archlang.relax import NAMES
    from archlang.study import search as run

    if searcher in NAMES or (searcher not in SEARCHERS and did_you_mean(searcher, NAMES)):
        _refuse_unused(click.get_current_context())
        changes = {**({"epochs": epochs} if epochs is not None else {}), **dict(map(parse_setting, searching))}
        how = dict(map(parse_setting, training))
        train_supernet(file, settings, data or "digits", searcher, changes, how, store, seed, json_output)
        return
    space = open_space(file, settings)
    trained: dict[str, Any] = {"epochs": epochs} if epochs is not None else {}
    trained |= dict(map(parse_setting, training))
    looked_up = {"--key": key, "--codes": codes, "--metric": metric}
    trains = {"--data": data, "--epochs/--train": trained}
    for option, given in (trains if table is not None else looked_up).items():
        if given:
            raise click.UsageError(f"{option} {'does not go with' if table is not None else 'needs'} --table")
    where = store or f"runs/{space.name}.db"
    if not maximize and not minimize:
        maximize = ("accuracy",)
    study = run(
        space,
        train(data or "digits", **{"seed": seed, **trained}) if table is None else _table(table, key, codes, metric),
        searcher=searcher,
        maximize=maximize,
        minimize=minimize,
        constraints=constraints,
        handling=handling,
        weight=weight,
        trials=trials,
        store=where,
        name=name,
        seed=seed,
        settings=dict(map(parse_setting, searching)),
        reuse=reuse,
        progress=not json_output,
    )
    _hand_over(study, json_output)


@click.command()
@click.argument("store", metavar="STORE")
@click.option("--name", help="The study, where the store has several.")
@click.option("--trials", type=click.IntRange(min=1), help="How many trials the study is to have in all.")
@as_json
def resume(store: str, name: str | None, trials: int | None, json_output: bool) -> None:
    """Go on with a study exactly where it was.

    \b
    archlang resume runs/digits.db
    archlang resume runs/digits.db --trials 100
    """
    from archlang.study import resume as run

    if is_supernet(store):
        resume_supernet(store, json_output)
        return
    _hand_over(run(store, name, trials=trials, progress=not json_output), json_output)


@click.command()
@click.argument("store", metavar="STORE")
@click.option("--name", help="The study, where the store has several.")
@click.option("-o", "--output", metavar="PATH", help="Write the HTML page here.  [default: beside the store]")
@click.option("--text", "as_text_only", is_flag=True, help="Only print the tables; write no page.")
@click.option("--against", metavar="STUDY", help="Of a supernet: how well it ranks the programs of this study's store.")
@as_json
def report(
    store: str, name: str | None, output: str | None, as_text_only: bool, against: str | None, json_output: bool
) -> None:
    """Show a study, or the training of a supernet: tables here, pictures in an HTML page.

    \b
    archlang report runs/digits.db
    archlang report runs/digits.db --name second -o second.html
    archlang report runs/digits-spos.supernet --against runs/digits.db
    """
    from archlang.study import list_studies, read_study

    if is_supernet(store):
        study = None if against is None else read_study(against, name)
        report_supernet(store, study, output, as_text_only, json_output)
        return
    if against is not None:
        raise click.UsageError("--against goes with the training of a supernet")
    if name is None and not json_output:
        studies = list_studies(store)
        if len(studies) > 1:
            from archlang.report.text import studies_table

            _show(studies_table(studies))
            click.echo(f"\nshow one with --name: {', '.join(study.name for study in studies)}")
            return
    study = read_study(store, name)
    if json_output:
        print_json(study.as_dict())
        return
    _print_study(study)
    if not as_text_only:
        click.echo(f"report      {_page(study, output)}")


# The options that a method which trains a supernet knows, besides those of the space.
_OF_SUPERNETS = {"data", "searcher", "store", "seed", "epochs", "searching", "training", "json_output"}
_OF_SPACES = {"given", "where", "prune", "latency", "energy"}


def _refuse_unused(context: click.Context) -> None:
    """A usage error for options that say nothing to a method which trains a supernet."""
    for option in context.command.params:
        given = context.get_parameter_source(option.name or "") is click.core.ParameterSource.COMMANDLINE
        if isinstance(option, click.Option) and given and option.name not in _OF_SUPERNETS | _OF_SPACES:
            raise click.UsageError(f"{option.opts[0]} does not go with a method that trains a supernet")


def _table(path: str, key: tuple[str, ...], codes: str | None, metric: tuple[str, ...]) -> TableEvaluator:
    """The table that the options describe. Columns, addresses and codes stay texts as they are written."""
    from archlang.evaluate import table

    coded = dict(_pair(text) for text in (codes or "").split(",") if text)
    metrics = {name: columns.split("+") for name, columns in map(_pair, metric)}
    return table(path, key=dict(map(_pair, key)) or "*", metrics=metrics, codes=coded)


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise ArchError(error("E0414", f"`{text}` is not written NAME=VALUE"))
    return name, value


def _hand_over(study: Study, json_output: bool) -> None:
    """Print the outcome, and write the report and the best program's source beside the store."""
    if json_output:
        print_json(study.as_dict())
    else:
        _print_study(study)
    best = study.best
    notes = [f"report      {_page(study, None)}"]
    if best is not None and best.has_graph:
        code, text = _beside(study, "_best.py"), _beside(study, "_best.arch")
        backend = study.record.evaluator.get("backend", "torch")
        write_text(str(code), best.emit(backend), quiet=True)
        write_text(str(text), best.source(), quiet=True)
        notes += [f"{backend:<11} {code}", f"program     {text}"]
    if study.interrupted:
        notes.append(f"interrupted: go on with `archlang resume {study.store}`")
    click.echo("\n".join(notes), err=json_output)
    if best is None and not study.interrupted:
        raise ArchError(
            error(
                "E0916",
                f"no trial of `{study.name}` could be measured",
                hints=[f"`archlang report {study.store}` shows what failed"],
            )
        )


def _print_study(study: Study) -> None:
    from archlang.report.text import study_overview

    _show(study_overview(study))
    best = study.best if study.has_space else None
    if best is not None and best.has_graph:
        click.echo("\n" + best.source())


def _show(renderable: Any) -> None:
    from rich.console import Console

    Console().print(renderable)


def _page(study: Study, output: str | None) -> Path:
    from archlang.report.html import write_report

    return write_report(study, output if output is not None else _beside(study, ".html"))


def _beside(study: Study, ending: str) -> Path:
    """A path beside the store's file, named after the study; in `runs` for a database elsewhere."""
    store = Path(study.store)
    folder = store.parent if "://" not in study.store and study.store != "memory" else Path("runs")
    return folder / (re.sub(r"[^\w.-]", "_", study.name) + ending)
