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
from archlang.semantics.declared import declarations_for
from archlang.semantics.defaults import op_defaults
from archlang.space.loading import load, loads
from archlang.space.program import Program
from archlang.space.space import Space

SPACES = {
    "std.spaces.nasbench201": {"channels": 4, "repeats": 1},
    "std.spaces.darts": {"channels": 4, "layers": 4},
    "std.spaces.darts_cell": {"channels": 4, "reduction": True},
    "std.spaces.nasbench_macro": {},
    "std.spaces.ofa_mobilenetv3": {"size": 64},
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
        # Nodes may run in another order, and so need more or less memory at a time.
        assert cost(again).totals() | {"peak_memory": 0} == cost(program.graph).totals() | {"peak_memory": 0}
        # What is written without help says the same.
        assert canonical_hash(network(program_source(program.graph))) == canonical_hash(program.graph)


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


def test_blocks_named_like_ops() -> None:
    """A block of the program's own hides the op of that name; in the text both are called."""
    text = """
use std.nn
use std.blocks: relu_conv_bn

block relu(out: int)(x: [n, c, h, w]) { x + (x |> relu_conv_bn(out) |> relu_conv_bn(out, kernel=1)) }
space s(x: f32[n, 3, 8, 8]) { x |> conv2d(8) |> relu(8) }
"""
    program = loads(text).program()
    written = program_source(program.graph)
    assert "block relu_block(" in written
    assert canonical_hash(network(written)) == program.canonical_hash


def test_defaults_of_attributes() -> None:
    small = loads("use std.nn\nspace s(x: f32[n, 3, 8, 8]) { x |> conv2d(4, kernel=5, padding=1) >> pad([1, 1]) }")
    conv, pad = (node.operation for node in small.program().graph.nodes)
    known = op_defaults(small.module)
    assert {name: default.value for name, default in known(conv).items()} == {
        "out": None,
        "kernel": 3,
        "stride": 1,
        "dilation": 1,
        "groups": 1,
        "bias": False,
        "padding": 2,
    }
    assert [name for name, default in known(conv).items() if default.derived] == ["padding"]
    assert {name: default.value for name, default in known(pad).items()} == {"amount": None, "value": 0.0}
    assert [name for name, default in known(pad).items() if default.required] == ["amount"]


@pytest.mark.parametrize("number", [1e16, 1e-7, -2.5, 1e300, 0.1, 1.0])
def test_numbers_come_back_exactly(number: float) -> None:
    graph = network(f"use std.nn\nspace s(x: f32[n, 3]) {{ x |> scale({number!r}) }}")
    assert graph.nodes[0].operation.attribute("factor") == number
    assert network(flat_text(graph)) == graph


def test_programs_of_values_alone() -> None:
    program = loads('space s { { lr: 0.1, layers: [1, 2], name: "a\\"b" } }').program()
    text = flat_text(Graph("s", (), (), ()), values=program.values)
    assert loads(text).program().values == program.values


def test_ops_of_the_users_own_go_into_the_text() -> None:
    own = loads("""
use std.nn

factor = 2

def twice(a: int) -> int { a * factor }

## Channels times a whole number.
op widen(by: int = twice(1))(x: [n, c, h, w]) -> [n, c * by, h, w]
  weight kernel: [c * by, c] init kaiming_uniform

space s(x: f32[n, 3, 8, 8]) { x |> conv2d(8) |> widen |> widen(3) }
""")
    program = own.program()
    uses, items = declarations_for(own.module, program.graph)
    assert uses == ["std.nn"]
    assert [item.split()[0] for item in items] == ["factor", "def", "##"]
    flat = flat_text(program.graph, uses=uses, items=items)
    assert network(flat) == program.graph
    source = program_source(program.graph, uses=uses, items=items, defaults=op_defaults(own.module))
    assert source.endswith("  x |> conv2d(8) >> widen >> widen(by=3)\n}\n")
    assert canonical_hash(network(source)) == program.canonical_hash
