"""NAS-Bench-201's programs labelled by hand: which cells compute the same, worked out on terms, not graphs."""

from __future__ import annotations

from itertools import permutations, product
from typing import Any

EDGES = ((1, 0), (2, 0), (2, 1), (3, 0), (3, 1), (3, 2))
OPS = ("none", "skip", "conv1", "conv3", "pool3")
CELLS = tuple(product(range(5), repeat=6))

Cell = tuple[int, ...]
Term = tuple[Any, ...]


def label(cell: Cell) -> str:
    """The same for cells that compute the same. A cell's output is a term: a node is the sum of its edges, written
    as the sorted tuple of its operands, zero the empty one; sums are flat as an edge that skips adds the operands of
    its node. A convolution or pool is `(op, edge, operand)`: with the edge it is itself, however often it is
    used, and no other; edges are then numbered such that the term is least."""
    nodes: list[Term] = [(("x",),)]
    for node in (1, 2, 3):
        operands: list[Term] = []
        for edge, (to, start) in enumerate(EDGES):
            op = OPS[cell[edge]]
            if to != node or op == "none":
                continue
            given = nodes[start]
            if op == "skip":
                operands += given
            elif op != "pool3" or given:  # a convolution of zeros gives the shift of its normalisation
                operands.append((op, edge, given))
        nodes.append(tuple(sorted(operands, key=repr)))
    edges = sorted(_edges(nodes[3]))
    numberings = [dict(zip(edges, numbers, strict=True)) for numbers in permutations(range(len(edges)))]
    return min(repr(_numbered(nodes[3], numbers)) for numbers in numberings)


def _edges(operands: Term) -> set[int]:
    return {edge for operand in operands if len(operand) == 3 for edge in (operand[1], *_edges(operand[2]))}


def _numbered(operands: Term, numbers: dict[int, int]) -> Term:
    found = [
        (operand[0], numbers[operand[1]], _numbered(operand[2], numbers)) if len(operand) == 3 else operand
        for operand in operands
    ]
    return tuple(sorted(found, key=repr))


def classes(cells: tuple[Cell, ...] | list[Cell]) -> set[frozenset[Cell]]:
    """The cells in classes of those that compute the same."""
    found: dict[str, set[Cell]] = {}
    for cell in cells:
        found.setdefault(label(cell), set()).add(cell)
    return set(map(frozenset, found.values()))
