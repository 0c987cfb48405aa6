"""The fit of a table to whole networks against networks whose slopes are known, and SciPy's solver."""

from __future__ import annotations

from random import Random

import attrs
import numpy as np
import pytest
from scipy.optimize import nnls

from archlang.cost.calibration import PULL, calibrated
from archlang.ir.graph import Graph
from tests.cost.tables import table_of
from tests.ir.handmade import nasbench201


def networks(count: int) -> list[Graph]:
    random = Random(3)
    return [nasbench201("".join(random.choices("01234", k=6)), channels=4, repeats=2) for _ in range(count)]


def test_known_slopes_are_found_again() -> None:
    graphs = networks(40)
    known = table_of(node.operation for graph in graphs for node in graph.nodes)
    known = attrs.evolve(known, intercept=400_000)
    kinds = {row.op for row in known.rows}
    known = attrs.evolve(known, slopes={kind: 0.7 + 0.1 * place for place, kind in enumerate(sorted(kinds))})
    measured = [known.predict(graph) for graph in graphs]
    plain = attrs.evolve(known, intercept=5, slopes={"relu": 9.0})
    found = calibrated(plain, graphs, measured)
    assert found.rows == known.rows
    errors = [abs(found.predict(graph) / value - 1) for graph, value in zip(graphs, measured, strict=True)]
    assert max(errors) < 0.02
    assert found.slopes == pytest.approx(dict(known.slopes), abs=0.4)  # kinds that always go together share theirs


@pytest.mark.parametrize("count", [1, 4, 25])
def test_the_fit_is_that_of_a_general_solver(count: int) -> None:
    graphs = networks(count)
    table = attrs.evolve(
        table_of((node.operation for graph in networks(25) for node in graph.nodes), seed=1), slopes={}, intercept=0
    )
    random = Random(1)
    measured = [table.predict(graph) * random.uniform(0.3, 1.2) for graph in graphs]
    kinds = sorted({node.operation.name for graph in graphs for node in graph.nodes})
    rows = [
        [sum(table.get(n.operation) or 0 for n in graph.nodes if n.operation.name == kind) / 1e6 for kind in kinds]
        + [float(np.mean(measured))]
        for graph in graphs
    ]
    design = np.array(rows) / np.array(measured)[:, None]
    held = np.array([1.0] * len(kinds) + [0.0])
    size = len(held)
    expected, _ = nnls(
        np.vstack([design, PULL**0.5 * np.eye(size)]), np.concatenate([np.ones(len(graphs)), PULL**0.5 * held])
    )
    found = calibrated(table, graphs, measured)
    assert [found.slopes[kind] for kind in kinds] == pytest.approx(expected[:-1], abs=2e-4)
    assert found.intercept / 1e6 == pytest.approx(expected[-1] * np.mean(measured), abs=2e-4 * np.mean(measured))
    assert count < 25 or 0.0 in found.slopes.values()


def test_kinds_that_no_network_has_keep_their_slopes() -> None:
    graphs = networks(3)
    table = attrs.evolve(table_of(node.operation for graph in graphs for node in graph.nodes), slopes={"gelu": 0.5})
    assert calibrated(table, graphs, [1.0, 2.0, 3.0]).slopes["gelu"] == 0.5
