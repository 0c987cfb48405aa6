"""Canonical labelling of small coloured multigraphs, exact.

Colour refinement to stability, then individualisation of one vertex of a remaining class at a
time, as in McKay and Piperno, "Practical graph isomorphism, II" (2014). Branches that an
automorphism maps onto each other are searched once; most automorphisms are read off the refined
partitions themselves (Darga, Liffiton, Sakallah and Markov, "Exploiting structure in symmetry
detection for CNF", 2004).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs

Edges = Sequence[tuple[int, int]]


def canonical_order(labels: Sequence[int], edges: Sequence[Edges]) -> list[int]:
    """The vertices in an order that depends on the graph up to isomorphism only.

    `labels` colour the vertices; `edges[v]` are pairs of an edge's label and the vertex at its
    other end. Each edge stands at both its ends (with labels that may differ, to give it a
    direction). Graphs are isomorphic exactly when, in this order, they are equal.
    """
    return _Labeller(labels, edges).order()


@attrs.define
class _Partition:
    """An ordered partition: `cells[colour[v]]` is the class of v. Cells are replaced, never changed."""

    colour: list[int]
    cells: list[set[int]]

    @property
    def discrete(self) -> bool:
        return len(self.cells) == len(self.colour)


class _Labeller:
    def __init__(self, labels: Sequence[int], edges: Sequence[Edges]):
        self._labels = labels
        self._edges = [sorted(around) for around in edges]

    def order(self) -> list[int]:
        classes: dict[int, set[int]] = {}
        for vertex, label in enumerate(self._labels):
            classes.setdefault(label, set()).add(vertex)
        cells = [classes[label] for label in sorted(classes)]
        colour = [0] * len(self._labels)
        for number, cell in enumerate(cells):
            for vertex in cell:
                colour[vertex] = number
        partition = _Partition(colour, cells)
        self._refine(partition, list(range(len(cells))))
        found = self._search(partition)
        return [vertex for cell in found.cells for vertex in cell]

    # ------------------------------------------------------------- refinement

    def _refine(self, partition: _Partition, queue: list[int]) -> None:
        """Split cells until the vertices of each have the same edges to every cell.

        What a cell is split by, and the numbers that its parts get, follow from colours and
        labels alone, so isomorphic partitions stay isomorphic. The largest part keeps the
        number: the others suffice as splitters (Hopcroft).
        """
        colour, cells, edges = partition.colour, partition.cells, self._edges
        for splitter in queue:
            if len(cells) == len(colour):
                return
            met: dict[int, list[int]] = {}
            for vertex in cells[splitter]:
                for label, other in edges[vertex]:
                    if len(cells[colour[other]]) > 1:
                        met.setdefault(other, []).append(label)
            touched: dict[int, dict[tuple[int, ...], set[int]]] = {}
            for other, kinds in met.items():
                key = tuple(sorted(kinds)) if len(kinds) > 1 else (kinds[0],)
                touched.setdefault(colour[other], {}).setdefault(key, set()).add(other)
            for cell in sorted(touched):
                parts = [part for _, part in sorted(touched[cell].items())]
                rest = cells[cell].difference(*parts)
                if rest:
                    parts.insert(0, rest)
                if len(parts) == 1:
                    continue
                largest = max(parts, key=len)
                cells[cell] = largest
                for part in parts:
                    if part is not largest:
                        for vertex in part:
                            colour[vertex] = len(cells)
                        queue.append(len(cells))
                        cells.append(part)

    def _individualise(self, partition: _Partition, vertex: int) -> _Partition:
        """The partition refined with a vertex told apart from the rest of its cell."""
        split = _Partition(partition.colour.copy(), partition.cells.copy())
        cell = split.colour[vertex]
        split.cells[cell] = split.cells[cell] - {vertex}
        split.colour[vertex] = len(split.cells)
        split.cells.append({vertex})
        self._refine(split, [split.colour[vertex]])
        return split

    # ----------------------------------------------------------------- search

    def _search(self, partition: _Partition) -> _Partition:
        """The discrete partition below that has the least certificate."""
        while not partition.discrete:
            cell = _target(partition)
            branches, twins = self._branches(partition, cell)
            if len(branches) > 1:
                return min((self._search(branch) for branch in branches), key=self._certificate)
            partition = branches[0]
            if twins:
                partition = self._exhaust(partition, cell)
        return partition

    def _branches(self, partition: _Partition, cell: set[int]) -> tuple[list[_Partition], bool]:
        """One refined partition for each orbit of the cell that may lead to the least certificate,
        and whether the cell's vertices are twins: any permutation of them is an automorphism's.

        That must not depend on the vertices' numbers, so only determined maps say so."""
        branches: list[_Partition] = []
        twins = True
        for vertex in sorted(cell):
            branch = self._individualise(partition, vertex)
            for other in branches:
                image, determined = self._automorphism(other, branch)
                if image is not None:
                    twins = twins and determined and sum(image[member] != member for member in cell) == 2
                    break
                if self._automorphism(self._leaf(other), self._leaf(branch))[0] is not None:
                    twins = False
                    break
            else:
                branches.append(branch)
        sizes = [[len(part) for part in branch.cells] for branch in branches]
        least = min(sizes)
        return [branch for branch, size in zip(branches, sizes, strict=True) if size == least], twins

    def _exhaust(self, partition: _Partition, cell: set[int]) -> _Partition:
        """Individualise what is left of a cell of twins: which one comes next makes no difference."""
        while True:
            left = {vertex for vertex in cell if len(partition.cells[partition.colour[vertex]]) > 1}
            if not left or partition.cells[partition.colour[min(left)]] != left:
                return partition
            partition = self._individualise(partition, min(left))

    def _leaf(self, partition: _Partition) -> _Partition:
        while not partition.discrete:
            partition = self._individualise(partition, min(_target(partition)))
        return partition

    def _automorphism(self, first: _Partition, second: _Partition) -> tuple[list[int] | None, bool]:
        """A map of one partition's cells onto the other's that is an automorphism, if one is found,
        and whether the partitions determine it.

        What a pair of cells has in common stays where it is, the rest is mapped in order of number.
        """
        if len(first.cells) != len(second.cells):
            return None, False
        image = list(range(len(first.colour)))
        moved: list[int] = []
        determined = True
        for old, new in zip(first.cells, second.cells, strict=True):
            if old is new or old == new:
                continue
            if len(old) != len(new):
                return None, False
            leaving = sorted(old - new)
            determined = determined and len(leaving) == 1
            moved += leaving
            for vertex, other in zip(leaving, sorted(new - old), strict=True):
                image[vertex] = other
        for vertex in moved:
            other = image[vertex]
            if self._labels[vertex] != self._labels[other]:
                return None, False
            if sorted([(label, image[end]) for label, end in self._edges[vertex]]) != self._edges[other]:
                return None, False
        return image, determined

    def _certificate(self, partition: _Partition) -> list[Any]:
        """All there is to know of the graph in a discrete partition's order."""
        colour = partition.colour
        order = [vertex for cell in partition.cells for vertex in cell]
        return [
            (self._labels[vertex], sorted([(label, colour[end]) for label, end in self._edges[vertex]]))
            for vertex in order
        ]


def _target(partition: _Partition) -> set[int]:
    """The cell to break next: the first of the smallest that have more than one vertex."""
    return min((cell for cell in partition.cells if len(cell) > 1), key=len)
