"""Needs: under which conditions a value asks which decisions.

They form a graph as values do: a value names the decisions that it asks itself and the needs of
the values it is made of, each under a condition. So what a hundred layers ask is noted once, not
again by every layer after it; the conditions of all decisions follow in one pass at the end.
"""

from __future__ import annotations

from typing import Any

from archlang.semantics.diagram import Diagrams, Value


class Needs:
    """What one value asks: decisions (variable numbers), the needs of other values, and slots (see
    `semantics.reuse`), each with the condition under which."""

    __slots__ = ("entries",)

    def __init__(self, entries: dict[Any, Value]):
        self.entries = entries


def packed(entries: dict[Any, Value]) -> Any:
    """Entries as one thing to be needed; None when there are none."""
    if len(entries) == 1:
        ((key, condition),) = entries.items()
        if condition is True:
            return key
    return Needs(entries) if entries else None


def flat(diagrams: Diagrams, entries: dict[Any, Value]) -> dict[Any, Value]:
    """The entries with the needs of values worked out: decisions and slots, each once."""
    root = Needs(entries)
    conditions: dict[Any, Value] = {root: True}
    both, either = diagrams.both, diagrams.either
    found: dict[Any, Value] = {}
    for needs in _outer_first(root):
        here = conditions[needs]
        for key, asked in needs.entries.items():
            to = conditions if type(key) is Needs else found
            to[key] = either(to.get(key, False), both(here, asked))
    return found


def _outer_first(root: Needs) -> list[Needs]:
    """All needs within the root's, each after those that refer to it."""
    order: list[Needs] = []
    seen: set[Needs] = set()
    stack: list[tuple[Needs, bool]] = [(root, False)]
    while stack:
        needs, done = stack.pop()
        if done:
            order.append(needs)
        elif needs not in seen:
            seen.add(needs)
            stack.append((needs, True))
            stack.extend((key, False) for key in needs.entries if type(key) is Needs)
    order.reverse()
    return order
