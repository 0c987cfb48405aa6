"""Timing actions that take turns, so that a busy machine slows all of a comparison alike."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterable, Sequence
from statistics import median
from typing import Any

import attrs

Action = Callable[[], Any]


@attrs.frozen
class Figure:
    """The times of one action in milliseconds.

    `aim` is the most that the median may be, in milliseconds, or as a ratio where the figure is compared with
    another (`against`, the median of that action in the same turns).
    """

    name: str
    times: tuple[float, ...] = attrs.field(repr=False)
    aim: float | None = None
    against: tuple[float, ...] = attrs.field(default=(), repr=False)
    note: str = ""

    @property
    def median(self) -> float:
        return median(self.times)

    @property
    def ratio(self) -> float | None:
        """The median, over the turns, of this time by the time compared with."""
        if not self.against:
            return None
        return median(one / other for one, other in zip(self.times, self.against, strict=True))

    @property
    def missed(self) -> bool:
        """Whether the aim is not met."""
        reached = self.median if self.ratio is None else self.ratio
        return self.aim is not None and reached > self.aim

    def as_dict(self) -> dict[str, Any]:
        """The figure as plain data, times in milliseconds."""
        return {
            "name": self.name,
            "min": min(self.times),
            "median": self.median,
            "max": max(self.times),
            "against": median(self.against) if self.against else None,
            "ratio": self.ratio,
            "aim": self.aim,
            "missed": self.missed,
            "repetitions": len(self.times),
            "note": self.note,
        }


@attrs.frozen
class Benchmark:
    """A named group of figures. `run` takes the number of repetitions."""

    name: str
    run: Callable[[int], Iterable[Figure]]


def turns(
    actions: Sequence[Action], repetitions: int, clock: Callable[[], float] = time.process_time
) -> list[tuple[float, ...]]:
    """The times of each action in milliseconds, the actions taking turns after one warm-up each.

    The clock is that of this process's CPU time, which other work on the machine disturbs least.
    """
    for action in actions:
        action()
    times: list[list[float]] = [[] for _ in actions]
    gc.collect()
    for _ in range(repetitions):
        for action, found in zip(actions, times, strict=True):
            started = clock()
            action()
            found.append((clock() - started) * 1e3)
    return [tuple(found) for found in times]


def timed(name: str, action: Action, repetitions: int, aim: float | None = None, note: str = "") -> Figure:
    """The figure of one action."""
    (times,) = turns([action], repetitions)
    return Figure(name, times, aim, note=note)


def compared(name: str, action: Action, other: Action, repetitions: int, aim: float | None = None) -> Figure:
    """The figure of an action beside another that does the same."""
    times, against = turns([action, other], repetitions)
    return Figure(name, times, aim, against)
