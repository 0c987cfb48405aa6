"""Halton sequences with scrambled digits: numbers from 0 to 1 that fill the range evenly."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from random import Random

PRECISION = 2.0**-53


def primes() -> Iterator[int]:
    """All primes."""
    found: list[int] = []
    for candidate in count(2):
        if all(candidate % prime for prime in found):
            found.append(candidate)
            yield candidate


class Halton:
    """One coordinate of a Halton sequence: in a prime base, every digit permuted (Owen 2017, "A randomized
    Halton algorithm"). Of `base` numbers in a row, from a multiple of it on, one lies in each of
    that many equal parts of the range."""

    def __init__(self, base: int, seed: str):
        self._base = base
        self._random = Random(seed)
        self._digits: list[list[int]] = []  # for each place after the point what each digit becomes

    def __getitem__(self, number: int) -> float:
        """The number at a position."""
        found, weight, place = 0.0, 1.0, 0
        while weight > PRECISION:
            weight /= self._base
            if place == len(self._digits):
                self._digits.append(self._random.sample(range(self._base), self._base))
            number, digit = divmod(number, self._base)
            found += weight * self._digits[place][digit]
            place += 1
        return min(found, 1.0 - PRECISION)
