"""The tree of the programs of a space, as far as evaluated programs tell its branches apart.

A node stands for the programs that begin with the picks on the way to it. What it asks for is written
down only when a walk goes through it a second time: until then the trials that came to it wait there, so
that there are a few nodes a trial, however many decisions a program has.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from random import Random
from typing import TYPE_CHECKING, Any

from archlang.semantics.decision import Decision, Pick, Reals

if TYPE_CHECKING:
    from archlang.searchers.objectives import Scores
    from archlang.space import Choices

Key = tuple[str, Any]  # an address and a pick, or a range of picks
Tallies = dict[Key, list[float]]  # how often, and the sum of the rewards

CELLS = 1 << 30  # the parts of a float decision's range that are told apart
LEVELS = 5  # how often a range of picks too many to list is halved for tallies


class Trial:
    """A program that was proposed or told, the keys of its picks, and the reward that it gave (0 until it
    is told)."""

    __slots__ = ("choices", "elsewhere", "keys", "reward", "scores")

    def __init__(self, choices: Choices, keys: tuple[Key, ...]) -> None:
        self.choices = choices
        self.keys = keys
        self.scores: Scores | None = None
        self.reward = 0.0
        self.elsewhere: tuple[Node, ...] = ()  # where a walk went that requirements led to this program


class Question:
    """A decision and the picks that it has at a point of the tree, numbered: those listed, or (`options`
    None) all of its domain."""

    __slots__ = ("address", "domain", "endless", "options", "size")

    def __init__(self, decision: Decision, options: tuple[Pick, ...] | None) -> None:
        self.address = decision.address
        self.domain = decision.domain
        self.options = options
        self.endless = options is None and isinstance(self.domain, Reals)
        if options is not None:
            self.size = len(options)
        else:
            self.size = CELLS if self.endless else int(self.domain.size)

    def asks(self, decision: Decision, options: tuple[Pick, ...] | None) -> bool:
        """Whether that is this question."""
        return self.address == decision.address and (options is self.options or options == self.options)

    def cells(self, pick: Any) -> list[Key]:
        """The keys of a pick where picks are not listed: the half that it is in, the quarter, and so on;
        ValueError when the question has it not."""
        return [(self.address, number) for number, _ in self._halved(self.position(pick))]

    def cell(self, low: int, high: int) -> Key:
        """The key of a range that halving led to."""
        found = (number for number, ends in self._halved(low) if ends == (low, high))
        return self.address, next(found, 0)

    def _halved(self, position: int) -> Iterator[tuple[int, tuple[int, int]]]:
        """The ranges around a position, each half of the one before, with their numbers in a heap."""
        number, low, high = 1, 0, self.size
        for _ in range(LEVELS):
            middle = (low + high) // 2
            right = position >= middle
            number, low, high = 2 * number + right, middle if right else low, high if right else middle
            yield number, (low, high)

    def is_one(self, low: int, high: int) -> bool:
        """Whether a range is not halved again: one pick, or the smallest range that has a key."""
        return high - low == 1 or (self.options is None and high - low <= -(-self.size >> LEVELS))

    def position(self, pick: Any) -> int:
        """The number of a pick; ValueError when it has it not."""
        if self.options is not None:
            return self.options.index(pick)
        if not isinstance(self.domain, Reals):
            return self.domain.index(pick)
        value, low, high = self._scaled(self.domain.check(pick))
        return min(int((value - low) / (high - low) * CELLS), CELLS - 1)

    def pick(self, low: int, high: int, random: Random) -> Pick:
        """A pick drawn from those from one number to (not with) another."""
        if self.options is not None:
            return self.options[low + int(random.random() * (high - low))]
        domain = self.domain
        if not isinstance(domain, Reals):
            return domain.pick(random.randrange(low, high))
        _, least, greatest = self._scaled(domain.low)
        value = least + (low + random.random() * (high - low)) / CELLS * (greatest - least)
        return min(max(math.exp(value) if domain.log else value, domain.low), domain.high)

    def _scaled(self, value: float) -> tuple[float, float, float]:
        """A value and the ends of the range, as they vary evenly."""
        assert isinstance(self.domain, Reals)
        if self.domain.log:
            return math.log(value), math.log(self.domain.low), math.log(self.domain.high)
        return value, self.domain.low, self.domain.high


class Node:
    """Programs that begin alike: how often one was proposed (`visits`), and the sum of the rewards.

    Its `kids` go by pick; or, where the question is halved, by 0 and 1: the picks numbered from `low` to
    the middle, and those from there to `high`. `closed` when all its programs were proposed. `tallies`,
    where there are any, count each pick of the programs that came here, at whatever decision.
    """

    __slots__ = ("closed", "halved", "high", "kids", "low", "question", "shut", "tallies", "total", "visits", "waiting")

    def __init__(self, low: int = 0, high: int = 0) -> None:
        self.visits = 0
        self.total = 0.0
        self.question: Question | None = None
        self.halved = False
        self.low, self.high = low, high
        self.kids: dict[Any, Node] = {}
        self.shut = 0  # how many kids are closed
        self.closed = False
        self.waiting: list[Trial] = []
        self.tallies: Tallies | None = None

    def ask(self, question: Question, halved: bool, low: int, high: int) -> None:
        """Ask a question (of its picks numbered so): the trials that waited go on."""
        self.question, self.halved = question, halved
        self.low, self.high = low, high
        waiting, self.waiting = self.waiting, []
        for trial in waiting:
            kid = self.kid_of(trial.choices, True)
            if kid is not None:
                kid.visits += 1
                kid.total += trial.reward
                kid.waiting.append(trial)

    def kid_of(self, choices: Mapping[str, Any], make: bool = False) -> Node | None:
        """Where a program goes on; None where it has none of the picks (or is the first there)."""
        assert self.question is not None
        pick = choices.get(self.question.address)
        if pick is None:
            return None
        try:
            key = self.half_of(self.question.position(pick)) if self.halved else pick
        except ValueError:
            return None
        return self.kid(key) if make else self.kids.get(key)

    def half_of(self, position: int) -> int:
        """Which half a pick is in, by its number; ValueError when it is in none."""
        if not self.low <= position < self.high:
            raise ValueError(position)
        return int(position >= (self.low + self.high) // 2)

    def half(self, which: int) -> tuple[int, int]:
        """The ends of a half."""
        middle = (self.low + self.high) // 2
        return (middle, self.high) if which else (self.low, middle)

    def kid(self, key: Any) -> Node:
        """The kid at a key, made when there is none."""
        found = self.kids.get(key)
        if found is None:
            found = self.kids[key] = Node(*self.half(key)) if self.halved else Node()
        return found

    @property
    def branches(self) -> float:
        """How many kids there may be."""
        if self.halved:
            return 2
        assert self.question is not None
        return math.inf if self.question.endless else self.question.size


def way(root: Node, choices: Mapping[str, Any], make: bool = False) -> list[Node]:
    """The nodes that a program comes through, as far as the tree tells."""
    found = [root]
    node: Node | None = root
    while node is not None and node.question is not None:
        node = node.kid_of(choices, make)
        if node is not None:
            found.append(node)
    return found


def beneath(node: Node) -> list[Trial]:
    """The trials that came through a node."""
    found = list(node.waiting)
    for kid in node.kids.values():
        found += beneath(kid)
    return found


def close(path: list[Node]) -> None:
    """Count the programs of the last node as proposed, and with them those of nodes all of whose kids are."""
    for place in range(len(path) - 1, -1, -1):
        node = path[place]
        if node.closed:
            return
        node.closed = True
        if place:
            above = path[place - 1]
            above.shut += 1
            if above.shut < above.branches:
                return
