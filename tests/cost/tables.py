"""Tables of costs for tests, with values that no two configurations of an op have in common by design."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

from archlang.cost.table import CostTable, Row, configuration
from archlang.ir.graph import Operation


def table_of(operations: Iterable[Operation], seed: int = 0, metric: str = "latency") -> CostTable:
    """A table that has the operations, each with some value; slopes and an intercept too."""
    random = Random(seed)
    rows = [Row(*texts, random.randrange(1, 3_000_000)) for texts in map(configuration, operations)]
    names = sorted({row.op for row in rows})
    slopes = {name: random.choice([0.0, 0.5, 1.25, 3.0]) for name in names[::2]}
    return CostTable(metric, tuple({row.key: row for row in rows}.values()), {}, random.randrange(5_000_000), slopes)
