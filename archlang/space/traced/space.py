"""A Python function that asks for choices, as a space."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Container, Mapping
from functools import cached_property
from random import Random
from typing import Any

import attrs

from archlang.diagnostics import ArchError, error
from archlang.semantics.decision import Decision, Reals
from archlang.space.base import SearchSpace
from archlang.space.by_trial import ByTrial
from archlang.space.choices import Choices
from archlang.space.compiled import Count
from archlang.space.moves import TRIES
from archlang.space.picking import resolved
from archlang.space.resolver import Resolved, in_order
from archlang.space.traced.asking import Later
from archlang.space.traced.memory import Remembering
from archlang.space.traced.program import TracedProgram

LIMIT = 1_000  # programs up to which all are listed, by default
HOPELESS = 100  # times the limit: with so many combinations in the first program, listing is not begun
LEVELS = 3  # values of each float decision that are tried where decisions are listed
SKETCHED = 16  # programs by which a space is recognised


@attrs.frozen
class Listing:
    """All programs, a float decision taking `LEVELS` values, and the decisions that they make."""

    programs: tuple[Choices, ...]
    decisions: tuple[Decision, ...]

    @property
    def endless(self) -> bool:
        return any(math.isinf(decision.domain.size) for decision in self.decisions)


class TracedSpace(SearchSpace):
    """The programs of a Python function: what it returns for each way to answer what it asks (`choose`, `integer`,
    `real`).

    Its decisions are found by running it, once for each new choices; what runs have shown is remembered. So the
    function should be quick (make a model, not train it) and must ask the same for the same picks. What only
    the language can know (exact counts of large spaces, proofs, bounds, costs) is an ArchError (E0504); spaces of
    up to `limit` programs are listed, and so counted.
    """

    _notes = ("what a Python function asks is only found by running it",)

    def __init__(self, function: Callable[[], Any], name: str, limit: int = LIMIT):
        self._function = function
        self._name = name
        self.limit = limit
        self._runs = Remembering(function, name)

    @property
    def name(self) -> str:
        return self._name

    def __repr__(self) -> str:
        return f"TracedSpace({self.name})"

    def program(self, choices: Mapping[str, Any] | None = None) -> TracedProgram:
        """The program of these choices; ArchError when they do not fit the space."""
        return TracedProgram(self, self._resolve(choices or {}))  # type: ignore[arg-type]

    def build(self, choices: Mapping[str, Any]) -> Any:
        """What the function returns for choices, made anew; it raises what the function raises."""
        made = self._resolve(choices).asked
        return self._runs.value([(decision, pick) for decision, pick, _ in made])

    def _resolve(self, choices: Mapping[str, Any]) -> Resolved:
        return resolved(self._runs, choices, self.name)

    # --------------------------------------------------------------- what is known of all

    @cached_property
    def _listing(self) -> Listing | str:
        """All programs; or why they are not listed."""
        first = self._runs.resolve(lambda decision: decision.domain.pick(0))
        combinations = math.prod(_levels(decision) for decision, _ in first.decisions.values())
        if combinations > HOPELESS * self.limit:
            return f"one program alone makes decisions with {combinations:.3g} combinations of picks"
        programs: list[Choices] = []
        decisions: dict[Decision, None] = {}
        for choices in ByTrial(self._runs, self._resolve).enumerate(LEVELS):
            programs.append(choices)
            if len(programs) > self.limit:
                return f"there are more than {self.limit:,}"
            decisions.update(dict.fromkeys(decision for decision, _ in self._resolve(choices).decisions.values()))
        found = sorted(decisions, key=lambda decision: in_order(decision.address))
        return Listing(tuple(programs), tuple(found))

    def _listed(self, what: str) -> Listing:
        found = self._listing
        if isinstance(found, Listing):
            return found
        notes = [found, *self._notes]
        hints = [f"raise the limit, `al.space_of(…, limit={10 * self.limit})`, or write the space in the language"]
        raise ArchError(error("E0504", f"the programs of `{self.name}` {what}", notes=notes, hints=hints))

    def count(self) -> Count:
        """The number of programs, where they are listed; ArchError (E0504) where not."""
        found = self._listed("cannot be counted")
        return Count(len(found.programs), len(found.programs), found.endless)

    def all_decisions(self) -> tuple[Decision, ...]:
        """Every decision that some program makes, where they are listed, else ArchError (E0504). Of a float decision
        the least value, the middle and the greatest are tried: what hangs from others is not known."""
        return self._listed("cannot be listed").decisions

    @cached_property
    def sketch(self) -> dict[str, str]:
        """The decisions of some programs, by address what may be picked: what tells the space from others."""
        programs = [self._runs.resolve(lambda decision: decision.domain.pick(0))]
        for seed in range(SKETCHED):
            random = Random(seed)
            programs.append(self._runs.resolve(lambda decision: decision.domain.draw(random)))  # noqa: B023
        found = {address: str(made[0].domain) for program in programs for address, made in program.decisions.items()}
        return dict(sorted(found.items(), key=lambda item: in_order(item[0])))

    @cached_property
    def digest(self) -> str:
        """A hash of the name and of the decisions of some programs. What is done with them does not count."""
        return hashlib.sha256(json.dumps([self.name, self.sketch]).encode()).hexdigest()

    def record(self) -> dict[str, Any]:
        """What a study keeps of the space: what tells it from others. It cannot be made again from that."""
        kept = {"name": self.name, "module": "", "digest": self.digest, "config": {}, "texts": {}}
        return {**kept, "python": {"module": self._function.__module__, "decisions": self.sketch}}

    # --------------------------------------------------------------- moving

    @cached_property
    def _moves(self) -> ByTrial:
        return _TracedMoves(self._runs, self._resolve, None, self.owns, self)

    def repair(self, picks: Mapping[str, Any], seed: int = 0, held: Container[str] = ()) -> Choices:
        """The program that takes all of some picks that it can, what lacks drawn; where a requirement forbids that the
        nearest of the programs, if these are listed. ArchError where they are not, or there is none."""
        random = Random(seed)
        for _ in range(TRIES):
            found = self._runs.resolve(lambda decision: _fitting(decision, picks, random))
            if found.fault is None:
                return Choices.of({address: pick for address, (_, pick) in found.decisions.items()})
            if all(_fits(decision, picks) for decision, _ in found.decisions.values()):
                break
        listed = self._listed("cannot be repaired").programs
        allowed = [one for one in listed if all(one[at] == picks[at] for at in picks if at in one and at in held)]
        if not allowed:
            raise self._no_program()
        return min(allowed, key=lambda one: sum(picks.get(address, pick) != pick for address, pick in one.items()))

    def _require_whole(self, what: str) -> None:
        self._listed(f"cannot be {what}")

    def _no_program(self) -> ArchError:
        what = f"no program of `{self.name}` was found that meets its requirements"
        return ArchError(error("E0505", what, notes=[f"{TRIES:,} draws were tried"]))


class _TracedMoves(ByTrial):
    """Moves by running; draws evenly over all programs where these are listed."""

    def __init__(self, runs: Any, resolve: Any, among: None, mine: Callable[[str], bool], space: TracedSpace):
        super().__init__(runs, resolve, among, mine)
        self._space = space

    def draw(self, random: Random, evenly: bool) -> Choices | None:
        if not evenly:
            return super().draw(random, False)
        listing = self._space._listed("cannot be drawn evenly")
        if listing.endless:
            self._space._cannot("cannot be drawn evenly: there are infinitely many")
        return random.choice(listing.programs) if listing.programs else None


def _levels(decision: Decision) -> int:
    return LEVELS if isinstance(decision.domain, Reals) else int(decision.domain.size)


def _fits(decision: Decision, picks: Mapping[str, Any]) -> bool:
    try:
        if isinstance(decision.domain, Reals):
            decision.domain.check(picks[decision.address])
        else:
            decision.domain.index(picks[decision.address])
    except (KeyError, ValueError):
        return False
    return True


def _fitting(decision: Decision, picks: Mapping[str, Any], random: Random) -> Any:
    return picks[decision.address] if _fits(decision, picks) else decision.domain.draw(random)


def space_of(function: Callable[[], Any], *, name: str | None = None, limit: int = LIMIT) -> TracedSpace:
    """The space of a Python function without arguments that asks `choose`, `integer` and `real`: its programs are what
    it returns. `limit`: up to so many programs are listed, to be counted and gone through; see `TracedSpace`.

    A searchable call that was made outside with open choices will do, too."""
    if isinstance(function, Later) and not callable(function):
        choice = function
        raise ArchError(error("E0416", f"{choice!r} is a choice, and no function", hints=["`al.space_of(function)`"]))
    if not callable(function):
        what = f"a space is made of a function, and this is {type(function).__name__}"
        raise ArchError(error("E0401", what, hints=["write `al.space_of(function)`, or `al.space_of(lambda: …)`"]))
    found = name if name is not None else str(getattr(function, "__name__", type(function).__name__))
    return TracedSpace(function, "python" if found == "<lambda>" else found, limit)
