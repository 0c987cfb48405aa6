"""Colour refinement of many small labelled graphs at once, and the graphs written in its order.

Graphs are arrays as `letters` describes them, all of one size; `commutes` says for each node whether
the order of its inputs does not count.
"""

from __future__ import annotations

import numpy as np

from archlang.space.distinct.rows import Array, mixed, repeated

# Far from labels, so that no colour meets the number that it is to be mixed with.
_FROM, _TO, _APART, _SOURCE, _LABEL = (mixed(np.array([seed << 50], dtype=np.uint64)) for seed in range(1, 6))


def refined(labels: Array, inputs: Array, commutes: Array, sources: int) -> tuple[Array, Array]:
    """Colours that tell all nodes of a graph apart, and its hash (that of the colours that depend
    on the graph alone, before nodes that these leave alike are told apart one by one)."""
    count = len(labels)
    start = mixed(np.arange(sources, dtype=np.uint64) + _SOURCE)
    colours = np.concatenate([np.tile(start, (count, 1)), mixed(labels.astype(np.uint64) + _LABEL)], axis=1)
    _stabilise(colours, inputs, commutes, sources, np.arange(count))
    # A round more: colours that are stable at once say nothing yet of how the nodes are joined.
    hashes = mixed(_round(colours, inputs, commutes, sources)).sum(axis=1, dtype=np.uint64)
    left = np.arange(count)
    while True:
        alike = repeated(colours[left])
        left = left[alike.any(axis=1)]
        alike = alike[alike.any(axis=1)]
        if not len(left):
            return colours, hashes
        # The class with the least colour is broken at its first node: which node that is makes no
        # difference where the class is an orbit, and is sorted out by `letters` where it is not.
        least = np.where(alike, colours[left], np.uint64(2**64 - 1)).argmin(axis=1)
        colours[left, least] = mixed(colours[left, least] ^ _APART)
        _stabilise(colours, inputs, commutes, sources, left)


def _stabilise(colours: Array, inputs: Array, commutes: Array, sources: int, rows: Array) -> None:
    """Refine the colours of some graphs, each until its nodes fall into no more classes."""
    classes = _classes(colours[rows])
    while len(rows):
        new = _round(colours[rows], inputs[rows], commutes[rows], sources)
        now = _classes(new)
        grown = now > classes
        rows, classes = rows[grown], now[grown]
        colours[rows] = new[grown]


def _classes(colours: Array) -> Array:
    ordered = np.sort(colours, axis=1)
    found: Array = (ordered[:, 1:] != ordered[:, :-1]).sum(axis=1)
    return found


def _round(colours: Array, inputs: Array, commutes: Array, sources: int) -> Array:
    """Each node's colour with those of what it takes and of what takes it."""
    given, taking = mixed(colours ^ _FROM), mixed(colours ^ _TO)
    found = colours.copy()
    rows = np.arange(len(colours))
    for axis in range(inputs.shape[2]):
        weight = np.where(commutes, np.uint64(1), np.uint64(2 * axis + 3))
        for node in range(inputs.shape[1]):
            there = rows[inputs[:, node, axis] >= 0]
            if len(there):
                value = inputs[there, node, axis]
                factor = weight[there, node]
                found[there, sources + node] += given[there, value] * factor
                found[there, value] += taking[there, sources + node] * factor
    return mixed(found)


def written(colours: Array, labels: Array, inputs: Array, commutes: Array, sources: int) -> Array:
    """The graphs with their nodes in the order of the colours."""
    count, nodes, width = inputs.shape
    order = np.argsort(colours[:, sources:], axis=1)
    rank = np.empty((count, sources + nodes + 1), dtype=np.int32)
    rank[:, :sources] = np.arange(sources)
    np.put_along_axis(rank, order + sources, np.arange(sources, sources + nodes, dtype=np.int32)[None, :], axis=1)
    rank[:, -1] = -1  # no input
    ranked = np.take_along_axis(rank, inputs.reshape(count, nodes * width), axis=1).reshape(inputs.shape)
    ranked = np.where(commutes[:, :, None], np.sort(ranked, axis=2)[:, :, ::-1], ranked)
    ranked = np.take_along_axis(ranked, order[:, :, None], axis=1)
    written = [np.take_along_axis(labels, order, axis=1), ranked.reshape(count, nodes * width)]
    return np.concatenate(written, axis=1).astype(np.int32)
