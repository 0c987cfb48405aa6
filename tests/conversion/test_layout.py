"""Layouts against numpy: what is rearranged in any way is made by few ops, and is the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archlang.conversion.layout import Layout, Step

B = 2


def applied(x: np.ndarray[Any, Any], steps: tuple[Step, ...]) -> np.ndarray[Any, Any]:
    """The ops by their definition in the language."""
    for op, how in steps:
        if op == "reshape":
            x = x.reshape(x.shape[0], *how["shape"])
        elif op == "flatten":
            x = x.reshape(*x.shape[: how["start"]], -1)
        elif op == "permute":
            x = x.transpose(how["order"])
        else:
            index = [slice(None)] * x.ndim
            index[how["axis"]] = slice(how["start"], how["stop"])
            x = x[tuple(index)]
    return x


@st.composite
def rearranged(draw: st.DrawFn) -> tuple[tuple[int, ...], list[tuple[str, Any]]]:
    """A shape and what is done to it."""
    shape = [B, *draw(st.lists(st.sampled_from([1, 2, 3, 4, 6]), min_size=1, max_size=3))]
    start = tuple(shape)
    done: list[tuple[str, Any]] = []
    for _ in range(draw(st.integers(0, 5))):
        kind = draw(st.sampled_from(["permute", "split", "join", "slice"]))
        at = draw(st.integers(1, len(shape) - 1)) if len(shape) > 1 else 0
        if kind == "permute":
            order = draw(st.permutations(range(len(shape))))
            done.append(("permute", order))
            shape = [shape[i] for i in order]
        elif kind == "split" and shape[at] > 1 and len(shape) < 7:
            part = draw(st.sampled_from([d for d in range(1, shape[at] + 1) if shape[at] % d == 0]))
            shape[at : at + 1] = [part, shape[at] // part]
            done.append(("reshape", tuple(shape)))
        elif kind == "join" and at + 1 < len(shape):
            shape[at : at + 2] = [shape[at] * shape[at + 1]]
            done.append(("reshape", tuple(shape)))
        elif kind == "slice" and shape[at] > 1:
            first = draw(st.integers(0, shape[at] - 1))
            last = draw(st.integers(first + 1, shape[at]))
            done.append(("slice", (at, first, last)))
            shape[at] = last - first
    return start, done


@given(rearranged())
@settings(max_examples=300, deadline=None)
def test_what_is_rearranged_is_made_of_its_source(case: tuple[tuple[int, ...], list[tuple[str, Any]]]) -> None:
    shape, done = case
    x = np.arange(np.prod(shape)).reshape(shape)
    layout: Layout | None = Layout.contiguous(shape)
    y, place = x, 0  # where the batch is
    for kind, how in done:
        assert layout is not None
        if kind == "permute":
            layout, y = layout.permuted(how), y.transpose(how)
            place = list(how).index(place)
        elif kind == "reshape":
            layout, y = layout.reshaped(how), y.reshape(how)
        else:
            at, first, last = how
            layout, y = layout.sliced(at, first, last), y.take(range(first, last), at)
        if layout is None or layout.batch is None:
            return  # what it cannot say is told, and never wrong
    assert layout.shape == y.shape
    steps = layout.steps(shape[1:])
    if steps is None:
        return
    made = applied(x, steps)
    assert made.shape == (B, *layout.batch_first())
    at = layout.batch
    assert at is not None
    beside = y.shape[at] // B
    apart = y.reshape(*y.shape[:at], *((beside, B) if layout.turned else (B, beside)), *y.shape[at + 1 :])
    apart = np.moveaxis(apart, (at + layout.turned, at + 1 - layout.turned), (0, 1))
    assert np.array_equal(made.reshape(B, -1), apart.reshape(B, -1))


TOKENS = (B, 5, 12)  # tokens of width 12: three heads of 4


FEWEST: list[tuple[tuple[int, ...], list[tuple[str, Any]], tuple[Step, ...]]] = [
    # Heads split off and put back are nothing.
    (
        TOKENS,
        [
            ("reshape", (B, 5, 3, 4)),
            ("permute", (0, 2, 1, 3)),
            ("permute", (0, 2, 1, 3)),
            ("reshape", TOKENS),
        ],
        (),
    ),
    # One of three projections in one is a slice.
    (
        (B, 5, 36),
        [
            ("reshape", (B, 5, 3, 12)),
            ("permute", (2, 0, 1, 3)),
            ("slice", (0, 1, 2)),
            ("reshape", TOKENS),
        ],
        (("slice", {"axis": 2, "start": 12, "stop": 24}),),
    ),
    # An image as tokens.
    (
        (B, 8, 3, 3),
        [("reshape", (B, 8, 9)), ("permute", (0, 2, 1))],
        (("flatten", {"start": 2}), ("permute", {"order": (0, 2, 1)})),
    ),
    # The first token.
    (
        TOKENS,
        [("slice", (1, 0, 1)), ("reshape", (B, 12))],
        (("slice", {"axis": 1, "start": 0, "stop": 1}), ("flatten", {"start": 1})),
    ),
]


@pytest.mark.parametrize(("shape", "how", "steps"), FEWEST)
def test_the_fewest_ops_are_found(shape: tuple[int, ...], how: list[tuple[str, Any]], steps: tuple[Step, ...]) -> None:
    layout: Layout | None = Layout.contiguous(shape)
    for kind, arguments in how:
        assert layout is not None
        layout = (
            layout.permuted(arguments)
            if kind == "permute"
            else layout.reshaped(arguments)
            if kind == "reshape"
            else layout.sliced(*arguments)
        )
    assert layout is not None
    assert layout.steps(shape[1:]) == steps


def test_windows_beside_the_batch_come_first() -> None:
    """[n * windows, places, c], as window attention has it, is [n, windows, places, c]."""
    layout = Layout.contiguous((B, 4, 6, 8)).reshaped((B, 2, 2, 2, 3, 8))
    assert layout is not None
    layout = layout.permuted((0, 1, 3, 2, 4, 5)).reshaped((B * 4, 6, 8))
    assert layout is not None
    assert layout.shape == (B * 4, 6, 8)
    assert layout.batch_first() == (4, 6, 8)


def test_repetition_is_told() -> None:
    layout = Layout.contiguous((B, 2, 1, 5)).expanded((B, 2, 3, 5))
    assert layout.repeats
    assert layout.steps((2, 1, 5)) is None
    assert layout.collapsed().steps((2, 1, 5)) == ()
