"""Every command says what it does with examples, and the examples run."""

from __future__ import annotations

import json
import shlex
from itertools import product
from pathlib import Path

import click
import pytest

import archlang as al
from archlang.cli import main
from tests.cli.conftest import Run

PREPARED = {
    "best.json": '{"width": 32, "unit": "plain"}',
    "nb201.csv": "ops,c10_val_200\n" + "".join(f"{''.join(ops)},90\n" for ops in product("01234", repeat=6)),
}
SUPERNET = "runs/digits-spos.supernet"
QUICK = {"--trials": "2", "--epochs": "1"}


def examples(command: click.Command) -> list[list[str]]:
    """The example lines of a command's help, as arguments."""
    text = (command.help or "").replace("\\\n", " ")
    lines = [line.strip() for line in text.splitlines()]
    return [shlex.split(line)[1:] for line in lines if line.startswith("archlang ")]


EXAMPLES = [(name, line) for name, command in main.commands.items() for line in examples(command)]
EXAMPLES += [("archlang", line) for line in examples(main)]


def arguments_of(line: list[str]) -> list[str]:
    """The arguments of an example, patterns expanded, and a search made short."""
    found: list[str] = []
    for argument in line:
        found += sorted(map(str, Path().glob(argument))) if argument.startswith("*") else [argument]
    if line[0] == "search":
        found += [
            part
            for option in QUICK.items()
            for part in option
            if ("--method" if option[0] == "--trials" else "--table") not in line
        ]
    return found


@pytest.mark.parametrize("name", main.commands)
def test_every_command_has_examples(run: Run, name: str) -> None:
    text = run(name, "--help").stdout
    assert text == run(name, "-h").stdout
    assert examples(main.commands[name])
    for line in examples(main.commands[name]):
        assert line[0] == name
        assert f"archlang {name}" in text


@pytest.mark.parametrize("name", main.commands)
def test_every_option_is_explained(name: str) -> None:
    for parameter in main.commands[name].params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"--{parameter.name} of `archlang {name}`"


@pytest.mark.usefixtures("few_digits")
@pytest.mark.parametrize(("name", "line"), EXAMPLES, ids=lambda value: value if isinstance(value, str) else "")
def test_examples_run(run: Run, name: str, line: list[str]) -> None:
    for path, text in PREPARED.items():
        Path(path).write_text(text, encoding="utf-8")
    Path("several.arch").unlink()
    Path("wrong.arch").unlink()
    if name in ("resume", "report"):
        prepare_store(Path("runs/digits.db"), second="--name" in line)
    if SUPERNET in line:
        settings = {"epochs": 1, "batch_size": 512, "selection.trials": 2}
        al.train_supernet(al.load("net.arch"), method="spos", settings=settings, store=SUPERNET)
    if "--weights" in line:
        program = al.load("net.arch").program(json.loads(PREPARED["best.json"]))
        program.save_weights(program.build(), "best.safetensors")
    if line[:2] == ["convert", "net.onnx"]:
        program.export_onnx(program.build(), "net.onnx")
    if line[:2] == ["cost", "net.arch"]:
        line = [argument.replace('"width": 32', '"width": 32, "unit": "plain"') for argument in line]
    run(*(argument.replace("100", "3") for argument in arguments_of(line)))


def prepare_store(path: Path, second: bool) -> None:
    space = al.load("net.arch")
    evaluator = al.train("digits", epochs=1, batch_size=512)
    for name in ("first", "second") if second else ("first",):
        al.search(space, evaluator, trials=2, maximize="accuracy", store=path, name=name)
