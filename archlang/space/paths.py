"""The programs of a space as one diagram whose paths are the programs.

Every path from the root to the end passes exactly the decisions that one program makes, each by
the pick it takes; no two paths are the same program. It is built from local conditions: when each
decision is asked, and what must hold. A state, after the first few decisions, is what the open
conditions still have to say; equal states are one. So the diagram is small where conditions are
local, however many programs there are: a space that is a product of parts costs their sum.

Numbers that add up over a program (its costs) are terms, each of few decisions. With terms, the
edges of the diagram carry what they add.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Any

import attrs

from archlang.semantics.diagram import Diagram, Diagrams, Value, support
from archlang.semantics.fault import Entangled

END = 0
DEAD = -1
MAX_STATES = 200_000

Costs = tuple[int, ...]


@attrs.frozen(eq=False)
class Paths:
    """Node 0 is the end; every other node is a decision (a position in `Layout.order`) with one
    edge for each of its picks, to a later node, to the end, or DEAD where no program goes on.
    Nodes come after those that their edges lead to. `costs` holds, edge by edge, what it adds to
    each sum, and `base` what is added once. A node of an `unsure` place has one edge more, the last,
    for programs that do not make the decision."""

    root: int
    places: list[int]
    kids: list[tuple[int, ...]]
    costs: list[tuple[Costs, ...]]
    base: Costs
    unsure: frozenset[int]

    def count(self, weights: Sequence[int]) -> int:
        """The number of paths, each pick of place i counted `weights[i]` times."""
        return int(self.counts(weights)[self.root]) if self.root != DEAD else 0

    def counts(self, weights: Sequence[float]) -> list[Any]:
        """For each node, the number (or weight) of the ways from it to the end."""
        found = [1]
        for node in range(1, len(self.kids)):
            factors = self.factors(node, weights)
            found.append(sum([found[k] * f for k, f in zip(self.kids[node], factors, strict=True) if k >= 0]))
        return found

    def passing(self, place: int) -> Paths:
        """The paths that make the decision of a place (by edges that are not DEAD)."""
        # A node is wanted before the place (False) or after it (True); one of both is split in two.
        numbers: dict[tuple[int, bool], int] = {(END, True): END}
        places = [-1]
        kids: list[tuple[int, ...]] = [()]
        costs: list[tuple[Costs, ...]] = [()]
        order = [(node, after) for node in range(1, len(self.kids)) for after in (True, False)]
        for node, after in order:
            passed = after or self.places[node] == place
            if after and self.places[node] == place:
                continue
            edges = tuple(numbers.get((kid, passed), DEAD) if kid >= 0 else DEAD for kid in self.kids[node])
            if all(edge < 0 for edge in edges):
                continue
            numbers[node, after] = len(places)
            places.append(self.places[node])
            kids.append(edges)
            costs.append(self.costs[node])
        root = numbers.get((self.root, False), DEAD)
        return attrs.evolve(self, root=root, places=places, kids=kids, costs=costs)._reached()

    def _reached(self) -> Paths:
        """The paths with only the nodes that the root reaches, the root last."""
        if self.root < 0:
            return self
        wanted = {self.root}
        for node in range(self.root, 0, -1):
            if node in wanted:
                wanted.update(kid for kid in self.kids[node] if kid > 0)
        kept = [END, *sorted(wanted - {END})]
        number = {node: index for index, node in enumerate(kept)} | {DEAD: DEAD}
        return attrs.evolve(
            self,
            root=number[self.root],
            places=[self.places[node] for node in kept],
            kids=[tuple(number[kid] for kid in self.kids[node]) for node in kept],
            costs=[self.costs[node] for node in kept],
        )

    def chances(self, weights: Sequence[float]) -> list[list[float] | None]:
        """For each node the cumulative chances of its picks when programs are drawn by weight; None
        where they are even."""
        totals = self.counts(weights)
        found: list[list[float] | None] = [None]
        for node in range(1, len(self.kids)):
            factors = self.factors(node, weights)
            parts = [totals[k] * f if k >= 0 else 0 for k, f in zip(self.kids[node], factors, strict=True)]
            if all(part == parts[0] for part in parts):
                found.append(None)
                continue
            # From the last pick that can be taken on it is certain, however fractions are rounded.
            last = max(pick for pick, part in enumerate(parts) if part)
            sums = list(accumulate(parts))
            found.append([part / sums[-1] if pick < last else 1.0 for pick, part in enumerate(sums)])
        return found

    def factors(self, node: int, weights: Sequence[float]) -> list[Any]:
        """For each edge of a node the weight of its place; 1 where the decision is not made."""
        place, edges = self.places[node], len(self.kids[node])
        if place in self.unsure:
            return [*[weights[place]] * (edges - 1), 1]
        return [weights[place]] * edges


class Layout:
    """The order of the decisions in paths, and conditions written in it.

    `needs` gives for each diagram variable the condition under which its decision is asked (those
    never asked are left out: they hold their first pick); `rank` the order that is wished for.
    Decisions come after those that say whether they are asked, where that is possible. Conditions
    may depend on other variables too (budgets), until paths are made.
    """

    def __init__(self, diagrams: Diagrams, needs: Mapping[int, Value], rank: Callable[[int], Any]):
        self.order = _parents_first(needs, sorted(needs, key=rank))
        self.place = {var: place for place, var in enumerate(self.order)}
        self.sizes = [diagrams.sizes[var] for var in self.order]
        # Whether these are made is said by later decisions too. They have one position more, the
        # last, for programs that do not make them.
        self.unsure = frozenset(
            place
            for place, var in enumerate(self.order)
            if any(self.place.get(other, -1) >= place for other in support(needs[var]))
        )
        self._ordered = Diagrams()
        self._ordered.sizes = [size + (place in self.unsure) for place, size in enumerate(self.sizes)]
        self._written: dict[int, tuple[Value, Value]] = {}

    def write(self, value: Value) -> Value:
        """A diagram over the evaluation's variables as one over places."""
        if type(value) is not Diagram:
            return value
        known = self._written.get(id(value))
        if known is None:
            place = self.place.get(value.var)
            if place is None:
                written = self.write(value.kids[0])
            else:
                kids = [self.write(kid) for kid in value.kids]
                if place in self.unsure:
                    kids.append(kids[0])
                written = self._ordered.combine(place, tuple(kids))
            known = self._written[id(value)] = (value, written)  # the key stays alive with its entry
        return known[1]

    def made(self, place: int, asked: Value) -> Value:
        """For an unsure place: True where it has a pick and its decision is asked, or neither."""
        idle = self._ordered.lift(operator.not_, asked)
        return self._ordered.combine(place, (*[asked] * self.sizes[place], idle))

    def restart(self) -> None:
        """Begin another task: the steps of the last one do not count."""
        self._ordered.restart()

    def paths(
        self, needs: Mapping[int, Value], conditions: Iterable[Value], terms: Iterable[Value] = (), sums: int = 0
    ) -> Paths:
        """The programs in which all conditions are True, with edges that add up the terms: diagrams
        with tuples of `sums` numbers. Raises Entangled where too many decisions hang together."""
        active = [self.write(needs[var]) for var in self.order]
        return _Builder(self, active, map(self.write, conditions), map(self.write, terms), sums).build()


