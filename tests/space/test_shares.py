"""Shares of the variance of costs against the variances themselves, over all programs."""

from __future__ import annotations

import pytest

import archlang as al
from archlang.space.shares import cost_shares

TEXT = """
use std.nn
space s(x: f32[n, 4, 8, 8]) {
  first = choose [4, 8, 16]
  y = x |> conv2d(4, kernel=choose [1, 3, 5] as kernel) |> choose { act: relu, none: identity } as act
  y |> conv2d(first) |> global_avg_pool |> linear(2)
}
"""


def variance(values: list[float]) -> float:
    mean = sum(values) / len(values)
    return sum((value - mean) ** 2 for value in values) / len(values)


def test_shares_are_those_of_the_variance() -> None:
    space = al.loads(TEXT)
    programs = [(choices, space.program(choices).cost()) for choices in space.enumerate()]
    found = {each.address: each.shares for each in cost_shares(space)}
    assert set(found) == {"first", "kernel", "act"}
    for name in ("params", "macs"):
        total = variance([getattr(cost, name) for _, cost in programs])
        for address, shares in found.items():
            picks = {choices[address] for choices, _ in programs}
            means = []
            for pick in picks:
                costs = [getattr(cost, name) for choices, cost in programs if choices[address] == pick]
                means.append(sum(costs) / len(costs))
            assert shares[name] == pytest.approx(variance(means) / total, abs=0.05)
    assert next(iter(found)) == "first"
    assert found["act"]["macs"] == pytest.approx(0.0, abs=0.002)


def test_a_decision_that_is_not_always_made_explains_by_being_made() -> None:
    text = """
use std.nn
space s(x: f32[n, 4, 8, 8]) {
  x |> choose { big: conv2d(4, kernel=choose [5, 7] as size), small: conv2d(4, kernel=1) } as unit
}
"""
    shares = {each.address: each.shares["params"] for each in cost_shares(al.loads(text))}
    assert shares["unit:big.size"] == pytest.approx(1.0)
    assert 0.5 < shares["unit"] < 1.0
