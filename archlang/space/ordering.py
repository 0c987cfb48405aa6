"""In which order to go through decisions, so that little need be kept in mind on the way.

Conditions and costs are each about a group of decisions. Between the first and the last of a group,
the picks of those passed have to be remembered; the number of combinations remembered is what the
paths of a space take. A decision that hangs together with very many others (one width of a whole
network) costs least when it comes first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import log2

FEW = 4_096  # states: with fewer no better order is sought
MAX_MOVES = 40
MANY = 8  # decisions of a group that is not remembered pick by pick, but by what they add up to


def parents_first(parents: Mapping[int, set[int]], wished: Sequence[int]) -> list[int]:
    """The wished order, with every decision after those that say whether it is made, where they
    do not say so in a circle."""
    order: list[int] = []
    seen: set[int] = set()
    position = {var: place for place, var in enumerate(wished)}
    for start in wished:
        stack = [(start, False)]
        while stack:
            var, ready = stack.pop()
            if ready:
                order.append(var)
            elif var not in seen:
                seen.add(var)
                stack.append((var, True))
                before = [parent for parent in parents[var] if parent not in seen]
                stack.extend((parent, False) for parent in sorted(before, key=position.__getitem__, reverse=True))
    return order


def arranged(
    order: list[int], groups: Sequence[set[int]], sizes: Mapping[int, int], parents: Mapping[int, set[int]]
) -> list[int]:
    """The order, or a better one where it would take many states: decisions that are waited for are
    moved before those that wait, as long as that helps."""
    small = [group for group in {frozenset(group) for group in groups} if 1 < len(group) <= MANY]
    best, peak = _states(order, small, sizes)
    for _ in range(MAX_MOVES):
        if best <= FEW:
            break
        for moved in _moves(order, small, peak):
            tried = parents_first(parents, moved)
            states, where = _states(tried, small, sizes)
            if states < best:
                order, best, peak = tried, states, where
                break
        else:
            break
    return order


def _states(order: Sequence[int], groups: Sequence[frozenset[int]], sizes: Mapping[int, int]) -> tuple[float, int]:
    """About how many states an order takes, and after which decision there are most."""
    position = {var: place for place, var in enumerate(order)}
    last = dict(position)
    for group in groups:
        end = max(position[var] for var in group)
        for var in group:
            last[var] = max(last[var], end)
    change = [0.0] * (len(order) + 1)
    for var, place in position.items():
        bits = log2(max(sizes[var], 1))
        change[place] += bits
        change[last[var]] -= bits
    total = bits = peak_bits = 0.0
    peak = 0
    for place in range(len(order)):
        bits += change[place]
        total += 2.0 ** min(bits, 900.0)
        if bits > peak_bits:
            peak, peak_bits = place, bits
    return total, peak


def _moves(order: list[int], groups: Sequence[frozenset[int]], peak: int) -> list[list[int]]:
    """Orders in which a decision that is waited for at the peak comes before all that wait for it;
    first the one that most groups wait for."""
    position = {var: place for place, var in enumerate(order)}
    waiting: dict[int, list[int]] = {}
    for group in groups:
        begin = min(position[var] for var in group)
        if begin <= peak:
            for var in group:
                if position[var] > peak:
                    waiting.setdefault(var, []).append(begin)
    found = []
    for var, begins in sorted(waiting.items(), key=lambda item: (-len(item[1]), position[item[0]]))[:4]:
        rest = [other for other in order if other != var]
        at = min(begins)
        found.append([*rest[:at], var, *rest[at:]])
    return found
