"""Patterns of addresses: `*` is any text without a `/`, `**` any text, and `**/` any number of segments."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache, lru_cache

_STEP, _RUN, _SEGMENTS = "*", "**", "**/"  # `_SEGMENTS` may be passed over with what follows: a run and a `/`


def matches(pattern: str, address: str) -> bool:
    """Whether an address is one of those that a pattern stands for."""
    return len(_parts(pattern)) in after(pattern, address)


@lru_cache(100_000)
def after(pattern: str, text: str) -> frozenset[int]:
    """What may be left of the pattern after the start of an address, as positions in its parts: equal for
    two starts that may go on alike."""
    parts = _parts(pattern)
    reached = _closed(parts, [0])
    for sign in text:
        moved: list[int] = []
        for at in reached:
            part = parts[at] if at < len(parts) else None
            if part == _RUN or (part == _STEP and sign != "/"):
                moved.append(at)
            elif part == sign:
                moved.append(at + 1)
        reached = _closed(parts, moved)
    return reached


def _closed(parts: tuple[str, ...], positions: Iterable[int]) -> frozenset[int]:
    """The positions, with those that are reached from them by no text."""
    found: set[int] = set()
    pending = list(positions)
    while pending:
        at = pending.pop()
        if at in found:
            continue
        part = parts[at] if at < len(parts) else None
        if part == _SEGMENTS:
            pending += [at + 1, at + 3]
            continue
        found.add(at)
        if part in (_RUN, _STEP):
            pending.append(at + 1)
    return frozenset(found)


@cache
def _parts(pattern: str) -> tuple[str, ...]:
    parts: list[str] = []
    at = 0
    while at < len(pattern):
        if pattern.startswith("**/", at) and (not parts or parts[-1] == "/"):
            parts += [_SEGMENTS, _RUN, "/"]
            at += 3
        elif pattern.startswith("**", at):
            parts.append(_RUN)
            at += 2
        else:
            parts.append(pattern[at])
            at += 1
    return tuple(parts)
