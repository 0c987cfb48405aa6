"""Successive halving, Hyperband and BOHB: brackets of rungs that are filled one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs
from attrs.validators import ge, optional

from archlang.searchers.fidelities.rungs import ByRungs, Entry, Rung, RungSettings
from archlang.searchers.recipe import Recipe


class Bracket:
    """One run of successive halving: so many programs on the lowest rung, the best of each rung on the next.

    A rung is done when all its programs are told. One in `eta` goes on, at least one, and none that failed.
    """

    def __init__(self, size: int, fidelities: Sequence[float], eta: int):
        self.size = size
        self.eta = eta
        self.rungs = [Rung(fidelity) for fidelity in fidelities]

    @property
    def is_open(self) -> bool:
        """Whether the lowest rung takes another program."""
        return len(self.rungs[0].entries) < self.size

    def promotion(self, is_closed: bool) -> tuple[Entry, Rung] | None:
        """A program that may go on, and where to; `is_closed`: the lowest rung gets no more programs."""
        if self.is_open and not is_closed:
            return None
        for rung, above in zip(self.rungs, self.rungs[1:], strict=False):
            if rung.told < len(rung.entries):
                return None
            wanted = min(max(1, len(rung.entries) // self.eta), rung.measured)
            if len(above.entries) < wanted:
                entry = rung.promotable(wanted)
                return None if entry is None else (entry, above)
        return None

    @property
    def is_done(self) -> bool:
        """Whether nothing is in flight or to come."""
        told = all(rung.told == len(rung.entries) for rung in self.rungs)
        return told and not self.is_open and self.promotion(False) is None


class ByBrackets(ByRungs):
    """Brackets in turn, begun as programs are asked for: whatever is to do in the oldest goes first, and
    where all of them wait for programs in flight, a new one begins. So nothing ever waits."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self._brackets: list[Bracket] = []
        self._begun = 0

    def _sizes(self) -> list[tuple[int, int]]:
        """The brackets that take turns: how many programs, and on how many rungs."""
        raise NotImplementedError

    def _promotion(self, is_closed: bool) -> tuple[Entry, Rung] | None:
        for bracket in self._brackets:
            if bracket.is_open and not is_closed:
                return None
            found = bracket.promotion(is_closed)
            if found is not None:
                return found
        return None

    def _entrance(self) -> Rung:
        self._brackets = [bracket for bracket in self._brackets if not bracket.is_done]
        bracket = next((bracket for bracket in self._brackets if bracket.is_open), None)
        if bracket is None:
            sizes = self._sizes()
            size, rungs = sizes[self._begun % len(sizes)]
            bracket = Bracket(size, self.fidelities[-rungs:], self.settings.eta)
            self._brackets.append(bracket)
            self._begun += 1
        return bracket.rungs[0]


@attrs.frozen(kw_only=True)
class HalvingSettings(RungSettings):
    """`eta`, `least` and `searcher` as for all rungs; `programs`: how many begin together, by default as many
    as leave one at the end."""

    programs: int | None = attrs.field(default=None, validator=optional(ge(1)))


class SuccessiveHalving(ByBrackets):
    """Successive halving (Jamieson and Talwalkar 2016): of the programs that begin together the best of each
    rung go on to the next, once the rung is done. Then others begin."""

    name = "successive-halving"
    Settings = HalvingSettings

    def _sizes(self) -> list[tuple[int, int]]:
        rungs = len(self.fidelities)
        return [(self.settings.programs or self.settings.eta ** (rungs - 1), rungs)]


@attrs.frozen(kw_only=True)
class HyperbandSettings(RungSettings):
    """`eta`, `least` and `searcher` as for all rungs; `brackets`: how many kinds take turns, beginning with
    the one of most rungs; by default all."""

    brackets: int | None = attrs.field(default=None, validator=optional(ge(1)))


class Hyperband(ByBrackets):
    """Hyperband (Li et al. 2018, algorithm 1): brackets of successive halving, of about the same cost, from
    many programs that begin at the lowest fidelity to a few that are evaluated in full."""

    name = "hyperband"
    Settings = HyperbandSettings

    def _sizes(self) -> list[tuple[int, int]]:
        kinds = len(self.fidelities)
        sizes = []
        for rungs in range(kinds, 0, -1):
            size = -(-kinds * self.settings.eta ** (rungs - 1) // rungs)  # rounded up
            sizes.append((size, rungs))
        return sizes[: self.settings.brackets]


@attrs.frozen(kw_only=True)
class BOHBSettings(HyperbandSettings):
    """As for Hyperband; `searcher`: by default `tpe`, with 15 programs of 100 good and one proposal of three
    drawn evenly, as in the paper."""

    searcher: Recipe = attrs.field(factory=lambda: Recipe.of("tpe", {"good": 0.15, "explore": 1 / 3}))


class BOHB(Hyperband):
    """BOHB (Falkner et al. 2018): Hyperband whose new programs come from Parzen estimators, made of the
    results at the highest fidelity that has enough of them."""

    name = "bohb"
    Settings = BOHBSettings
