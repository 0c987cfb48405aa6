"""What every space is for searchers, studies and reports: decisions, choices, and moving among them.

`Space` (a text in the language) and `TracedSpace` (a Python function) are such. A kind of space says how picks
lead to a program (`_resolver`), how to move (`_moves`), and what it knows of all programs; a question that it
cannot answer is an ArchError (E0504).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from copy import copy
from functools import cached_property
from random import Random
from typing import TYPE_CHECKING, Any, NoReturn, Self

from archlang.diagnostics import ArchError, Span, error
from archlang.semantics.decision import Decision
from archlang.space.choices import Choices
from archlang.space.moves import Chooser, Moves, Trace
from archlang.space.picking import no_decision

if TYPE_CHECKING:
    from archlang.cost.table import CostTable
    from archlang.space.batch import Batch
    from archlang.space.compiled import Count
    from archlang.space.encoding import Array, Encoder
    from archlang.space.optimum import Goal, Ranking
    from archlang.space.program import Program
    from archlang.space.resolver import Resolved


def _everywhere(address: str) -> bool:
    return True


class SearchSpace(ABC):
    """Programs, each given by its choices; what searchers are written for."""

    tables: Mapping[str, CostTable] = {}
    owns: Callable[[str], bool] = staticmethod(_everywhere)  # whether moves change the decision at an address
    _span: Span | None = None  # where its name is written
    _notes: Sequence[str] = ()  # why some things are not known of such a space

    @property
    @abstractmethod
    def name(self) -> str:
        """What the space is called."""

    @property
    def known_costs(self) -> Sequence[str]:
        """Costs of a program that are known before it is evaluated: conditions may limit them."""
        return ()

    @cached_property
    @abstractmethod
    def digest(self) -> str:
        """A hash of what decides which programs the space has."""

    @abstractmethod
    def count(self) -> Count:
        """The number of programs; ArchError where nothing is known of it."""

    @abstractmethod
    def all_decisions(self) -> tuple[Decision, ...]:
        """Every decision that some program makes, in order of address; ArchError where that is not known."""

    @abstractmethod
    def program(self, choices: Mapping[str, Any] | None = None) -> Program:
        """The program of these choices; ArchError when they do not fit the space."""

    @cached_property
    @abstractmethod
    def _moves(self) -> Moves: ...

    @abstractmethod
    def _resolve(self, choices: Mapping[str, Any]) -> Resolved:
        """The program of choices, with its decisions."""

    @abstractmethod
    def _require_whole(self, what: str) -> None:
        """ArchError that programs cannot be `what` where it is not known which there are."""

    @abstractmethod
    def _no_program(self) -> ArchError:
        """The error that no program was found."""

    # ---------------------------------------------- what only some spaces can do

    def _cannot(self, what: str) -> NoReturn:
        raise ArchError(error("E0504", f"the programs of `{self.name}` {what}", self._span, notes=self._notes))

    @cached_property
    def size(self) -> int | float:
        """The exact number of programs, infinite with a float decision; ArchError where it is not known."""
        return self.count().programs

    def narrowed(self, condition: str) -> SearchSpace:
        """The programs whose costs meet a condition; ArchError where costs are not known beforehand."""
        self._cannot("have no costs that are known before they are evaluated")

    def sample_many(self, count: int, seed: int = 0, evenly: bool = False) -> Batch:
        """Many choices at once; ArchError where the space is not evaluated as a whole."""
        self._cannot("cannot be drawn in batches")

    def costs(self, choices: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Costs of many programs, as arrays."""
        self._cannot("have no costs that are known before they are evaluated")

    def ranking(self, *, minimize: Goal | None = None, maximize: Goal | None = None) -> Ranking:
        """The programs from the best on, proved; ArchError where the space is not evaluated as a whole."""
        self._cannot("cannot be ranked")

    @abstractmethod
    def repair(self, picks: Mapping[str, Any], seed: int = 0, held: Container[str] = ()) -> Choices:
        """The choices nearest to some picks, those at addresses `held` as they are; see `Space.repair`."""

    # ------------------------------------------------------- moving in the space

    def decisions(self, choices: Mapping[str, Any]) -> tuple[Decision, ...]:
        """The decisions that a program with these choices makes, in order."""
        return tuple(decision for decision, _ in self._resolve(choices).decisions.values())

    def choices(self, picks: Mapping[str, Any]) -> Choices:
        """The picks as choices of the space; ArchError when they do not fit, with the address and
        what may be picked."""
        return self.program(picks).choices

    def part(self, *addresses: str, others: bool = False) -> Self:
        """The same programs, of which only the decisions at these addresses and below them (or only the
        `others`) are changed, walked and encoded; the rest is drawn. Of a part it is a part of that.
        ArchError for an address of no decision."""
        known = [decision.address for decision in self.all_decisions()]
        for address in addresses:
            if not any(inside(other, address) for other in known):
                raise ArchError(no_decision(f"there is no decision at `{address}` in `{self.name}`", address, known))
        owns, found = self.owns, copy(self)
        found.owns = lambda address: owns(address) and any(inside(address, part) for part in addresses) is not others
        for name in ("_moves", "encoder"):
            vars(found).pop(name, None)
        return found

    @property
    def is_part(self) -> bool:
        """Whether only some decisions are changed; see `part`."""
        return self.owns is not _everywhere

    def own(self, choices: Choices) -> Choices:
        """The picks of the decisions that are changed: all, unless it is a part."""
        if not self.is_part:
            return choices
        return Choices.of({address: pick for address, pick in choices.items() if self.owns(address)})

    def sample(self, seed: int = 0, evenly: bool = False) -> Program:
        """A program drawn by a seed; see `draw`."""
        return self.program(self.draw(Random(seed), evenly))

    def draw(self, random: Random, evenly: bool = False) -> Choices:
        """Choices with every decision drawn evenly over its own picks, or (`evenly`) drawn evenly
        over all programs; given that all requirements are met. ArchError when no such choices are
        found, or when programs cannot be drawn evenly (the space is not evaluated as a whole)."""
        if evenly:
            self._require_whole("drawn evenly")
        drawn = self._moves.draw(random, evenly)
        if drawn is None:
            raise self._no_program()
        return drawn

    def mutate(self, choices: Mapping[str, Any], random: Random, near: bool = False) -> Choices:
        """Choices with one decision changed, and those that newly hang from it drawn: always
        another program. The new pick is any other, or (`near`) for numbers mostly a near one, and for
        a subset one with an element exchanged, added or dropped. Where requirements forbid that, as
        few others change too as possible. ArchError when there is no other program."""
        changed = self._moves.mutate(choices, random, near)
        if changed is None:
            what = f"no other program of `{self.name}` is one change away"
            raise ArchError(error("E0411", what, self._span))
        return changed

    def crossover(self, a: Mapping[str, Any], b: Mapping[str, Any], random: Random, subtree: bool = False) -> Choices:
        """Choices that take each decision from one of two parents, by chance, and what hangs from it from
        that parent too unless both have it; or (`subtree`) those of `a` with a decision in which the two
        differ, and all below it, from `b`. What neither has is drawn. Where requirements forbid the
        mixture, the program nearest to it."""
        return self._moves.crossover(a, b, random, subtree) or self.choices(a)

    def neighbours(self, choices: Mapping[str, Any]) -> Iterator[Choices]:
        """All choices that differ in one decision (decisions that newly hang from it take their
        first pick). Float decisions have no neighbours."""
        return self._moves.neighbours(choices)

    def enumerate(self, levels: int | None = None) -> Iterator[Choices]:
        """All choices, one at a time, in a fixed order; of a float decision so many `levels`, spread
        evenly over its range, or else ArchError."""
        return self._moves.enumerate(levels)

    def walk(self, choose: Chooser, random: Random) -> Choices:
        """Choices made one decision after the other, from the root of the program tree: `choose` is
        given a decision and the picks that lead on (None where they are too many to list: then it may
        take any of the decision's domain), and gives one. Decisions without an alternative are not
        asked. Where requirements forbid what was chosen, it is the nearest program, or one drawn.
        ArchError when no program is found."""
        found = self._moves.walk(choose, random)
        if found is None:
            raise self._no_program()
        return found

    def trace(self, choices: Mapping[str, Any]) -> Trace:
        """The decisions of a program and their picks, in the order in which `walk` comes to them."""
        return self._moves.trace(choices)

    @cached_property
    def encoder(self) -> Encoder:
        """Turns choices into vectors for regression."""
        from archlang.space.encoding import Encoder

        return Encoder(self.all_decisions(), self.owns)

    def encode(self, choices: Mapping[str, Any]) -> Array:
        """A program's choices as a vector of numbers from 0 to 1; see `Encoder`. ArchError where the space
        is not evaluated as a whole."""
        vector: Array = self.encoder.many([choices])[0]
        return vector


def inside(address: str, part: str) -> bool:
    """Whether a decision is the one at an address, or below it."""
    return address == part or (address.startswith(part) and address[len(part)] in "/.[:#+")
