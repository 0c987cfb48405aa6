"""Decision diagrams: static values that depend on decisions.

A value is a plain Python value when it is the same for all choices, else a `Diagram`: a node for
one decision with a value for each of its picks. Nodes are hash-consed and ordered by variable
number, so that equal functions of the choices are one object. Leaves that are `Fault`s mark
choices under which there is no value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from archlang.semantics.fault import Entangled, Fault, FaultSignal

Value = Any  # a plain value, a Diagram, or a Fault

# What takes more diagram nodes, or more steps on them, is not worked out further: it would take
# longer than a few seconds.
MAX_NODES = 400_000
MAX_STEPS = 300_000


class Diagram:
    """A value that differs by the pick of decision `var` (numbered in order of first meeting)."""

    __slots__ = ("kids", "var")

    def __init__(self, var: int, kids: tuple[Value, ...]):
        self.var = var
        self.kids = kids


def leaf_key(value: Value) -> Any:
    """A key under which equal leaves meet: by type and content for plain data, else by identity."""
    kind = type(value)
    if kind is int or kind is float or kind is bool or kind is str:
        return kind, value
    if kind is Diagram:
        return id(value)
    identity = getattr(value, "leaf_identity", None)
    return id(value) if identity is None else (kind, identity)


def leaves(value: Value) -> list[Value]:
    """The distinct leaves of a value, faults included, in the order of the picks that reach them."""
    if type(value) is not Diagram:
        return [value]
    found: dict[Any, Value] = {}
    seen = set()
    stack = [value]
    while stack:
        here = stack.pop()
        if type(here) is Diagram:
            if id(here) not in seen:
                seen.add(id(here))
                stack.extend(reversed(here.kids))
        else:
            found.setdefault(leaf_key(here), here)
    return list(found.values())


def support(*values: Value) -> set[int]:
    """The variables that any of the values depend on."""
    found: set[int] = set()
    seen = set()
    stack = list(values)
    while stack:
        here = stack.pop()
        if type(here) is Diagram and id(here) not in seen:
            seen.add(id(here))
            found.add(here.var)
            stack.extend(here.kids)
    return found


def at(value: Value, picks: Callable[[int], int]) -> Value:
    """The leaf for given picks (a function from variable to position)."""
    while type(value) is Diagram:
        value = value.kids[picks(value.var)]
    return value


def paths(value: Value, wanted: Callable[[Value], bool]) -> Iterator[dict[int, int]]:
    """Partial assignments (variable → position), each leading to a wanted leaf; the shortest ways
    through shared nodes are not sought: ways come in lexicographic order, each once."""

    def walk(here: Value, path: dict[int, int]) -> Iterator[dict[int, int]]:
        if type(here) is Diagram:
            for position, kid in enumerate(here.kids):
                yield from walk(kid, {**path, here.var: position})
        elif wanted(here):
            yield path

    yield from walk(value, {})


class Diagrams:
    """Makes diagrams of one evaluation, and keeps equal ones one object."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.steps = 0
        self._nodes: dict[tuple[Any, ...], Diagram] = {}
        self._equal: dict[Any, tuple[Value, Value, Value]] = {}
        self._connected: dict[tuple[int, int, bool], Value] = {}

    def restart(self) -> None:
        """Begin another task: the steps of the last one do not count."""
        self.steps = 0

    def variable(self, size: int) -> int:
        """A new variable with `size` picks, after all others in the order."""
        self.sizes.append(size)
        return len(self.sizes) - 1

    def node(self, var: int, kids: tuple[Value, ...]) -> Value:
        """The value that is `kids[i]` under pick i of `var`; the kids depend on later variables only."""
        keys = tuple(map(leaf_key, kids))
        self.steps += 1 + len(kids) // 10  # wide nodes take longer
        if self.steps > MAX_STEPS:
            raise Entangled("the values of the space depend on too many decisions at once")
        first = keys[0]
        if all(key == first for key in keys):
            return kids[0]
        key = (var, *keys)
        found = self._nodes.get(key)
        if found is None:
            if len(self._nodes) >= MAX_NODES:
                raise Entangled("the values of the space depend on too many decisions at once")
            found = self._nodes[key] = Diagram(var, kids)
        return found

    def literal(self, var: int, position: int) -> Value:
        """True where `var` has the given pick, else False."""
        return self.node(var, tuple(index == position for index in range(self.sizes[var])))

    def cofactor(self, value: Value, var: int, position: int) -> Value:
        """The value under one pick of `var`."""
        memo: dict[int, Value] = {}

        def walk(here: Value) -> Value:
            if type(here) is not Diagram or here.var > var:
                return here
            if here.var == var:
                return here.kids[position]
            done = memo.get(id(here))
            if done is None:
                done = memo[id(here)] = self.node(here.var, tuple(walk(kid) for kid in here.kids))
            return done

        return walk(value)

    def combine(self, var: int, kids: tuple[Value, ...]) -> Value:
        """The value that is `kids[i]` under pick i of `var`, whatever variables the kids depend on."""
        top = min((kid.var for kid in kids if type(kid) is Diagram), default=var + 1)
        if top > var:
            return self.node(var, kids)
        kids = tuple(self.cofactor(kid, var, position) for position, kid in enumerate(kids))
        memo: dict[tuple[int, ...], Value] = {}

        def walk(kids: tuple[Value, ...]) -> Value:
            top = min((kid.var for kid in kids if type(kid) is Diagram), default=var + 1)
            if top > var:
                return self.node(var, kids)
            key = tuple(map(id, kids))
            done = memo.get(key)
            if done is None:
                done = memo[key] = self.node(
                    top,
                    tuple(
                        walk(tuple(kid.kids[p] if type(kid) is Diagram and kid.var == top else kid for kid in kids))
                        for p in range(self.sizes[top])
                    ),
                )
            return done

        return walk(kids)

    def lift(self, function: Callable[..., Value], *values: Value) -> Value:
        """`function` applied pointwise. A fault among the values is the result where it holds (the
        first, if several); a `FaultSignal` from the function becomes a leaf."""
        memo: dict[tuple[Any, ...], Value] = {}

        def walk(values: tuple[Value, ...]) -> Value:
            top = -1
            for place, value in enumerate(values):
                kind = type(value)
                if kind is Diagram:
                    if top < 0 or value.var < top:
                        top = value.var
                elif kind is Fault:
                    if top < 0:
                        return value
                    values = values[: place + 1]  # what comes before may have a fault too
                    break
            if top < 0:
                try:
                    return function(*values)
                except FaultSignal as signal:
                    return signal.fault
            key = tuple([id(v) if type(v) is Diagram else leaf_key(v) for v in values])
            done = memo.get(key)
            if done is None:
                kids = [v.kids if type(v) is Diagram and v.var == top else None for v in values]
                done = memo[key] = self.node(
                    top,
                    tuple(
                        [
                            walk(tuple([v if k is None else k[p] for v, k in zip(values, kids, strict=True)]))
                            for p in range(self.sizes[top])
                        ]
                    ),
                )
            return done

        return walk(values)

    def substitute(
        self, value: Value, results: dict[Any, Value], join: Callable[[int, tuple[Value, ...]], Value]
    ) -> Value:
        """The value with each leaf replaced by `results[leaf_key(leaf)]`; `join` makes a choice
        between results, which may be anything (tensors too)."""
        memo: dict[int, Value] = {}

        def walk(here: Value) -> Value:
            if type(here) is not Diagram:
                return results[leaf_key(here)]
            done = memo.get(id(here))
            if done is None:
                done = memo[id(here)] = join(here.var, tuple(walk(kid) for kid in here.kids))
            return done

        return walk(value)

    def map_leaves(self, value: Value, change: Callable[[Value], Value]) -> Value:
        """The value with each leaf, faults included, changed."""
        return self.substitute(value, {leaf_key(leaf): change(leaf) for leaf in leaves(value)}, self.combine)

    # ------------------------------------------------------------- conditions

    def both(self, a: Value, b: Value) -> Value:
        """True where both conditions hold."""
        return self._connect(a, b, False)

    def either(self, a: Value, b: Value) -> Value:
        """True where one of the conditions holds."""
        return self._connect(a, b, True)

    def _connect(self, a: Value, b: Value, decisive: bool) -> Value:
        """`a or b` when True decides, `a and b` when False does."""
        if a is decisive or b is decisive:
            return decisive
        if a is (not decisive) or a is b:
            return b
        if b is (not decisive):
            return a
        key = (id(a), id(b), decisive) if id(a) < id(b) else (id(b), id(a), decisive)
        done = self._connected.get(key)
        if done is None:
            var = min(a.var, b.var)
            size = len(a.kids) if a.var == var else len(b.kids)
            kids_a = a.kids if a.var == var else (a,) * size
            kids_b = b.kids if b.var == var else (b,) * size
            kids = tuple([self._connect(x, y, decisive) for x, y in zip(kids_a, kids_b, strict=True)])
            done = self._connected[key] = self.node(var, kids)
        return done

    def equals_leaf(self, value: Value, leaf: Value) -> Value:
        """True where the value is the given leaf (a fault elsewhere counts as another leaf)."""
        wanted = leaf_key(leaf)
        key = id(value) if type(value) is Diagram else leaf_key(value), wanted
        known = self._equal.get(key)
        if known is None:
            equal = self.map_leaves(value, lambda other: leaf_key(other) == wanted)
            known = self._equal[key] = equal, value, leaf  # the identities in the key stay taken
        return known[0]
