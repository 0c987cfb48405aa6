"""Requirements from outside a space, on the costs of its programs by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

import attrs

from archlang.cost.cost import METRICS
from archlang.cost.table import CostTable
from archlang.diagnostics import Diagnostic, Span, error
from archlang.semantics.costs import cost_of, outputs
from archlang.semantics.diagram import Value
from archlang.semantics.fault import broken, excluded
from archlang.semantics.measured import measured
from archlang.semantics.modules import TABLE_COSTS
from archlang.semantics.values import Deferred, Env
from archlang.syntax import ast

if TYPE_CHECKING:
    from archlang.semantics.evaluator import Evaluator


def without_table(name: str, span: Span | None = None) -> Diagnostic:
    """The error for a measured cost where no table gives it."""
    hint = f"give a table of it: `--{name} PATH`, in Python `space.with_table(PATH)`"
    return error("E0506", f"there is no cost `{name}` without a table", span, hints=[hint])


@attrs.frozen
class Restriction:
    """A condition in which costs go by their names (`macs <= 600M`), those of `tables` too."""

    condition: ast.Expr
    tables: Mapping[str, CostTable]


def restricted(ev: Evaluator, result: Value, restriction: Restriction, env: Env) -> Value:
    """A restriction on a space's value: True, or a diagram of True and excluding faults."""
    condition = restriction.condition
    tensors = outputs(ev, result)
    if not tensors:
        raise broken(error("E0409", "the space holds no network, only values: it has no costs", condition.span))
    costs: dict[str, Callable[[], Value]] = {name: partial(cost_of, ev, name, tensors) for name in METRICS}
    costs |= {name: partial(_lacking, name, condition.span) for name in TABLE_COSTS}
    for name, table in restriction.tables.items():
        costs[name] = partial(measured, ev, table, tensors, condition.span)

    def test(value: Value) -> Value:
        if not ev.holds(value, condition.span, requirement=True):
            raise excluded(error("E0501", "a requirement does not hold", condition.span))
        return True

    names: dict[str, Value] = {name: Deferred(compute) for name, compute in costs.items()}
    return ev.diagrams.lift(test, ev.evaluate(condition, env.bind(names)))


def _lacking(name: str, span: Span) -> Value:
    raise broken(without_table(name, span))
