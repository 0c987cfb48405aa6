"""A checked space: its decisions, its programs, and moving among them."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from functools import cached_property
from random import Random
from typing import Any

from archlang.diagnostics import ArchError, Diagnostic, did_you_mean, error
from archlang.semantics.decision import Decision, Pick, Reals
from archlang.semantics.fault import Entangled, Fault, FaultSignal
from archlang.semantics.modules import Loader, ModuleScope
from archlang.space.checking import address_conflicts, space_errors
from archlang.space.choices import Choices
from archlang.space.counting import Counter
from archlang.space.program import Program
from archlang.space.resolver import EachAnew, OnceForAll, Resolved, Resolver, in_order
from archlang.space.values import plain_value
from archlang.syntax import ast

TRIES = 2_000  # draws before a space whose requirements few choices meet is given up
FEW_TRIES = 50  # draws before it is worked out which choices meet them
SAMPLES = 64  # programs tried where a space cannot be proved right as a whole


class Space:
    """The programs that a space declaration, with its configuration, describes."""

    def __init__(
        self, module: ModuleScope, declaration: ast.Space, loader: Loader, config: Mapping[str, Any] | None = None
    ):
        self.module = module
        self.declaration = declaration
        self.config = dict(config or {})
        self._loader = loader
        self._values = {name: plain_value(name, value) for name, value in self.config.items()}
        self.unproved: str | None = None

    @property
    def name(self) -> str:
        return self.declaration.name

    def __repr__(self) -> str:
        return f"Space({self.module.name}:{self.name})"

    @cached_property
    def texts(self) -> dict[str, str]:
        """The user's files that the space is made of, by path (none for a library space)."""
        return dict(self._loader.texts)

    @cached_property
    def digest(self) -> str:
        """A hash of everything that decides which programs the space has: its files and its
        configuration."""
        parts = {
            "module": self.module.source.text,
            "space": self.name,
            "texts": sorted(self.texts.values()),
            "config": {name: repr(value) for name, value in sorted(self.config.items())},
        }
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    # --------------------------------------------------------------- checking

    @cached_property
    def _once(self) -> OnceForAll | None:
        """The space evaluated with all alternatives kept, where that can be done."""
        try:
            return OnceForAll(self.module, self.declaration, self._values)
        except Entangled as problem:
            named = f" ({', '.join(problem.decisions[:5])})" if problem.decisions else ""
            self.unproved = problem.reason + named
            return None
        except FaultSignal as signal:
            raise ArchError(self._never_valid(signal.fault)) from None

    @cached_property
    def _resolver(self) -> Resolver:
        return self._once or EachAnew(self.module, self.declaration, self._values)

    @cached_property
    def _counter(self) -> Counter | None:
        """Counts programs; None where the space is not evaluated as a whole. Raises Entangled."""
        return self._counting(by_decision=False)

    @cached_property
    def _weigher(self) -> Counter | None:
        return self._counting(by_decision=True)

    def _counting(self, by_decision: bool) -> Counter | None:
        once = self._once
        if once is None:
            return None
        wide = {n: v.decision.domain.size for n, v in enumerate(once.variables) if v.wide}
        return Counter(once.evaluated.evaluator.diagrams, once.evaluated.needs, wide, by_decision)

    def _never_valid(self, fault: Fault) -> Diagnostic:
        if not fault.excluded:
            return fault.diagnostic
        return error(
            "E0503",
            f"no program of `{self.name}` meets its requirements",
            *fault.diagnostic.labels,
            notes=[fault.diagnostic.message],
        )

    def check(self) -> None:
        """Check every program; ArchError with all errors, each with choices that cause it. Where
        the space cannot be evaluated as a whole, `unproved` says why, and some programs are
        tried."""
        once = self._once
        if once is not None:
            try:
                counter = self._counter
                assert counter is not None
                errors = space_errors(once, counter) or address_conflicts(once, counter)
                empty = not errors and once.evaluated.ok is not True and counter.count(once.evaluated.ok) == 0
            except Entangled as problem:
                self.unproved = problem.reason
            else:
                if empty:
                    what = f"no program of `{self.name}` meets its requirements"
                    errors = [error("E0503", what, self.declaration.name_span)]
                if errors:
                    raise ArchError(errors)
                return
        for seed in range(SAMPLES):
            self._draw(Random(seed))

    # --------------------------------------------------------------- counting

    @cached_property
    def size(self) -> int | float:
        """The exact number of programs; infinite with a float decision or unbounded recursion.
        ArchError where it cannot be worked out."""
        once, reason = self._once, self.unproved
        if once is None and self._is_endless():
            return math.inf
        if once is not None:
            try:
                counter = self._counter
                assert counter is not None
                return counter.count(once.evaluated.ok)
            except Entangled as problem:
                reason = problem.reason
        raise ArchError(
            error(
                "E0504",
                f"the programs of `{self.name}` cannot be counted",
                self.declaration.name_span,
                notes=[reason or "its decisions are too entangled"],
            )
        )

    def _is_endless(self) -> bool:
        """Whether float decisions or recursion make the space infinite, as far as draws show."""
        if self.unproved is not None and "without a `limit`" in self.unproved:
            return True
        for seed in range(SAMPLES):
            drawn = self._draw(Random(seed))
            if any(isinstance(decision.domain, Reals) for decision, _ in drawn.decisions.values()):
                return True
        return False

    # ------------------------------------------------------------- decisions

    def decisions(self, choices: Mapping[str, Any]) -> tuple[Decision, ...]:
        """The decisions that a program with these choices makes, in order."""
        return tuple(decision for decision, _ in self._resolve(choices).decisions.values())

    def all_decisions(self) -> tuple[Decision, ...]:
        """Every decision that some program makes, in order of address; ArchError where the
        space cannot be evaluated as a whole."""
        if self._once is None:
            raise ArchError(
                error(
                    "E0504",
                    f"the decisions of `{self.name}` cannot be listed",
                    self.declaration.name_span,
                    notes=[self.unproved or ""],
                )
            )
        return self._once.decisions

    def choices(self, picks: Mapping[str, Any]) -> Choices:
        """The picks as choices of the space; ArchError when they do not fit, with the address and
        what may be picked."""
        return self._choices_of(self._resolve(picks))

    def program(self, choices: Mapping[str, Any] | None = None) -> Program:
        """The program of these choices; ArchError when they do not fit the space."""
        return Program(self, self._resolve(choices or {}))

    def _choices_of(self, resolved: Resolved) -> Choices:
        return Choices({address: pick for address, (_, pick) in resolved.decisions.items()})

    def _resolve(self, choices: Mapping[str, Any]) -> Resolved:
        # By decision, for an address may have other alternatives under other choices.
        missing: list[Decision] = []
        misfits: list[tuple[Decision, Diagnostic]] = []

        def follow(decision: Decision) -> Pick:
            given = choices.get(decision.address, _MISSING)
            if given is _MISSING:
                missing.append(decision)
                return decision.domain.pick(0)
            try:
                return _fitting(decision, given)
            except ValueError:
                misfits.append((decision, _misfit(decision, given)))
                return decision.domain.pick(0)

        resolved = self._resolver.resolve(follow)
        made = {decision for decision, _ in resolved.decisions.values()}
        problems = [found for decision, found in misfits if decision in made]
        lacking = sorted((decision for decision in missing if decision in made), key=lambda d: in_order(d.address))
        if lacking:
            shown = ", ".join(f"`{decision.address}`" for decision in lacking[:4])
            more = f" and {len(lacking) - 4} more" if len(lacking) > 4 else ""
            notes = [f"`{decision.address}` takes {decision.domain}" for decision in lacking[:4]]
            problems.append(error("E0410", f"no pick is given for {shown}{more}", notes=notes))
        for address in choices:
            if address not in resolved.decisions:
                known = list(resolved.decisions)
                problems.append(
                    error(
                        "E0406",
                        f"there is no decision `{address}` in this program of `{self.name}`",
                        hints=did_you_mean(address, known) or _some_of(known),
                        notes=["it may hang from other choices than these"] if not problems else [],
                    )
                )
        if problems:
            raise ArchError(problems)
        if resolved.fault is not None:
            raise ArchError(resolved.fault.diagnostic)
        return resolved

    # ------------------------------------------------------- moving in the space

    def sample(self, seed: int = 0) -> Program:
        """A program with every decision drawn evenly, by a seed."""
        return Program(self, self._draw(Random(seed)))

    def draw(self, random: Random) -> Choices:
        """Choices with every decision drawn evenly over its own picks (not evenly over programs),
        given that all requirements are met. ArchError when no such choices are found."""
        return self._choices_of(self._draw(random))

    def _draw(self, random: Random) -> Resolved:
        for tries in range(TRIES):
            resolved = self._resolver.resolve(lambda decision: decision.domain.draw(random))
            if resolved.fault is None:
                return resolved
            if not resolved.fault.excluded:
                raise ArchError(resolved.fault.diagnostic)
            if tries == FEW_TRIES:
                drawn = self._draw_valid(random)
                if drawn is not None:
                    return drawn
        raise ArchError(
            error(
                "E0505",
                f"no program of `{self.name}` was found that meets its requirements",
                self.declaration.name_span,
                notes=[f"{TRIES:,} draws were tried"],
            )
        )

    def _draw_valid(self, random: Random) -> Resolved | None:
        """A draw from those that meet the requirements alone, where they can be worked out."""
        once = self._once
        if once is None:
            return None
        try:
            weigher = self._weigher
            assert weigher is not None
            positions = weigher.draw(once.evaluated.ok, random)
        except Entangled:
            return None
        if positions is None:
            return None
        numbers = {(v.decision.address, v.decision.domain): n for n, v in enumerate(once.variables)}

        def pick(decision: Decision) -> Pick:
            number = numbers[decision.address, decision.domain]
            if once.variables[number].wide:
                return decision.domain.draw(random)
            return decision.domain.pick(positions[number])

        return once.resolve(pick)

    def mutate(self, choices: Mapping[str, Any], random: Random) -> Choices:
        """Choices with one decision changed, and those that newly hang from it drawn: always
        another program. ArchError when there is none."""
        here = self._resolve(choices)
        open_decisions = [decision for decision, _ in here.decisions.values() if decision.domain.size > 1]
        for _ in range(TRIES if open_decisions else 0):
            decision = open_decisions[random.randrange(len(open_decisions))]
            old = here.decisions[decision.address][1]
            new = decision.domain.draw(random)
            while new == old:
                new = decision.domain.draw(random)
            resolved = self._changed(here, {decision.address: new}, random)
            if resolved.fault is None:
                return self._choices_of(resolved)
        raise ArchError(
            error("E0411", f"no other program of `{self.name}` is one change away", self.declaration.name_span)
        )

    def _changed(self, here: Resolved, new: Mapping[str, Pick], random: Random | None) -> Resolved:
        """The program with some picks changed; decisions that are new in it are drawn, or take
        their first pick."""

        def pick(decision: Decision) -> Pick:
            if decision.address in new:
                return new[decision.address]
            known = here.decisions.get(decision.address)
            if known is not None and known[0].domain == decision.domain:
                return known[1]
            return decision.domain.draw(random) if random is not None else decision.domain.pick(0)

        return self._resolver.resolve(pick)

    def crossover(self, a: Mapping[str, Any], b: Mapping[str, Any], random: Random) -> Choices:
        """Choices that take each decision from one of two parents, by chance; what neither has is
        drawn. The first parent when no mixture meets the requirements."""
        parents = (self._resolve(a), self._resolve(b))

        def pick(decision: Decision) -> Pick:
            order = parents if random.random() < 0.5 else parents[::-1]
            for parent in order:
                known = parent.decisions.get(decision.address)
                if known is not None and known[0].domain == decision.domain:
                    return known[1]
            return decision.domain.draw(random)

        for _ in range(TRIES):
            resolved = self._resolver.resolve(pick)
            if resolved.fault is None:
                return self._choices_of(resolved)
        return self._choices_of(parents[0])

    def neighbours(self, choices: Mapping[str, Any]) -> Iterator[Choices]:
        """All choices that differ in one decision (decisions that newly hang from it take their
        first pick). Float decisions have no neighbours."""
        here = self._resolve(choices)
        for decision, old in here.decisions.values():
            if decision.domain.size == math.inf:
                continue
            for index in range(int(decision.domain.size)):
                new = decision.domain.pick(index)
                if new == old:
                    continue
                resolved = self._changed(here, {decision.address: new}, None)
                if resolved.fault is None:
                    yield self._choices_of(resolved)

    def enumerate(self) -> Iterator[Choices]:
        """All choices, one at a time, in a fixed order; ArchError at a float decision."""
        odometer = _Odometer()
        while True:
            resolved = self._resolver.resolve(odometer.pick)
            # A decision that turned out not to be asked stands for all its picks with its first.
            idle = any(
                index and not asked for index, (_, _, asked) in zip(odometer.turn(), resolved.asked, strict=True)
            )
            if resolved.fault is None and not idle:
                yield self._choices_of(resolved)
            if not odometer.advance():
                return


