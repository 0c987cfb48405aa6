"""A checked space: its decisions, its programs, and moving among them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Container, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from random import Random
from typing import TYPE_CHECKING, Any

from archlang.cost.table import CostTable
from archlang.diagnostics import ArchError, Diagnostic, error
from archlang.semantics.decision import Decision, Reals
from archlang.semantics.derived import RewrittenSpace
from archlang.semantics.fault import Entangled
from archlang.semantics.modules import Loader, ModuleScope
from archlang.semantics.restrictions import Restriction
from archlang.space import questions
from archlang.space.analysis import SAMPLES, Analysis
from archlang.space.base import SearchSpace
from archlang.space.by_paths import ByPaths
from archlang.space.by_trial import ByTrial
from archlang.space.choices import Choices
from archlang.space.compiled import Count
from archlang.space.moves import Moves
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
    from archlang.space.explaining import Explanation
    from archlang.space.optimum import Goal, Optimum, Ranking
    from archlang.space.resolver import Resolved


class Space(SearchSpace):
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
        self._span = declaration.name_span
        values = {name: plain_value(name, value) for name, value in self.config.items()}
        self.analysis = Analysis(module, declaration, values, self._where, self.tables, prune, partial_channels)

    @property
    def name(self) -> str:
        return self.declaration.name

    @property
    def known_costs(self) -> Sequence[str]:
        """The costs that conditions may limit: those of `Cost`, and those of tables."""
        from archlang.space.bounds import BOUNDED

        return (*BOUNDED, *self.tables)

    @property
    def scope(self) -> ModuleScope:
        """Where the names in the space's text are looked up."""
        declaration = self.declaration
        return declaration.layers[-1].scope if isinstance(declaration, RewrittenSpace) else self.module

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

    def all_decisions(self) -> tuple[Decision, ...]:
        """Every decision that some program makes, in order of address; ArchError where the
        space cannot be evaluated as a whole."""
        if self.analysis.once is None:
            raise self.analysis.unknown(f"the decisions of `{self.name}` cannot be listed", self.unproved or "")
        return self.analysis.once.decisions

    def program(self, choices: Mapping[str, Any] | None = None) -> Program:
        """The program of these choices; ArchError when they do not fit the space."""
        return Program(self, self.analysis.resolve(choices or {}))

    def _resolve(self, choices: Mapping[str, Any]) -> Resolved:
        return self.analysis.resolve(choices)

    def _require_whole(self, what: str) -> None:
        self.analysis.whole(what)

    def _no_program(self) -> ArchError:
        return self.analysis.no_program()

    # ------------------------------------------------------- moving in the space

    @cached_property
    def _moves(self) -> Moves:
        known = self.analysis
        if known.programs is not None:
            return ByPaths(known.programs, known.resolve, known.resolver, self.owns)
        among = None if known.approximation is None else known.approximation.programs
        return ByTrial(known.resolver, known.resolve, among, self.owns)

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
