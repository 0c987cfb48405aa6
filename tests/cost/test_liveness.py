"""Peak memory against the definition, worked out step by step."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from archlang.cost import peak_live


def by_definition(sizes: list[int], uses: list[list[int]], outputs: list[int]) -> int:
    """Every value at every moment: is it there, and does anyone still want it?"""
    given_count = len(sizes) - len(uses)
    totals = [sum(sizes[:given_count])]
    for step in range(len(uses)):
        total = 0
        for value in range(given_count + step + 1):
            wanted = value == given_count + step or value in outputs or any(value in later for later in uses[step:])
            total += sizes[value] if wanted else 0
        totals.append(total)
    return max(totals)


@st.composite
def schedules(draw: st.DrawFn) -> tuple[list[int], list[list[int]], list[int]]:
    given_count, steps = draw(st.integers(0, 3)), draw(st.integers(0, 8))
    sizes = draw(st.lists(st.integers(0, 20), min_size=given_count + steps, max_size=given_count + steps))
    uses = [
        draw(st.lists(st.integers(0, given_count + step - 1), max_size=3)) if given_count + step else []
        for step in range(steps)
    ]
    outputs = draw(st.lists(st.integers(0, len(sizes) - 1), max_size=2)) if sizes else []
    return sizes, uses, outputs


@given(schedules())
def test_agrees_with_the_definition(schedule: tuple[list[int], list[list[int]], list[int]]) -> None:
    assert peak_live(*schedule) == by_definition(*schedule)


def test_by_hand() -> None:
    # x(10) -> a(20) -> b(5); x is read by b too; result b.
    assert peak_live([10, 20, 5], [[0], [0, 1]], [2]) == 35
    # A chain: only neighbours are alive together.
    assert peak_live([10, 20, 5, 1], [[0], [1], [2]], [3]) == 30
    # An input that nothing reads is there at the start only.
    assert peak_live([100, 10, 20], [[1]], [2]) == 110
    assert peak_live([5, 10, 20], [[1]], [2]) == 30
    assert peak_live([7], [], [0]) == 7
    assert peak_live([], [], []) == 0
