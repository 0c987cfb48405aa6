"""A captured model as `.arch` text, and the weights for the program that the text is."""

from __future__ import annotations

from collections.abc import Mapping

from archlang.conversion.captured import Array, Captured
from archlang.ir.correspondence import corresponding_weights
from archlang.ir.graph import Graph
from archlang.ir.tidying import tidied
from archlang.semantics.modules import Loader
from archlang.semantics.writing import written


def captured_text(captured: Captured, notes: tuple[str, ...] = ()) -> str:
    """The model as a space without choices, as a person would write it."""
    items = [opaque.declaration for opaque in captured.opaque]
    return written(tidied(captured.graph), Loader().load_library("std.nn"), notes, items=items)


def moved_weights(weights: Mapping[str, Array], graph: Graph, other: Graph) -> dict[str, Array]:
    """The weights of a graph at the addresses that they have in another graph of the same network; ValueError
    where it is another one."""
    return {theirs: weights[mine] for mine, theirs in corresponding_weights(tidied(graph), other).items()}
