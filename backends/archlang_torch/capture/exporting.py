"""A module's calls: `torch.export`, with the errors that a user can do something about."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram

from archlang.diagnostics import ArchError, error


def exported(model: nn.Module, inputs: Sequence[Tensor]) -> ExportedProgram:
    """The calls of a module in evaluation mode for these inputs; ArchError (E0810) when it does not take
    them, or cannot be followed."""
    with evaluating(model), torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            model(*inputs)
        except Exception as failure:
            kinds = [(str(x.dtype).removeprefix("torch."), ", ".join(map(str, ["n", *x.shape[1:]]))) for x in inputs]
            shapes = " and ".join(f"{dtype}[{sizes}]" for dtype, sizes in kinds)
            raise ArchError(
                error(
                    "E0810",
                    f"the module does not take {shapes}: {_first_line(failure)}",
                    hints=("give the shapes that it takes, the batch first, such as 1,3,224,224 or i64:1,128",),
                )
            ) from failure
        try:
            _forgotten(model)
            return torch.export.export(model, tuple(inputs), strict=False)
        except Exception as failure:
            raise ArchError(
                error(
                    "E0810",
                    f"the module's calls cannot be followed: {_first_line(failure)}",
                    notes=("`torch.export` refuses it: what it computes may depend on the values of its inputs",),
                )
            ) from failure
        finally:
            _forgotten(model)


def _forgotten(model: nn.Module) -> None:
    """Has modules drop what they keep in evaluation mode, such as what they worked out of their parameters."""
    model.train()
    model.eval()


def _first_line(failure: Exception) -> str:
    return f"{type(failure).__name__}: {str(failure).strip().partition(chr(10))[0]}"


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """The module in evaluation mode, without the caches that generation uses; then as it was."""
    modes = {name: module.training for name, module in model.named_modules()}
    config: Any = getattr(model, "config", None)
    cached = getattr(config, "use_cache", None)
    model.eval()
    if cached:
        config.use_cache = False
    try:
        yield
    finally:
        if cached:
            config.use_cache = cached
        for name, module in model.named_modules():
            module.training = modes[name]
