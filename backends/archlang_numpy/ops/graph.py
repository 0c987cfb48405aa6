"""Ops on rows that indices name, such as the nodes of a graph."""

import numpy as np

from archlang_numpy.lowering import Array, function
from archlang_numpy.ops.activation import softmax


@function("gather")
def gather(x: Array, index: Array) -> Array:
    return x[index]


@function("segment_sum")
def segment_sum(x: Array, index: Array, *, count: int) -> Array:
    """The sum of the rows that `index` sends to each place, zeros where there are none."""
    return np.stack([x[index == place].sum(axis=0) for place in range(count)])


@function("segment_softmax", unused=("count",))
def segment_softmax(x: Array, index: Array) -> Array:
    """Softmax among the rows that `index` sends to the same place."""
    found = np.empty_like(x)
    for place in np.unique(index):
        found[index == place] = softmax(x[index == place], axis=0)
    return found


@function("self_loops")
def self_loops(edges: Array, *, nodes: int) -> Array:
    """Edges [2, e], then one from each node to itself."""
    loops = np.broadcast_to(np.arange(nodes, dtype=edges.dtype), (edges.shape[0], nodes))
    return np.concatenate([edges, loops], axis=1)
