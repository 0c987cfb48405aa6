"""Ops on rows that indices name, such as the nodes of a graph."""

from typing import Any

from keras import ops

from archlang_tensorflow.lowering import function


@function("gather")
def gather(x: Any, index: Any) -> Any:
    return ops.take(x, index, axis=0)


@function("segment_sum")
def segment_sum(x: Any, index: Any, *, count: int) -> Any:
    return ops.segment_sum(x, index, num_segments=count)


@function("segment_softmax")
def segment_softmax(x: Any, index: Any, *, count: int) -> Any:
    """Softmax among the rows that `index` sends to the same place."""
    # Any number may be taken off a segment; the largest keeps the exponentials finite.
    largest = ops.segment_max(ops.stop_gradient(x), index, num_segments=count)
    powers = ops.exp(x - ops.take(largest, index, axis=0))
    sums = ops.segment_sum(powers, index, num_segments=count)
    return powers / ops.take(sums, index, axis=0)


@function("self_loops")
def self_loops(edges: Any, *, nodes: int) -> Any:
    """The edges, then one from each of `nodes` nodes to itself."""
    # A sum has a column of zeros even where there are no edges.
    zeros = ops.zeros_like(ops.sum(edges, axis=1, keepdims=True))
    loops = zeros + ops.arange(nodes, dtype=edges.dtype)
    return ops.concatenate([edges, loops], axis=1)
