"""Plans: how the varied graph of a space runs, with some alternatives of each decision kept.

A plan is a list of steps on numbered values. With one alternative for each decision it is the graph of a
program; with all, each decision is *mixed* at the first value whose type does not depend on it: the values
under its alternatives are summed, weighted. Between the place where a decision first counts and the place
where it is mixed (for an elastic width: from the layer of that width to the next layer of another) every
alternative has values of its own, so that each path is computed as its program computes it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import attrs

from archlang.diagnostics import ArchError, error
from archlang.ir.graph import Input, Operation
from archlang.ir.types import TensorType
from archlang.relax.varied import Varied
from archlang.semantics.diagram import Diagram, Diagrams, Value, support
from archlang.semantics.fault import Fault, FaultSignal
from archlang.semantics.operations import operation
from archlang.semantics.values import InputNode, OpNode, SelectNode, Symbolic, Tensor
from archlang.space.choices import Choices

NOWHERE = -1  # the number of a value that there is not
_INACTIVE = Fault(error("E1001", "an alternative that is not active"))


@attrs.frozen
class Apply:
    """An operation on values. `at`: the address of its weights, "" without any."""

    operation: Operation
    inputs: tuple[int, ...]
    at: str
    address: str


@attrs.frozen
class Mix:
    """A sum of values, each times an entry of the weights of a decision (by its variable): of that of
    a pick or, `by_element`, of an element of a subset."""

    variable: int
    by_element: bool
    parts: tuple[tuple[int, int], ...]  # the entry, and the value

    @property
    def inputs(self) -> tuple[int, ...]:
        return tuple(value for _, value in self.parts)


Step = Apply | Mix


@attrs.frozen(eq=False)
class Plan:
    """Values are numbered: inputs first, then the results of the steps in order. `outputs` are results
    by name, "" for a bare one. `picks` are the positions that are mixed somewhere, by variable: those of which
    there is a value."""

    inputs: tuple[Input, ...]
    steps: tuple[Step, ...]
    outputs: tuple[tuple[str, int], ...]
    picks: Mapping[int, frozenset[int]]
    zeroed: frozenset[int] = frozenset()  # variables of decisions with an alternative that is nothing

    @property
    def mixes(self) -> list[Mix]:
        """The steps that mix."""
        return [step for step in self.steps if isinstance(step, Mix)]


Active = Mapping[int, Sequence[int]]  # by variable the positions of the picks that are kept; all where not said
ALL: Active = {}


def plan(
    varied: Varied,
    active: Active = ALL,
    *,
    weighted: Callable[[int], bool] = lambda variable: True,
    is_pure: Callable[[Operation], bool] = lambda operation: True,
    picks: Mapping[str, Any] | None = None,
) -> Plan:
    """The plan for some alternatives of each decision. A decision of which one is active is mixed where
    it is `weighted`. Operations that are pure and without weights run once for equal inputs. `picks`
    (by address) are those of decisions with too many alternatives to list.

    ArchError (E1001) when a decision cannot be mixed, as it changes the type of a result.
    """
    return _Planner(varied, active, weighted, is_pure, picks or {}).plan()


def path(varied: Varied, choices: Choices, is_pure: Callable[[Operation], bool] = lambda operation: True) -> Plan:
    """The plan of one program: nothing is mixed. `choices` must be the space's."""
    positions = varied.positions(choices)
    return plan(varied, positions, weighted=lambda variable: False, is_pure=is_pure, picks=choices)


