"""The ops that the standard library has."""

from __future__ import annotations

from functools import cache

from archlang.semantics.modules import Loader
from archlang.syntax import ast

MODULE = "std.nn"


@cache
def library_ops() -> tuple[str, ...]:
    """The names of all ops of the standard library, in its order."""
    scope = Loader().load_library(MODULE)
    return tuple([item.name for item in scope.declarations() if isinstance(item, ast.Op)])
