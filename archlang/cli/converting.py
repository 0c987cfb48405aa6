"""The command that converts a model of a framework into `.arch` text."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from archlang.backend import Capturer, capturer, capturer_of
from archlang.cli.common import as_json, print_json, writing
from archlang.diagnostics import ArchError, did_you_mean, error
from archlang.space.values import parse_setting

_DTYPES = {"f16": "float16", "f32": "float32", "f64": "float64", "i32": "int32", "i64": "int64", "bool": "bool"}


@click.command()
@click.argument("model", metavar="MODULE:FACTORY|FILE.onnx")
@click.option(
    "--input",
    "inputs",
    multiple=True,
    metavar="SHAPE",
    help="The shape of an input, the batch first: 1,3,224,224, or i64:1,128 for whole numbers (repeatable). "
    "An ONNX file gives it itself, except for sizes that it leaves free.",
)
@click.option(
    "--set", "given", multiple=True, metavar="NAME=VALUE", help="An argument of the factory, by name (repeatable)."
)
@click.option("-o", "--output", metavar="PATH", required=True, help="The .arch file to write.")
@click.option("--weights", metavar="PATH", help="Write the model's weights to this .safetensors file.")
@click.option("--backend", help="The model's framework (found by the model unless it is given).")
@as_json
def convert(
    model: str,
    inputs: tuple[str, ...],
    given: tuple[str, ...],
    output: str,
    weights: str | None,
    backend: str | None,
    json_output: bool,
) -> None:
    """Write a model of a framework or an ONNX file as .arch text, and prove that it computes the same.

    FACTORY is a model in an importable MODULE, or a class or function that makes one. Of a file nothing is
    executed.

    \b
    archlang convert torch.nn:Linear --set in_features=8 --set out_features=4 --input 1,8 -o linear.arch
    archlang convert keras.layers:Dense --set units=4 --input 1,8 -o dense.arch
    archlang convert net.onnx -o net.arch --weights net.safetensors
    """
    from archlang.conversion.converting import TOLERANCE, is_onnx
    from archlang.conversion.converting import convert as converted

    arrays = [_example(text) for text in inputs]
    told: Callable[[str], None] = (lambda step: None) if json_output else _say
    if is_onnx(model):
        if given:
            raise click.UsageError("--set gives a factory its arguments; a file takes none")
        found = converted(model, arrays or None, backend=backend, told=told)
    else:
        if not inputs:
            raise click.UsageError("Missing option '--input': the shape of an input, the batch first.")
        settings = {name: None if value == "None" else value for name, value in map(parse_setting, given)}
        made = _model(model, settings, capturer(backend) if backend else None)
        name = model.partition(":")[2].rpartition(".")[2]
        found = converted(made, arrays, name=name, backend=backend, told=told)
    with writing(output, quiet=json_output) as target:
        found.save(target)
    if weights is not None:
        with writing(weights, quiet=json_output) as target:
            found.save(output, target)
    if json_output:
        print_json(
            {
                "params": found.params,
                "model_params": found.model_params,
                "macs": found.macs,
                "model_macs": found.model_macs,
                "lines": found.text.count("\n"),
                "trials": [
                    {"samples": t.samples, "absolute": t.absolute, "relative": t.relative} for t in found.trials
                ],
                "opaque": [{"name": o.name, "path": o.path, "reason": o.reason} for o in found.opaque],
                "notes": list(found.notes),
            }
        )
        return
    same = "as the model" if found.params == found.model_params else f"and {found.model_params:,} in the model"
    click.echo(f"parameters  {found.params:,}, {same}")
    agreed = ", as the model" if found.macs == found.model_macs else ""
    click.echo(f"MACs        {found.macs:,} for one sample{agreed}")
    for trial in found.trials:
        samples = f"{trial.samples} sample{'s' * (trial.samples != 1)}"
        click.echo(f"difference  {trial.absolute:.1e} for {samples}, {trial.relative:.1e} of the largest number")
    click.echo(f"the text    {found.text.count(chr(10))} lines; it may differ by {TOLERANCE:.0e}")
    for opaque in found.opaque:
        click.echo(f"opaque      `{opaque.name}` is the module `{opaque.path}`: it holds {opaque.reason}")
    for note in found.notes:
        click.echo(f"note        {note}")


def _say(step: str) -> None:
    click.echo(f"{step} …", err=True)


def _example(text: str) -> Any:
    """An example input of a shape: normal numbers, or zeros where they are whole."""
    import numpy as np  # late: most commands need none

    dtype, separator, sizes = text.rpartition(":")
    parts = [size.strip() for size in sizes.split(",")]
    if (separator and dtype not in _DTYPES) or not all(part.isdigit() and int(part) > 0 for part in parts):
        raise ArchError(
            error(
                "E0810",
                f"`{text}` is not the shape of an input",
                hints=("write the sizes, the batch first: 1,3,224,224, or i64:1,128 for whole numbers",),
            )
        )
    shape, kind = [int(part) for part in parts], np.dtype(_DTYPES[dtype or "f32"])
    if np.issubdtype(kind, np.floating):
        return np.random.default_rng(1).standard_normal(shape).astype(kind)
    return np.zeros(shape, kind)


def _model(text: str, settings: dict[str, Any], frontend: Capturer | None) -> Any:
    """The model that MODULE:FACTORY names; ArchError (E0809) when it cannot be had."""
    module_name, separator, path = text.partition(":")
    if not separator or not module_name or not path:
        raise ArchError(
            error("E0809", f"`{text}` names no model", hints=("write its module and its name: my_models:resnet18",))
        )
    sys.path.insert(0, str(Path.cwd()))
    try:
        found: Any = import_module(module_name)
    except Exception as failure:
        missing = isinstance(failure, ModuleNotFoundError) and module_name.startswith(failure.name or "?")
        hint = "modules are found in this folder and among the installed packages" if missing else "import it in Python"
        raise ArchError(
            error("E0809", f"`{module_name}` cannot be imported: {_told(failure)}", hints=(hint,))
        ) from failure
    finally:
        sys.path.pop(0)
    for part in path.split("."):
        if not hasattr(found, part):
            raise ArchError(
                error("E0809", f"`{module_name}` has no `{path}`", hints=did_you_mean(part, vars(found)) or ())
            )
        found = getattr(found, part)
    is_model = frontend.is_model if frontend else lambda thing: capturer_of(thing) is not None
    if is_model(found):
        return found
    try:
        found = found(**settings)
    except Exception as failure:
        raise ArchError(
            error(
                "E0809",
                f"`{text}` makes no model: {_told(failure)}",
                hints=("give its arguments with --set NAME=VALUE",),
            )
        ) from failure
    if not is_model(found):
        kind = type(found).__name__
        article = "an" if kind[0].lower() in "aeiou" else "a"
        raise ArchError(error("E0809", f"`{text}` gives {article} {kind}, which is no model"))
    return found


def _told(failure: Exception) -> str:
    return f"{type(failure).__name__}: {str(failure).strip().partition(chr(10))[0]}"
