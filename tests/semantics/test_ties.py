"""Tied weights have one shape, in every program that uses them twice."""

import pytest

import archlang as al

TIED = """use std.nn
block point(x: [n, c, h, w]) { x |> conv2d(choose { same: c, wide: 2 * c } as width, kernel=1) }
space s(image: f32[n, 4, 8, 8]) {
  tied = tie point
  image |> tied |> TWICE
}
"""


def test_programs_that_tie_different_shapes_are_wrong() -> None:
    with pytest.raises(al.ArchError) as refused:
        al.loads(TIED.replace("TWICE", "choose { once: relu, twice: tied } as more"))
    (found,) = refused.value.diagnostics
    assert found.code == "E0318"
    assert "`kernel` [16, 8, 1, 1] and `kernel` [8, 4, 1, 1]" in found.message
    assert found.cause is not None
    assert dict(found.cause.choices) == {"more": "twice", "tied.width": "wide"}
    assert (found.cause.programs, found.cause.of) == (1, 4)


def test_programs_that_use_tied_weights_once_are_not() -> None:
    space = al.loads(TIED.replace("TWICE", "relu"))
    assert space.size == 2
    kept = al.loads(TIED.replace("TWICE", "tied"), prune=True)
    assert [dict(choices) for choices in kept.enumerate()] == [{"tied.width": "same"}]
    cost = kept.sample().cost()
    assert kept.bounds("params").most.value == cost.params == 4 * 4


def test_each_program_by_itself_is_refused_too() -> None:
    space = al.loads(TIED.replace("TWICE", "tied"), check=False)
    with pytest.raises(al.ArchError, match="different shapes"):
        space.program({"tied.width": "wide"})
