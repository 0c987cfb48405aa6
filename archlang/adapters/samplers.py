"""Optuna's samplers from text: `TPESampler`, `TPESampler(multivariate=true, n_startup_trials=20)`."""

from __future__ import annotations

import inspect
import warnings
from typing import Any

from archlang.diagnostics import ArchError, did_you_mean, error
from archlang.extras import required
from archlang.space.values import literal
from archlang.syntax import ast
from archlang.syntax.parser import parse_expression

SINGLE = ("CmaEsSampler",)  # these take one objective


def sampler_of(text: str, seed: int, objectives: int) -> Any:
    """The sampler that a text stands for, seeded; ArchError (E0903) when it is none, or does not take its
    arguments or so many objectives."""
    try:
        expression = parse_expression(text, "sampler")
    except ArchError as problem:
        raise _refused(f"`{text}` is not a sampler", *(found.message for found in problem.diagnostics)) from None
    sampler = _sampler(expression, text, seed)
    if objectives > 1 and type(sampler).__name__ in SINGLE:
        raise _refused(f"`{type(sampler).__name__}` takes one objective, and there are {objectives}")
    return sampler


def _sampler(expression: ast.Expr, text: str, seed: int) -> Any:
    match expression:
        case ast.Name(name):
            arguments: tuple[ast.Argument, ...] = ()
        case ast.Call(ast.Name(name), given):
            arguments = tuple(given)
        case _:
            raise _refused(f"`{text}` is not a sampler")
    kinds = _samplers()
    if name not in kinds:
        hints = did_you_mean(name, kinds) or (f"the samplers are {', '.join(f'`{known}`' for known in kinds)}",)
        raise ArchError(error("E0903", f"there is no sampler `{name}`", hints=hints))
    parameters = inspect.signature(kinds[name]).parameters
    settings: dict[str, Any] = {"seed": seed}
    # Decisions that hang from others are drawn apart from the rest: nothing to warn of.
    settings["warn_independent_sampling"] = False
    settings = {key: value for key, value in settings.items() if key in parameters}
    for argument in arguments:
        if argument.name is None or argument.name not in parameters:
            what = f"`{argument.name}`" if argument.name else "a setting without a name"
            known = ", ".join(f"`{parameter}`" for parameter in parameters)
            hints = did_you_mean(argument.name or "", parameters) or (f"it has {known}",)
            raise ArchError(error("E0903", f"`{name}` does not take {what}", hints=hints))
        value = argument.value
        nested = isinstance(value, ast.Call)
        settings[argument.name] = _sampler(value, text, seed) if nested else literal(value, text)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that settings are experimental is known to who asks for them
        try:
            sampler = kinds[name](**settings)
        except (TypeError, ValueError) as found:
            raise _refused(f"the settings of `{name}` do not fit", str(found)) from None
    return sampler


def _samplers() -> dict[str, Any]:
    """The samplers that can be made without more than constants."""
    samplers = required("optuna", "a search by Optuna", "optuna").samplers
    found = {}
    for name in samplers.__all__:
        kind = getattr(samplers, name)
        if inspect.isclass(kind) and "seed" in inspect.signature(kind).parameters and name != "GridSampler":
            found[name] = kind
    return found


def _refused(what: str, *notes: str) -> ArchError:
    hints = ["write its name, with arguments in parentheses: `TPESampler(multivariate=true)`"]
    return ArchError(error("E0903", what, notes=notes, hints=hints))