class _Planner:
    def __init__(
        self,
        varied: Varied,
        active: Active,
        weighted: Callable[[int], bool],
        is_pure: Callable[[Operation], bool],
        picks: Mapping[str, Any],
    ):
        self._varied = varied
        self._active = active
        self._weighted = weighted
        self._is_pure = is_pure
        self._picks = picks
        self._diagrams = Diagrams()  # of value numbers: they are of no use after the plan
        self._diagrams.sizes = varied.diagrams.sizes
        self._steps: list[Step] = []
        self._types: list[TensorType] = [given.type for given in varied.inputs]
        self._values: dict[int, Value] = {}  # by node: a number, or a diagram of numbers
        self._made: dict[Any, int] = {}
        self._restrictions: dict[int, Value] = {}
        self._numbers = {given.name: number for number, given in enumerate(varied.inputs)}
        self._mixed_picks: dict[int, frozenset[int]] = {}
        self._zeroed: set[int] = set()

    def plan(self) -> Plan:
        outputs = []
        for name, value in self._varied.results.items():
            tensor = self._restricted(value)
            if tensor is None:
                continue
            if type(tensor) is not Tensor:
                raise self._unmixable(support(tensor), name)
            self._walk(tensor)
            found = self._values[id(tensor.node)]
            if type(found) is Diagram:
                raise self._unmixable(support(found), name)
            if found == NOWHERE:
                raise ArchError(error("E1001", "some of these alternatives do not go together"))
            outputs.append((name, found))
        return self._finished(outputs)

    def _unmixable(self, variables: set[int], name: str) -> ArchError:
        addresses = ", ".join(f"`{self._varied.decisions[variable].address}`" for variable in sorted(variables))
        what = f"the result `{name}`" if name else "the result"
        return ArchError(
            error(
                "E1001",
                f"{addresses} cannot be mixed: the type of {what} depends on it",
                hints=["use a method that runs one path at a time, or choose it with `Space.at`"],
            )
        )

    def _finished(self, outputs: list[tuple[str, int]]) -> Plan:
        """The plan without steps that nothing needs."""
        first = len(self._varied.inputs)
        needed = {value for _, value in outputs}
        for number in range(len(self._steps) - 1, -1, -1):
            if first + number in needed:
                needed.update(self._steps[number].inputs)
        moved = {number: number for number in range(first)}
        steps: list[Step] = []
        for number, step in enumerate(self._steps):
            if first + number in needed:
                moved[first + number] = first + len(steps)
                if isinstance(step, Apply):
                    steps.append(attrs.evolve(step, inputs=tuple(moved[value] for value in step.inputs)))
                else:
                    steps.append(attrs.evolve(step, parts=tuple((entry, moved[value]) for entry, value in step.parts)))
        results = tuple((name, moved[value]) for name, value in outputs)
        return Plan(self._varied.inputs, tuple(steps), results, self._mixed_picks, frozenset(self._zeroed))

    # ------------------------------------------------------------------ nodes

    def _walk(self, root: Tensor) -> None:
        """Work out the values of a tensor and of all that it needs."""
        stack: list[tuple[Tensor, list[Tensor] | None]] = [(root, None)]
        while stack:
            here, kids = stack.pop()
            node = here.node
            if id(node) in self._values:
                continue
            if kids is None:
                kids = self._kids(node)
                stack.append((here, kids))
                stack.extend((kid, None) for kid in reversed(kids) if id(kid.node) not in self._values)
            else:
                self._values[id(node)] = self._value(here, kids)

    def _kids(self, node: Any) -> list[Tensor]:
        if type(node) is OpNode:
            return list(node.inputs)
        if type(node) is SelectNode:
            elements = self._elements(node)
            if elements is not None:
                return list(elements.values())
            return [node.kids[p] for p in self._positions(node.var) if type(node.kids[p]) is not Fault]
        return []

    def _value(self, tensor: Tensor, kids: list[Tensor]) -> Value:
        node = tensor.node
        if type(node) is InputNode:
            return self._numbers[node.name]
        if type(node) is OpNode:
            return self._of_op(node, tensor)
        assert type(node) is SelectNode
        elements = self._elements(node)
        if elements is not None:
            given = [self._values[id(kid.node)] for kid in elements.values()]
            mix = partial(self._mix, node.var, tuple(elements), True)
            return self._mixed(self._diagrams.lift(mix, *given), tensor)
        values: list[Value] = [NOWHERE] * len(node.kids)
        positions = self._positions(node.var)
        for position in positions:
            kid = node.kids[position]
            if type(kid) is not Fault:
                values[position] = self._values[id(kid.node)]
        if len(positions) == 1:
            (position,) = positions
            if not self._weighted(node.var):
                return values[position]
            return self._diagrams.lift(partial(self._mix, node.var, (position,), False), values[position])
        return self._mixed(self._diagrams.combine(node.var, tuple(values)), tensor)

    def _of_op(self, node: OpNode, tensor: Tensor) -> Value:
        given = [*map(self._restricted, node.config), *[self._values[id(kid.node)] for kid in node.inputs]]
        if not any(type(value) is Diagram for value in given):
            try:
                return self._applied(node, *given)
            except FaultSignal:
                return NOWHERE
        found = self._diagrams.lift(partial(self._applied, node), *given)
        if Fault in self._diagrams.kinds(found):
            found = self._diagrams.map_leaves(found, lambda leaf: NOWHERE if type(leaf) is Fault else leaf)
        return self._mixed(found, tensor)

    def _applied(self, node: OpNode, *given: Any) -> int:
        """The value of an op for plain attributes and values."""
        count = len(node.config)
        inputs = given[count:]
        if NOWHERE in inputs:
            return NOWHERE
        config = tuple([self._plain(value) for value in given[:count]])
        work = operation(node.op, config, tuple([self._types[value] for value in inputs]))
        at = self._varied.weights_at(node, work) if work.weights else ""
        address = "" if not at and self._is_pure(work) else node.address
        key = id(work), inputs, at, address if not at else ""
        return self._step(key, Apply(work, inputs, at, node.address), work.output)

    def _plain(self, value: Value) -> Value:
        """An attribute, with the picks of decisions that are too many to list."""
        if isinstance(value, Symbolic):
            return self._varied.number(value, self._picks)
        return tuple(map(self._plain, value)) if type(value) is tuple else value

    def _step(self, key: Any, step: Step, kind: TensorType) -> int:
        found = self._made.get(key)
        if found is None:
            found = self._made[key] = len(self._types)
            self._steps.append(step)
            self._types.append(kind)
        return found

    # ----------------------------------------------------------------- mixing

    def _mixed(self, value: Value, tensor: Tensor) -> Value:
        """The value with all decisions mixed that its type does not depend on."""
        if type(value) is not Diagram:
            return value
        kept = support(*map(self._restricted, tensor.shape))
        for variable in sorted(support(value) - kept, reverse=True):
            positions = tuple(self._positions(variable))
            parts = [self._diagrams.cofactor(value, variable, position) for position in positions]
            value = self._diagrams.lift(partial(self._mix, variable, positions, False), *parts)
        return value

    def _mix(self, variable: int, entries: tuple[int, ...], by_element: bool, *values: int) -> int:
        parts = tuple((entry, value) for entry, value in zip(entries, values, strict=True) if value != NOWHERE)
        if not parts:
            return NOWHERE
        if not by_element:
            known = self._mixed_picks.get(variable, frozenset())
            self._mixed_picks[variable] = known.union(entry for entry, _ in parts)
        filled = tuple(part for part in parts if not self._is_zero(part[1]))
        if len(filled) < len(parts):
            self._zeroed.add(variable)
            parts = filled or parts[:1]
        step = Mix(variable, by_element, parts)
        kinds = {self._types[value] for _, value in parts}
        assert len(kinds) == 1, "what is mixed has one type"
        return self._step(step, step, *kinds)

    def _is_zero(self, value: int) -> bool:
        """Whether a value is nothing whatever the weights are."""
        number = value - len(self._varied.inputs)
        step = self._steps[number] if number >= 0 else None
        return isinstance(step, Apply) and "zeros" in step.operation.traits

    def _elements(self, node: SelectNode) -> dict[int, Tensor] | None:
        """The summands of a sum over a subset, by element, where several subsets are active, or where there is
        one in all and it is weighted."""
        several = len(self._positions(node.var)) > 1 or (len(node.kids) == 1 and self._weighted(node.var))
        return self._varied.elements(node) if several else None

    # ----------------------------------------------------------- alternatives

    def _positions(self, variable: int) -> Sequence[int]:
        found = self._active.get(variable)
        return range(self._varied.diagrams.sizes[variable]) if found is None else found

    def _restricted(self, value: Value) -> Value:
        """The value where only active alternatives are picked."""
        if type(value) is not Diagram:
            return value
        done = self._restrictions.get(id(value))
        if done is None:
            positions = self._positions(value.var)
            if len(positions) == 1:
                done = self._restricted(value.kids[positions[0]])
            else:
                kids = [_INACTIVE] * len(value.kids)
                for position in positions:
                    kids[position] = self._restricted(value.kids[position])
                done = self._diagrams.node(value.var, tuple(kids))
            self._restrictions[id(value)] = done
        return done