def _parents_first(needs: Mapping[int, Value], wished: list[int]) -> list[int]:
    order: list[int] = []
    seen: set[int] = set()
    position = {var: place for place, var in enumerate(wished)}
    for start in wished:
        stack = [(start, False)]
        while stack:
            var, ready = stack.pop()
            if ready:
                order.append(var)
            elif var not in seen:
                seen.add(var)
                stack.append((var, True))
                parents = [p for p in support(needs[var]) if p in position and p not in seen]
                stack.extend((p, False) for p in sorted(parents, key=position.__getitem__, reverse=True))
    return order


_ACTIVE, _CONDITION, _TERM = range(3)


class _Builder:
    """Goes through the decisions in order. A state maps the conditions and terms that have begun
    to what is left of them."""

    def __init__(
        self, layout: Layout, active: list[Value], conditions: Iterable[Value], terms: Iterable[Value], sums: int
    ):
        self._sizes = [size + (place in layout.unsure) for place, size in enumerate(layout.sizes)]
        self._unsure = layout.unsure
        count = len(layout.sizes)
        self._zero = (0,) * sums
        self._base = self._zero
        self._dead = False
        self._starts: list[list[tuple[int, Value]]] = [[] for _ in range(count)]
        self._kinds: list[int] = []
        self._until: list[int] = []  # the last place that asks for an activity condition
        self._active: list[Any] = []  # for each place, its activity condition: a factor's number or a leaf
        numbers: dict[int, int] = {}
        for place, condition in enumerate(active):
            if place in layout.unsure:
                conditions = [*conditions, layout.made(place, condition)]
                self._active.append(True)
            elif type(condition) is Diagram:
                number = numbers.get(id(condition))
                if number is None:
                    number = numbers[id(condition)] = self._factor(_ACTIVE, condition)
                self._until[number] = place
                self._active.append(number)
            else:
                self._active.append(condition)
        for condition in conditions:
            if type(condition) is Diagram:
                self._factor(_CONDITION, condition)
            elif condition is not True:
                self._dead = True
        for term in terms:
            if type(term) is Diagram:
                self._factor(_TERM, term)
            else:
                self._base = _add(self._base, term)

    def _factor(self, kind: int, diagram: Diagram) -> int:
        number = len(self._kinds)
        self._kinds.append(kind)
        self._until.append(-1)
        self._starts[diagram.var].append((number, diagram))
        return number

    def build(self) -> Paths:
        if self._dead:
            return Paths(DEAD, [-1], [()], [()], self._base, self._unsure)
        layers = self._forward()
        return self._backward(layers)

    def _forward(self) -> list[list[Any]]:
        """For each place, the states in which it is reached: what each pick leads to (the number of
        a state of the next place, or DEAD) and adds, or the one state that passes it by."""
        known: dict[Any, int] = {(): 0}
        total = 0
        layers: list[list[Any]] = []
        for place, size in enumerate(self._sizes):
            found: dict[Any, int] = {}
            layer: list[Any] = []
            starts = self._starts[place]
            total += len(known)
            if total > MAX_STATES:
                raise Entangled("too many decisions of the space hang together")
            for state in known:
                factors = [*state, *starts] if starts else state
                active = self._active[place]
                if type(active) is int:  # a factor's number; True is a bool
                    active = next(left for number, left in state if number == active)
                steps = []
                for pick in range(size) if active is True else (0,):
                    after = self._step(factors, place, pick)
                    if after is None:
                        steps.append((DEAD, self._zero))
                    else:
                        key, added = after
                        steps.append((found.setdefault(key, len(found)), added))
                layer.append((active is True, steps))
            layers.append(layer)
            known = found
        return layers

    def _step(self, factors: Sequence[tuple[int, Value]], place: int, pick: int) -> tuple[Any, Costs] | None:
        kept = []
        added = self._zero
        kinds, until = self._kinds, self._until
        for number, left in factors:
            if type(left) is Diagram:
                if left.var == place:
                    left = left.kids[pick]
                if type(left) is Diagram:
                    kept.append((number, left))
                    continue
                kind = kinds[number]
                if kind == _CONDITION:
                    if left is not True:
                        return None
                    continue
                if kind == _TERM:
                    added = _add(added, left)
                    continue
            if until[number] > place:
                kept.append((number, left))
        return tuple(kept), added

    def _backward(self, layers: list[list[Any]]) -> Paths:
        places = [-1]
        kids: list[tuple[int, ...]] = [()]
        costs: list[tuple[Costs, ...]] = [()]
        numbers: dict[Any, int] = {}
        zero = self._zero
        below: list[tuple[int, Costs]] = [(END, zero)]
        for place in range(len(layers) - 1, -1, -1):
            here: list[tuple[int, Costs]] = []
            for active, steps in layers[place]:
                edges, adds = [], []
                for index, added in steps:
                    kid, more = below[index] if index >= 0 else (DEAD, zero)
                    edges.append(kid)
                    adds.append(_add(added, more) if kid >= 0 and (added is not zero or more is not zero) else zero)
                if not active:
                    here.append((edges[0], adds[0]))
                elif all(edge < 0 for edge in edges):
                    here.append((DEAD, zero))
                else:
                    key = place, tuple(edges), tuple(adds)
                    number = numbers.get(key)
                    if number is None:
                        number = numbers[key] = len(places)
                        places.append(place)
                        kids.append(key[1])
                        costs.append(key[2])
                    here.append((number, zero))
            below = here
        root, more = below[0]
        return Paths(root, places, kids, costs, _add(self._base, more), self._unsure)


def _add(a: Costs, b: Costs) -> Costs:
    return tuple([x + y for x, y in zip(a, b, strict=True)])
