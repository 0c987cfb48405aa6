"""What stands in for values that depend on too many decisions to be listed: numbers known by their
bounds, and conditions that count as holding.

So a space is still evaluated as a whole. Everything proven of it holds; where a condition is left
open, what is missing for a proof is noted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs

from archlang.diagnostics import Span
from archlang.semantics.bounded import known_of
from archlang.semantics.diagram import Diagram, entangled_by, leaf_key, support
from archlang.semantics.fault import Entangled, Fault, FaultSignal
from archlang.semantics.needs import flat
from archlang.semantics.values import Symbolic, Undecided, Value, known

if TYPE_CHECKING:
    from archlang.semantics.by_need import ByNeed

MAX_STEPS = 200_000  # diagram steps for one requirement
SHOWN = 5
MAX_LISTED = 20_000  # diagram steps for one operation before it is done on bounds
_NUMBERS = {int, float, Symbolic}


@attrs.frozen
class Open:
    """A condition that is left open, where it is written. `requirement` says that programs which do
    not meet it are left out; else they are wrong."""

    span: Span
    decisions: frozenset[str]
    requirement: bool

    def lies_in(self, other: Open) -> bool:
        """Whether it is written within the other."""
        here, there = self.span, other.span
        return here.source is there.source and there.start <= here.start and here.end <= there.end

    def __str__(self) -> str:
        line, column = self.span.source.position(self.span.start)
        named = sorted(self.decisions)[:SHOWN]
        more = f" and {len(self.decisions) - SHOWN} more" if len(self.decisions) > SHOWN else ""
        return f"{self.span.source.name}:{line}:{column} ({', '.join(named)}{more})"


class Widening:
    """The numbers of one evaluation that are known by their bounds, and what that leaves open."""

    def __init__(self, ev: ByNeed) -> None:
        self.open: dict[Span, Open] = {}
        self.all_met = True  # whether all decisions of open requirements have been met
        self._ev = ev
        ev.diagrams.limit = MAX_STEPS
        self._numbers: dict[int, Symbolic] = {}
        self._results: dict[Any, tuple[Value, list[Value]]] = {}
        self._perhaps: dict[Any, Value] = {}

    def lift(self, function: Callable[..., Value], *values: Value) -> Value:
        """The function pointwise; on bounds where that takes too many values."""
        diagrams = self._ev.diagrams
        limit = diagrams.limit
        diagrams.limit = min(limit, diagrams.steps + MAX_LISTED)
        try:
            return diagrams.lift(function, *values)
        except Entangled:
            diagrams.limit = limit
            if diagrams.exhausted:
                raise
            return self.on_bounds(function, values)
        finally:
            diagrams.limit = limit

    def on_bounds(self, function: Callable[..., Value], values: Sequence[Value]) -> Value:
        """The function on numbers known by their bounds; raises Entangled where not all are numbers."""
        ok = self._ev.both_ok(*map(self._ev.exists, values))
        if self._ev.diagrams.is_faulty(ok):
            return ok
        self._ev.refuse_reuse()  # what a number is computed from is not renamed
        numbers = [self._number(value) for value in values]
        return self._ev.after(ok, lambda: self._result(function, numbers))

    def _result(self, function: Callable[..., Value], numbers: list[Value]) -> Value:
        """The function's value: of equal operations on the same numbers the same one, so that sizes
        that are worked out twice are known to be equal."""
        if not isinstance(function, partial):
            return function(*numbers)
        key = function.func, function.args[0], *map(leaf_key, numbers)
        if key not in self._results:
            self._results[key] = function(*numbers), numbers  # the identities in the key stay taken
        return self._results[key][0]

    def _number(self, value: Value) -> Value:
        if type(value) is not Diagram:
            return value
        number = self._numbers.get(id(value))
        if number is None:
            if not self._ev.diagrams.kinds(value) <= {*_NUMBERS, Fault}:
                raise entangled_by(Entangled("a value depends on too many decisions at once"), value)
            assert self._ev.varying is not None
            variables = self._ev.varying.variables
            names = frozenset(variables[var].decision.address for var in support(value) if var in variables)
            facts = known_of(value)
            number = Symbolic(_itself, (value,), names, facts.low, facts.high, None, facts.step, facts.offset)
            self._numbers[id(value)] = number  # its argument keeps the identity taken
        return number

    def perhaps(self, compute: Callable[[], Value], condition: Undecided) -> Value:
        """What `compute` gives, which is evaluated only where a condition holds that is not known."""
        ev = self._ev
        ev.refuse_reuse()
        outer, ev.needs = ev.needs, {}
        try:
            value = compute()
            if ev.exists(value) is not True:
                known(condition, "whether there is an error")
        except FaultSignal:
            known(condition, "whether there is an error")
            raise
        finally:
            self._perhaps.update(ev.needs)
            ev.needs = {**outer, **ev.needs}
        return value

    def check_needs(self, needs: Mapping[int, Value]) -> None:
        """Raises Entangled when a decision is asked only where a condition holds that is not known."""
        for key in flat(self._ev.diagrams, self._perhaps):
            if needs.get(key) is not True:
                assert self._ev.varying is not None
                address = self._ev.varying.variables[key].decision.address
                raise Entangled("whether a decision is made depends on too many others", (address,))

    def attempt(self, requirement: Callable[[], Value], span: Span) -> Value:
        """What a requirement says; that it holds, where it cannot be worked out (there may be errors in
        it, then)."""
        ev = self._ev
        outer = ev.needs
        try:
            return requirement()
        except Entangled as problem:
            if ev.diagrams.full:
                raise
            ev.needs = outer
            ev.diagrams.restart()
            self.all_met = False
            decisions = ev.readable(problem).decisions
            self.leave_open(frozenset(decisions), span, requirement=False)
            return True

    def leave_open(self, decisions: frozenset[str], span: Span, requirement: bool) -> None:
        """Note that a condition counts as holding."""
        self.open.setdefault(span, Open(span, decisions, requirement))

    def unknown_cost(self, problem: Entangled, span: Span) -> Value:
        """A cost that cannot be worked out: nothing is known of it."""
        self._ev.diagrams.restart()
        decisions = frozenset(self._ev.readable(problem).decisions) or self._met()
        self.leave_open(decisions, span, requirement=True)
        return Symbolic(None, (), decisions, 0, step=1)

    def _met(self) -> frozenset[str]:
        """The decisions that have been met so far."""
        assert self._ev.varying is not None
        asked = flat(self._ev.diagrams, self._ev.needs)
        addresses = tuple(self._ev.varying.variables[key].decision.address for key in asked if type(key) is int)
        return frozenset(self._ev.readable(Entangled("", addresses)).decisions)

    def all_open(self) -> list[Open]:
        """What is left open, each once: a cost that is part of a requirement goes with it."""
        found = list(self.open.values())
        return [one for one in found if not any(other is not one and one.lies_in(other) for other in found)]


def _itself(value: Value) -> Value:
    return value
