"""Moves between networks that carry weights: see `moves`. A name is imported when it is first used, as groups of sizes
are looked at where no weights are."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from archlang.morphism.moves import Moved as Moved
    from archlang.morphism.moves import branch as branch
    from archlang.morphism.moves import carry_weights as carry_weights
    from archlang.morphism.moves import deepen as deepen
    from archlang.morphism.moves import merge as merge
    from archlang.morphism.moves import narrow as narrow
    from archlang.morphism.moves import outputs_apart as outputs_apart
    from archlang.morphism.moves import prune as prune
    from archlang.morphism.moves import remove as remove
    from archlang.morphism.moves import widen as widen

__all__ = [
    "Moved",
    "branch",
    "carry_weights",
    "deepen",
    "merge",
    "narrow",
    "outputs_apart",
    "prune",
    "remove",
    "widen",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'archlang.morphism' has no attribute {name!r}")
    return getattr(import_module("archlang.morphism.moves"), name)
