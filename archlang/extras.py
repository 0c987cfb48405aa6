"""Packages that only some methods need, by the extras that install them."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from archlang.diagnostics import ArchError, error


def required(module: str, what: str, extra: str) -> Any:
    """A module that an extra installs; ArchError (E0919) when it is not there. `what` needs it."""
    try:
        return import_module(module)
    except ImportError as found:
        package = module.partition(".")[0]
        raise ArchError(
            error(
                "E0919",
                f"{what} needs the package `{package}`, which cannot be imported",
                notes=[str(found)],
                hints=[f"install it with `pip install archlang[{extra}]`"],
            )
        ) from found
