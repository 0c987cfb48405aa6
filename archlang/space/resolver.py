"""Resolving choices: from a function that picks to the decisions of one program.

A bounded space is evaluated once with all alternatives kept; a program's decisions are then read
off the conditions under which each is asked. A space that cannot be evaluated so is evaluated anew
for each program. Both give the same programs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, Protocol

import attrs

from archlang.cost.table import CostTable
from archlang.diagnostics import ArchError
from archlang.ir.graph import Operation
from archlang.semantics.costs import Wanted, outputs, terms_of
from archlang.semantics.decision import Decision, Pick
from archlang.semantics.diagram import Diagram, Value, at
from archlang.semantics.entry import MAX_STEPS_VARIED, Evaluated, evaluate_space
from archlang.semantics.evaluator import MAX_STEPS
from archlang.semantics.fault import Fault, FaultSignal
from archlang.semantics.graphs import PLAIN, Specialiser
from archlang.semantics.handlers import Picking, Varying
from archlang.semantics.measured import operations_in, terms_by
from archlang.semantics.modules import ModuleScope
from archlang.semantics.restrictions import Restriction
from archlang.syntax import ast

Picker = Callable[[Decision], Pick]


@attrs.frozen(eq=False)
class Resolved:
    """One program's decisions with their picks, in the order of the space; or why there is none.

    `asked` holds the picks in the order they were taken: those of decisions that turned out not to
    be asked are among them.
    """

    decisions: Mapping[str, tuple[Decision, Pick]]
    fault: Fault | None
    asked: tuple[tuple[Decision, Pick, bool], ...]
    read: Callable[[str], tuple[Any, Any]]


def in_order(address: str) -> list[tuple[int, str]]:
    """The key by which decisions are ordered: by address, numbers in it by value."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", address)]


class Resolver(Protocol):
    def resolve(self, pick: Picker) -> Resolved:
        """The program that the picks lead to."""
        ...


class EachAnew:
    """Evaluates the space for every program."""

    def __init__(
        self,
        module: ModuleScope,
        declaration: ast.Space,
        config: Mapping[str, Any],
        where: Sequence[Restriction] = (),
    ):
        self._space = module, declaration, config
        self._where = where

    def resolve(self, pick: Picker) -> Resolved:
        handler = Picking(pick)
        fault: Fault | None = None
        evaluated: Evaluated | None = None
        try:
            evaluated = evaluate_space(*self._space, handler, MAX_STEPS, self._where)
            if type(evaluated.ok) is Fault:
                fault = evaluated.ok
        except FaultSignal as signal:
            fault = signal.fault
        asked = [(decision, taken) for decision, taken, _ in handler.asked.values()]
        decisions = {pair[0].address: pair for pair in sorted(asked, key=lambda pair: in_order(pair[0].address))}

        def read(name: str) -> tuple[Any, Any]:
            assert evaluated is not None
            return evaluated.read(name, PLAIN)

        return Resolved(decisions, fault, tuple((*pair, True) for pair in asked), read)


class OnceForAll:
    """Evaluates the space once, with all alternatives kept. Raises `Entangled` when that fails."""

    def __init__(
        self,
        module: ModuleScope,
        declaration: ast.Space,
        config: Mapping[str, Any],
        where: Sequence[Restriction] = (),
        widen: bool = False,
        partial_channels: int = 1,
    ):
        handler = Varying()
        limits = MAX_STEPS_VARIED, where, widen, partial_channels
        self.evaluated = evaluate_space(module, declaration, config, handler, *limits)
        self.variables = handler.variables
        self.budgets = handler.budgets
        widening = self.evaluated.evaluator.widening
        self.open = widening.all_open() if widening is not None else []
        self.all_met = widening is None or widening.all_met
        needs = self.evaluated.needs
        ordered = sorted(needs, key=lambda number: in_order(self.variables[number].decision.address))
        self._conditions = [(number, needs[number]) for number in ordered]

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """All decisions that some program makes."""
        return tuple(self.variables[number].decision for number, _ in self._conditions)

    @cached_property
    def tensors(self) -> Wanted:
        """Every tensor of the result, with the condition under which it is in it."""
        return outputs(self.evaluated.evaluator, self.evaluated.result)

    @cached_property
    def terms(self) -> list[Value]:
        """The additive costs of the space, as terms; raises Entangled."""
        self.evaluated.evaluator.diagrams.restart()
        return terms_of(self.evaluated.evaluator, self.tensors)

    def terms_by(self, table: CostTable) -> list[Value]:
        """What programs take by a table, as terms; raises Entangled, and ArchError for operations that
        it lacks."""
        self.evaluated.evaluator.diagrams.restart()
        try:
            return terms_by(self.evaluated.evaluator, table, self.tensors)
        except FaultSignal as signal:
            raise ArchError(signal.fault.diagnostic) from None

    @cached_property
    def operations(self) -> list[Operation]:
        """Every operation that some program uses, whatever it requires; raises Entangled."""
        self.evaluated.evaluator.diagrams.restart()
        return operations_in(self.evaluated.evaluator, self.tensors)

    def resolve(self, pick: Picker) -> Resolved:
        taken: dict[int, int] = {}
        picks: dict[int, Pick] = {}
        variables = self.variables

        def position(number: int) -> int:
            found = taken.get(number)
            if found is None and number in self.budgets:
                found = taken[number] = 0 if self.budgets[number].kept(position) else 1
            if found is None:
                variable = variables[number]
                chosen = picks[number] = pick(variable.decision)
                found = taken[number] = 0 if variable.wide else variable.decision.domain.index(chosen)
            return found

        decisions: dict[str, tuple[Decision, Pick]] = {}
        active: set[int] = set()
        for number, condition in self._conditions:
            while type(condition) is Diagram:
                condition = condition.kids[position(condition.var)]
            if condition:
                position(number)
                active.add(number)
                decision = variables[number].decision
                decisions[decision.address] = decision, picks[number]
        reached = (at(condition, position) for condition in self.evaluated.conditions)
        fault = next((leaf for leaf in reached if type(leaf) is Fault), None)
        asked = tuple((variables[number].decision, chosen, number in active) for number, chosen in picks.items())

        def read(name: str) -> tuple[Any, Any]:
            by_address = {address: chosen for address, (_, chosen) in decisions.items()}
            return self.evaluated.read(name, Specialiser(position, by_address))

        return Resolved(decisions, fault, asked, read)
