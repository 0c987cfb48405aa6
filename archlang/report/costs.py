"""Costs of a program as tables for a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from archlang.cost.cost import Cost, Totals
from archlang.cost.table import UNITS
from archlang.report.numbers import exact, short

if TYPE_CHECKING:
    from archlang.space.bounds import Bounds, Extreme


def cost_overview(
    cost: Cost, measured: Mapping[str, float] = MappingProxyType({}), blocks: bool = False, nodes: bool = False
) -> RenderableType:
    """The costs in all, also those of tables, and by kind of op; by block and by node where wanted."""
    total = Table(box=box.SIMPLE_HEAD, title="costs for one sample", title_justify="left", show_header=False)
    total.add_column("")
    total.add_column("", justify="right")
    for name, value in cost.totals().items():
        total.add_row(Text(name, style="bold"), exact(value))
    total.add_row(Text("arithmetic_intensity", style="bold"), short(cost.arithmetic_intensity))
    for name, taken in measured.items():
        total.add_row(Text(name, style="bold"), f"{exact(taken)} {UNITS[name]}")
    parts: list[RenderableType] = [total, _totals_table("op", cost.ops)]
    if blocks:
        parts.append(_totals_table("block", cost.blocks))
    if nodes:
        table = _table("node", "op", "params", "macs", "matmul_macs", "activations")
        for row in cost.rows:
            figures = (row.params, row.macs, row.matmul_macs, row.activations)
            table.add_row(Text(row.address), Text(row.op), *map(exact, figures))
        parts.append(table)
    return Group(*parts)


def bounds_overview(bounds: Mapping[str, Bounds]) -> RenderableType:
    """What costs are at least and at most over a space, and the choices that reach that."""
    table = _table("cost", "least", "most")
    parts: list[RenderableType] = [table]
    for name, bound in bounds.items():
        label = f"{name} ({UNITS[name]})" if name in UNITS else name
        table.add_row(Text(label, style="bold"), _extreme(bound.least), _extreme(bound.most))
    reached: dict[str, list[str]] = {}
    for name, bound in bounds.items():
        for word, extreme in (("least", bound.least), ("most", bound.most)):
            reached.setdefault(extreme.choices.to_json(), []).append(f"{word} {name}")
    parts += [Text(f"{', '.join(names)}: {choices}\n") for choices, names in reached.items()]
    return Group(*parts)


def _extreme(extreme: Extreme) -> str:
    if extreme.exact:
        return exact(extreme.value)
    return f"{exact(extreme.value)} (proven {exact(extreme.proven)})"


def _totals_table(what: str, rows: Mapping[str, Totals]) -> Table:
    table = _table(what, "nodes", "params", "macs", "matmul_macs", "activations")
    for name, row in rows.items():
        figures = (row.nodes, row.params, row.macs, row.matmul_macs, row.activations)
        table.add_row(Text(name), *map(exact, figures))
    return table


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    for column in columns:
        text = column in ("op", "block", "node", "cost")
        table.add_column(column, justify="left" if text else "right", overflow="fold")
    return table
