"""Numbers, scales and ticks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archlang.report.numbers import duration, exact, short
from archlang.report.svg import scale


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"), (0.94117, "0.9412"), (12, "12"), (1234, "1234"), (1234.5, "1234.5"), (12345, "12.35k"),
        (999999, "1M"), (491520, "491.5k"), (29491200, "29.49M"), (2.5e-05, "2.5e-05"), (-3.5, "-3.5"), (6e9, "6G"),
        (float("inf"), "inf"),
    ],
)  # fmt: skip
def test_short(value: float, text: str) -> None:
    assert short(value) == text


def test_exact_and_duration() -> None:
    assert [exact(value) for value in (29491200.0, 0.94117647, 7292518.4)] == ["29,491,200", "0.941176", "7,292,518"]
    assert [duration(value) for value in (0.04, 12, 250, 7500)] == ["0.0 s", "12 s", "4 min 10 s", "2 h 5 min"]


VALUES = st.floats(-1e12, 1e12, allow_nan=False) | st.floats(1e-9, 1e9)


@given(st.lists(VALUES, min_size=1, max_size=20))
def test_scales_hold_their_values_and_ticks(values: list[float]) -> None:
    made = scale(values, 50, 450)
    for value in [*values, *made.ticks()]:
        assert 49.9 <= made(value) <= 450.1
    assert len(made.ticks()) <= 14
