"""Weighted sums of alternatives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from archlang.ir.graph import Operation
from archlang.ir.types import TensorType
from archlang.relax.plan import Mix

MIXTURE = "mixture~"  # no op has that name


def as_operation(mix: Mix, kind: TensorType) -> Operation:
    """A mix of values of a type as an operation of a graph, which works in any layout."""
    attributes = (
        ("variable", mix.variable),
        ("by_element", mix.by_element),
        ("entries", tuple([entry for entry, _ in mix.parts])),
    )
    return Operation(MIXTURE, attributes, (kind,) * len(mix.parts), kind, traits=frozenset({"elementwise"}))


def weighted_sum(weights: Any | None, entries: Sequence[int], ghosts: bool, values: Sequence[Any]) -> Any:
    """The sum of tensors of one shape, each times its entry of a vector; without one the plain sum.

    With `ghosts` the other entries of the vector are added as numbers.
    """
    if weights is None:
        return _total(values)
    parts = tf.unstack(tf.cast(weights, values[0].dtype))
    total = _total([value * parts[entry] for entry, value in zip(entries, values, strict=True)])
    if ghosts and len(entries) < len(parts):
        total += tf.add_n([part for entry, part in enumerate(parts) if entry not in entries])
    return total


def _total(values: Sequence[Any]) -> Any:
    return values[0] if len(values) == 1 else tf.add_n(values)
