"""Decisions: their domains, what may be picked, and how picks are drawn and written."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import combinations, combinations_with_replacement, permutations, product
from random import Random
from typing import Any

import attrs

Pick = int | float | bool | str | tuple[int, ...]


@attrs.frozen
class OneOf:
    """One of labelled alternatives. `labels` are the record's names, the listed constants
    themselves, or positions from 0."""

    labels: tuple[int | float | bool | str, ...]

    @property
    def size(self) -> int:
        return len(self.labels)

    @property
    def of_numbers(self) -> bool:
        """Whether the alternatives are several numbers."""
        labels = self.labels
        return len(labels) > 1 and all(isinstance(label, int | float) and type(label) is not bool for label in labels)

    def pick(self, index: int) -> Pick:
        return self.labels[index]

    def index(self, pick: Any) -> int:
        """The position of a pick; ValueError when it is none of the labels."""
        for position, label in enumerate(self.labels):
            if label == pick and isinstance(label, bool) is isinstance(pick, bool):
                return position
        raise ValueError(pick)

    def draw(self, random: Random) -> Pick:
        return self.labels[random.randrange(len(self.labels))]

    def __str__(self) -> str:
        return "one of " + ", ".join(_literal(label) for label in self.labels)


@attrs.frozen
class Integers:
    """An integer from `low` to `high`, both included, in steps."""

    low: int
    high: int
    step: int = 1

    @property
    def size(self) -> int:
        return (self.high - self.low) // self.step + 1

    def pick(self, index: int) -> Pick:
        return self.low + index * self.step

    def index(self, pick: Any) -> int:
        if isinstance(pick, bool) or not isinstance(pick, int):
            raise ValueError(pick)
        index, rest = divmod(pick - self.low, self.step)
        if rest or not 0 <= index < self.size:
            raise ValueError(pick)
        return index

    def draw(self, random: Random) -> Pick:
        return self.pick(random.randrange(self.size))

    def __str__(self) -> str:
        return f"an integer in {self.low}..{self.high}" + (f" step {self.step}" if self.step != 1 else "")


@attrs.frozen
class Reals:
    """A float from `low` to `high`; `log` when its logarithm is what varies evenly."""

    low: float
    high: float
    log: bool = False

    @property
    def size(self) -> float:
        return 1 if self.low == self.high else math.inf

    def pick(self, index: int) -> Pick:
        """The pick at an index: only the first, `low`, can be named so."""
        if index:
            raise ValueError("the picks of a float decision cannot be numbered")
        return self.low

    def index(self, pick: Any) -> int:
        """0 for the only pick that can be numbered; ValueError for others."""
        if pick != self.low:
            raise ValueError(pick)
        return 0

    def check(self, pick: Any) -> float:
        """The pick as a float; ValueError when it lies outside."""
        if isinstance(pick, bool) or not isinstance(pick, int | float) or not self.low <= pick <= self.high:
            raise ValueError(pick)
        return float(pick)

    def at(self, share: float) -> float:
        """The pick at a share of the range, from 0 at `low` to 1 at `high`."""
        if not self.log:
            return min(self.low + (self.high - self.low) * share, self.high)
        low, high = math.log(self.low), math.log(self.high)
        return min(max(math.exp(low + (high - low) * share), self.low), self.high)

    def share_of(self, pick: Any) -> float:
        """The share of the range at which a pick lies; ValueError when it lies outside."""
        value, low, high = self.check(pick), self.low, self.high
        if self.log:
            value, low, high = math.log(value), math.log(low), math.log(high)
        return (value - low) / (high - low)

    def draw(self, random: Random) -> Pick:
        return self.at(random.random())

    def __str__(self) -> str:
        return f"a float in {self.low}..{self.high}" + (" log" if self.log else "")


@attrs.frozen
class Subsets:
    """Between `low` and `high` of `of` elements; picks are tuples of positions.

    Not `ordered`: positions ascend (strictly, unless `repeated`). Picks are numbered by their
    length, then in lexicographic order.
    """

    of: int
    low: int
    high: int
    ordered: bool = False
    repeated: bool = False

    def count(self, length: int) -> int:
        """The number of picks of a length."""
        if self.repeated and self.ordered:
            return int(self.of**length)
        if self.repeated:
            return math.comb(self.of + length - 1, length) if self.of or not length else 0
        return math.perm(self.of, length) if self.ordered else math.comb(self.of, length)

    @property
    def size(self) -> int:
        return sum(self.count(length) for length in range(self.low, self.high + 1))

    def picks(self) -> Iterator[tuple[int, ...]]:
        """All picks, in order."""
        positions = range(self.of)
        for length in range(self.low, self.high + 1):
            if self.ordered:
                yield from product(positions, repeat=length) if self.repeated else permutations(positions, length)
            else:
                yield from (combinations_with_replacement if self.repeated else combinations)(positions, length)

    def _length_of(self, index: int) -> tuple[int, int]:
        for length in range(self.low, self.high + 1):
            count = self.count(length)
            if index < count:
                return length, index
            index -= count
        raise IndexError(index)

    def pick(self, index: int) -> Pick:
        """The pick at an index, without listing those before it."""
        length, index = self._length_of(index)
        pick: list[int] = []
        for place in range(length):
            rest = length - place - 1
            for candidate in self.candidates(pick):
                count = self.completions(candidate, pick, rest)
                if index < count:
                    pick.append(candidate)
                    break
                index -= count
        return tuple(pick)

    def index(self, pick: Any) -> int:
        """The number of a pick; ValueError when it is none of this decision."""
        if not isinstance(pick, list | tuple) or not self.low <= len(pick) <= self.high:
            raise ValueError(pick)
        index = sum(self.count(length) for length in range(self.low, len(pick)))
        for place, position in enumerate(pick):
            before = list(pick[:place])
            candidates = self.candidates(before)
            if isinstance(position, bool) or position not in candidates:
                raise ValueError(pick)
            rest = len(pick) - place - 1
            index += sum(self.completions(other, before, rest) for other in candidates if other < position)
        return index

    def candidates(self, before: Sequence[int]) -> list[int]:
        """The positions that may follow the ones picked so far."""
        if self.ordered:
            return [other for other in range(self.of) if self.repeated or other not in before]
        start = 0 if not before else before[-1] + (0 if self.repeated else 1)
        return list(range(start, self.of))

    def completions(self, candidate: int, before: Sequence[int], rest: int) -> int:
        """How many picks go on with `candidate` and `rest` more positions."""
        if self.ordered:
            return self.of**rest if self.repeated else math.perm(self.of - len(before) - 1, rest)
        left = self.of - candidate
        if self.repeated:
            return math.comb(left + rest - 1, rest)
        return math.comb(left - 1, rest)

    def draw(self, random: Random) -> Pick:
        return self.pick(random.randrange(self.size))

    def __str__(self) -> str:
        count = f"{self.low}" if self.low == self.high else f"{self.low}..{self.high}"
        kind = " ".join(word for word, on in (("ordered", self.ordered), ("repeated", self.repeated)) if on)
        return f"{count} of the positions 0..{self.of - 1}" + (f", {kind}" if kind else "")


Domain = OneOf | Integers | Reals | Subsets


@attrs.frozen
class Decision:
    """One open question: its address and domain, and the addresses of the decisions in whose
    alternatives it stands, outermost first."""

    address: str
    domain: Domain
    parents: tuple[str, ...] = ()


def _literal(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
