"""The additive costs of many programs at once, from the terms of the whole space as arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from archlang.cost import ADDITIVE
from archlang.cost.table import SCALE, CostTable
from archlang.semantics.costs import NOTHING, Amounts
from archlang.semantics.diagram import Diagram, Value, at, support
from archlang.space.compiled import Compiled
from archlang.space.resolver import OnceForAll

Array = np.ndarray[Any, Any]
MAX_TABLE = 4_096  # entries of a term written out for all picks of its decisions


class SpacePricing:
    """The additive costs of a space's programs, and those of its tables; raises Entangled."""

    def __init__(self, once: OnceForAll, compiled: Compiled, tables: Mapping[str, CostTable]):
        self._declared = Pricing(compiled, once.terms, NOTHING)
        self._measured: dict[str, Pricing] = {}
        for name, table in tables.items():
            terms = [compiled.diagrams.map_leaves(t, lambda value: Amounts([value])) for t in once.terms_by(table)]
            self._measured[name] = Pricing(compiled, terms, Amounts([0]))

    def costs(self, positions: Array) -> dict[str, Array]:
        """The costs by name of programs, given as (decisions in order, programs): int64, or float64 in the
        unit of a table."""
        found = dict(zip(ADDITIVE, self._declared.price(positions).T, strict=True))
        return found | {name: each.price(positions)[:, 0] / SCALE for name, each in self._measured.items()}


class Pricing:
    """Sums up terms, each a table over the positions of the few decisions that it depends on."""

    def __init__(self, compiled: Compiled, terms: list[Value], nothing: Amounts):
        self._base = np.array(nothing, dtype=np.int64)
        self._tables: list[tuple[list[int], list[int], Array]] = []
        self._diagrams: list[_Walked] = []
        place = compiled.layout.place
        for term in terms:
            # Decisions that no program makes hold their first pick.
            term = _without(compiled, term, support(term) - place.keys())
            if type(term) is not Diagram:
                self._base += np.array(term, dtype=np.int64)
                continue
            variables = sorted(support(term))
            sizes = [compiled.diagrams.sizes[var] for var in variables]
            if float(np.prod(np.array(sizes, dtype=float))) > MAX_TABLE:
                places = [place[var] for var in variables]
                self._diagrams.append(_Walked(term, variables, places, nothing))
                continue
            entries = []
            for index in np.ndindex(*sizes):
                entries.append(at(term, dict(zip(variables, index, strict=True)).__getitem__))
            strides = [int(np.prod(sizes[axis + 1 :])) for axis in range(len(sizes))]
            table = np.array(entries, dtype=np.int64)
            self._tables.append(([place[var] for var in variables], strides, table))

    def price(self, positions: Array) -> Array:
        """The costs of programs, given as (decisions in order, programs): (programs, costs), int64."""
        made = np.maximum(positions, 0)
        total = np.tile(self._base, (positions.shape[1], 1))
        for places, strides, table in self._tables:
            index = made[places[0]] * strides[0]
            for place, stride in zip(places[1:], strides[1:], strict=True):
                index = index + made[place] * stride
            total += table[index]
        for walked in self._diagrams:
            total += walked.price(made)
        return total


def _without(compiled: Compiled, term: Value, variables: set[int]) -> Value:
    for var in variables:
        term = compiled.diagrams.cofactor(term, var, 0)
    return term


class _Walked:
    """A term of many decisions: its diagram as arrays, walked decision by decision."""

    def __init__(self, term: Diagram, variables: list[int], places: list[int], nothing: Amounts):
        self._levels = list(zip(variables, places, strict=True))
        numbers: dict[int, int] = {}
        nodes: list[Diagram] = []
        leaves: list[Any] = []
        stack: list[Any] = [term]
        while stack:
            here = stack.pop()
            if id(here) not in numbers:
                if type(here) is Diagram:
                    numbers[id(here)] = len(nodes)
                    nodes.append(here)
                    stack.extend(here.kids)
                else:
                    numbers[id(here)] = -1 - len(leaves)
                    leaves.append(here)
        # Leaves come after the nodes.
        number = {key: n if n >= 0 else len(nodes) - 1 - n for key, n in numbers.items()}
        self._first = np.concatenate([[0], np.cumsum([len(node.kids) for node in nodes])]).astype(np.int64)
        self._kids = np.array([number[id(kid)] for node in nodes for kid in node.kids], dtype=np.int64)
        self._vars = np.array([node.var for node in nodes] + [-1] * len(leaves), dtype=np.int64)
        self._leaves = np.array([nothing] * len(nodes) + leaves, dtype=np.int64)

    def price(self, made: Array) -> Array:
        node = np.zeros(made.shape[1], dtype=np.int64)
        for var, place in self._levels:
            rows = np.flatnonzero(self._vars[node] == var)
            node[rows] = self._kids[self._first[node[rows]] + made[place, rows]]
        priced: Array = self._leaves[node]
        return priced
