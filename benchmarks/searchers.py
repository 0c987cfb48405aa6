"""What an ask and a tell take after 100, 1,000 and 10,000 trials, on a flat space and on a large nested one."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import attrs

import archlang as al
from archlang.searchers import Objective, Searcher
from archlang.searchers.recipe import Recipe
from archlang.searchers.registry import SEARCHERS
from archlang.space import Choices, Space
from benchmarks.measure import Figure, turns
from benchmarks.spaces import SPACES

VALUE = Objective("value")
ALL = (100, 1_000, 10_000)
FIRST = 20  # proposals by which each of the searchers is past its random ones


@attrs.frozen
class Timed:
    """A searcher, after how many trials it is timed, and the aims (ms) by space and number of trials; the aim
    of 0 trials is that of any number. `batch` asks and tells are timed together: few are shorter than the clock
    can tell."""

    recipe: str
    trials: tuple[int, ...]
    aims: dict[tuple[str, int], float]
    batch: int = 20


TIMED = (
    Timed("random", ALL, {("A", 0): 0.1, ("D", 0): 1}),
    Timed("evolution", ALL, {("A", 0): 0.1, ("D", 0): 1}),
    Timed("mcts", ALL, {("A", 0): 0.5}),
    Timed("tpe", (100, 1_000), {("A", 1_000): 2, ("D", 1_000): 10}),
    Timed("smbo", (100, 1_000), {("A", 1_000): 1_000, ("D", 1_000): 1_000}, batch=1),
)


def searchers(repetitions: int) -> Iterator[Figure]:
    """Asks and tells of the searchers that there are; the trials before are drawn and told, the last of them asked."""
    for timed in TIMED:
        if timed.recipe.partition("(")[0] not in SEARCHERS:
            continue
        for name in ("A", "D"):
            for trials in timed.trials:
                yield _figure(timed, name, trials, max(1, repetitions // (1 if timed.batch > 1 else 3)))


def _figure(timed: Timed, name: str, trials: int, repetitions: int) -> Figure:
    space, told = _drawn(name, max(ALL))
    searcher = Recipe.of(timed.recipe).make(space, [VALUE])
    first = min(FIRST, timed.batch)
    for choices in told[: trials - first]:
        searcher.tell(choices, _measured(choices))
    _go_on(searcher, first)
    (times,) = turns([lambda: _go_on(searcher, timed.batch)], repetitions)
    aim = timed.aims.get((name, trials), timed.aims.get((name, 0)))
    return Figure(f"{timed.recipe} on {name} after {trials:,}", tuple(time / timed.batch for time in times), aim)


def _go_on(searcher: Searcher, count: int) -> None:
    for _ in range(count):
        choices = searcher.ask()
        searcher.tell(choices, _measured(choices))


@cache
def _drawn(name: str, count: int) -> tuple[Space, list[Choices]]:
    space = al.loads(SPACES[name])
    return space, list(space.sample_many(count))


def _measured(choices: Choices) -> dict[str, float]:
    """A number that hangs on the first picks only, so that it takes no time."""
    picks = choices.values()
    return {"value": float(sum(pick for pick, _ in zip(picks, range(20), strict=False) if isinstance(pick, int)))}
