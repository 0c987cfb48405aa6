"""What a frontend makes of a model: its graph, its weights by address, and what could not be expressed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
from numpy.typing import NDArray

from archlang.ir.graph import Graph

Array = NDArray[Any]


@attrs.frozen
class Opaque:
    """A part of a model that stays the model's own module: the op `name` stands for it.

    `path` is the module's path in the model, `reason` says what in it could not be expressed, `params`
    counts its parameters, and `declaration` is the op's text.
    """

    name: str
    path: str
    kind: str
    reason: str
    params: int
    declaration: str


@attrs.frozen(eq=False)
class Captured:
    """A model as a graph of the standard library's ops (and opaque ones), with its weights.

    `outputs` are the model's own names for the graph's outputs, in order; `modules` the modules of the
    opaque parts by the names of their ops. `notes` tell where the graph is not the model to the letter
    though it computes the same: parameters that nothing uses, weights that are worked out of others. `unused`
    counts the numbers of the former. `batches` says where the model's own outputs have the batch, if not first.
    """

    graph: Graph
    weights: Mapping[str, Array]
    outputs: tuple[str, ...] = ("",)
    opaque: tuple[Opaque, ...] = ()
    modules: Mapping[str, Any] = attrs.field(factory=dict)
    notes: tuple[str, ...] = ()
    unused: int = 0
    batches: tuple[int, ...] = ()
