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
from functools import cached_property
from itertools import accumulate, islice
from typing import Any, cast

import attrs

from archlang.semantics.diagram import Diagram, Diagrams, Value, support
from archlang.semantics.fault import Entangled
from archlang.space.ordering import arranged, parents_first

END = 0
DEAD = -1
SEEN = 1_000  # states that say which decisions hang together
MAX_STATES = 200_000

Costs = tuple[int, ...]


@attrs.frozen(eq=False, slots=False)
class Paths:
    """Node 0 is the end; every other node is a decision (a position in `Layout.order`) with one
    edge for each of its picks, to a later node, to the end, or DEAD where no program goes on.
    Nodes come after those that their edges lead to. `costs` holds, edge by edge, what it adds to
    each sum, and `base` what is added once. A node of an `unsure` place has one edge more, the last,
    for programs that do not make the decision. `order` are the places in the order in which paths
    pass them."""

    root: int
    places: list[int]
    kids: list[tuple[int, ...]]
    costs: list[tuple[Costs, ...]]
    base: Costs
    unsure: frozenset[int]
    order: tuple[int, ...]

    @cached_property
    def rank(self) -> dict[int, int]:
        """When paths pass each place; -1 is the end."""
        return {-1: -1, **{place: rank for rank, place in enumerate(self.order)}}

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

    def without(self, picks: Sequence[int]) -> Paths:
        """All paths but the one that takes these picks, node by node from the root."""
        # Along it nodes are copied: other paths pass the old ones too.
        passed, node = [], self.root
        for pick in picks:
            passed.append((node, pick))
            node = self.kids[node][pick]
        places, kids, costs = list(self.places), list(self.kids), list(self.costs)
        below = DEAD
        for node, pick in reversed(passed):
            edges = tuple(below if at == pick else kid for at, kid in enumerate(self.kids[node]))
            below = DEAD
            if any(kid >= 0 for kid in edges):
                below = len(places)
                places.append(self.places[node])
                kids.append(edges)
                costs.append(self.costs[node])
        return attrs.evolve(self, root=below, places=places, kids=kids, costs=costs)._reached()

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
    """The decisions of a space in order, and paths made of conditions on them.

    `needs` gives for each diagram variable the condition under which its decision is asked (those
    never asked are left out: they hold their first pick); `rank` the order that is wished for,
    `name` what a variable is called. Decisions come after those that say whether they are asked,
    where that is possible. Conditions may depend on other variables too (budgets), until paths are
    made.
    """

    def __init__(
        self, diagrams: Diagrams, needs: Mapping[int, Value], rank: Callable[[int], Any], name: Callable[[int], str]
    ):
        self._name = name
        self._parents = {var: support(asked) & needs.keys() for var, asked in needs.items()}
        self.order = parents_first(self._parents, sorted(needs, key=rank))
        self.place = {var: place for place, var in enumerate(self.order)}
        self.sizes = [diagrams.sizes[var] for var in self.order]
        self._writers: dict[tuple[int, ...], _Writer] = {}
        self.unsure = self._writer(self.order).unsure

    def _writer(self, order: Sequence[int]) -> _Writer:
        writer = self._writers.get(tuple(order))
        if writer is None:
            sizes = [self.sizes[self.place[var]] for var in order]
            writer = self._writers[tuple(order)] = _Writer(order, sizes, self._parents)
        return writer

    def restart(self) -> None:
        """Begin another task: the steps of the last one do not count."""
        for writer in self._writers.values():
            writer.diagrams.restart()

    def paths(
        self, needs: Mapping[int, Value], conditions: Iterable[Value], terms: Iterable[Value] = (), sums: int = 0
    ) -> Paths:
        """The programs in which all conditions are True, with edges that add up the terms: diagrams
        with tuples of `sums` numbers. Raises Entangled where too many decisions hang together."""
        conditions, terms = list(conditions), list(terms)
        together = [needs[var] for var in self.order]
        groups = [support(asked) | {var} for var, asked in zip(self.order, together, strict=True)]
        groups += [support(value) for value in (*conditions, *terms)]
        sizes = {var: self.sizes[place] for var, place in self.place.items()}
        writer = self._writer(arranged(self.order, [group & sizes.keys() for group in groups], sizes, self._parents))
        active = [writer.write(needs[var]) for var in writer.order]
        try:
            found = _Builder(writer, active, map(writer.write, conditions), map(writer.write, terms), sums).build()
        except _TooMany as many:
            names = [self._name(writer.order[rank]) for rank in sorted(many.waited_for)]
            raise Entangled("too many decisions hang together", tuple(names)) from None
        if writer.order == self.order:
            return found
        place = [self.place[var] for var in writer.order]
        return attrs.evolve(
            found,
            places=[-1, *(place[rank] for rank in found.places[1:])],
            order=tuple(place),
            unsure=frozenset(place[rank] for rank in found.unsure),
        )


