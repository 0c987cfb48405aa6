"""When decisions are made and which programs there are, as alternatives of picks: what search spaces
without a language of their own can say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import attrs

from archlang.semantics.decision import Decision, Pick
from archlang.semantics.diagram import Diagrams, Value, support

if TYPE_CHECKING:
    from archlang.space.base import SearchSpace

MAX_CLAUSES = 10_000

# For each of some decisions, the picks of which it takes one.
Clause = tuple[tuple[Decision, tuple[Pick, ...]], ...]


class Unwritten(Exception):
    """A space cannot be written in clauses, and why."""


@attrs.frozen
class Clauses:
    """The decisions of a space, those on which others hang first: for each when it is made (one clause of
    several holds: no two do; the empty clause always), and what no program does."""

    made: tuple[tuple[Decision, tuple[Clause, ...]], ...]
    excluded: tuple[Clause, ...]


def clauses(space: SearchSpace) -> Clauses:
    """The programs of a space in clauses; raises `Unwritten` where it is not evaluated as a whole, has a budget
    or a requirement with too many exceptions, or decisions that say of each other whether they are made."""
    from archlang.space.space import Space

    if not isinstance(space, Space):
        raise Unwritten("it is a Python function, whose decisions are only found by running it")
    once, compiled = space.analysis.once, space.analysis.compiled
    if once is None or compiled is None:
        raise Unwritten(f"it is not evaluated as a whole: {space.unproved}")
    if compiled.layout.unsure:
        raise Unwritten("its decisions say of each other whether they are made")
    order, decisions, diagrams = compiled.layout.order, compiled.decisions, compiled.diagrams
    rank = {var: place for place, var in enumerate(order)}
    diagrams.restart()
    left = MAX_CLAUSES

    def written(value: Value, wanted: bool, what: str) -> tuple[Clause, ...]:
        nonlocal left
        if any(budget in once.budgets for budget in support(value)):
            raise Unwritten(f"{what} depends on a sum of costs")
        found = []
        for steps in _cases(diagrams, value, rank, wanted):
            left -= 1
            if left < 0:
                raise Unwritten(f"{what} has too many cases: more than {MAX_CLAUSES:,} in all")
            found.append(
                tuple((decisions[place], tuple(compiled.picks[place][n] for n in taken)) for place, taken in steps)
            )
        return tuple(found)

    made = tuple(
        (decision, written(once.evaluated.needs[var], True, f"whether `{decision.address}` is made"))
        for var, decision in zip(order, decisions, strict=True)
    )
    excluded = [
        clause for value in once.evaluated.conditions for clause in written(value, False, "a requirement of the space")
    ]
    return Clauses(made, tuple(dict.fromkeys(excluded)))


Steps = tuple[tuple[int, tuple[int, ...]], ...]


def _cases(diagrams: Diagrams, value: Value, rank: dict[int, int], wanted: bool) -> Iterator[Steps]:
    """The ways in which a condition is True (or is not), as picks by place. Decisions are looked at after
    those on which they hang: then none is looked at where it is not made, for nothing depends on it there."""
    open_vars = support(value)
    if not open_vars:
        if (value is True) is wanted:
            yield ()
        return
    var = min((var for var in open_vars if var in rank), key=rank.__getitem__)
    groups: dict[int, tuple[Value, list[int]]] = {}
    for position in range(diagrams.sizes[var]):
        rest = diagrams.cofactor(value, var, position)
        groups.setdefault(id(rest), (rest, []))[1].append(position)
    for rest, positions in groups.values():
        for steps in _cases(diagrams, rest, rank, wanted):
            yield ((rank[var], tuple(positions)), *steps)
