"""Spaces as configuration spaces: the same programs, there and back."""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, assume, given, settings

from archlang.adapters.configspace import choices_from, configuration_from, to_configspace
from archlang.diagnostics import ArchError
from archlang.space import Space, load, loads
from archlang.testing.searcher import make_space
from tests.space.random_spaces import static_spaces

ConfigSpace = pytest.importorskip("ConfigSpace")
relaxed = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)


def check_same_programs(space: Space, samples: int) -> None:
    """Every program is a valid configuration and comes back; what is sampled are programs, and all of them."""
    written = to_configspace(space, seed=0)
    programs = list(space.enumerate())
    for choices in programs:
        configuration = configuration_from(space, choices, written)
        configuration.check_valid_configuration()
        assert choices_from(space, configuration) == choices
    drawn = written.sample_configuration(samples) if samples > 1 else [written.sample_configuration()]
    found = {choices_from(space, configuration) for configuration in drawn}
    assert found <= set(programs)
    if len(programs) * 40 < samples:
        assert found == set(programs)


@pytest.mark.parametrize("name", ["flat", "conditional", "constrained", "small", "single"])
def test_sampling_gives_exactly_the_programs(name: str) -> None:
    check_same_programs(make_space(name), 2_000)


@relaxed
@given(static_spaces())
def test_round_trips_over_random_spaces(text: str) -> None:
    try:
        space = loads(text, "s")
    except ArchError:
        assume(False)
    assume(space.size <= 300)
    check_same_programs(space, 200)


def test_floats_and_integers_keep_their_ranges() -> None:
    space = loads(
        "space s { { rate: choose 1e-4..1e-1 log, width: choose 1..10000, even: choose 2..20 step 6, "
        "kind: choose { plain: 0.0, heavy: choose 0.5..0.9 } } }"
    )
    written = to_configspace(space, seed=1)
    rate, width, even = (written[name] for name in ("rate", "width", "even"))
    assert (rate.lower, rate.upper, rate.log, width.lower, width.upper) == (1e-4, 1e-1, True, 1, 10_000)
    assert list(even.sequence) == [2, 8, 14, 20]
    for configuration in written.sample_configuration(20):
        choices = choices_from(space, configuration)
        assert ("kind:heavy" in choices) == (choices["kind"] == "heavy")
        assert configuration_from(space, choices, written) == configuration
    for seed in range(10):
        choices = space.draw(random.Random(seed))
        again = choices_from(space, configuration_from(space, choices, written))
        assert again.keys() == choices.keys()
        for address, pick in choices.items():
            close = isinstance(pick, float) and again[address] == pytest.approx(pick, rel=1e-9)
            assert close or again[address] == pick


def test_an_inactive_parent_counts_as_not_asked() -> None:
    """`b` is asked in one alternative of `a`, and `c` where `b` is 2, or where `a` is not `p`."""
    space = loads(
        "space s {\n  b = choose [1, 2]\n  a = choose [true, false]\n  x = if a { b } else { 3 }\n"
        "  y = if x > 1 { choose [5, 6] } else { 0 }\n  { x: x, y: y }\n}"
    )
    assert space.size == 5
    check_same_programs(space, 400)


def test_ranges_may_hang_from_decisions() -> None:
    space = loads("space s {\n  most = choose [2, 4]\n  { most: most, width: choose 1..most }\n}")
    check_same_programs(space, 600)


def test_labels_of_several_types_are_told_apart() -> None:
    space = loads('space s { { a: choose [1, 2.5, "x"], b: choose [true, false], c: choose ["1", "2", 1] } }')
    check_same_programs(space, 1_000)


def test_library_cells_are_written() -> None:
    space = load("std.spaces.nasbench201")
    written = to_configspace(space, seed=0)
    assert len(written) == len(space.all_decisions())
    choices = choices_from(space, written.sample_configuration())
    assert space.choices(choices.as_dict()) == choices


def refusal(space: Space) -> str:
    with pytest.raises(ArchError) as refused:
        to_configspace(space)
    assert [found.code for found in refused.value.diagnostics] == ["E0921"]
    return str(refused.value)


def test_what_cannot_be_said_is_named() -> None:
    network = "use std.nn\nspace s(x: f32[n, 4]) { x |> linear(choose 1..64) >> linear(choose 1..64) >> linear(2) }"
    assert "`s` cannot be written as a configuration space" in refusal(loads(network).narrowed("params <= 900"))
    assert "depends on a sum of costs" in refusal(loads(network).narrowed("params <= 900"))
    many = "space s { { a: choose 7 of [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14] } }"
    assert "`a` takes 7 of the positions 0..13: more than 1,000 picks to list" in refusal(loads(many))
    deep = "def deep(n) { choose { stop: n, go: deep(n + 1) } }\nspace s { { depth: deep(0) } }"
    assert "not evaluated as a whole" in refusal(loads(deep))
    picks = "".join(f"  {name} = choose 0..150\n" for name in "abc")
    assert "too many cases" in refusal(loads(f'space s {{\n{picks}  require a < b and b < c, "r"\n  [a, b, c]\n}}'))


def test_a_python_function_is_refused() -> None:
    with pytest.raises(ArchError, match="E0921") as refused:
        to_configspace(make_space("python"))
    assert "Python function" in refused.value.diagnostics[0].notes[0]
