"""Weights fitted to a neighbouring program: kept, sliced, or left as they were."""

from __future__ import annotations

import numpy as np
import pytest

from archlang.ir.fitting import WeightReport, fit_weights
from archlang.ir.graph import Graph, WeightSpec
from tests.graphs import BATCH, Sketch


def one_weight(*shape: int, centred: tuple[bool, ...] = ()) -> Graph:
    sketch = Sketch()
    x = sketch.input("x", 4)
    spec = WeightSpec("kernel", shape, centred=centred)
    return sketch.graph(sketch.apply("op", x, output=(BATCH, 4), weights=[spec], site="op"))


@pytest.mark.parametrize(
    ("have", "want", "taken"),
    [
        (5, 3, [1, 2, 3]),
        (7, 3, [2, 3, 4]),
        (7, 1, [3]),
        (6, 4, [1, 2, 3, 4]),
        (6, 2, [2, 3]),
        (5, 4, [1, 2, 3, 4]),
        (4, 3, [0, 1, 2]),
        (4, 1, [1]),
        (3, 2, [1, 2]),
        (3, 3, [0, 1, 2]),
    ],
)
def test_centred_slices(have: int, want: int, taken: list[int]) -> None:
    weights = {"op.kernel": np.arange(have)}
    fitted, _ = fit_weights(one_weight(want, centred=(True,)), weights, {"op.kernel": np.full(want, -1)})
    assert fitted["op.kernel"].tolist() == taken
    # A convolution's element i lies at i - (size - 1) // 2 from the output's place: each stays where it was.
    assert [i - (have - 1) // 2 for i in taken] == [i - (want - 1) // 2 for i in range(want)]


def test_every_dimension_has_its_own_slice() -> None:
    given = np.random.default_rng(0).normal(size=(6, 4, 5, 7))
    graph = one_weight(4, 4, 3, 3, centred=(False, False, True, True))
    fitted, report = fit_weights(graph, {"op.kernel": given}, {"op.kernel": np.zeros((4, 4, 3, 3))})
    np.testing.assert_array_equal(fitted["op.kernel"], given[:4, :, 1:4, 2:5])
    assert report == WeightReport(sliced=("op.kernel",))


@pytest.mark.parametrize("shape", [(3, 4), (4, 3), (5, 3), (4,), (4, 4, 1), ()])
def test_what_is_smaller_or_of_another_rank_is_not_taken(shape: tuple[int, ...]) -> None:
    fresh = np.full((4, 4), -1.0)
    fitted, report = fit_weights(one_weight(4, 4), {"op.kernel": np.zeros(shape)}, {"op.kernel": fresh})
    np.testing.assert_array_equal(fitted["op.kernel"], fresh)
    assert report == WeightReport(fresh=("op.kernel",), unused=("op.kernel",))


@pytest.mark.parametrize(("given", "wanted"), [("f8", "f4"), ("f2", "f4"), ("f4", "f2"), ("i4", "f4"), (">f4", "<f4")])
def test_types_are_the_networks(given: str, wanted: str) -> None:
    weights = {"op.kernel": np.array([1, 2, 70000], given) if given != "f2" else np.array([1, 2, np.inf], given)}
    fitted, _ = fit_weights(one_weight(2), weights, {"op.kernel": np.zeros(2, wanted)})
    assert fitted["op.kernel"].dtype == np.dtype(wanted)
    assert fitted["op.kernel"].tolist() == [1, 2]
    fitted, _ = fit_weights(one_weight(3), weights, {"op.kernel": np.zeros(3, wanted)})
    assert fitted["op.kernel"][2] == (70000 if given != "f2" and wanted != "f2" else np.inf)


def test_a_report_prints() -> None:
    report = WeightReport(kept=tuple(f"unit[{i}].kernel" for i in range(12)), sliced=("a", "b", "c"), unused=("d",))
    assert str(report) == (
        "kept    12  unit[0].kernel, unit[1].kernel, unit[2].kernel, …\nsliced   3  a, b, c\nfresh    0\nunused   1  d"
    )