class _TooMany(Exception):
    """There are too many states; `waited_for` are the ranks of the decisions that they wait for."""

    def __init__(self, waited_for: set[int]):
        super().__init__(waited_for)
        self.waited_for = waited_for


class _Writer:
    """Conditions written over the ranks of decisions in some order."""

    def __init__(self, order: Sequence[int], sizes: list[int], parents: Mapping[int, set[int]]):
        self.order = list(order)
        self.sizes = sizes
        self._rank = {var: rank for rank, var in enumerate(order)}
        # Whether these are made is said by later decisions too. They have one position more, the
        # last, for programs that do not make them.
        self.unsure = frozenset(
            rank for rank, var in enumerate(order) if any(self._rank[other] >= rank for other in parents[var])
        )
        self.diagrams = Diagrams()
        self.diagrams.sizes = [size + (rank in self.unsure) for rank, size in enumerate(sizes)]
        self._written: dict[int, tuple[Value, Value]] = {}

    def write(self, value: Value) -> Value:
        """A diagram over the evaluation's variables as one over ranks."""
        if type(value) is not Diagram:
            return value
        known = self._written.get(id(value))
        if known is None:
            rank = self._rank.get(value.var)
            if rank is None:
                written = self.write(value.kids[0])
            else:
                kids = [self.write(kid) for kid in value.kids]
                if rank in self.unsure:
                    kids.append(kids[0])
                written = self.diagrams.combine(rank, tuple(kids))
            known = self._written[id(value)] = (value, written)  # the key stays alive with its entry
        return known[1]

    def made(self, rank: int, asked: Value) -> Value:
        """For an unsure decision: True where it has a pick and is asked, or neither."""
        idle = self.diagrams.lift(operator.not_, asked)
        return self.diagrams.combine(rank, (*[asked] * self.sizes[rank], idle))


_ACTIVE, _CONDITION, _TERM = range(3)


class _Builder:
    """Goes through the decisions in order. A state maps the conditions and terms that have begun
    to what is left of them."""

    def __init__(
        self, writer: _Writer, active: list[Value], conditions: Iterable[Value], terms: Iterable[Value], sums: int
    ):
        self._sizes = writer.diagrams.sizes
        self._unsure = writer.unsure
        count = len(self._sizes)
        self._zero = (0,) * sums
        self._base = self._zero
        self._dead = False
        self._starts: list[list[tuple[int, Value]]] = [[] for _ in range(count)]
        self._kinds: list[int] = []
        self._until: list[int] = []  # the last place that asks for an activity condition
        self._active: list[Any] = []  # for each place, its activity condition: a factor's number or a leaf
        numbers: dict[int, int] = {}
        for place, condition in enumerate(active):
            if place in writer.unsure:
                conditions = [*conditions, writer.made(place, condition)]
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
            return Paths(DEAD, [-1], [()], [()], self._base, self._unsure, tuple(range(len(self._sizes))))
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
                raise _TooMany({var for state in islice(known, SEEN) for _, left in state for var in support(left)})
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
                    added = _add(added, cast("Costs", left))
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
        return Paths(root, places, kids, costs, _add(self._base, more), self._unsure, tuple(range(len(layers))))


def _add(a: Costs, b: Costs) -> Costs:
    return tuple([x + y for x, y in zip(a, b, strict=True)])
