"""Alternatives that make the same programs: under two picks of a decision, all else being equal, the
varied graph is the same up to the names of its nodes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

from archlang.ir.labelling import canonical_order
from archlang.semantics.costs import Amounts, in_order
from archlang.semantics.diagram import Diagram, Diagrams, Value, leaf_key, leaves, support
from archlang.semantics.entry import Evaluated
from archlang.semantics.fault import Entangled, Fault
from archlang.semantics.values import List, Record, Symbolic, Tensor
from archlang.space.distinct.catalogue import Catalogue
from archlang.space.distinct.varied import NONE, Fragment, Options, fragments
from archlang.space.resolver import OnceForAll

MAX_NODES = 20_000  # of a varied graph that is looked at
MAX_PARTS = 1_000  # of a part of it that is compared

_Graph = tuple[list[int], list[list[tuple[int, int]]]]


class Alike:
    """Finds picks that make the same programs. Raises Entangled."""

    def __init__(self, once: OnceForAll):
        evaluated = once.evaluated
        self._diagrams = evaluated.evaluator.diagrams
        if len(in_order([tensor for tensor, _ in once.tensors])) > MAX_NODES:
            raise Entangled("the varied graph is too large")
        # What weighs differently is not alike: that is quickly seen, and true of most alternatives.
        terms = [self._diagrams.map_leaves(term, lambda amounts: Amounts(amounts[:2])) for term in once.terms]
        terms += [term for budget in once.budgets.values() for term, _ in budget.terms]
        values = [*terms, *evaluated.conditions, *evaluated.needs.values(), *_static(evaluated, evaluated.result)]
        self._values = list({id(value): value for value in values if type(value) is Diagram}.values())
        self._reads = [support(value) for value in self._values]
        self._evaluated = evaluated

    @cached_property
    def _fragments(self) -> list[_Fragment]:
        forms = {fragment.form: fragment for fragment in fragments(self._evaluated)}
        return [_Fragment(fragment, self._diagrams) for fragment in forms.values()]

    def classes(self, variable: int, picks: Iterable[int]) -> list[list[int]]:
        """The picks of a variable, those together that make the same programs."""
        values = [value for value, reads in zip(self._values, self._reads, strict=True) if variable in reads]
        found: list[list[int]] = []
        for pick in picks:
            for others in found:
                pair = variable, others[0], pick
                if all(self._same(value, *pair) for value in values) and all(
                    fragment.same(*pair) for fragment in self._fragments if variable in fragment.reads
                ):
                    others.append(pick)
                    break
            else:
                found.append([pick])
        return found

    def _same(self, value: Value, variable: int, one: int, other: int) -> bool:
        cofactors = [self._diagrams.cofactor(value, variable, pick) for pick in (one, other)]
        return bool(leaf_key(cofactors[0]) == leaf_key(cofactors[1]))


def _static(evaluated: Evaluated, value: Value) -> list[Value]:
    """What a space's value depends on beside its tensors, as diagrams."""
    if isinstance(value, Record):
        return [part for item in value.fields.values() for part in _static(evaluated, evaluated.evaluator.force(item))]
    if isinstance(value, List):
        return [part for item in value.items for part in _static(evaluated, evaluated.evaluator.force(item))]
    if isinstance(value, Symbolic):
        return [part for item in value.arguments for part in _static(evaluated, item)]
    if type(value) is not Diagram:
        return []
    kinds = leaves(value)
    inner = [part for leaf in kinds for part in _static(evaluated, leaf)]
    return inner if all(type(leaf) in (Tensor, Fault) for leaf in kinds) else [value, *inner]


