"""What is known of all programs of a space together: whether they are right, and which there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from random import Random
from typing import TYPE_CHECKING, Any

from archlang.diagnostics import ArchError, Diagnostic, error
from archlang.semantics.fault import Entangled, Fault, FaultSignal
from archlang.semantics.modules import ModuleScope
from archlang.semantics.restrictions import Restriction
from archlang.space.by_trial import ByTrial
from archlang.space.checking import address_conflicts, space_errors
from archlang.space.compiled import Compiled, Count, Programs
from archlang.space.moves import TRIES
from archlang.space.picking import resolved
from archlang.space.resolver import EachAnew, OnceForAll, Resolved, Resolver
from archlang.space.unused_rules import unused_rules
from archlang.syntax import ast

if TYPE_CHECKING:
    from archlang.cost.table import CostTable
    from archlang.space.approximate import Approximation
    from archlang.space.pricing import SpacePricing

SAMPLES = 64  # programs tried where a space cannot be proved right as a whole


class Analysis:
    """A space evaluated as a whole, as far as that can be done: each step is made when it is first asked
    for, and is None where the space hangs together too much.

    `unproved`: why it is not proven that every program is valid, or None. `tried`: how many programs
    were found valid then. `entangled`: what got in the way last.
    """

    def __init__(
        self,
        module: ModuleScope,
        declaration: ast.Space,
        config: Mapping[str, Any],
        where: Sequence[Restriction],
        tables: Mapping[str, CostTable],
        prune: bool,
        partial_channels: int = 1,
    ):
        self._module = module
        self._declaration = declaration
        self._config = config
        self._where = where
        self._tables = tables
        self._prune = prune
        self._partial_channels = partial_channels
        self.unproved: str | None = None
        self.tried = 0
        self.entangled = "its decisions are too entangled"

    @cached_property
    def once(self) -> OnceForAll | None:
        """The space evaluated with all alternatives kept."""
        try:
            return self._once(widen=False)
        except Entangled as problem:
            self._not_proved(problem)
        except FaultSignal as signal:
            raise ArchError(self._never_valid(signal.fault)) from None
        bounded = self.bounded
        if bounded is None or bounded.open:
            return None
        self.unproved = None
        return bounded

    @cached_property
    def bounded(self) -> OnceForAll | None:
        """The space evaluated as a whole with bounds for numbers of too many decisions, and with
        conditions that these leave open taken to hold."""
        try:
            return self._once(widen=True)
        except (Entangled, FaultSignal):  # of a fault everywhere it is not known what it leaves open
            return None

    def _once(self, widen: bool) -> OnceForAll:
        where = self._module, self._declaration, self._config, self._where
        return OnceForAll(*where, widen, self._partial_channels)

    @cached_property
    def resolver(self) -> Resolver:
        """What leads from picks to a program."""
        if self.once is None and self._partial_channels > 1:  # whose alternatives are looked at together
            raise self.unknown(f"`{self._declaration.name}` cannot have partial channels")
        return self.once or EachAnew(self._module, self._declaration, self._config, self._where)

    @cached_property
    def compiled(self) -> Compiled | None:
        """The space as flat paths."""
        if self.once is None:
            return None
        try:
            return Compiled(self.once)
        except Entangled as problem:
            self._not_proved(problem)
            return None

    @cached_property
    def programs(self) -> Programs | None:
        """The programs that meet all requirements."""
        compiled = self.compiled
        if compiled is None:
            return None
        assert self.once is not None
        try:
            return Programs(compiled, compiled.regions(self.once.evaluated.conditions))
        except Entangled as problem:
            self._not_proved(problem)
            return None

    @cached_property
    def approximation(self) -> Approximation | None:
        """What is known of the programs where requirements cannot be followed."""
        from archlang.space.approximate import approximation

        once = self.once or self.bounded
        try:
            return approximation(once, Compiled(once)) if once is not None and once.all_met else None
        except Entangled:
            return None

    @cached_property
    def pricing(self) -> SpacePricing | None:
        """Costs as arrays."""
        from archlang.space.pricing import SpacePricing

        if self.compiled is None or self.once is None:
            return None
        try:
            return SpacePricing(self.once, self.compiled, self._tables)
        except Entangled:
            return None

    def resolve(self, picks: Mapping[str, Any]) -> Resolved:
        """The program of some picks; ArchError when they do not fit."""
        return resolved(self.resolver, picks, self._declaration.name)

    # ---------------------------------------------------------------- proving

    def check(self) -> None:
        """Check every program; see `Space.check`."""
        try:
            proven = self._check_whole() or self._check_open()
        except Entangled as problem:
            self._not_proved(problem)
            proven = False
        if proven:
            self.unproved = None
            return
        self.tried = ByTrial(self.resolver, self.resolve).valid(SAMPLES, Random(0))

    def _check_whole(self) -> bool:
        """Whether every program is proven valid; raises Entangled, and ArchError with all errors."""
        once, compiled = self.once, self.compiled
        if once is None or compiled is None:
            return False
        errors = [] if self._prune else space_errors(once, compiled)
        errors = errors or address_conflicts(once, compiled)
        if errors:
            from archlang.space.examples import with_sizes

            each_anew = EachAnew(self._module, self._declaration, self._config, self._where)
            resolver = each_anew if self._partial_channels == 1 else once
            raise ArchError([with_sizes(found, resolver) for found in errors])
        self._check_rules(once)
        with suppress(Entangled):
            # What cannot be followed now are requirements: whatever they say, no program is wrong.
            if self.programs is not None and not self.programs.possible():
                raise ArchError(self._no_program_meets())
        return True

    def _check_open(self) -> bool:
        """Whether every program is valid whatever conditions are left open; raises Entangled, and
        ArchError with the errors that programs have."""
        from archlang.space.approximate import check_bounded

        bounded = self.bounded
        if bounded is None or self._prune:
            return False
        compiled = Compiled(bounded)
        with suppress(Entangled):
            if not compiled.possible(bounded.evaluated.conditions):
                raise ArchError(self._no_program_meets())
        self._check_rules(bounded)
        doubt = check_bounded(bounded, compiled, self.resolver)
        return doubt is None and all(each.requirement for each in bounded.open)

    def _check_rules(self, whole: OnceForAll) -> None:
        """Raise ArchError with the rules of a derived space that rewrite no call."""
        found = unused_rules(self._declaration, whole.evaluated.evaluator.rewrites)
        if found:
            raise ArchError(found)

    @property
    def left_open(self) -> tuple[str, ...]:
        """The requirements that are not followed over all programs; see `Space.left_open`."""
        if self.programs is not None or self.unproved is not None or self.approximation is None:
            return ()
        return tuple(map(str, self.approximation.open))

    def findings(self) -> list[Diagnostic]:
        """Warnings about a valid space; see `Space.findings`."""
        from archlang.space.findings import findings

        once, compiled, programs = self.once, self.compiled, self.programs
        if once is None or compiled is None or programs is None:
            return []
        try:
            return findings(once, compiled, programs)
        except Entangled:
            return []

    def left_out(self) -> Count | None:
        """How many programs have errors, which pruning leaves out; None where that is not known."""
        once, compiled = self.once, self.compiled
        if once is None or compiled is None:
            return None
        broken = compiled.diagrams.map_leaves(once.evaluated.ok, lambda leaf: type(leaf) is Fault and not leaf.excluded)
        try:
            return compiled.counted([broken])
        except Entangled:
            return None

    # ----------------------------------------------------------------- errors

    def whole(self, what: str) -> tuple[OnceForAll, Programs]:
        """The space and its programs; ArchError that these cannot be `what` where it is not evaluated as
        a whole."""
        programs = self.programs
        if programs is None:
            raise self.unknown(f"the programs of `{self._declaration.name}` cannot be {what}")
        assert self.once is not None
        return self.once, programs

    def unknown(self, what: str, why: str | None = None) -> ArchError:
        """The error that something cannot be worked out, by default for what got in the way last."""
        note = self.entangled if why is None else why
        return ArchError(error("E0504", what, self._declaration.name_span, notes=[note]))

    def no_program(self) -> ArchError:
        """The error that no program was found."""
        notes = [f"{TRIES:,} draws were tried"] if self.programs is None else []
        what = f"no program of `{self._declaration.name}` was found that meets its requirements"
        return ArchError(error("E0505", what, self._declaration.name_span, notes=notes))

    def _not_proved(self, problem: Entangled) -> None:
        named = f" ({', '.join(problem.decisions[:5])})" if problem.decisions else ""
        self.unproved = self.entangled = problem.reason + named

    def _no_program_meets(self) -> Diagnostic:
        what = f"no program of `{self._declaration.name}` meets its requirements"
        return error("E0503", what, self._declaration.name_span)

    def _never_valid(self, fault: Fault) -> Diagnostic:
        if not fault.excluded:
            return fault.diagnostic
        return error(
            "E0503",
            f"no program of `{self._declaration.name}` meets its requirements",
            *fault.diagnostic.labels,
            notes=[fault.diagnostic.message],
        )
