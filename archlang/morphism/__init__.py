"""Moves between networks that carry weights: see `moves`."""

from archlang.morphism.moves import (
    Moved,
    branch,
    carry_weights,
    deepen,
    merge,
    narrow,
    outputs_apart,
    prune,
    remove,
    widen,
)

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
