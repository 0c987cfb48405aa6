"""Counts of different networks, against the canonical hashes of all programs."""

from __future__ import annotations

from math import prod

import pytest
from click.testing import CliRunner
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import archlang as al
from archlang.cli.main import main
from archlang.diagnostics import ArchError
from archlang.space.distinct import counting, groups, rows
from archlang.space.distinct.alike import Alike
from tests.space.random_spaces import network_spaces

MOST = 300


def hashes_of(space: al.Space) -> set[str]:
    """The canonical hash of every program that has a network."""
    found = set()
    for number, choices in enumerate(space.enumerate()):
        assume(number < MOST)
        program = space.program(choices)
        if program.graph.nodes or program.graph.outputs:
            found.add(program.canonical_hash)
    return found


@st.composite
def layered_spaces(draw: st.DrawFn) -> str:
    """Networks that can be equal in many ways: by identities, by words of layers that are dealt out
    differently, by repeated computations, by symmetry of sums, with weights shared or not."""
    choices = iter(range(100))
    layers = st.sampled_from(["relu", "tanh", "identity", "linear(4)", "dropout(0.5)", "shared_one", "shared_two"])

    def layer(depth: int) -> str:
        kind = draw(st.sampled_from(["plain", "choice", "choice", "then", "sum", "concat", "repeat", "join"]))
        if kind == "plain" or depth == 0:
            return draw(layers)
        if kind == "choice":
            options = [layer(depth - 1) for _ in range(draw(st.integers(2, 3)))]
            named = ", ".join(f"o{place}: {option}" for place, option in enumerate(options))
            return f"(choose {{ {named} }} as c{next(choices)})"
        if kind == "then":
            return f"({layer(depth - 1)} >> {layer(depth - 1)})"
        if kind == "repeat":
            return f"repeat(choose 0..2 as n{next(choices)}, {layer(depth - 1)})"
        return (
            f"{kind}ed({layer(depth - 1)}, {layer(depth - 1)})"
            if kind != "sum"
            else (f"summed({layer(depth - 1)}, {layer(depth - 1)})")
        )

    body = "\n".join(f"  x = x |> {layer(2)}" for _ in range(draw(st.integers(1, 3))))
    return f"""use std.nn
block summed(f: block, g: block)(x: [n, c]) -> [n, c] {{ (x |> f) + (x |> g) }}
block concated(f: block, g: block)(x: [n, c]) -> [n, c] {{ concat([x |> f, x |> g]) |> linear(4) }}
block joined(f: block, g: block)(x: [n, c]) -> [n, c] {{ (x |> f >> relu) + (x |> g >> relu) }}
space s(x: f32[n, 4]) {{
  shared_one = share linear(4)
  shared_two = share linear(4)
{body}
  x
}}
"""


@pytest.mark.parametrize("spaces", [layered_spaces(), network_spaces()], ids=["layers", "networks"])
def test_counts_are_those_of_hashes(spaces: st.SearchStrategy[str]) -> None:
    @settings(max_examples=100, deadline=None)
    @given(spaces)
    def holds(text: str) -> None:
        try:
            space = al.loads(text)
        except ArchError:
            assume(False)
        found = space.distinct()
        assume(found.exact)
        assert found.low == len(hashes_of(space)), str(found)

    holds()


@pytest.mark.parametrize(
    ("module", "limit", "value"), [(counting, "MAX_ITEMS", 10), (groups, "MAX_PROGRAMS", 4), (rows, "MAX_ROWS", 4)]
)
def test_bounds_hold_where_work_is_limited(
    module: object, limit: str, value: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, limit, value)
    limited = 0

    @settings(max_examples=60, deadline=None)
    @given(layered_spaces())
    def holds(text: str) -> None:
        nonlocal limited
        space = al.loads(text)
        found = space.distinct()
        limited += not found.exact
        assert found.exact or found.reason
        assert found.high is not None
        assert found.low <= len(hashes_of(space)) <= found.high

    holds()
    assert limited


# Cells of exactly 2, ..., 7 vertices, as NAS-Bench-101 counts them.
CELLS = (1, 6, 84, 2_441, 62_010, 359_082)


@pytest.mark.parametrize("vertices", [3, 4, 5, 6, pytest.param(7, marks=pytest.mark.exhaustive)])
def test_cells_of_nasbench101(vertices: int) -> None:
    space = al.load("std.spaces.nasbench101:cells", vertices=vertices)
    assert space.distinct().low == space.distinct().high == sum(CELLS[: vertices - 1])


def test_networks_of_large_library_spaces() -> None:
    mobile = al.load("std.spaces.ofa_mobilenetv3")
    assert mobile.distinct().low == mobile.distinct().high == mobile.size
    # Of three layers that may be left out it does not matter which are: words of at most three letters.
    words = sum(6**length for length in range(4))
    found = al.load("std.spaces.proxylessnas").distinct()
    assert found.low == found.high == 6**6 * words**5


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", ["nasbench201", "nasbench_macro"])
def test_networks_of_enumerated_library_spaces(name: str) -> None:
    space = al.load(f"std.spaces.{name}")
    found = space.distinct()
    assert found.low == found.high == len({space.program(choices).canonical_hash for choices in space.enumerate()})


def test_budgets_leave_bounds() -> None:
    space = al.load("std.spaces.ofa_mobilenetv3").narrowed("macs <= 300M")
    found = space.distinct()
    assert (found.low, found.high) == (0, space.size)
    assert "budget" in found.reason


def test_count_says_what_it_counts() -> None:
    told = CliRunner().invoke(main, ["count", "std.spaces.nats_sss", "--distinct"])
    assert told.stdout == "32,768 different networks, of 32,768 programs\n"
    assert prod([8] * 5) == 32_768


@settings(max_examples=150, deadline=None)
@given(layered_spaces())
def test_picks_told_alike_make_the_same_programs(text: str) -> None:
    space = al.loads(text)
    once = space.analysis.once
    assert once is not None
    alike = Alike(once)
    for number, variable in once.variables.items():
        address, domain = variable.decision.address, variable.decision.domain
        for same in alike.classes(number, range(int(domain.size))):
            for pick in same[1:]:
                for seen, choices in enumerate(space.enumerate()):
                    assume(seen < MOST)
                    if choices.get(address) == domain.pick(same[0]):
                        other = space.program({**choices, address: domain.pick(pick)})
                        assert other.canonical_hash == space.program(choices).canonical_hash, (text, address)


SAME = """use std.nn
space s(z: f32[n, 4, 8, 8]) {
  width = choose [4, 8]
  y = z |> choose { a: conv2d(width), b: conv2d(width, kernel=3), c: conv2d(width, kernel=5) } as default
  x = y |> choose [relu, identity, relu] as activation
  (choose { l: (x |> relu) + (x |> sigmoid), r: (x |> sigmoid) + (x |> relu) } as order)
    |> choose { p: conv2d(8, kernel=choose [1, 3]), q: conv2d(8, kernel=3) } as none
}
"""


def test_alternatives_that_make_the_same_programs_are_told() -> None:
    assert sorted(found.message for found in al.loads(SAME).findings()) == [
        "`activation` makes the same programs with 0 and 2",
        "`default` makes the same programs with a and b",
        "`order` makes the same programs with l and r",
    ]
