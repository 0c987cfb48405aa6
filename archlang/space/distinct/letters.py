"""Isomorphism classes of small labelled graphs, many at once, exactly.

Colour refinement in numpy gives every graph a hash that isomorphic graphs share, and an order of
its nodes. Written in that order most graphs are in a normal form: equal forms are isomorphic graphs,
different hashes are different graphs. Only where one hash has several forms the exact canonical
labelling decides. So no class depends on hashes being free of collisions.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from archlang.ir.labelling import canonical_order
from archlang.space.distinct.catalogue import Catalogue
from archlang.space.distinct.refinement import refined, written
from archlang.space.distinct.rows import Array, distinct_rows

CHUNK = 400_000  # graphs refined at a time


class Letters:
    """Numbers the classes of graphs as they come.

    A graph is an array of node labels and one of inputs: for each node the numbers of the values
    that it takes, sources first, then the nodes in order, -1 where it takes fewer. The order of
    inputs counts, unless the label is `commutative`. Sources are told apart by their number. Classes
    are numbered from `first` on.
    """

    def __init__(self, catalogue: Catalogue, first: int = 0) -> None:
        self._catalogue = catalogue
        self._commutative = catalogue.commutative
        self._forms: dict[tuple[Any, ...], int] = {}
        self._by_hash: dict[tuple[int, int, int], list[tuple[Array, Array, int]]] = {}
        self._certificates: dict[Any, int] = {}
        self._count = first

    def numbers(self, labels: Array, inputs: Array, sources: int) -> Array:
        """The number of the class of each graph: labels (graphs, nodes), inputs (graphs, nodes, inputs)."""
        flat = np.concatenate([labels, inputs.reshape(len(labels), -1)], axis=1).astype(np.int32)
        different, inverse = distinct_rows(flat)
        nodes = labels.shape[1]
        labels, inputs = different[:, :nodes], different[:, nodes:].reshape(len(different), nodes, -1)
        # Graphs are written as wide as they are, whatever others they come with.
        widths = (inputs >= 0).any(axis=1).sum(axis=1)
        found = np.empty(len(different), dtype=np.int64)
        for width in np.unique(widths).tolist():
            rows = np.flatnonzero(widths == width)
            for start in range(0, len(rows), CHUNK):
                part = rows[start : start + CHUNK]
                found[part] = self._classes(labels[part], inputs[part, :, :width], sources)
        return found[inverse]

    def _classes(self, labels: Array, inputs: Array, sources: int) -> Array:
        commutes = np.array(self._commutative, dtype=bool)[labels]
        colours, hashes = refined(labels, inputs, commutes, sources)
        forms = written(colours, labels, inputs, commutes, sources)
        different, inverse = distinct_rows(forms)
        first = np.empty(len(different), dtype=np.int64)
        first[inverse[::-1]] = np.arange(len(inverse))[::-1]
        nodes, width = labels.shape[1], inputs.shape[2]
        numbers = np.empty(len(different), dtype=np.int64)
        for place, form in enumerate(different):
            key = sources, nodes, width, form.tobytes()
            number = self._forms.get(key)
            if number is None:
                graph = form[:nodes], form[nodes:].reshape(nodes, width)
                number = self._forms[key] = self._class(graph, sources, int(hashes[first[place]]))
            numbers[place] = number
        return numbers[inverse]

    def _class(self, graph: tuple[Array, Array], sources: int, hashed: int) -> int:
        """The class of a form not met before."""
        alike = self._by_hash.setdefault((sources, len(graph[0]), hashed), [])
        if not alike:
            number = self._count
        else:
            # A hash with several forms: they are the same graph when their canonical forms are equal.
            for labels, inputs, number in alike[:1] if len(alike) == 1 else ():
                self._certificates[self._certificate(labels, inputs, sources)] = number
            number = self._certificates.setdefault(self._certificate(*graph, sources), self._count)
        alike.append((*graph, number))
        self._count = max(self._count, number + 1)
        return number

    def _certificate(self, labels: Array, inputs: Array, sources: int) -> Any:
        """The graph in its canonical order: equal for isomorphic graphs, and for these alone."""
        colours = [-1 - source for source in range(sources)] + labels.tolist()
        edges: list[list[tuple[int, int]]] = [[] for _ in colours]
        for number, given in enumerate(inputs.tolist(), sources):
            ordered = not self._commutative[colours[number]]
            for place, value in enumerate(given):
                if value >= 0:
                    label = 2 * place + 2 if ordered else 0
                    edges[number].append((label, value))
                    edges[value].append((label + 1, number))
        order = canonical_order([colour + sources for colour in colours], edges)
        rank = {vertex: place for place, vertex in enumerate(order)}
        return sources, tuple(
            (colours[vertex], tuple(sorted((label, rank[other]) for label, other in edges[vertex]))) for vertex in order
        )
