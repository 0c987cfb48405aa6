"""The published table of NAS-Bench-201, as a problem for searchers."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

from archlang.searchers import Searcher
from archlang.space import Choices, Space, loads

OPS = ("none", "skip", "conv1", "conv3", "pool3")
Table = dict[str, dict[str, float]]


def cell() -> Space:
    return loads("space cell { { edges: [choose { none: 0, skip: 1, conv1: 2, conv3: 3, pool3: 4 } for i in 0..<6] } }")


def read_table(path: Path) -> Table:
    """The rows by the digits of their operations."""
    with gzip.open(path, "rt") as file:
        return {
            row["ops"]: {name: float(value) for name, value in row.items() if name not in ("index", "ops")}
            for row in csv.DictReader(file)
        }


def digits(choices: Choices) -> str:
    return "".join(str(OPS.index(str(choices[f"edges[{edge}]"]))) for edge in range(6))


def regret(searcher: Searcher, table: Table, trials: int, data: str = "c100") -> float:
    """How far the test accuracy of the program that validated best is from the best of all."""
    found: dict[str, float] = {}
    for _ in range(trials):
        choices = searcher.ask()
        found[digits(choices)] = value = table[digits(choices)][f"{data}_val_200"]
        searcher.tell(choices, {"accuracy": value})
    best = max(found, key=lambda ops: found[ops])
    return max(row[f"{data}_test_200"] for row in table.values()) - table[best][f"{data}_test_200"]