class _Fragment:
    """A part of the varied graph, as it is under picks of single variables."""

    def __init__(self, fragment: Fragment, diagrams: Diagrams):
        self.reads = support(*fragment.diagrams)
        self._fragment = fragment
        self._diagrams = diagrams
        self._catalogue = Catalogue()
        self._numbers: dict[Any, int] = {}
        self._kept: list[Value] = []  # the identities in numbers stay taken
        self._graphs: dict[tuple[int, int], _Graph] = {}
        self._forms: dict[tuple[int, int], Any] = {}

    def same(self, variable: int, one: int, other: int) -> bool:
        """Whether it is the same under two picks of a variable."""
        if len(self._fragment.parts) > MAX_PARTS:
            return False
        first, second = (self._graph(variable, pick) for pick in (one, other))
        if sorted(first[0]) != sorted(second[0]):
            return False
        return bool(self._form(variable, one) == self._form(variable, other))

    def _form(self, variable: int, pick: int) -> Any:
        """The live graph in its canonical order: equal for isomorphic graphs, and for these alone."""
        known = self._forms.get((variable, pick))
        if known is None:
            labels, edges = self._graph(variable, pick)
            order = canonical_order(labels, edges)
            rank = {vertex: place for place, vertex in enumerate(order)}
            known = self._forms[variable, pick] = tuple(
                (labels[vertex], tuple(sorted((label, rank[other]) for label, other in edges[vertex])))
                for vertex in order
            )
        return known

    def _graph(self, variable: int, pick: int) -> _Graph:
        """What may be live: nodes with numbers for what their operations are, and edges with numbers
        for the input and the condition under which it is taken."""
        known = self._graphs.get((variable, pick))
        if known is None:
            known = self._graphs[variable, pick] = self._restricted(variable, pick)
        return known

    def _restricted(self, variable: int, pick: int) -> _Graph:
        fragment = self._fragment
        # For each value the node that it is: a number, or a diagram of numbers.
        values: list[Value] = list(range(fragment.sources))
        nodes: list[tuple[Value, bool, list[Value]]] = [(("source", n), False, []) for n in range(fragment.sources)]
        holders: dict[str, list[int]] = {}
        for part in fragment.parts:
            operation = self._with(part.operation, variable, pick, self._operation)
            inputs = [self._with(given, variable, pick, values.__getitem__) for given in part.inputs]
            facts = [self._catalogue.fact(leaf) for leaf in leaves(operation) if leaf != NONE]
            commutes, identity = all(fact[1] for fact in facts), all(fact[2] for fact in facts)
            operation = self._diagrams.map_leaves(operation, self._label)
            if identity:
                values.append(inputs[0])
                continue
            if part.weights_at:
                holders.setdefault(part.weights_at, []).append(len(nodes))
            values.append(len(nodes))
            nodes.append((operation, commutes, inputs))
        roots = [self._with(options, variable, pick, values.__getitem__) for _, options in fragment.roots]
        nodes.append(("results", False, roots))
        return self._live(nodes, holders)

    def _operation(self, thing: Any) -> int:
        return NONE if thing is None else self._catalogue.number(thing)

    def _label(self, number: int) -> int:
        return number if number == NONE else self._catalogue.fact(number)[0]

    def _with(self, options: Options, variable: int, pick: int, thing: Any) -> Value:
        which = self._diagrams.cofactor(options.which, variable, pick)
        results = {leaf_key(leaf): self._at(options.things, leaf, thing) for leaf in leaves(which)}
        return self._diagrams.substitute(which, results, self._diagrams.combine)

    def _at(self, things: Sequence[Any], leaf: int, thing: Any) -> Value:
        value = things[leaf]
        return NONE if isinstance(value, int) and value == NONE else thing(value)

    def _live(self, nodes: list[tuple[Value, bool, list[Value]]], holders: dict[str, list[int]]) -> _Graph:
        """The nodes that the last one may need, and the edges between them, both ways."""
        place: dict[int, int] = {}
        pending = [len(nodes) - 1]
        while pending:
            node = pending.pop()
            if node not in place:
                place[node] = len(place)
                pending += [leaf for given in nodes[node][2] for leaf in leaves(given) if leaf != NONE]
        labels = [self._number(nodes[node][0]) for node in place]
        edges: list[list[tuple[int, int]]] = [[] for _ in place]
        for node, number in place.items():
            _, commutes, inputs = nodes[node]
            for axis, given in enumerate(inputs):
                for leaf in leaves(given):
                    if leaf != NONE:
                        taken = self._number(self._diagrams.equals_leaf(given, leaf))
                        label = 2 * self._number((0 if commutes else 1 + axis, taken))
                        edges[number].append((label, place[leaf]))
                        edges[place[leaf]].append((label + 1, number))
        tie = 2 * self._number("tie")
        for members in holders.values():
            tied = [place[node] for node in members if node in place]
            for one in tied:
                edges[one] += [(tie, other) for other in tied if other != one]
        return labels, edges

    def _number(self, thing: Any) -> int:
        """A number for a diagram or any other thing."""
        key = ("diagram", id(thing)) if type(thing) is Diagram else (type(thing), thing)
        self._kept.append(thing)
        return self._numbers.setdefault(key, len(self._numbers))
