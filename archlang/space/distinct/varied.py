"""The varied graph cut where every path passes: fragments of nodes, each with the diagrams that say
which operation a node is and where its inputs come from."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import attrs

from archlang.ir.graph import Operation
from archlang.ir.types import TensorType
from archlang.semantics.costs import in_order
from archlang.semantics.diagram import Diagram, Diagrams, Value, leaf_key, leaves
from archlang.semantics.entry import Evaluated
from archlang.semantics.fault import Entangled, Fault
from archlang.semantics.operations import operation
from archlang.semantics.values import InputNode, OpNode, SelectNode, Symbolic, Tensor
from archlang.syntax import ast

OPERATION_STEPS = 300  # diagram steps that take as long as working out an operation
NONE = -1  # no value: what stands there is never part of a program


@attrs.frozen(eq=False)
class Options:
    """One of several things, by the picks: a diagram with their places as leaves, and the things.

    Places are numbered as the diagram comes to them, so that equal dependence is an equal diagram."""

    which: Value
    things: tuple[Any, ...]


@attrs.frozen(eq=False)
class Part:
    """An op of the varied graph: its operation (None where it cannot be applied), and for each
    input the number of the value that it takes."""

    operation: Options
    inputs: tuple[Options, ...]
    weights_at: str


@attrs.frozen(eq=False, slots=False)
class Fragment:
    """Values are numbered: sources first, then the parts, which come after their inputs. `roots` are
    the fragment's results with the names that they have in the program's."""

    sources: int
    parts: tuple[Part, ...]
    roots: tuple[tuple[str, Options], ...]

    @property
    def diagrams(self) -> list[Value]:
        """Every diagram of the fragment."""
        found = [options.which for _, options in self.roots]
        for part in self.parts:
            found += [part.operation.which, *(given.which for given in part.inputs)]
        return found

    @cached_property
    def form(self) -> object:
        """What fragments have in common that make the same networks of the same picks."""
        groups: dict[str, int] = {}
        parts = [
            (
                (_key(part.operation.which), part.operation.things),
                tuple((_key(given.which), given.things) for given in part.inputs),
                groups.setdefault(part.weights_at, len(groups)) if part.weights_at else -1,
            )
            for part in self.parts
        ]
        roots = tuple((name, _key(options.which), options.things) for name, options in self.roots)
        return self.sources, tuple(parts), roots


def _key(which: Value) -> object:
    return id(which) if type(which) is Diagram else which


def fragments(evaluated: Evaluated) -> list[Fragment]:
    """The network of a space as fragments, each with one source and one root: what the one before
    it gives, and what it gives the next. One fragment where no tensor has all paths through it.
    Raises Entangled when a float decision is part of an operation."""
    return _Cutter(evaluated).fragments()


class _Cutter:
    def __init__(self, evaluated: Evaluated):
        self._evaluated = evaluated
        self._diagrams = evaluated.evaluator.diagrams
        self._results = evaluated.tensors
        tensors = [leaf for value in self._results.values() for leaf in leaves(value) if type(leaf) is Tensor]
        self._order = in_order(tensors)
        self._place = {id(tensor.node): place for place, tensor in enumerate(self._order)}
        self._operations: dict[Any, tuple[Value, Any]] = {}
        # For each node the value it stands for: a place, or a diagram of places.
        self._values: dict[int, Value] = {}

    def fragments(self) -> list[Fragment]:
        if not self._results:
            return []
        last = len(self._order) - 1
        ends = self._cuts() if self._is_chain() else []
        found = []
        sources = [place for place, tensor in enumerate(self._order) if type(tensor.node) is InputNode]
        start = 0
        for end in [*ends, last]:
            roots = self._results if end == last else {"": self._order[end]}
            found.append(self._fragment(sources, start, end, roots))
            start, sources = end + 1, [end]
            self._values[id(self._order[end].node)] = end
        return found

    def _is_chain(self) -> bool:
        return len(self._results) == 1 and all(type(value) is Tensor for value in self._results.values())

    def _cuts(self) -> list[int]:
        """The places of tensors, the last excepted, that all paths pass and no tied weights span."""
        used_until = [0] * len(self._order)
        tied_until = [0] * len(self._order)
        first_holder: dict[str, int] = {}
        for place, tensor in enumerate(self._order):
            node = tensor.node
            for given in _operands(node):
                used_until[self._place[id(given.node)]] = place
            if type(node) is OpNode and _has_weights(node):
                tied_until[first_holder.setdefault(node.weights_at, place)] = place
        begun = max(place for place, tensor in enumerate(self._order) if not _operands(tensor.node))
        found, used, tied = [], 0, 0
        for place in range(len(self._order) - 1):
            tied = max(tied, tied_until[place])
            if max(begun, used, tied) <= place and type(self._order[place].node) is not InputNode:
                found.append(place)
            used = max(used, used_until[place])
        return found

    def _fragment(self, sources: list[int], start: int, end: int, roots: dict[str, Value]) -> Fragment:
        self._diagrams.restart()
        numbers = {place: number for number, place in enumerate(sources)}
        parts: list[Part] = []
        for place in range(start, end + 1):
            tensor = self._order[place]
            node = tensor.node
            if type(node) is SelectNode:
                kids = tuple(NONE if type(kid) is Fault else self._values[id(kid.node)] for kid in node.kids)
                self._values[id(node)] = self._diagrams.combine(node.var, kids)
                continue
            self._values[id(node)] = place
            if type(node) is OpNode:
                inputs = tuple(self._options(self._values[id(given.node)], numbers) for given in node.inputs)
                numbers[place] = len(sources) + len(parts)
                parts.append(Part(self._operation(node), inputs, node.weights_at if _has_weights(node) else ""))
        found = [(name, self._options(self._resolved(value), numbers)) for name, value in roots.items()]
        return Fragment(len(sources), tuple(parts), tuple(found))

    def _resolved(self, value: Value) -> Value:
        """A result as a diagram of places."""
        results = {
            leaf_key(leaf): self._values[id(leaf.node)] if type(leaf) is Tensor else NONE for leaf in leaves(value)
        }
        return self._diagrams.substitute(value, results, self._diagrams.combine)

    def _options(self, places: Value, numbers: dict[int, int]) -> Options:
        return _numbered(self._diagrams, places, lambda place: numbers.get(place, NONE))

    def _operation(self, node: OpNode) -> Options:
        dims = [dim for given in node.inputs for dim in given.shape]
        dtypes = [(given.dtype, len(given.shape)) for given in node.inputs]
        key = id(node.op.declaration), tuple(map(leaf_key, node.config)), tuple(map(leaf_key, dims)), tuple(dtypes)
        known = self._operations.get(key)
        if known is None:
            for value in node.config:
                for leaf in leaves(value):
                    if isinstance(leaf, Symbolic):
                        named = f"a float decision is part of `{node.op.declaration.name}`"
                        raise Entangled(named, tuple(sorted(leaf.decisions)))

            def one(*values: Value) -> Operation:
                self._diagrams.steps += OPERATION_STEPS
                return _operation(node, dtypes, *values)

            made = self._diagrams.lift(one, *node.config, *dims)
            options = _numbered(self._diagrams, made, lambda leaf: None if type(leaf) is Fault else leaf)
            known = self._operations[key] = options, node  # the identities in the key stay taken
        return known[0]


def _operation(node: OpNode, dtypes: list[tuple[str, int]], *values: Value) -> Operation:
    types, start = [], len(node.config)
    for dtype, rank in dtypes:
        types.append(TensorType(dtype, values[start : start + rank]))
        start += rank
    return operation(node.op, values[: len(node.config)], tuple(types))


def _numbered(diagrams: Diagrams, value: Value, thing: Any) -> Options:
    """The value with its leaves numbered; `thing` says what a leaf stands for."""
    places: dict[Any, int] = {}
    numbers = {leaf_key(leaf): places.setdefault(thing(leaf), len(places)) for leaf in leaves(value)}
    return Options(diagrams.map_leaves(value, lambda leaf: numbers[leaf_key(leaf)]), tuple(places))


def _operands(node: Any) -> Sequence[Tensor]:
    if type(node) is OpNode:
        return node.inputs
    return [kid for kid in node.kids if type(kid) is not Fault] if type(node) is SelectNode else ()


def _has_weights(node: OpNode) -> bool:
    return any(isinstance(clause, ast.Weight) for clause in node.op.declaration.clauses)
