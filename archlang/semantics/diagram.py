"""Decision diagrams: static values that depend on decisions.

A value is a plain Python value when it is the same for all choices, else a `Diagram`: a node for
one decision with a value for each of its picks. Nodes are hash-consed and ordered by variable
number, so that equal functions of the choices are one object. Leaves that are `Fault`s mark
choices under which there is no value.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from archlang.diagnostics import Diagnostic
from archlang.ir.types import SymbolicDim
from archlang.semantics.fault import Entangled, Fault, FaultSignal

Value = Any  # a plain value, a Diagram, or a Fault

# What takes more diagram nodes, or more steps on them, is not worked out further: it would take
# longer than a few seconds.
MAX_NODES = 400_000
MAX_STEPS = 600_000
MAX_NAMED = 10  # decisions that are told to be entangled


_FAULTY = frozenset([Fault])


class Diagram:
    """A value that differs by the pick of decision `var` (numbered in order of first meeting)."""

    __slots__ = ("kids", "var")

    def __init__(self, var: int, kids: tuple[Value, ...]):
        self.var = var
        self.kids = kids


def leaf_key(value: Value) -> Any:
    """A key under which equal leaves meet: by type and content for plain data, else by identity."""
    kind = type(value)
    if kind is Diagram or kind is bool or kind is Fault:
        return id(value)
    if kind is int or kind is float or kind is str or kind is SymbolicDim:
        return kind, value
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


def entangled_by(problem: Entangled, *values: Value) -> Entangled:
    """The exception, which says that these diagrams were being worked on unless it says so of others:
    it names the variables that most of their nodes are about, in order."""
    if not problem.variables:
        counts: Counter[int] = Counter()
        seen: set[int] = set()
        stack = list(values)
        while stack:
            here = stack.pop()
            if type(here) is Diagram and id(here) not in seen:
                seen.add(id(here))
                counts[here.var] += 1
                stack.extend(here.kids)
        problem.variables = tuple(sorted(var for var, _ in counts.most_common(MAX_NAMED)))
    return problem


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
        self.limit = MAX_STEPS
        self._nodes: dict[tuple[Any, ...], Diagram] = {}
        self._equal: dict[Any, tuple[Value, Value, Value]] = {}
        self._faults: dict[tuple[Diagnostic, bool], Fault] = {}
        self._kinds: dict[int, frozenset[type]] = {}
        self._connected: dict[tuple[int, int, bool], Value] = {}

    def restart(self) -> None:
        """Begin another task: the steps of the last one do not count."""
        self.steps = 0

    @property
    def exhausted(self) -> bool:
        """Whether nothing more can be worked out."""
        return self.steps > self.limit or self.full

    @property
    def full(self) -> bool:
        """Whether there is no room for more diagrams, in any task."""
        return len(self._nodes) > MAX_NODES

    def variable(self, size: int) -> int:
        """A new variable with `size` picks, after all others in the order."""
        self.sizes.append(size)
        return len(self.sizes) - 1

    def fault(self, fault: Fault) -> Fault:
        """The fault as a leaf: those that say the same are one."""
        return self._faults.setdefault((fault.diagnostic, fault.excluded), fault)

    def node(self, var: int, kids: tuple[Value, ...]) -> Value:
        """The value that is `kids[i]` under pick i of `var`; the kids depend on later variables only."""
        keys = tuple([id(kid) if type(kid) is Diagram or type(kid) is bool else leaf_key(kid) for kid in kids])
        self.steps += max(1, len(kids) // 3)  # wide nodes take longer
        if self.steps > self.limit or len(self._nodes) > MAX_NODES:
            raise Entangled("the values of the space depend on too many decisions at once")
        if keys.count(keys[0]) == len(keys):
            return kids[0]
        return self._kept((var, *keys), kids)

    def _kept(self, key: tuple[Any, ...], kids: tuple[Value, ...]) -> Diagram:
        found = self._nodes.get(key)
        if found is None:
            found = self._nodes[key] = Diagram(key[0], kids)
        return found

    def renamed(self, value: Value, names: Mapping[int, int | None], memo: dict[int, Value]) -> Value:
        """The value with variables renamed, which keeps their order, and its first kid for those that
        become None. `memo` holds what is done, by the identity of diagrams. It takes no steps: the
        result is as large as the value."""

        def walk(here: Value) -> Value:
            if type(here) is not Diagram:
                return here
            done = memo.get(id(here))
            if done is None:
                var = names.get(here.var, here.var)
                if var is None:
                    done = walk(here.kids[0])
                else:
                    kids = tuple(map(walk, here.kids))
                    keys = tuple(map(leaf_key, kids))
                    done = kids[0] if keys.count(keys[0]) == len(keys) else self._kept((var, *keys), kids)
                memo[id(here)] = done
            return done

        return walk(value)

    def replaced(self, value: Value, var: int, marker: Fault, ok: Value) -> Value:
        """The value under pick 0 of `var` where `ok` holds, else under pick 1, with the fault of `ok`
        for the marker."""

        def walk(ok: Value, here: Value, gone: Value) -> Value:
            top = min([v.var for v in (ok, here, gone) if type(v) is Diagram], default=-1)
            if top < 0:
                return here if ok is True else ok if gone is marker else gone
            key = id(ok), id(here), id(gone)
            done = memo.get(key)
            if done is None:
                parts = [
                    v.kids if type(v) is Diagram and v.var == top else (v,) * self.sizes[top] for v in (ok, here, gone)
                ]
                done = memo[key] = self.node(top, tuple([walk(*kids) for kids in zip(*parts, strict=True)]))
            return done

        memo: dict[tuple[int, int, int], Value] = {}
        try:
            return walk(ok, self.cofactor(value, var, 0), self.cofactor(value, var, 1))
        except Entangled as problem:
            raise entangled_by(problem, value, ok) from None

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

        try:
            return walk(kids)
        except Entangled as problem:
            raise entangled_by(problem, *kids) from None

    def lift(self, function: Callable[..., Value], *values: Value) -> Value:
        """`function` applied pointwise. A fault among the values is the result where it holds (the
        first, if several); a `FaultSignal` from the function becomes a leaf."""
        if len(values) == 1:
            return self._lift_one(function, values[0])
        memo: dict[tuple[Any, ...], Value] = {}
        sizes = self.sizes

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
                    return self.fault(signal.fault)
            key = tuple([id(v) if type(v) is Diagram else leaf_key(v) for v in values])
            done = memo.get(key)
            if done is None:
                kids = [v.kids if type(v) is Diagram and v.var == top else (v,) * sizes[top] for v in values]
                done = memo[key] = self.node(top, tuple([walk(parts) for parts in zip(*kids, strict=True)]))
            return done

        try:
            return walk(values)
        except Entangled as problem:
            raise entangled_by(problem, *values) from None

    def _lift_one(self, function: Callable[[Value], Value], value: Value) -> Value:
        memo: dict[int, Value] = {}

        def walk(here: Value) -> Value:
            kind = type(here)
            if kind is Diagram:
                done = memo.get(id(here))
                if done is None:
                    done = memo[id(here)] = self.node(here.var, tuple([walk(kid) for kid in here.kids]))
                return done
            if kind is Fault:
                return here
            try:
                return function(here)
            except FaultSignal as signal:
                return self.fault(signal.fault)

        try:
            return walk(value)
        except Entangled as problem:
            raise entangled_by(problem, value) from None

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

        try:
            return walk(value)
        except Entangled as problem:
            raise entangled_by(problem, value, *results.values()) from None

    def map_leaves(self, value: Value, change: Callable[[Value], Value]) -> Value:
        """The value with each leaf, faults included, changed."""
        return self.substitute(value, {leaf_key(leaf): change(leaf) for leaf in leaves(value)}, self.combine)

    # ------------------------------------------------------------- conditions

    def both(self, a: Value, b: Value) -> Value:
        """True where both conditions hold."""
        try:
            return self._connect(a, b, False)
        except Entangled as problem:
            raise entangled_by(problem, a, b) from None

    def either(self, a: Value, b: Value) -> Value:
        """True where one of the conditions holds."""
        try:
            return self._connect(a, b, True)
        except Entangled as problem:
            raise entangled_by(problem, a, b) from None

    def where(self, condition: Value, value: Value) -> Value:
        """The value where the condition holds, True elsewhere."""
        if condition is True:
            return value
        return self.substitute(condition, {leaf_key(True): value, leaf_key(False): True}, self.combine)

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

    def kinds(self, value: Value) -> frozenset[type]:
        """The types of the leaves of a value."""
        if type(value) is not Diagram:
            return frozenset([type(value)])
        known = self._kinds.get(id(value))
        if known is None:
            known = self._kinds[id(value)] = frozenset().union(*[self.kinds(kid) for kid in value.kids])
        return known

    def is_faulty(self, value: Value) -> bool:
        """Whether the value is a fault whatever is chosen."""
        return type(value) is Fault or (type(value) is Diagram and self.kinds(value) == _FAULTY)

    def without_faults(self, value: Value) -> Value:
        """The value with something else for its faults: what it is under another pick, or 1 when it
        is a fault whatever is chosen."""
        memo: dict[int, Value] = {}

        def walk(here: Value) -> Value:
            if type(here) is not Diagram:
                return here
            done = memo.get(id(here))
            if done is None:
                kids = [walk(kid) for kid in here.kids]
                known = next((kid for kid in kids if type(kid) is not Fault), kids[0])
                done = self.node(here.var, tuple(known if type(kid) is Fault else kid for kid in kids))
                memo[id(here)] = done
            return done

        value = walk(value)
        return 1 if type(value) is Fault else value

    def equals_leaf(self, value: Value, leaf: Value) -> Value:
        """True where the value is the given leaf (a fault elsewhere counts as another leaf)."""
        wanted = leaf_key(leaf)
        key = id(value) if type(value) is Diagram else leaf_key(value), wanted
        known = self._equal.get(key)
        if known is None:
            equal = self.map_leaves(value, lambda other: leaf_key(other) == wanted)
            known = self._equal[key] = equal, value, leaf  # the identities in the key stay taken
        return known[0]
