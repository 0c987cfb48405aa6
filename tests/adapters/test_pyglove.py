"""Spaces as DNA specs of PyGlove, programs as DNA, and specs as spaces."""

from __future__ import annotations

from random import Random
from typing import Any

import pyglove as pg
import pytest

import archlang as al
from archlang.adapters.pyglove import from_dna, space_of_spec, to_dna, to_dna_spec
from archlang.testing.spaces import make_space

TREE = """
space tree {
  width = choose 8..32 step 8
  head = choose { linear: 0, mlp: [choose 1..2 as layers, choose { a: 0, b: choose [5, 6] as inner } as kind] }
  kept = choose 2 of [1, 2, 3]
  some = choose 0..2 of [1, 2]
  late = if width > 16 { choose [1, 2] } else { 0 }
  { width: width, head: head, kept: kept, some: some, late: late, order: choose 2 of [1, 2] ordered repeated }
}
"""

ENTANGLED = """
space entangled {
  a = choose 1..2
  b = choose 1..2
  { a: a, b: b, c: if a == b { choose 3..4 } else { 0 } }
}
"""


def tree() -> Any:
    def mlp() -> Any:
        layers = al.integer(1, 2)
        return layers, al.choose({"a": 0, "b": lambda: al.choose([5, 6], name="inner")}, name="kind")

    width = al.integer(8, 16, step=8)
    head = al.choose({"linear": 0, "mlp": lambda: mlp()})
    late = al.choose([1, 2]) if width > 8 else 0
    return width, head, al.choose([1, 2, 3], 2, name="kept"), late


@pytest.mark.parametrize("space", [al.loads(TREE), al.space_of(tree), make_space("conditional")], ids=lambda s: s.name)
def test_programs_and_dna_are_the_same(space: Any) -> None:
    spec = to_dna_spec(space)
    assert spec.space_size == space.size
    found = [from_dna(space, dna) for dna in spec.iter_dna()]
    assert len(found) == len(set(found)) == space.size
    for choices in found[:: max(1, len(found) // 50)]:
        dna = to_dna(space, choices)
        dna.use_spec(spec)
        assert from_dna(space, dna) == choices


def test_names_and_literals_are_the_spaces() -> None:
    dna = to_dna(al.space_of(tree), {"width": 16, "head": "linear", "kept": [0, 2], "late": 2})
    named = dna.to_dict(key_type="name_or_id", value_type="literal")
    assert named == {"width": 16, "head": "linear", "kept": ["0/3", "2/3"], "late": 2}


def test_floats_are_floats() -> None:
    space = make_space("floats")
    spec = to_dna_spec(space)
    for seed in range(20):
        choices = space.draw(Random(seed))
        assert from_dna(space, to_dna(space, choices)) == choices
    assert spec["rate"].scale == "log"
    assert (spec["rate"].min_value, spec["rate"].max_value) == (1e-4, 1e-1)


@pytest.mark.parametrize(
    ("space", "why"),
    [
        (make_space("constrained"), "requirements"),
        (make_space("python"), "requirements"),
        (make_space("recursive"), "not evaluated as a whole"),
        (
            al.loads(ENTANGLED),
            "several",
        ),
        (al.space_of(lambda: [al.integer(0, 9) for _ in range(30)]), "cannot be listed"),
        (al.loads("space s { { a: choose 1..2000 } }"), "more than 1,000 picks"),
    ],
    ids=["constrained", "python", "recursive", "several", "large", "wide"],
)
def test_what_a_spec_cannot_say_is_said(space: Any, why: str) -> None:
    with pytest.raises(al.ArchError) as refused:
        to_dna_spec(space)
    (found,) = refused.value.diagnostics
    assert found.code == "E0921"
    assert why in found.notes[0]


def template() -> Any:
    return pg.Dict(
        kind=pg.oneof(["small", pg.Dict(depth=pg.oneof([1, 2, 3])), "large"]),
        rate=pg.floatv(0.1, 1.0, scale="log"),
        units=pg.manyof(2, [pg.oneof([1, 2]), 5, 6]),
        kept=pg.manyof(2, [1, 2, 3], sorted=True),
    )


def test_a_spec_is_a_space() -> None:
    made = pg.template(template())
    space = space_of_spec(made.dna_spec())
    seen = set()
    for seed in range(200):
        value = made.decode(space.sample(seed).value)
        seen.add(repr((value.kind, value.units, value.kept)))
        assert 0.1 <= value.rate <= 1.0
        assert value.units[0] != value.units[1] or value.units[0] in (1, 2)
    small = pg.template(pg.Dict(kind=template().kind, kept=template().kept))
    listed = space_of_spec(small.dna_spec())
    assert listed.size == small.dna_spec().space_size == 5 * 3
    decoded = {repr(small.decode(listed.build(choices))) for choices in listed.enumerate()}
    assert decoded == {repr(small.decode(dna)) for dna in small.dna_spec().iter_dna()}
    assert len(seen) > 50


def test_searchers_search_a_spec() -> None:
    made = pg.template(template())
    study = al.search(
        space_of_spec(made.dna_spec()),
        lambda dna: float(made.decode(dna).rate),
        searcher="evolution",
        maximize="value",
        trials=60,
    )
    assert study.best_trial is not None
    assert study.best_trial.metrics["value"] > 0.8
