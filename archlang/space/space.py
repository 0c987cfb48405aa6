"""A checked space: its decisions, its programs, and moving among them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import suppress
from copy import copy
from functools import cached_property
from random import Random
from typing import TYPE_CHECKING, Any

from archlang.cost import ADDITIVE
from archlang.cost.table import UNITS, CostTable
from archlang.diagnostics import ArchError, Diagnostic, did_you_mean, error
from archlang.semantics.decision import Decision, Pick, Reals
from archlang.semantics.fault import Entangled, Fault, FaultSignal
from archlang.semantics.modules import Loader, ModuleScope
from archlang.semantics.restrictions import Restriction, without_table
from archlang.space.checking import address_conflicts, space_errors
from archlang.space.choices import Choices
from archlang.space.compiled import Compiled, Count, Programs
from archlang.space.moves import TRIES, ByPaths, ByTrial, Chooser, Moves, Trace
from archlang.space.program import Program
from archlang.space.resolver import EachAnew, OnceForAll, Resolved, Resolver, in_order
from archlang.space.values import plain_value
from archlang.syntax import ast
from archlang.syntax.format import format_expression
from archlang.syntax.parser import parse_expression

if TYPE_CHECKING:
    from pathlib import Path

    from archlang.ir.graph import Operation
    from archlang.space.approximate import Approximation
    from archlang.space.batch import Batch
    from archlang.space.bounds import Bounds
    from archlang.space.distinct.count import Distinct
    from archlang.space.distinct.groups import Progress
    from archlang.space.encoding import Array, Encoder
    from archlang.space.explaining import Explanation
    from archlang.space.optimum import Goal, Optimum, Ranking
    from archlang.space.pricing import SpacePricing

SAMPLES = 64  # programs tried where a space cannot be proved right as a whole


class Space:
    """The programs that a space declaration, with its configuration, describes."""

    def __init__(
        self,
        module: ModuleScope,
        declaration: ast.Space,
        loader: Loader,
        config: Mapping[str, Any] | None = None,
        *,
        prune: bool = False,
        where: Sequence[str] = (),
        tables: Mapping[str, CostTable] | None = None,
    ):
        self.module = module
        self.declaration = declaration
        self.config = dict(config or {})
        self._loader = loader
        self._values = {name: plain_value(name, value) for name, value in self.config.items()}
        self.prune = prune  # whether broken programs are left out, as if a requirement said so
        self.where = tuple(where)  # requirements on the costs of programs, from outside
        self.tables = dict(tables or {})  # measured costs of programs, by what they measure
        self._where = tuple(Restriction(parse_expression(text, "condition"), self.tables) for text in where)
        self.owns: Callable[[str], bool] = _everywhere  # whether moves change the decision at an address
        self.unproved: str | None = None
        self.tried = 0  # how many programs were found valid where that is not proved for all
        self._entangled = "its decisions are too entangled"

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
            **({"prune": True} if self.prune else {}),
            **({"where": [format_expression(each.condition) for each in self._where]} if self.where else {}),
            **({"tables": [table.text() for _, table in sorted(self.tables.items())]} if self.tables else {}),
        }
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    # --------------------------------------------------------------- checking

    @cached_property
    def _once(self) -> OnceForAll | None:
        """The space evaluated with all alternatives kept, where that can be done."""
        try:
            return OnceForAll(self.module, self.declaration, self._values, self._where)
        except Entangled as problem:
            self._not_proved(problem)
        except FaultSignal as signal:
            raise ArchError(self._never_valid(signal.fault)) from None
        bounded = self._bounded
        if bounded is None or bounded.open:
            return None
        self.unproved = None
        return bounded

    @cached_property
    def _bounded(self) -> OnceForAll | None:
        """The space evaluated as a whole with bounds for numbers of too many decisions, and with
        conditions that these leave open taken to hold; None where that fails too."""
        try:
            return OnceForAll(self.module, self.declaration, self._values, self._where, widen=True)
        except (Entangled, FaultSignal):  # of a fault everywhere it is not known what it leaves open
            return None

    @cached_property
    def _resolver(self) -> Resolver:
        return self._once or EachAnew(self.module, self.declaration, self._values, self._where)

    @cached_property
    def _compiled(self) -> Compiled | None:
        """The space as flat paths; None where it is too entangled."""
        if self._once is None:
            return None
        try:
            return Compiled(self._once)
        except Entangled as problem:
            self._not_proved(problem)
            return None

    @cached_property
    def _programs(self) -> Programs | None:
        """The programs that meet all requirements; None where the space is too entangled."""
        compiled = self._compiled
        if compiled is None:
            return None
        assert self._once is not None
        try:
            return Programs(compiled, compiled.regions(self._once.evaluated.conditions))
        except Entangled as problem:
            self._not_proved(problem)
            return None

    def _not_proved(self, problem: Entangled) -> None:
        named = f" ({', '.join(problem.decisions[:5])})" if problem.decisions else ""
        self.unproved = self._entangled = problem.reason + named

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
        """Check every program; ArchError with all errors, each with choices that cause it. Where a
        requirement cannot be followed, `left_open` names it, and every program is valid whatever it
        says; where not even that is proven, `unproved` says why, and some programs are tried."""
        try:
            proven = self._check_whole() or self._check_open()
        except Entangled as problem:
            self._not_proved(problem)
            proven = False
        if proven:
            self.unproved = None
            return
        self.tried = ByTrial(self._resolver, self._resolve).valid(SAMPLES, Random(0))

    def _check_whole(self) -> bool:
        """Whether every program is proven valid; raises Entangled, and ArchError with all errors."""
        once, compiled = self._once, self._compiled
        if once is None or compiled is None:
            return False
        errors = [] if self.prune else space_errors(once, compiled)
        errors = errors or address_conflicts(once, compiled)
        if errors:
            from archlang.space.examples import with_sizes

            each_anew = EachAnew(self.module, self.declaration, self._values, self._where)
            raise ArchError([with_sizes(found, each_anew) for found in errors])
        with suppress(Entangled):
            # What cannot be followed now are requirements: whatever they say, no program is wrong.
            if self._programs is not None and not self._programs.possible():
                raise ArchError(self._no_program_meets())
        return True

    def _check_open(self) -> bool:
        """Whether every program is valid whatever conditions are left open; raises Entangled, and
        ArchError with the errors that programs have."""
        from archlang.space.approximate import check_bounded

        bounded = self._bounded
        if bounded is None or self.prune:
            return False
        compiled = Compiled(bounded)
        with suppress(Entangled):
            if not compiled.possible(bounded.evaluated.conditions):
                raise ArchError(self._no_program_meets())
        doubt = check_bounded(bounded, compiled, self._resolver)
        return doubt is None and all(each.requirement for each in bounded.open)

    def _no_program_meets(self) -> Diagnostic:
        what = f"no program of `{self.name}` meets its requirements"
        return error("E0503", what, self.declaration.name_span)

    @cached_property
    def _approximation(self) -> Approximation | None:
        """What is known of the programs where requirements cannot be followed."""
        from archlang.space.approximate import approximation

        once = self._once or self._bounded
        try:
            return approximation(once, Compiled(once)) if once is not None and once.all_met else None
        except Entangled:
            return None

    @property
    def left_open(self) -> tuple[str, ...]:
        """The requirements that are not followed over all programs, where every program is valid all
        the same: the places, and some of the decisions that each depends on."""
        if self._programs is not None or self.unproved is not None or self._approximation is None:
            return ()
        return tuple(map(str, self._approximation.open))

    def findings(self) -> list[Diagnostic]:
        """Warnings about a valid space: alternatives that no program picks, decisions that change
        nothing, alternatives that make the same programs. An empty list where the space is not
        evaluated as a whole."""
        from archlang.space.findings import findings

        once, compiled, programs = self._once, self._compiled, self._programs
        if once is None or compiled is None or programs is None:
            return []
        try:
            return findings(once, compiled, programs)
        except Entangled:
            return []

    def narrowed(self, condition: str) -> Space:
        """The programs of this space whose costs meet a condition in the language, such as
        `"macs <= 600M and depth < 40"`, as a space. Costs go by their names in `Cost`. ArchError
        when the condition is none."""
        return self._changed(where=(*self.where, condition))

    def with_table(self, table: CostTable | Path | str) -> Space:
        """This space with measured costs of its programs, `latency` or `energy`, from a table or a file."""
        read = table if isinstance(table, CostTable) else CostTable.read(table)
        return self._changed(tables={**self.tables, read.metric: read})

    def _changed(self, **settings: Any) -> Space:
        kept = {"prune": self.prune, "where": self.where, "tables": self.tables}
        found = Space(self.module, self.declaration, self._loader, self.config, **{**kept, **settings})
        found.owns = self.owns
        return found

    # --------------------------------------------------------------- counting

    @cached_property
    def size(self) -> int | float:
        """The exact number of programs; infinite with a float decision or unbounded recursion.
        ArchError where it cannot be worked out exactly."""
        found = self.count()
        if found.exact:
            return found.programs
        raise ArchError(
            error(
                "E0504",
                f"the programs of `{self.name}` are not counted exactly",
                self.declaration.name_span,
                notes=[f"there are {found}: see `Space.count`"],
            )
        )

    def count(self) -> Count:
        """The number of programs, exact or with proven bounds; infinite with a float decision or
        unbounded recursion. ArchError where it cannot be worked out."""
        if self._once is None and self._is_endless():
            return Count(0, 0, endless=True)
        if self._programs is not None:
            return self._programs.counted()
        if self._approximation is not None:
            return self._approximation.count
        raise ArchError(
            error(
                "E0504",
                f"the programs of `{self.name}` cannot be counted",
                self.declaration.name_span,
                notes=[self._entangled],
            )
        )

    def distinct(self, progress: Progress = lambda what, done, of: None) -> Distinct:
        """The number of different networks (by `canonical_hash`) among the programs: exact, or bounds
        and the reason. It can take a minute: `progress` is told what is being done, how much of it
        is done, and of how much."""
        from archlang.space.distinct.count import Distinct, count_distinct

        programs = self.count()
        if self._once is None:
            return Distinct(0, None if programs.endless else programs.high, self.unproved or "not evaluated as a whole")
        return count_distinct(self._once, programs, progress)

    def left_out(self) -> Count | None:
        """How many programs have errors, which `prune` leaves out; None where that is not known."""
        once, compiled = self._once, self._compiled
        if once is None or compiled is None:
            return None
        broken = compiled.diagrams.map_leaves(once.evaluated.ok, lambda leaf: type(leaf) is Fault and not leaf.excluded)
        try:
            return compiled.counted([broken])
        except Entangled:
            return None

    def _is_endless(self) -> bool:
        """Whether float decisions or recursion make the space infinite, as far as draws show."""
        if self.unproved is not None and "without a `limit`" in self.unproved:
            return True
        for seed in range(SAMPLES):
            drawn = self.sample(seed)
            if any(isinstance(decision.domain, Reals) for decision in self.decisions(drawn.choices)):
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

    @cached_property
    def _moves(self) -> Moves:
        programs = self._programs
        if programs is not None:
            return ByPaths(programs, self._resolve, self._resolver, self.owns)
        known = self._approximation
        return ByTrial(self._resolver, self._resolve, None if known is None else known.programs, self.owns)

    def part(self, *addresses: str, others: bool = False) -> Space:
        """The same programs, of which only the decisions at these addresses and below them (or only the
        `others`) are changed, walked and encoded; the rest is drawn. Of a part it is a part of that.
        ArchError for an address of no decision."""
        known = [decision.address for decision in self.all_decisions()]
        for address in addresses:
            if not any(inside(other, address) for other in known):
                hints = did_you_mean(address, known) or _some_of(known)
                raise ArchError(error("E0406", f"there is no decision at `{address}` in `{self.name}`", hints=hints))
        owns, found = self.owns, copy(self)
        found.owns = lambda address: owns(address) and any(inside(address, part) for part in addresses) is not others
        for name in ("_moves", "encoder"):
            found.__dict__.pop(name, None)
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
            self._whole("drawn evenly")
        drawn = self._moves.draw(random, evenly)
        if drawn is None:
            raise self._no_program()
        return drawn

    def _no_program(self) -> ArchError:
        notes = [f"{TRIES:,} draws were tried"] if self._programs is None else []
        what = f"no program of `{self.name}` was found that meets its requirements"
        return ArchError(error("E0505", what, self.declaration.name_span, notes=notes))

    def sample_many(self, count: int, seed: int = 0, evenly: bool = False) -> Batch:
        """Many choices drawn independently, as `draw` does, in numpy batches: more than a hundred
        thousand a second. ArchError where the space is not evaluated as a whole."""
        from archlang.space.batch import Batch

        programs = self._whole("drawn in batches")
        drawn = Batch.drawn(programs, count, seed, evenly)
        if drawn is None:
            raise self._no_program()
        return drawn

    def costs(self, choices: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """The additive costs (`cost.ADDITIVE`) of many programs at once, as int64 arrays equal to what
        `program.cost()` gives; and those of tables, as float arrays. `choices` is a `Batch`, which is
        fastest, or a list. ArchError when some do not fit."""
        import numpy as np

        from archlang.space.batch import Batch

        programs, pricing = self._programs, self._pricing
        if programs is not None and pricing is not None:
            batch = choices if isinstance(choices, Batch) else Batch.of(programs, choices)
            if batch is not None:
                return pricing.costs(batch.positions)
        kinds = dict.fromkeys(ADDITIVE, np.int64) | dict.fromkeys(self.tables, np.float64)
        figures = [program.cost().totals() | program.measured() for program in map(self.program, choices)]
        return {name: np.array([one[name] for one in figures], dtype=kind) for name, kind in kinds.items()}

    def bounds(self, name: str) -> Bounds:
        """The least and greatest value of a cost over all programs (`params`, `macs`, `depth`, ...;
        see `Cost`; or that of a table), each with choices that reach it. ArchError where they cannot
        be worked out."""
        from archlang.space.bounds import BOUNDED, bounds

        known = (*BOUNDED, *self.tables)
        if name not in known:
            if name in UNITS:
                raise ArchError(without_table(name))
            hints = did_you_mean(name, known) or [", ".join(known)]
            raise ArchError(error("E0506", f"there is no cost `{name}`", hints=hints))
        self._whole("bounded")
        once, compiled = self._once, self._compiled
        assert once is not None
        assert compiled is not None
        try:
            conditions = once.evaluated.conditions
            found = bounds(once, compiled, name, lambda given: self.program(given).cost(), conditions, self.tables)
        except Entangled as problem:
            what = f"the bounds of `{name}` over `{self.name}` cannot be worked out"
            raise ArchError(error("E0504", what, self.declaration.name_span, notes=[problem.reason])) from None
        if found is None:
            raise self._no_program()
        return found

    def optimum(self, *, minimize: Goal | None = None, maximize: Goal | None = None) -> Optimum:
        """The best program by a goal, with proof; see `ranking`."""
        found = self.ranking(minimize=minimize, maximize=maximize).best()
        if found is None:
            raise self._no_program()
        return found

    def ranking(self, *, minimize: Goal | None = None, maximize: Goal | None = None) -> Ranking:
        """The programs from the best on by a goal, each proved to be the best of those left: the name of
        an additive cost (`cost.ADDITIVE`, or that of a table), or what is added up, `{"macs": 1e-6,
        "width": {16: 0.5, 32: 1.5}}`: costs with weights, and by address what picks score. ArchError
        where the space is not evaluated as a whole."""
        from archlang.space.optimum import Ranking

        goal = maximize if minimize is None else minimize
        if goal is None or (minimize is not None and maximize is not None):
            raise ArchError(error("E0911", "give either a goal to minimize or one to maximize"))
        compiled = self._whole("ranked").compiled
        assert self._once is not None
        try:
            return Ranking(self._once, compiled, self.tables, goal, minimize is None)
        except Entangled as problem:
            what = f"the programs of `{self.name}` cannot be ranked"
            raise ArchError(error("E0504", what, self.declaration.name_span, notes=[problem.reason])) from None

    def explain(self, address: str) -> Explanation:
        """What a decision is, what it hangs from, and what it changes. ArchError when there is no
        decision of that address, or where the space is not evaluated as a whole."""
        from archlang.space.explaining import explain

        programs = self._whole("explained")
        if address not in programs.compiled.places:
            what = f"there is no decision `{address}` in `{self.name}`"
            known = list(programs.compiled.places)
            raise ArchError(error("E0406", what, hints=did_you_mean(address, known) or _some_of(known)))
        assert self._once is not None
        return explain(self._once, programs.compiled, address, lambda given: self.program(given).cost())

    @cached_property
    def _pricing(self) -> SpacePricing | None:
        """Costs as arrays; None where they cannot be worked out over the whole space."""
        from archlang.space.pricing import SpacePricing

        if self._compiled is None or self._once is None:
            return None
        try:
            return SpacePricing(self._once, self._compiled, self.tables)
        except Entangled:
            return None

    def operations(self, samples: int = 256) -> tuple[list[Operation], bool]:
        """The operations that programs use, each once, and whether these are all; where the space is
        not evaluated as a whole, those of some programs drawn by chance."""
        with suppress(Entangled):
            if self._once is not None:
                return self._once.operations, True
        graphs = (self.sample(seed).graph for seed in range(samples))
        return list(dict.fromkeys(node.operation for graph in graphs for node in graph.nodes)), False

    def mutate(self, choices: Mapping[str, Any], random: Random, near: bool = False) -> Choices:
        """Choices with one decision changed, and those that newly hang from it drawn: always
        another program. The new pick is any other, or (`near`) for numbers mostly a near one, and for
        a subset one with an element exchanged, added or dropped. Where requirements forbid that, as
        few others change too as possible. ArchError when there is no other program."""
        changed = self._moves.mutate(choices, random, near)
        if changed is None:
            what = f"no other program of `{self.name}` is one change away"
            raise ArchError(error("E0411", what, self.declaration.name_span))
        return changed

    def crossover(self, a: Mapping[str, Any], b: Mapping[str, Any], random: Random, subtree: bool = False) -> Choices:
        """Choices that take each decision from one of two parents, by chance, and what hangs from it from
        that parent too unless both have it; or (`subtree`) those of `a` with a decision in which the two
        differ, and all below it, from `b`. What neither has is drawn. Where requirements forbid the
        mixture, the program nearest to it."""
        return self._moves.crossover(a, b, random, subtree) or self.choices(a)

    def repair(self, picks: Mapping[str, Any], seed: int = 0, held: Container[str] = ()) -> Choices:
        """The choices nearest to some picks that meet all requirements: the fewest picks differ, and
        those at the addresses `held` do not; those of decisions that there are not are left out, those
        that lack are drawn. ArchError where the space is not evaluated as a whole, or there are none."""
        programs = self._whole("repaired")
        found = ByPaths(programs, self._resolve, self._resolver, self.owns).repair(picks, Random(seed), held)
        if found is None:
            raise self._no_program()
        return found

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

    def _whole(self, what: str) -> Programs:
        """The compiled programs; ArchError where the space is not evaluated as a whole."""
        programs = self._programs
        if programs is None:
            raise ArchError(
                error(
                    "E0504",
                    f"the programs of `{self.name}` cannot be {what}",
                    self.declaration.name_span,
                    notes=[self._entangled],
                )
            )
        return programs


def _everywhere(address: str) -> bool:
    return True


def inside(address: str, part: str) -> bool:
    """Whether a decision is the one at an address, or below it."""
    return address == part or (address.startswith(part) and address[len(part)] in "/.[:#")


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
