"""Graphs as `.arch` text that keeps their blocks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from archlang.ir.graph import Graph
from archlang.ir.source import program_source, unknown
from archlang.semantics.defaults import op_defaults
from archlang.semantics.modules import BUILTINS, COSTS, ModuleScope
from archlang.semantics.recognition import recogniser
from archlang.syntax.format import format_module
from archlang.syntax.parser import parse_text
from archlang.syntax.tokens import ITEM_WORDS, RESERVED


def written(
    graph: Graph,
    module: ModuleScope,
    notes: Iterable[str] = (),
    values: Mapping[str, object] | None = None,
    uses: Iterable[str] = ("std.nn",),
    items: Iterable[str] = (),
    recognising: bool = True,
) -> str:
    """The graph as a space, formatted, with what it uses of the library (its ops alone, where blocks are not to be
    recognised); `module` declares its ops, or `std.nn`.

    What it evaluates to has the same canonical hash; `archlang.ir.correspondence` says which of its
    weights are which. The other arguments are as for `program_source`.
    """
    text = program_source(
        graph,
        notes,
        values,
        uses,
        items,
        defaults=op_defaults(module),
        recognise=recogniser(module) if recognising else unknown,
        reserved=(*RESERVED, *ITEM_WORDS, *(name for name in BUILTINS if name not in COSTS)),
    )
    return format_module(parse_text(text))
