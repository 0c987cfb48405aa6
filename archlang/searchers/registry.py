"""The searchers by name."""

from __future__ import annotations

from archlang.diagnostics import ArchError, did_you_mean, error
from archlang.searchers.base import Searcher
from archlang.searchers.evolution import Evolution
from archlang.searchers.grid import GridSearch
from archlang.searchers.random import RandomSearch

SEARCHERS: dict[str, type[Searcher]] = {
    searcher.name: searcher
    for searcher in (
        RandomSearch,
        GridSearch,
        Evolution,
    )
}


def searcher_class(name: str) -> type[Searcher]:
    """The searcher of that name; ArchError (E0901) when there is none."""
    if name not in SEARCHERS:
        known = ", ".join(f"`{other}`" for other in SEARCHERS)
        hints = did_you_mean(name, SEARCHERS) or (f"the searchers are {known}",)
        raise ArchError(error("E0901", f"there is no searcher `{name}`", hints=hints))
    return SEARCHERS[name]
