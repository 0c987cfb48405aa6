"""Leading a searcher through a study: asks and tells, written down and repeated."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import attrs

from archlang.searchers import Exhausted, Searcher

if TYPE_CHECKING:
    from archlang.space import Choices


def score(choices: Choices) -> dict[str, float]:
    """Metrics that look random and are the same everywhere."""
    digest = hashlib.sha256(choices.to_json().encode()).digest()
    return {"score": digest[0] / 255, "cost": float(digest[1] % 16)}


@attrs.frozen
class Event:
    """An ask with the proposal's text and fidelity, or a tell of the proposal of an earlier ask."""

    ask: str | None
    of: int = 0
    metrics: Mapping[str, float] | None = None
    fidelity: float = 1.0


def drive(
    searcher: Searcher,
    steps: int,
    seed: int,
    parallel: int = 1,
    failing: float = 0.0,
    evaluate: Callable[[Choices], Mapping[str, float]] = score,
) -> list[Event]:
    """Ask and tell so many times, up to `parallel` in flight, told in any order, some of them as failed;
    what happened. Asks that find nothing left are tried but are no events."""
    chance = random.Random(seed)
    events: list[Event] = []
    flying: list[tuple[int, Choices]] = []
    asked = 0
    for _ in range(steps):
        if len(flying) < parallel and (not flying or chance.random() < 0.6):
            try:
                choices = searcher.ask()
            except Exhausted:
                if not flying:
                    break
            else:
                flying.append((asked, choices))
                events.append(Event(choices.to_json(), fidelity=choices.fidelity))
                asked += 1
                continue
        number, choices = flying.pop(chance.randrange(len(flying)))
        metrics = None if chance.random() < failing else evaluate(choices)
        searcher.tell(choices, metrics)
        events.append(Event(None, number, metrics))
    return events


def replay(searcher: Searcher, events: Sequence[Event]) -> list[Choices]:
    """The proposals of a searcher that is led through events."""
    proposals: list[Choices] = []
    for event in events:
        if event.ask is not None:
            proposals.append(searcher.ask())
        else:
            searcher.tell(proposals[event.of], event.metrics)
    return proposals


def proposals_of(events: Sequence[Event]) -> list[str]:
    """The proposals among events."""
    return [event.ask for event in events if event.ask is not None]