class _Odometer:
    """Picks that pass through all programs: each turn repeats the last one up to a decision, and
    takes the next pick there."""

    def __init__(self) -> None:
        self._prefix: list[int] = []
        self._taken: list[tuple[Decision, int]] = []

    def pick(self, decision: Decision) -> Pick:
        if decision.domain.size == math.inf:
            raise ArchError(error("E0412", f"`{decision.address}` is {decision.domain}: its picks cannot be listed"))
        place = len(self._taken)
        index = self._prefix[place] if place < len(self._prefix) else 0
        self._taken.append((decision, index))
        return decision.domain.pick(index)

    def turn(self) -> list[int]:
        """The positions of the picks of this turn, in the order they were asked."""
        return [index for _, index in self._taken]

    def advance(self) -> bool:
        """Go to the next turn; False when there is none."""
        prefix = self.turn()
        while prefix and prefix[-1] + 1 >= self._taken[len(prefix) - 1][0].domain.size:
            prefix.pop()
        if not prefix:
            return False
        prefix[-1] += 1
        self._prefix, self._taken = prefix, []
        return True


_MISSING = object()


def _some_of(addresses: list[str]) -> tuple[str, ...]:
    """A hint with the first decisions there are."""
    if not addresses:
        return ("the space has nothing to choose",)
    more = f" and {len(addresses) - 6} more" if len(addresses) > 6 else ""
    return (f"its decisions are {', '.join(f'`{address}`' for address in addresses[:6])}{more}",)


def _fitting(decision: Decision, given: Any) -> Pick:
    """The pick, as the domain writes it; ValueError when it is none of the domain's."""
    domain = decision.domain
    if isinstance(domain, Reals):
        return domain.check(given)
    return domain.pick(domain.index(given))


def _misfit(decision: Decision, given: Any) -> Diagnostic:
    try:
        shown = json.dumps(given)
    except (TypeError, ValueError):
        shown = repr(given)
    return error("E0407", f"`{decision.address}` cannot be {shown}", notes=[f"it takes {decision.domain}"])
