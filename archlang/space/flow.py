"""The best path within limits as an integer program, for SciPy's solver HiGHS.

A path is a flow of one unit from the root to the end, each edge a variable of 0 or 1: without limits
every corner of the program is a path (the matrix of a flow is totally unimodular), so that only limits
make it an integer one. The solver counts in floats: what it finds is a proposal, see `exact`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from archlang.extras import required
from archlang.space.exact import BITS, Picks, Problem

MAX_NODES = 2_000  # of the solver's tree. Not a time: the same is found on every machine


def proposed(problem: Problem) -> tuple[list[int], Picks | None]:
    """Prices of a unit of each limit (see `Problem.least`), and a path that keeps the limits and is the
    best that the solver finds; None when it finds none. ArchError (E0919) without SciPy."""
    optimize = required("scipy.optimize", "the best program within budgets", "milp")
    sparse = required("scipy.sparse", "the best program within budgets", "milp")
    kids = problem.paths.kids
    edges = [(node, pick, kid) for node, each in enumerate(kids) for pick, kid in enumerate(each) if kid >= 0]
    count = len(edges)
    values = np.array([float(problem.values[node][pick]) for node, pick, _ in edges])
    uses = np.array([problem.uses[node][pick] for node, pick, _ in edges], dtype=float).T
    # The solver's tolerances are for numbers around 1.
    of_value = max(values.max(), 1.0) / 1_000
    of_use = np.maximum(uses.max(axis=1), 1.0) / 1_000
    uses, slack = uses / of_use[:, None], np.array(problem.slack, dtype=float) / of_use
    tails, heads = (np.array([edge[at] for edge in edges]) for at in (0, 2))
    ones, columns = np.ones(count), np.arange(count)
    flow = sparse.csr_array(
        (np.concatenate([ones, -ones]), (np.concatenate([tails, heads]), np.concatenate([columns, columns]))),
        shape=(len(kids), count),
    )
    supply = np.zeros(len(kids))
    supply[problem.paths.root], supply[0] = 1, -1
    relaxed = optimize.linprog(values / of_value, uses, slack, flow, supply, bounds=(0, 1), method="highs")
    prices = [0] * len(slack)
    if relaxed.status == 0:
        each = np.maximum(-relaxed.ineqlin.marginals, 0) * of_value / of_use
        prices = [round(price * 2**BITS) for price in each.tolist()]
    for tightened in (0.0, 1e-6, 1e-4):
        found = optimize.milp(
            values / of_value,
            integrality=ones,
            bounds=(0, 1),
            constraints=[
                optimize.LinearConstraint(flow, supply, supply),
                optimize.LinearConstraint(uses, -np.inf, slack - tightened),
            ],
            options={"mip_rel_gap": 0, "node_limit": MAX_NODES},
        )
        if found.x is None:
            break
        picks = _path(problem, edges, found.x)
        if problem.value(picks) is not None:
            return prices, picks
    return prices, None


def _path(problem: Problem, edges: list[tuple[int, int, int]], taken: Any) -> Picks:
    best: dict[int, tuple[float, int]] = {}
    for (node, pick, _), flow in zip(edges, taken.tolist(), strict=True):
        best[node] = max(best.get(node, (-1.0, -1)), (flow, pick))
    node, picks = problem.paths.root, []
    while node:
        pick = best[node][1]
        picks.append(pick)
        node = problem.paths.kids[node][pick]
    return picks
