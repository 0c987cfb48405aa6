"""How many different words come of putting words side by side.

A program's network is a word: its parts between the values that all paths pass, in order. Programs
are equal when their words are, however the letters were dealt out among fragments.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import attrs
import numpy as np

from archlang.space.distinct.rows import Array, distinct_rows

MAX_ITEMS = 3_000_000  # steps of the automaton before its count is given up


@attrs.frozen(eq=False)
class Choices:
    """The combinations of words (by number) that one group puts at its places in the network."""

    places: tuple[int, ...]
    words: Array


def count_words(found: Sequence[Choices], words: Sequence[tuple[int, ...]]) -> tuple[int, int]:
    """The least and greatest number of different words: equal where the count is exact."""
    if any(not len(choices.words) for choices in found):
        return 0, 0
    lengths = np.array([len(word) for word in words], dtype=np.int64)
    most = math.prod(len(choices.words) for choices in found)
    varying = [choices for choices in found if _varies(lengths[choices.words])]
    if not varying:
        return most, most
    if len(varying) == 1 and _told_by_totals(varying[0], lengths, _segments(found, words)):
        return most, most
    exact = _Automaton(found, words).count()
    if exact is not None:
        return exact, exact
    # Combinations whose words have the same lengths are different words.
    return math.prod(_most_alike(lengths[choices.words]) for choices in found), most


def _varies(lengths: Array) -> bool:
    return bool((lengths != lengths[0]).any())


def _segments(found: Sequence[Choices], words: Sequence[tuple[int, ...]]) -> list[int]:
    """For each place the number of marks before it. A mark is a letter that every word has once, and
    always at one place: equal words are equal between marks."""
    at: dict[int, set[int]] = {}
    certain: dict[int, int] = {}
    seen: dict[bytes, set[int]] = {}
    for choices in found:
        for place, column in zip(choices.places, choices.words.T, strict=True):
            used = np.unique(column)
            letters = seen.setdefault(used.tobytes(), set())
            if not letters:
                letters.update(letter for word in used.tolist() for letter in words[word])
            for letter in letters:
                at.setdefault(letter, set()).add(place)
            if len(used) == 1:
                word = words[used[0]]
                certain.update((letter, place) for letter in word if word.count(letter) == 1)
    marked = {place for letter, place in certain.items() if at[letter] == {place}}
    count = sum(len(choices.places) for choices in found)
    return [sum(mark < place for mark in marked) for place in range(count)]


def _told_by_totals(choices: Choices, lengths: Array, segments: Sequence[int]) -> bool:
    """Whether the lengths of all words follow from their sums between marks, so that equal words are
    cut alike."""
    different = distinct_rows(lengths[choices.words])[0]
    within = np.array([segments[place] for place in choices.places])
    totals = [different[:, within == segment].sum(axis=1) for segment in np.unique(within)]
    return len(distinct_rows(np.stack(totals, axis=1))[0]) == len(different)


def _most_alike(lengths: Array) -> int:
    _, inverse = distinct_rows(lengths)
    return int(np.bincount(inverse).max(initial=0))


# A position in the network: the next place, and of each group that has begun and not ended the rows
# that agree with the words so far. An item adds a word and how much of it has been read.
_Position = tuple[int, tuple[tuple[int, int, int], ...]]
_Item = tuple[_Position, int, int]


class _Automaton:
    """Reads letters; its states are sets of items, so that every word is counted once."""

    def __init__(self, found: Sequence[Choices], words: Sequence[tuple[int, ...]]):
        self._words = words
        self._at: dict[int, tuple[int, int]] = {}
        self._sorted: list[Array] = []
        for group, choices in enumerate(found):
            order = np.argsort(choices.places)
            columns = choices.words[:, order]
            self._sorted.append(columns[np.lexsort(columns.T[::-1])] if columns.shape[1] else columns)
            for column, place in enumerate(sorted(choices.places)):
                self._at[place] = group, column
        self._after: dict[_Position, list[tuple[int, _Position]]] = {}

    def count(self) -> int | None:
        """The number of different words; None where that takes too long."""
        states: dict[frozenset[_Item], int] = {self._closed([((0, ()), -1, 0)]): 1}
        total = steps = 0
        while states:
            following: dict[frozenset[_Item], int] = {}
            for state, count in states.items():
                by_letter: dict[int, list[_Item]] = {}
                for position, word, read in state:
                    if word < 0:
                        total += count  # the end; no other item of the state says so again
                    else:
                        by_letter.setdefault(self._words[word][read], []).append((position, word, read + 1))
                for items in by_letter.values():
                    target = self._closed(items)
                    steps += len(target)
                    following[target] = following.get(target, 0) + count
                if steps > MAX_ITEMS:
                    return None
            states = following
        return total

    def _closed(self, items: list[_Item]) -> frozenset[_Item]:
        """The items with all that follow without a letter; the end is an item without a word."""
        found: set[_Item] = set()
        pending = list(items)
        while pending:
            position, word, read = pending.pop()
            if word >= 0 and read < len(self._words[word]):
                found.add((position, word, read))
            elif position[0] == len(self._at):
                found.add((position, -1, 0))
            else:
                pending.extend((after, following, 0) for following, after in self._following(position))
        return frozenset(found)

    def _following(self, position: _Position) -> list[tuple[int, _Position]]:
        known = self._after.get(position)
        if known is None:
            known = self._after[position] = list(self._steps(position))
        return known

    def _steps(self, position: _Position) -> Iterator[tuple[int, _Position]]:
        place, begun = position
        group, column = self._at[place]
        rows = self._sorted[group]
        low, high = next(((low, high) for other, low, high in begun if other == group), (0, len(rows)))
        others = tuple(entry for entry in begun if entry[0] != group)
        words, starts = np.unique(rows[low:high, column], return_index=True)
        ends = [*starts[1:].tolist(), high - low]
        for word, start, end in zip(words.tolist(), starts.tolist(), ends, strict=True):
            left = () if column + 1 == rows.shape[1] else ((group, low + start, low + end),)
            yield word, (place + 1, tuple(sorted(others + left)))
