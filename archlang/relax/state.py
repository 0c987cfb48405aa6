"""The states of trainings."""

from __future__ import annotations

from collections.abc import Mapping

from archlang.backend import Array
from archlang.diagnostics import ArchError, error


def check_state(state: Mapping[str, Array], shapes: Mapping[str, tuple[int, ...]]) -> None:
    """ArchError (E0807) when the arrays are not those of these names and shapes."""
    notes = [f"`{name}` is missing" for name in shapes if name not in state]
    notes += [f"there is no `{name}` here" for name in state if name not in shapes]
    notes += [
        f"`{name}` has the shape {state[name].shape}, expected {shape}"
        for name, shape in shapes.items()
        if name in state and state[name].shape != shape
    ]
    if notes:
        more = [f"and {len(notes) - 3} more"] if len(notes) > 3 else []
        what = "the state is that of another supernet or another method"
        hint = "go on with the space, its settings and the method that the training was begun with"
        raise ArchError(error("E0807", what, notes=[*notes[:3], *more], hints=[hint]))
