"""Questions about the costs and decisions of all programs; `Space` has them as methods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from archlang.cost import ADDITIVE
from archlang.cost.table import UNITS
from archlang.diagnostics import ArchError, did_you_mean, error
from archlang.semantics.fault import Entangled
from archlang.semantics.restrictions import without_table
from archlang.space.picking import no_decision

if TYPE_CHECKING:
    from archlang.space.bounds import Bounds
    from archlang.space.explaining import Explanation
    from archlang.space.optimum import Goal, Ranking
    from archlang.space.space import Space


def costs(space: Space, choices: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The additive costs of many programs as arrays; see `Space.costs`."""
    import numpy as np

    from archlang.space.batch import Batch

    programs, pricing = space.analysis.programs, space.analysis.pricing
    if programs is not None and pricing is not None:
        batch = choices if isinstance(choices, Batch) else Batch.of(programs, choices)
        if batch is not None:
            return pricing.costs(batch.positions)
    kinds = dict.fromkeys(ADDITIVE, np.int64) | dict.fromkeys(space.tables, np.float64)
    figures = [program.cost().totals() | program.measured() for program in map(space.program, choices)]
    return {name: np.array([one[name] for one in figures], dtype=kind) for name, kind in kinds.items()}


def check_cost(space: Space, name: str, known: Sequence[str]) -> None:
    """ArchError for a cost that is none of those known, or whose table is missing."""
    if name not in known:
        if name in UNITS:
            raise ArchError(without_table(name))
        hints = did_you_mean(name, known) or [", ".join(known)]
        raise ArchError(error("E0506", f"there is no cost `{name}`", hints=hints))


def bounds(space: Space, name: str) -> Bounds:
    """The least and greatest value of a cost over all programs; see `Space.bounds`."""
    from archlang.space.bounds import BOUNDED
    from archlang.space.bounds import bounds as bounds_of

    check_cost(space, name, (*BOUNDED, *space.tables))
    once, programs = space.analysis.whole("bounded")
    conditions = once.evaluated.conditions
    try:
        found = bounds_of(
            once, programs.compiled, name, lambda given: space.program(given).cost(), conditions, space.tables
        )
    except Entangled as problem:
        what = f"the bounds of `{name}` over `{space.name}` cannot be worked out"
        raise space.analysis.unknown(what, problem.reason) from None
    if found is None:
        raise space.analysis.no_program()
    return found


def ranking(space: Space, minimize: Goal | None, maximize: Goal | None) -> Ranking:
    """The programs from the best on by a goal; see `Space.ranking`."""
    from archlang.space.optimum import Ranking

    goal = maximize if minimize is None else minimize
    if goal is None or (minimize is not None and maximize is not None):
        raise ArchError(error("E0911", "give either a goal to minimize or one to maximize"))
    once, programs = space.analysis.whole("ranked")
    try:
        return Ranking(once, programs.compiled, space.tables, goal, minimize is None)
    except Entangled as problem:
        what = f"the programs of `{space.name}` cannot be ranked"
        raise space.analysis.unknown(what, problem.reason) from None


def explain(space: Space, address: str) -> Explanation:
    """What a decision is, what it hangs from, and what it changes; see `Space.explain`."""
    from archlang.space.explaining import explain as explained

    once, programs = space.analysis.whole("explained")
    known = programs.compiled.places
    if address not in known:
        what = f"there is no decision `{address}` in `{space.name}`"
        raise ArchError(no_decision(what, address, list(known)))
    return explained(once, programs.compiled, address, lambda given: space.program(given).cost())


def supernet(space: Space, name: str, seed: int, apart: bool | Sequence[str], kernel_transform: bool) -> Any:
    """All programs in one network; see `Space.supernet`."""
    from archlang.backend import supernets

    return supernets(name).supernet(space, seed, apart, kernel_transform)
