"""What surrogates see of programs."""

from random import Random

import numpy as np
import pytest

import archlang as al
from archlang.searchers.smbo.features import Features
from archlang.space import loads
from archlang.testing.spaces import make_space

NETWORKS = """
use std.nn
space networks(x: f32[n, 4, 6, 6]) {
  (x |> choose { zero: zero, relu: relu, sum: both }) + (x |> choose { zero: zero, relu: relu })
}
block both(x: [n, c, h, w]) { x |> relu |> choose { a: tanh, b: sigmoid } }
"""


@pytest.mark.parametrize("encoding", ["choices", "graph", "both"])
def test_vectors_are_the_choices_and_the_neighbourhoods(encoding: str) -> None:
    space = loads(NETWORKS)
    programs = list(space.enumerate())
    features = Features(space, encoding)
    assert not features.sees_graphs
    for choices in programs[:5]:
        features.meet(choices)
    vectors, parts = features.vectors(programs), features.parts(programs)
    width = space.encoder.width
    if encoding == "choices":
        assert not features.sees_graphs
        assert (vectors == space.encoder.many(programs)).all()
        assert parts.has_picks
        assert not parts.has_graphs
        return
    assert features.sees_graphs
    if encoding == "both":
        assert (vectors[:, :width] == space.encoder.many(programs)).all()
        vectors = vectors[:, width:]
    assert parts.has_picks is (encoding == "both")
    assert (vectors == parts.counts).all()
    assert (np.rint(np.expm1(vectors)).sum(axis=1) > 0).all()
    for one, row in zip(programs, vectors, strict=True):
        for other, column in zip(programs, vectors, strict=True):
            if space.program(one).functional_hash == space.program(other).functional_hash:
                assert (row == column).all()
    assert len(np.unique(vectors[:5], axis=0)) == len({space.program(one).functional_hash for one in programs[:5]})


def test_decisions_within_alternatives_count_half() -> None:
    space = loads("space s { { a: choose { p: choose { x: 0, y: choose { u: 1, v: 2 } }, q: 1 } } }")
    programs = [
        space.choices(picks)
        for picks in (
            {"a": "q"},
            {"a": "p", "a:p": "x"},
            {"a": "p", "a:p": "y", "a:p:y": "u"},
            {"a": "p", "a:p": "y", "a:p:y": "v"},
        )
    ]
    parts = Features(space).parts(programs)
    assert parts.mismatches(parts) == pytest.approx(
        np.array([[0, 1.25, 1.375, 1.375], [1.25, 0, 0.625, 0.625], [1.375, 0.625, 0, 0.25], [1.375, 0.625, 0.25, 0]])
    )
    assert (parts.squares == np.diag(parts.products(parts))).all()


def test_of_spaces_that_cannot_be_listed_decisions_met_count() -> None:
    space = make_space("recursive")
    features = Features(space)
    random = Random(0)
    programs = [space.draw(random) for _ in range(20)]
    assert features.vectors(programs).shape == (20, 0)
    widths = []
    for choices in programs:
        features.meet(choices)
        widths.append(features.vectors([choices]).shape[1])
    assert widths == sorted(widths)
    addresses = {block.decision.address for block in features.encoder.blocks}
    assert addresses == {address for choices in programs for address in choices}
    assert len(np.unique(features.vectors(programs), axis=0)) == len(set(programs))


def test_programs_without_networks_have_no_neighbourhoods() -> None:
    space = make_space("flat")
    features = Features(space, "graph")
    programs = [space.draw(Random(seed)) for seed in range(4)]
    for choices in programs:
        features.meet(choices)
    assert not features.sees_graphs
    assert (features.vectors(programs) == space.encoder.many(programs)).all()


def test_programs_of_the_same_function_are_the_same_graphs() -> None:
    space = al.load("std.spaces.nasbench201", channels=4, repeats=1, classes=3)
    one = space.draw(Random(0))
    edges = list(one)
    dead = [
        dict(zip(edges, picks, strict=True))
        for picks in (["none"] * 6, ["none", "none", "nor_conv_3x3"] + ["none"] * 3)
    ]
    programs = [space.repair(picks) for picks in dead]
    assert programs[0] != programs[1]
    features = Features(space, "graph")
    for choices in [*programs, one]:
        features.meet(choices)
    found = features.vectors([*programs, one])
    same = space.program(programs[0]).functional_hash == space.program(programs[1]).functional_hash
    assert (found[0] == found[1]).all() is np.bool_(same)
    assert (found[0] != found[2]).any()
