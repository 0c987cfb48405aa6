"""Handlers: what a `choose` does. Follow a function that picks, or keep all alternatives."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from archlang.diagnostics import Diagnostic, Label, Span, error
from archlang.semantics.decision import Decision, Integers, Pick, Subsets
from archlang.semantics.fault import Entangled, broken
from archlang.semantics.sums import Budget
from archlang.semantics.values import List, Symbolic, Value

if TYPE_CHECKING:
    from archlang.semantics.evaluator import Evaluator

MAX_ALTERNATIVES = 5_000


class Handler(Protocol):
    def choose(self, ev: Evaluator, decision: Decision, yielded: Callable[[Pick], Value], span: Span) -> Value:
        """The value of a decision, given the value of each pick."""


def conflict(decision: Decision, span: Span, other: Decision, before: Span) -> Diagnostic:
    """The error for two decisions that share an address without sharing their alternatives."""
    return error(
        "E0404",
        f"two decisions have the address `{decision.address}` and different alternatives",
        Label(span, f"here {decision.domain}") if span != before else span,
        Label(before, f"here {other.domain}") if span != before else None,
        notes=[f"at one time it is {other.domain}, at another {decision.domain}"] if span == before else (),
        hints=["give one of them a name of its own: `choose … as name`; what is shared must choose from the same"],
    )


class Picking:
    """Takes for each decision what `pick` gives, and notes what was asked, in order."""

    def __init__(self, pick: Callable[[Decision], Pick]):
        self._pick = pick
        self.asked: dict[str, tuple[Decision, Pick, Span]] = {}

    def choose(self, ev: Evaluator, decision: Decision, yielded: Callable[[Pick], Value], span: Span) -> Value:
        known = self.asked.get(decision.address)
        if known is not None:
            if known[0].domain != decision.domain:
                raise broken(conflict(decision, span, known[0], known[2]))
            return yielded(known[1])
        pick = self._pick(decision)
        self.asked[decision.address] = decision, pick, span
        return yielded(pick)


class Variable:
    """A decision in an evaluation that keeps all alternatives, and where it stands."""

    def __init__(self, decision: Decision, span: Span, wide: bool):
        self.decision = decision
        self.span = span
        self.wide = wide  # too many picks to list: kept symbolic, with one diagram position


class Varying:
    """Keeps all alternatives of every decision. Variables are numbered in order of first meeting;
    an address that is asked with two domains has two of them."""

    def __init__(self) -> None:
        self.variables: dict[int, Variable] = {}
        self.budgets: dict[int, Budget] = {}
        self._numbers: dict[Any, int] = {}

    def choose(self, ev: Evaluator, decision: Decision, yielded: Callable[[Pick], Value], span: Span) -> Value:
        domain = decision.domain
        number = self.number(ev, decision, span)
        if self.variables[number].wide:
            ev.need(number, True)
            if isinstance(domain, Subsets):
                subsets = f"{_many(domain.size)} subsets"
                raise Entangled(f"`{decision.address}` has {subsets} to pick from", (decision.address,))
            return _symbolic(decision, yielded)
        diagrams = ev.diagrams
        kids: list[Value] = []
        for position in range(int(domain.size)):
            kids.append(ev.under(partial(diagrams.literal, number, position), partial(yielded, domain.pick(position))))
        ev.need(number, True)
        if isinstance(domain, Subsets) and type(kids[0]) is List and len(kids) == 1:
            return List(kids[0].items, kids[0].kind, number)
        joined = ev.join(number, tuple(kids))
        return ev.settle(joined)

    def kept(self, ev: Evaluator, budget: Budget) -> Value:
        """The condition that a budget is kept: a variable of its own, whose first position says so."""
        number = self._numbers.get(budget.leaf_identity)
        if number is None:
            number = self._numbers[budget.leaf_identity] = ev.diagrams.variable(2)
            self.budgets[number] = budget
        return ev.diagrams.literal(number, 0)

    def number(self, ev: Evaluator, decision: Decision, span: Span) -> int:
        """The variable of a decision, a new one when it is met first."""
        domain = decision.domain
        key = decision.address, domain
        number = self._numbers.get(key)
        if number is None:
            wide = domain.size > MAX_ALTERNATIVES or domain.size == math.inf
            number = self._numbers[key] = ev.diagrams.variable(1 if wide else int(domain.size))
            self.variables[number] = Variable(decision, span, wide)
        return number

    def take(self, number: int, decision: Decision) -> int:
        """Make a decision that of a variable, unless it has one; its variable."""
        key = decision.address, decision.domain
        if key not in self._numbers:
            variable = self.variables[number]
            del self._numbers[variable.decision.address, variable.decision.domain]
            variable.decision = decision
            self._numbers[key] = number
        return self._numbers[key]


def _many(size: float) -> str:
    """A large number, shortly."""
    return f"{size:,}" if size < 10**15 else f"about 10^{len(str(size)) - 1}"


def _symbolic(decision: Decision, yielded: Callable[[Pick], Value]) -> Value:
    domain: Any = decision.domain
    if not hasattr(domain, "low"):
        raise Entangled(f"`{decision.address}` has {domain.size:,} alternatives", (decision.address,))
    whole = (domain.step, domain.low % domain.step) if isinstance(domain, Integers) else ()
    return Symbolic(None, (), frozenset([decision.address]), domain.low, domain.high, domain, *whole)
