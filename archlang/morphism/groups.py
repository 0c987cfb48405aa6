"""Dimensions of a network that can only change together (the dependency groups of DepGraph, Fang et al. 2023).

Every axis of every value is in a class; ops unify classes, as their declarations and the few rules below say. A class
is made by the attributes of ops (`out` of `conv2d`); where all its members follow when these change, it is a group.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import lcm
from typing import Any

import attrs

from archlang.ir.graph import Graph, Node
from archlang.morphism.roles import BROADCAST, groups_of, names_in, rest_places
from archlang.semantics.modules import ModuleScope
from archlang.syntax import ast

Axis = tuple[int, int]  # a value of a graph, and one of its axes
Named = dict[str, list[list[Axis]]]  # by the names in an op's declaration, what each stands for at every mention

SIZES = {
    "embedding": "dim",
    "lstm": "units",
    "gru": "units",
}  # the attribute that makes a dimension, where it is not `out`


@attrs.frozen
class Group:
    """Nodes whose attributes make dimensions that change together, with the names of these attributes; the size
    that all have; what must divide it; the positions of all nodes whose output has such a dimension; and how many
    groups are concatenated where most are with this one."""

    sources: tuple[tuple[Node, tuple[str, ...]], ...]
    size: int
    divisor: int
    members: frozenset[int]
    beside: int = 1


def dimension_groups(
    graph: Graph, library: ModuleScope, more_heads: int = 1, joined: Iterable[tuple[int, int]] = ()
) -> list[Group]:
    """The groups of a graph whose sizes may change, in the order of their first nodes. Attention may have
    `more_heads` times as many heads; `joined` are pairs of values that must keep one type."""
    classes = _Classes(graph, library, more_heads)
    for one, other in joined:
        classes.join(one, other)
    return classes.groups()


class _Classes:
    def __init__(self, graph: Graph, library: ModuleScope, more_heads: int):
        self._graph = graph
        self._library = library
        self._more_heads = more_heads
        self._parents: dict[Axis, Axis] = {}
        self._fixed: set[Axis] = set()
        self._derived: list[tuple[Axis, list[Axis]]] = []  # axes with the axes whose sizes theirs is worked out from
        self._made: list[tuple[Axis, Node, tuple[str, ...]]] = []
        self._divisors: list[tuple[Axis, int]] = []
        count = len(graph.inputs)
        for value in [*range(count), *(output.value for output in graph.outputs)]:
            self._fix(self._axes(value))
        for position, node in enumerate(graph.nodes):
            self._node(node, position + count)

    # ------------------------------------------------------------------ classes

    def _root(self, axis: Axis) -> Axis:
        while (parent := self._parents.get(axis, axis)) != axis:
            axis = parent
        return axis

    def _same(self, one: Axis, other: Axis) -> None:
        one, other = self._root(one), self._root(other)
        if one != other:
            self._parents[max(one, other)] = min(one, other)

    def join(self, one: int, other: int) -> None:
        """Two values have one type."""
        for pair in zip(self._axes(one), self._axes(other), strict=True):
            self._same(*pair)

    def _fix(self, axes: Iterable[Axis]) -> None:
        self._fixed.update(axes)

    def _axes(self, value: int) -> list[Axis]:
        return [(value, axis) for axis in range(len(self._graph.type_of(value).shape))]

    def _size(self, axis: Axis) -> Any:
        return self._graph.type_of(axis[0]).shape[axis[1]]

    # -------------------------------------------------------------------- nodes

    def _node(self, node: Node, out: int) -> None:
        name, given = node.operation.name, list(node.inputs)
        outputs = self._axes(out)
        if name in BROADCAST:
            self._broadcast(given, outputs)
        elif name == "concat":
            at = node.operation.attribute("axis") % len(outputs)
            for axis in outputs:
                if axis[1] == at:
                    self._derived.append((axis, [(value, at) for value in given]))
                for value in given if axis[1] != at else ():
                    self._same(axis, (value, axis[1]))
        elif name in ("permute", "transpose"):
            order = list(range(len(outputs)))
            if name == "permute":
                order = list(node.operation.attribute("order"))
            else:
                one, other = (node.operation.attribute(end) % len(order) for end in ("a", "b"))
                order[one], order[other] = order[other], order[one]
            for axis in outputs:
                self._same(axis, (given[0], order[axis[1]]))
        elif name == "flatten":
            start = node.operation.attribute("start")
            for axis in outputs[:start]:
                self._same(axis, (given[0], axis[1]))
            self._derived.append((outputs[start], self._axes(given[0])[start:]))
        elif name in ("slice", "pad", "mean", "max_reduce", "min_reduce"):
            self._one_axis_at_a_time(node, given[0], outputs)
        elif name == "attention":
            self._attention(node, given, outputs)
        else:
            self._declared(node, given, outputs)

    def _broadcast(self, given: list[int], outputs: list[Axis]) -> None:
        for axis in outputs:
            for value in given:
                other = (value, axis[1] - len(outputs) + len(self._axes(value)))
                if other[1] >= 0 and self._size(other) != 1:
                    self._same(axis, other)
                elif other[1] >= 0:
                    self._fix([other])

    def _one_axis_at_a_time(self, node: Node, value: int, outputs: list[Axis]) -> None:
        """Ops that change some axes and leave the others."""
        operation, inputs = node.operation, self._axes(value)
        if operation.name == "pad":
            changed = {len(inputs) - 1 - place for place in range(len(operation.attribute("amount")) // 2)}
        else:
            changed = {operation.attribute("axis") % len(inputs)}
        left = [axis for axis in inputs if axis[1] not in changed]
        self._fix(axis for axis in inputs if axis[1] in changed and operation.name in ("pad", "slice"))
        if len(outputs) == len(inputs):
            outputs = [axis for axis in outputs if axis[1] not in changed]
        for one, other in zip(left, outputs, strict=True):
            self._same(one, other)

    def _attention(self, node: Node, given: list[int], outputs: list[Axis]) -> None:
        query, key, value = (self._axes(each) for each in given)
        heads = node.operation.attribute("heads")
        for place in (0, 1):
            self._same(outputs[place], query[place])
        self._same(key[1], value[1])
        self._same(query[2], key[2])
        self._same(outputs[2], value[2])
        for axis in (query[2], value[2]):
            self._divisors.append((axis, heads * self._more_heads))
        if node.operation.attribute("kv_heads") != heads:
            self._fix([query[2], value[2]])

    def _declared(self, node: Node, given: list[int], outputs: list[Axis]) -> None:
        """What the names in an op's declaration say."""
        declaration = self._library.declaration(node.operation.name)
        if not isinstance(declaration, ast.Op) or len(declaration.inputs) != len(given):
            self._fix([axis for value in (*given, outputs[0][0]) for axis in self._axes(value)])
            return
        names: Named = {}
        for parameter, value in zip(declaration.inputs, given, strict=True):
            assert isinstance(parameter.type, ast.TensorTypeExpr)
            for dim, axes in _placed(parameter.type, self._axes(value)):
                name = dim.name if isinstance(dim, ast.Name | ast.RestDims) else None
                if name is None:
                    self._fix(axes)
                else:
                    names.setdefault(name, []).append(axes)
        for same in names.values():
            for axes in same[1:]:
                for one, other in zip(same[0], axes, strict=False):
                    self._same(one, other)
        self._constrained(node, declaration, names)
        for dim, axes in _placed(declaration.result, outputs):
            self._result(node, dim, axes, names, given)

    def _result(
        self, node: Node, dim: Any, axes: list[Axis], names: dict[str, list[list[Axis]]], given: list[int]
    ) -> None:
        operation = node.operation
        parameters = {name for name, _ in operation.attributes}
        if isinstance(dim, ast.SpliceDims):
            dim = dim.value
        name = dim.name if isinstance(dim, ast.Name | ast.RestDims) else None
        if name in names:
            for one, other in zip(names[name][0], axes, strict=True):
                self._same(one, other)
        elif name is not None and name == SIZES.get(operation.name, "out") and name in parameters and len(axes) == 1:
            self._source(node, name, axes[0], given)
        elif operation.name == "depthwise_conv2d" and axes[0][1] == 1:
            self._derived.append((axes[0], [(given[0], 1)]))
            if operation.attribute("multiplier") == 1:
                self._derived.pop()
                self._same(axes[0], (given[0], 1))
        else:  # worked out from others: those of the names in it, or perhaps any
            used = {each for expr in [dim] for each in names_in(expr)} & set(names) or set(names)
            sized = name is not None and name not in parameters
            channels = {"c", "d"} if sized else set()  # sizes of places (`oh`) are worked out from those of places
            self._derived += [
                (axis, [other for each in sorted(used - channels) for place in names[each] for other in place])
                for axis in axes
            ]

    def _source(self, node: Node, name: str, axis: Axis, given: list[int]) -> None:
        groups = groups_of(node)
        written: tuple[str, ...] = (name,)
        if groups > 1:
            channels = (given[0], 1)
            if groups == self._size(channels) == self._size(axis):
                self._same(axis, channels)
                written = (name, "groups")
            else:
                self._divisors += [(axis, groups), (channels, groups)]
        self._made.append((axis, node, written))

    def _constrained(self, node: Node, declaration: ast.Op, names: Named) -> None:
        """Divisors that an op's `groups` asks for; the classes of other names in its rules stay as they are."""
        attributes = dict(node.operation.attributes)
        if "groups" in attributes:
            if "out" not in attributes:
                self._divisors += [(axis, groups_of(node)) for axes in names.get("c", []) for axis in axes]
            return
        for clause in declaration.clauses:
            if isinstance(clause, ast.Require):
                for name in set(names_in(clause.condition)) & set(names):
                    self._fix(axis for axes in names[name] for axis in axes)

    # ------------------------------------------------------------------- groups

    def groups(self) -> list[Group]:
        fixed = {self._root(axis) for axis in self._fixed}
        made: dict[Axis, list[tuple[Node, tuple[str, ...]]]] = {}
        for axis, node, names in self._made:
            made.setdefault(self._root(axis), []).append((node, names))
        members: dict[Axis, set[int]] = {}
        followers: dict[Axis, int] = {}
        for axis, _ in self._derived:
            followers[self._root(axis)] = followers.get(self._root(axis), 0) + 1
        count = len(self._graph.inputs)
        for value in range(count, count + len(self._graph.nodes)):
            for axis in self._axes(value):
                members.setdefault(self._root(axis), set()).add(value - count)
        changed = True
        while changed:
            changed = False
            for axis, causes in self._derived:
                # What is worked out must be free to change: made by nothing else, and by one thing only.
                root = self._root(axis)
                if root in fixed or root in made or followers[root] > 1:
                    new = {self._root(cause) for cause in causes} - fixed
                    changed |= bool(new)
                    fixed |= new
                    if root not in fixed:
                        fixed.add(root)
                        changed = True
        divisors: dict[Axis, int] = {}
        for axis, divisor in self._divisors:
            root = self._root(axis)
            divisors[root] = lcm(divisors.get(root, 1), divisor)
        derived = {self._root(axis): causes for axis, causes in self._derived}
        for root in [root for root in divisors if root in derived]:  # what divides a sum divides each part
            for cause in derived[root]:
                divisors[self._root(cause)] = lcm(divisors.get(self._root(cause), 1), divisors[root])
        free = {root for root in made if root not in fixed and isinstance(self._size(root), int)}
        beside = self._beside(free)
        return [
            Group(
                tuple(sources), self._size(root), divisors.get(root, 1), frozenset(members[root]), beside.get(root, 1)
            )
            for root, sources in made.items()
            if root in free
        ]

    def _beside(self, groups: set[Axis]) -> dict[Axis, int]:
        """For each group how many groups are in a size that is worked out from it, at most."""
        reached: dict[Axis, frozenset[Axis]] = {root: frozenset([root]) for root in groups}
        found: dict[Axis, int] = {}
        for axis, causes in self._derived:  # in the order of the nodes, so that causes come first
            parts = frozenset[Axis]().union(*(reached.get(self._root(cause), frozenset()) for cause in causes))
            reached[self._root(axis)] = parts
            for root in parts:
                found[root] = max(found.get(root, 1), len(parts))
        return found


def _placed(pattern: ast.TensorTypeExpr, axes: list[Axis]) -> Iterator[tuple[Any, list[Axis]]]:
    """The dimensions of a pattern with the axes that each stands for."""
    for dim, places in rest_places(pattern, len(axes)):
        yield dim, [axes[place] for place in places]
