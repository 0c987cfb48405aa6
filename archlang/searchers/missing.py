"""Packages that only some searchers need."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from archlang.diagnostics import ArchError, error


def required(module: str, package: str, extra: str) -> Any:
    """A module of a package that an extra installs; ArchError (E0919) when it is not there."""
    try:
        return import_module(module)
    except ImportError as found:
        raise ArchError(
            error(
                "E0919",
                f"this searcher needs the package `{package}`, which cannot be imported",
                notes=[str(found)],
                hints=[f"install it with `pip install 'archlang[{extra}]'`"],
            )
        ) from found
