"""Ops on rows that indices name, such as the nodes of a graph."""

import torch
from torch import Tensor

from archlang_torch.lowering import function


@function("gather")
def gather(x: Tensor, index: Tensor) -> Tensor:
    return x.index_select(0, index)


@function("segment_sum")
def segment_sum(x: Tensor, index: Tensor, *, count: int) -> Tensor:
    return x.new_zeros(count, *x.shape[1:]).index_add(0, index, x)


@function("segment_softmax")
def segment_softmax(x: Tensor, index: Tensor, *, count: int) -> Tensor:
    """Softmax among the rows that `index` sends to the same place."""
    places = index.view(-1, *(1,) * (x.ndim - 1)).expand_as(x)
    # Any number may be taken off a segment; the largest keeps the exponentials finite.
    lowest = x.new_full((count, *x.shape[1:]), float("-inf"))
    largest = lowest.scatter_reduce(0, places, x.detach(), "amax")
    powers = torch.exp(x - largest.index_select(0, index))
    sums = powers.new_zeros(count, *x.shape[1:]).index_add(0, index, powers)
    return powers / sums.index_select(0, index)


@function("self_loops")
def self_loops(edges: Tensor, *, nodes: int) -> Tensor:
    loops = torch.arange(nodes, device=edges.device).expand(edges.shape[0], nodes)
    return torch.cat([edges, loops], dim=1)
