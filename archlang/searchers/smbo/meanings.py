"""What programs are beyond their choices, worked out once for all searchers of a space."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import attrs

from archlang.ir.functional import functional_form
from archlang.ir.neighbourhoods import neighbourhoods

if TYPE_CHECKING:
    from archlang.space import Choices, SearchSpace

MOST = 20_000  # programs that are kept of a space


@attrs.define
class Meanings:
    """Of the programs of a space that were looked at: their functional hash, and the neighbourhoods in their
    graphs (of functional form, so that programs of the same function are the same)."""

    functions: dict[Choices, str] = attrs.field(factory=dict)
    graphs: dict[Choices, Counter[str]] = attrs.field(factory=dict)


_known: WeakKeyDictionary[SearchSpace, Meanings] = WeakKeyDictionary()


def _meanings(space: SearchSpace) -> Meanings:
    found = _known.setdefault(space, Meanings())
    for kept in (found.functions, found.graphs):
        while len(kept) > MOST:
            del kept[next(iter(kept))]
    return found


def function(space: SearchSpace, choices: Choices) -> str:
    """The functional hash of a program."""
    kept = _meanings(space).functions
    if choices not in kept:
        kept[choices] = space.program(choices).functional_hash
    return kept[choices]


def graph_counts(space: SearchSpace, choices: Choices) -> Counter[str]:
    """How often each neighbourhood occurs in the graph of a program; none for one without a network."""
    kept = _meanings(space).graphs
    if choices not in kept:
        program = space.program(choices)
        kept[choices] = neighbourhoods(functional_form(program.graph)) if program.has_graph else Counter()
    return kept[choices]
