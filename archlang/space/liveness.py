"""What is alive in memory when, for all programs of a space at once.

A program's ops run in the order in which a walk through its graph completes them (see
`Specialiser.graph`). Here the same walk goes through the graph that holds all alternatives: each of
its steps has the condition under which it is taken, and what a program runs, in order, are the
steps whose conditions it meets. What is alive at a step, added up as `peak_live` does it, is then a
diagram: the load of the step. A program's peak memory is the greatest of its loads.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import attrs

from archlang.ir.types import TensorType
from archlang.semantics.costs import in_order
from archlang.semantics.diagram import MAX_STEPS, Diagrams, Value, leaf_key, leaves
from archlang.semantics.fault import Entangled, Fault
from archlang.semantics.values import InputNode, OpNode, SelectNode, TensorNode, known
from archlang.space.resolver import OnceForAll

MAX_WALK = 400_000  # times that the walk comes to a node
MAX_LIFT = 30_000  # diagram steps to add to a core
MAX_ADDED = 250_000  # ... to all cores


@attrs.frozen(eq=False)
class Load:
    """The bytes alive at a step: what `core` says, a number or a diagram, and from `low` to `high`
    more."""

    core: Value
    low: int
    high: int

    @property
    def least(self) -> int:
        lowest: int = min(leaves(self.core))
        return lowest + self.low

    @property
    def most(self) -> int:
        highest: int = max(leaves(self.core))
        return highest + self.high


Walk = list[tuple[OpNode, Value]]  # ops, with the conditions under which they run there
Conditions = Mapping[TensorNode, Value]  # under which something holds for each value


class Memory:
    """The values of a network with all its alternatives (those of ops and inputs: a select is one
    of others), and which of them are alive when. Sizes are in bytes for one sample."""

    def __init__(self, once: OnceForAll):
        self.diagrams = Diagrams()  # its own: loads are many, and of no use to others
        self.diagrams.sizes = list(once.evaluated.evaluator.diagrams.sizes)
        self._known: dict[Any, Value] = {}
        self._sizes: dict[TensorNode, Value] = {}
        self._tensors = {tensor.node: tensor for tensor in in_order([tensor for tensor, _ in once.tensors])}
        self._outputs = [(tensor.node, self.diagrams.map_leaves(when, bool)) for tensor, when in once.tensors]
        self.given = sum(given.type.bytes for given in once.evaluated.inputs)

    def total(self) -> int:
        """The size of all values, each at its largest."""
        self.diagrams.restart()
        largest: list[int] = [max(leaves(self._size(node))) for node in self._tensors if isinstance(node, OpNode)]
        return self.given + sum(largest)

    def loads(self) -> list[Load]:
        """The loads of all steps, each different one once. The greatest of what they are for a
        program is its peak, unless no more is alive than the inputs. Raises Entangled."""
        self.diagrams.restart()
        sources = self._sources()
        walk = self._walk(sources)
        return self._added_up(walk, *self._read(walk, sources))

    def lift(self, function: Callable[..., Value], a: Value, b: Value) -> Value:
        """`function` applied pointwise, worked out once."""
        key = function, leaf_key(a), leaf_key(b)
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = self.diagrams.lift(function, a, b)
        return known

    # ------------------------------------------------------------------ the walk

    def _sources(self) -> dict[TensorNode, Conditions]:
        """For each node the values that it stands for, and when it does."""
        diagrams = self.diagrams
        sources: dict[TensorNode, Conditions] = {}
        for node in self._tensors:
            if not isinstance(node, SelectNode):
                sources[node] = {node: True}
                continue
            found: dict[TensorNode, Value] = {}
            for position, kid in enumerate(node.kids):
                if not isinstance(kid, Fault):
                    picked = diagrams.literal(node.var, position)
                    for source, when in sources[kid.node].items():
                        self._also(found, source, diagrams.both(picked, when))
            sources[node] = found
        return sources

    def _walk(self, sources: Mapping[TensorNode, Conditions]) -> Walk:
        """The ops in the order in which programs run them. An op that some programs run before
        others do may be there several times."""
        diagrams, (leads, depths) = self.diagrams, self._leads()
        walk: Walk = []
        unmet: dict[TensorNode, Value] = {}  # when a node has not been met yet
        visits = 0
        for output, wanted in self._outputs:
            stack = [(output, wanted, False)]
            while stack:
                visits += 1
                if visits > MAX_WALK:
                    raise Entangled("programs run their ops in too many orders")
                node, when, ready = stack.pop()
                if ready:
                    assert isinstance(node, OpNode)
                    walk.append((node, when))
                    continue
                when = diagrams.both(when, unmet.get(node, True))
                if when is False or isinstance(node, InputNode):
                    continue
                unmet[node] = diagrams.both(unmet.get(node, True), self._not(when))
                if isinstance(node, OpNode):
                    stack.append((node, when, True))
                    stack.extend((given.node, when, False) for given in reversed(node.inputs))
                    continue
                # No program takes two of the alternatives, but they have in common what they begin
                # with: that goes first, and so is one step for all programs.
                needed: dict[TensorNode, Value] = {}
                for source, picked in sources[node].items():
                    here = diagrams.both(when, picked)
                    first: TensorNode | None = source
                    while first is not None and diagrams.both(here, unmet.get(first, True)) is not False:
                        self._also(needed, first, here)
                        first = leads[first]
                stack.extend((first, needed[first], False) for first in sorted(needed, key=lambda n: -depths[n]))
        return walk

    def _leads(self) -> tuple[dict[TensorNode, TensorNode | None], dict[TensorNode | None, int]]:
        """For each node the nearest of those that a walk from it always completes first of all (its
        first input, or what its alternatives have in common); and how many of those there are."""
        leads: dict[TensorNode, TensorNode | None] = {}
        depths: dict[TensorNode | None, int] = {None: 0}
        for node in self._tensors:
            firsts: list[TensorNode | None] = []
            if isinstance(node, OpNode):
                firsts = [given.node for given in node.inputs[:1]]
            elif isinstance(node, SelectNode):
                firsts = [kid.node for kid in node.kids if not isinstance(kid, Fault)]
            lead = firsts[0] if firsts else None
            for other in firsts[1:]:
                while lead is not other:
                    if lead is not None and depths[lead] >= depths[other]:
                        lead = leads[lead]
                    elif other is not None:
                        other = leads[other]
            leads[node] = lead
            depths[node] = depths[lead] + 1
        return leads, depths

    # ----------------------------------------------------------------- the loads

    def _read(self, walk: Walk, sources: Mapping[TensorNode, Conditions]) -> tuple[Conditions, list[Conditions]]:
        """When each value is read at all, and for each step when it is read there for the last
        time. Outputs are read at the end."""
        diagrams = self.diagrams
        read: dict[TensorNode, Value] = {}
        for output, wanted in self._outputs:
            for source, when in sources[output].items():
                self._also(read, source, diagrams.both(wanted, when))
        lasts: list[Conditions] = []
        for node, taken in reversed(walk):
            last: dict[TensorNode, Value] = {}
            for given in node.inputs:
                for source, when in sources[given.node].items():
                    when = diagrams.both(taken, when)
                    self._also(last, source, diagrams.both(when, self._not(read.get(source, False))))
                    self._also(read, source, when)
            lasts.append(last)
        return read, lasts[::-1]

    def _added_up(self, walk: Walk, read: Conditions, lasts: list[Conditions]) -> list[Load]:
        alive: dict[TensorNode, Value] = {}  # the size of each value while it is alive, the oldest first
        aside: set[TensorNode] = set()  # those of them that the core would be too large with
        core: Value = 0
        for node in self._tensors:
            if isinstance(node, InputNode):
                alive[node] = self._size(node, read.get(node, False))
                core = self.lift(operator.add, core, alive[node])
        found: dict[Any, Load] = {}
        change: Value = 0
        spent = 0
        for (node, taken), last in zip(walk, lasts, strict=True):
            self.diagrams.restart()
            made = self._size(node, taken)
            alive[node] = self.lift(operator.add, alive.get(node, 0), made)
            if node not in aside:
                change = self.lift(operator.add, change, made)
            allowed = min(MAX_LIFT, MAX_ADDED - spent)
            core = self._added(core, change, allowed)
            if core is None:
                # Begin anew with the latest, for they hang together most; leave room for more.
                core = 0
                for value in reversed(alive):
                    if value not in aside:
                        more = self._added(core, alive[value], allowed // 4)
                        if more is None:
                            aside.add(value)
                        else:
                            core = more
            ends = [leaves(alive[value]) for value in aside]
            load = Load(core, sum(map(min, ends)), sum(map(max, ends)))
            found[leaf_key(core), load.low, load.high] = load
            change = 0
            for value, when in last.items():
                freed = self._size(value, when)
                alive[value] = self.lift(operator.sub, alive[value], freed)
                if value not in aside:
                    change = self.lift(operator.sub, change, freed)
                if alive[value] == 0:
                    del alive[value]
                    aside.discard(value)
            spent += self.diagrams.steps
        return list(found.values())

    def _added(self, core: Value, more: Value, allowed: int) -> Value:
        """The sum, or None where it takes more steps than are allowed."""
        before = self.diagrams.steps
        self.diagrams.steps = start = max(before, MAX_STEPS - allowed)
        try:
            return self.lift(operator.add, core, more)
        except Entangled:
            return None
        finally:
            self.diagrams.steps += before - start

    def _size(self, node: TensorNode, when: Value = True) -> Value:
        """The size of a value under a condition, else 0. Where it does not exist any number will
        do."""
        known = self._sizes.get(node)
        if known is None:
            tensor = self._tensors[node]
            size = self.diagrams.lift(partial(_bytes, tensor.dtype), *tensor.shape)
            known = self.diagrams.map_leaves(size, lambda leaf: 0 if isinstance(leaf, Fault) else leaf)
            self._sizes[node] = known
        return self.lift(operator.mul, known, when)

    def _not(self, condition: Value) -> Value:
        return self.lift(operator.ne, condition, True)

    def _also(self, conditions: dict[TensorNode, Value], value: TensorNode, when: Value) -> None:
        """Let something hold for a value under one more condition."""
        if when is not False:
            conditions[value] = self.diagrams.either(conditions.get(value, False), when)


def _bytes(dtype: str, *shape: Value) -> int:
    """The size of a tensor; raises Entangled where only bounds of a dimension are known."""
    return TensorType(dtype, tuple(known(dim, "a size") for dim in shape)).bytes
