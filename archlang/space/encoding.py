"""Choices as vectors of numbers, for regression."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs
import numpy as np

from archlang.semantics.decision import Decision, Domain, OneOf, Reals, Subsets

Array = np.ndarray[Any, Any]
MAX_KNOWN = 10_000  # picks of a decision whose vectors are kept


@attrs.frozen
class Block:
    """The columns of one decision: from `start`, `width` of them; what they mean hangs on its domain."""

    decision: Decision
    start: int
    width: int
    known: dict[Any, Array | None] = attrs.field(factory=dict, repr=False, eq=False)  # vectors worked out


class Encoder:
    """Vectors of the decisions of a space, block by block.

    A decision of unordered alternatives has a column for each of them (1 where it is picked); one of
    numbers has one column, from 0 at the least pick to 1 at the greatest, evenly by rank (floats: by
    value, or by logarithm), and before it, unless it is the only pick, one that is 1 where the decision
    is made; a subset has a column for each element (1 where it is in; with `ordered`, more the earlier
    it comes; with `repeated`, how often of how often at most; with both, a column for each element at each
    place), and before them, if it may be empty, one that is 1 where the decision is made. What a program
    does not decide is 0.
    """

    def __init__(self, decisions: Sequence[Decision], mine: Callable[[str], bool] = lambda address: True):
        self.blocks: list[Block] = []
        self._at: dict[str, list[Block]] = {}
        start = 0
        for decision in decisions:
            if decision.domain.size > 1 and mine(decision.address):
                block = Block(decision, start, _width(decision.domain))
                self.blocks.append(block)
                self._at.setdefault(decision.address, []).append(block)
                start += block.width
        self.width = start

    def many(self, choices: Sequence[Mapping[str, Any]]) -> Array:
        """The vectors of programs: float64, (programs, `width`)."""
        found = np.zeros((len(choices), self.width))
        for row, picks in zip(found, choices, strict=True):
            for address, pick in picks.items():
                for block in self._at.get(address, ()):
                    vector = _known(block, pick)
                    if vector is not None:
                        row[block.start : block.start + block.width] = vector
        return found


def _known(block: Block, pick: Any) -> Array | None:
    """The columns of a pick, worked out once where there are not too many to keep."""
    if block.decision.domain.size > MAX_KNOWN:
        return _vector(block, pick)
    key = type(pick), pick  # 1 and true are equal, and other picks
    if key not in block.known:
        block.known[key] = _vector(block, pick)
    return block.known[key]


def is_ordered(domain: Domain) -> bool:
    """Whether the picks are numbers, which lie nearer to each other or farther."""
    return domain.of_numbers if isinstance(domain, OneOf) else not isinstance(domain, Subsets)


def _width(domain: Domain) -> int:
    if isinstance(domain, Subsets):
        return (not domain.low) + domain.of * (domain.high if domain.ordered and domain.repeated else 1)
    if is_ordered(domain):
        return 2
    return int(domain.size)


def _vector(block: Block, pick: Any) -> Array | None:
    """The columns of a pick; None when it is none of the block's decision (of another that has its address)."""
    domain = block.decision.domain
    vector = np.zeros(block.width)
    try:
        if isinstance(domain, Subsets):
            domain.index(pick)
            vector[: not domain.low] = 1.0
            elements = vector[not domain.low :]
            for place, element in enumerate(pick):
                if not domain.repeated:
                    elements[element] = (1 - place / len(pick)) if domain.ordered else 1.0
                elif domain.ordered:
                    elements[place * domain.of + element] = 1.0
                else:
                    elements[element] += 1 / domain.high
        elif is_ordered(domain):
            vector[:] = 1.0, unit(domain, pick)
        else:
            vector[domain.index(pick)] = 1.0
    except ValueError:
        return None
    return vector


def unit(domain: Domain, pick: Any) -> float:
    """A pick of a decision of numbers as a number from 0, the least, to 1; ValueError for others."""
    if isinstance(domain, Reals):
        return domain.share_of(pick)
    if isinstance(domain, OneOf):
        labels: list[Any] = sorted(domain.labels)
        return labels.index(domain.pick(domain.index(pick))) / (len(labels) - 1)
    return domain.index(pick) / (int(domain.size) - 1)
