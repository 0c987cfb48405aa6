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

from archlang.cost.table import CostTable
from archlang.diagnostics import ArchError, Diagnostic, error
from archlang.semantics.decision import Decision, Reals
from archlang.semantics.fault import Entangled
from archlang.semantics.modules import Loader, ModuleScope
from archlang.semantics.restrictions import Restriction
from archlang.space import questions
from archlang.space.analysis import SAMPLES, Analysis
from archlang.space.by_paths import ByPaths
from archlang.space.by_trial import ByTrial
from archlang.space.choices import Choices
from archlang.space.compiled import Count
from archlang.space.moves import Chooser, Moves, Trace
from archlang.space.picking import no_decision
from archlang.space.program import Program
from archlang.space.values import plain_value
from archlang.syntax import ast
from archlang.syntax.format import format_expression
from archlang.syntax.parser import parse_expression

if TYPE_CHECKING:
    from pathlib import Path

    from archlang.ir.graph import Operation
    from archlang.space.batch import Batch
    from archlang.space.bounds import Bounds
    from archlang.space.distinct.count import Distinct
    from archlang.space.distinct.groups import Progress
    from archlang.space.encoding import Array, Encoder
    from archlang.space.explaining import Explanation
    from archlang.space.optimum import Goal, Optimum, Ranking


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
        partial_channels: int = 1,
        externs: Mapping[str, Any] | None = None,
    ):
        self.module = module
        self.declaration = declaration
        self.config = dict(config or {})
        self._loader = loader
        self.prune = prune  # whether broken programs are left out, as if a requirement said so
        self.where = tuple(where)  # requirements on the costs of programs, from outside
        self.tables = dict(tables or {})  # measured costs of programs, by what they measure
        self.partial_channels = partial_channels  # choices of blocks see one of so many channels
        self.externs = dict(externs or {})  # the framework's own modules for ops declared `extern`
        self._where = tuple(Restriction(parse_expression(text, "condition"), self.tables) for text in where)
        self.owns: Callable[[str], bool] = _everywhere  # whether moves change the decision at an address
        values = {name: plain_value(name, value) for name, value in self.config.items()}
        self.analysis = Analysis(module, declaration, values, self._where, self.tables, prune, partial_channels)

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
            **({"partial_channels": self.partial_channels} if self.partial_channels > 1 else {}),
        }
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    # --------------------------------------------------------------- checking

    def check(self) -> None:
        """Check every program; ArchError with all errors, each with choices that cause it. Where a
        requirement cannot be followed, `left_open` names it, and every program is valid whatever it
        says; where not even that is proven, `unproved` says why, and some programs are tried."""
        self.analysis.check()

    @property
    def unproved(self) -> str | None:
        """Why it is not proven that every program is valid; None where it is."""
        return self.analysis.unproved

    @property
    def tried(self) -> int:
        """How many programs were found valid where that is not proven for all."""
        return self.analysis.tried

    @property
    def left_open(self) -> tuple[str, ...]:
        """The requirements that are not followed over all programs, where every program is valid all
        the same: the places, and some of the decisions that each depends on."""
        return self.analysis.left_open

    def findings(self) -> list[Diagnostic]:
        """Warnings about a valid space: alternatives that no program picks, decisions that change
        nothing, alternatives that make the same programs. An empty list where the space is not
        evaluated as a whole."""
        return self.analysis.findings()

    def narrowed(self, condition: str) -> Space:
        """The programs of this space whose costs meet a condition in the language, such as
        `"macs <= 600M and depth < 40"`, as a space. Costs go by their names in `Cost`. ArchError
        when the condition is none."""
        return self._changed(where=(*self.where, condition))

    def with_table(self, table: CostTable | Path | str) -> Space:
        """This space with measured costs of its programs, `latency` or `energy`, from a table or a file."""
        read = table if isinstance(table, CostTable) else CostTable.read(table)
        return self._changed(tables={**self.tables, read.metric: read})

    def configured(self, **config: Any) -> Space:
        """This space with other values for some of its configuration."""
        return self._changed(config={**self.config, **config})

    def partial(self, parts: int) -> Space:
        """This space with partial channels (PC-DARTS, Xu et al. 2020): wherever a choice of blocks is applied to
        a tensor, it sees the first of `parts` equal parts of the channels. What it gives is concatenated with
        the rest (max-pooled 2x2 where the alternatives halve the size), and the channels are shuffled.

        Channels are the second dimension of images, and the last of [n, d] and of sequences [n, l, d], which are
        not shuffled. A choice whose alternatives differ in type, or do not keep the number of channels that they
        are given, is applied to all; so it is where the parts do not divide them. Decisions and their addresses
        are the same, and but for requirements on costs the programs are: what is picked here are choices of this
        space too. ArchError for less than one part."""
        if parts < 1:
            raise ArchError(error("E0508", f"channels cannot be divided into {parts} parts"))
        return self._changed(partial_channels=parts)

    def _changed(self, **settings: Any) -> Space:
        kept = {"config": self.config, "prune": self.prune, "where": self.where, "tables": self.tables}
        kept["partial_channels"] = self.partial_channels
        kept["externs"] = self.externs
        found = Space(self.module, self.declaration, self._loader, **{**kept, **settings})
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
        what = f"the programs of `{self.name}` are not counted exactly"
        raise self.analysis.unknown(what, f"there are {found}: see `Space.count`")

    def count(self) -> Count:
        """The number of programs, exact or with proven bounds; infinite with a float decision or
        unbounded recursion. ArchError where it cannot be worked out."""
        known = self.analysis
        if known.once is None and self._is_endless():
            return Count(0, 0, endless=True)
        if known.programs is not None:
            return known.programs.counted()
        if known.approximation is not None:
            return known.approximation.count
        raise known.unknown(f"the programs of `{self.name}` cannot be counted")

    def distinct(self, progress: Progress = lambda what, done, of: None) -> Distinct:
        """The number of different networks (by `canonical_hash`) among the programs: exact, or bounds
        and the reason. It can take a minute: `progress` is told what is being done, how much of it
        is done, and of how much."""
        from archlang.space.distinct.count import Distinct, count_distinct

        programs, once = self.count(), self.analysis.once
        if once is None:
            return Distinct(0, None if programs.endless else programs.high, self.unproved or "not evaluated as a whole")
        return count_distinct(once, programs, progress)

    def left_out(self) -> Count | None:
        """How many programs have errors, which `prune` leaves out; None where that is not known."""
        return self.analysis.left_out()

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
        return tuple(decision for decision, _ in self.analysis.resolve(choices).decisions.values())

    def all_decisions(self) -> tuple[Decision, ...]:
        """Every decision that some program makes, in order of address; ArchError where the
        space cannot be evaluated as a whole."""
        if self.analysis.once is None:
            raise self.analysis.unknown(f"the decisions of `{self.name}` cannot be listed", self.unproved or "")
        return self.analysis.once.decisions

    def choices(self, picks: Mapping[str, Any]) -> Choices:
        """The picks as choices of the space; ArchError when they do not fit, with the address and
        what may be picked."""
        return self.program(picks).choices

    def program(self, choices: Mapping[str, Any] | None = None) -> Program:
        """The program of these choices; ArchError when they do not fit the space."""
        return Program(self, self.analysis.resolve(choices or {}))

    # ------------------------------------------------------- moving in the space

    @cached_property
    def _moves(self) -> Moves:
        known = self.analysis
        if known.programs is not None:
            return ByPaths(known.programs, known.resolve, known.resolver, self.owns)
        among = None if known.approximation is None else known.approximation.programs
        return ByTrial(known.resolver, known.resolve, among, self.owns)

    def part(self, *addresses: str, others: bool = False) -> Space:
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
            self.analysis.whole("drawn evenly")
        drawn = self._moves.draw(random, evenly)
        if drawn is None:
            raise self.analysis.no_program()
        return drawn

    def sample_many(self, count: int, seed: int = 0, evenly: bool = False) -> Batch:
        """Many choices drawn independently, as `draw` does, in numpy batches: more than a hundred
        thousand a second. ArchError where the space is not evaluated as a whole."""
        from archlang.space.batch import Batch

        _, programs = self.analysis.whole("drawn in batches")
        drawn = Batch.drawn(programs, count, seed, evenly)
        if drawn is None:
            raise self.analysis.no_program()
        return drawn

    def costs(self, choices: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """The additive costs (`cost.ADDITIVE`) of many programs at once, as int64 arrays equal to what
        `program.cost()` gives; and those of tables, as float arrays. `choices` is a `Batch`, which is
        fastest, or a list. ArchError when some do not fit."""
        return questions.costs(self, choices)

    def bounds(self, name: str) -> Bounds:
        """The least and greatest value of a cost over all programs (`params`, `macs`, `depth`, ...;
        see `Cost`; or that of a table), each with choices that reach it. ArchError where they cannot
        be worked out."""
        return questions.bounds(self, name)

    def optimum(self, *, minimize: Goal | None = None, maximize: Goal | None = None) -> Optimum:
        """The best program by a goal, with proof; see `ranking`."""
        found = self.ranking(minimize=minimize, maximize=maximize).best()
        if found is None:
            raise self.analysis.no_program()
        return found

    def ranking(self, *, minimize: Goal | None = None, maximize: Goal | None = None) -> Ranking:
        """The programs from the best on by a goal, each proved to be the best of those left: the name of
        an additive cost (`cost.ADDITIVE`, or that of a table), or what is added up, `{"macs": 1e-6,
        "width": {16: 0.5, 32: 1.5}}`: costs with weights, and by address what picks score. ArchError
        where the space is not evaluated as a whole."""
        return questions.ranking(self, minimize, maximize)

    def supernet(
        self,
        name: str = "torch",
        *,
        seed: int = 0,
        apart: bool | Sequence[str] = False,
        kernel_transform: bool = False,
    ) -> Any:
        """All programs in one network of a backend, whose weights they share; see `archlang.relax`. Ops of
        several forms (a width, a kernel that is chosen) slice one weight, or have weights for each form where
        they are to be `apart`: all, or those that hang from the decisions at some addresses. With
        `kernel_transform` a smaller square kernel is the centre of the next larger one times a trained matrix
        (Once-for-All, Cai et al. 2020), else the centre of the largest. ArchError where the space is not
        evaluated as a whole, or the backend has no supernets."""
        return questions.supernet(self, name, seed, apart, kernel_transform)

    def explain(self, address: str) -> Explanation:
        """What a decision is, what it hangs from, and what it changes. ArchError when there is no
        decision of that address, or where the space is not evaluated as a whole."""
        return questions.explain(self, address)

    def operations(self, samples: int = 256) -> tuple[list[Operation], bool]:
        """The operations that programs use, each once, and whether these are all; where the space is
        not evaluated as a whole, those of some programs drawn by chance."""
        with suppress(Entangled):
            if self.analysis.once is not None:
                return self.analysis.once.operations, True
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
        _, programs = self.analysis.whole("repaired")
        known = self.analysis
        found = ByPaths(programs, known.resolve, known.resolver, self.owns).repair(picks, Random(seed), held)
        if found is None:
            raise self.analysis.no_program()
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
            raise self.analysis.no_program()
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


def _everywhere(address: str) -> bool:
    return True


def inside(address: str, part: str) -> bool:
    """Whether a decision is the one at an address, or below it."""
    return address == part or (address.startswith(part) and address[len(part)] in "/.[:#")
