"""Whole programs of the library's spaces: text forms that come back, hashes, costs, valid graphs."""

from __future__ import annotations

import random
from functools import cache

import pytest

from archlang.cost import cost
from archlang.ir.canonical import canonical_hash, canonicalise
from archlang.ir.flat import flat_text
from archlang.ir.graph import Graph
from archlang.ir.source import program_source
from archlang.ir.verify import verify
from archlang.semantics.defaults import op_defaults
from archlang.space.loading import load, loads
from archlang.space.program import Program
from archlang.space.space import Space

SPACES = {
    "std.spaces.nasbench201": {"channels": 4, "repeats": 1},
    "std.spaces.darts": {"channels": 4, "layers": 4},
    "std.spaces.darts_cell": {"channels": 4, "reduction": True},
    "std.spaces.nasbench_macro": {},
    "std.spaces.ofa_mobilenet_v3": {"size": 64},
}


@cache
def space(name: str) -> Space:
    return load(name, SPACES[name])


def programs(name: str) -> list[Program]:
    return [space(name).program(space(name).draw(random.Random(seed))) for seed in range(3)]


def network(text: str) -> Graph:
    return loads(text).program().graph


@pytest.mark.parametrize("name", SPACES)
def test_graphs_are_valid(name: str) -> None:
    for program in programs(name):
        verify(program.graph)
        verify(canonicalise(program.graph))


@pytest.mark.parametrize("name", SPACES)
def test_the_flat_form_parses_to_an_equal_graph(name: str) -> None:
    for program in programs(name):
        text = flat_text(program.graph)
        again = network(text)
        assert again == program.graph
        assert flat_text(again) == text


@pytest.mark.parametrize("name", SPACES)
def test_the_source_is_the_same_network(name: str) -> None:
    for program in programs(name):
        text = program_source(program.graph, defaults=op_defaults(space(name).module))
        again = network(text)
        assert canonical_hash(again) == canonical_hash(program.graph)
        assert cost(again).totals() | {"peak_memory": 0} == cost(program.graph).totals() | {"peak_memory": 0}
        assert again.weights.keys() and len(again.weights) == len(program.graph.weights)
        # What is written without help says the same.
        assert canonical_hash(network(program_source(program.graph))) == canonical_hash(program.graph)


@pytest.mark.parametrize("name", SPACES)
def test_different_choices_hash_alike_only_when_the_networks_are(name: str) -> None:
    first, second, _ = programs(name)
    assert first.canonical_hash == canonical_hash(first.graph)
    assert (first.canonical_hash == second.canonical_hash) == (
        canonicalise(first.graph).nodes == canonicalise(second.graph).nodes
    )


TIED = """
use std.nn

block step(out: int)(x: [n, d]) {
  x |> linear(out) >> relu >> linear(out)
}

space tied(x: f32[n, 8]) {
  f = tie step(8)
  y = x |> repeat(3, f)
  g = tie linear(4)
  { main: (y |> g) - (x |> g), heads: [y, 3, x |> dropout(0.2)], lr: 0.1 }
}
"""


def test_tied_weights_and_recipes() -> None:
    program = loads(TIED).program()
    assert cost(program.graph).params == 2 * 72 + 36
    flat = loads(flat_text(program.graph, values=program.values)).program()
    assert flat.graph == program.graph
    assert flat.values == program.values
    source = loads(program_source(program.graph, values=program.values)).program()
    assert source.canonical_hash == program.canonical_hash
    assert source.values == program.values
    assert cost(source.graph).params == cost(program.graph).params
