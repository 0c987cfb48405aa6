"""Costs against numbers worked out by hand and the published figures of NAS-Bench-201."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archlang.cost import METRICS, Row, Totals, cost, price
from archlang.ir.graph import Graph
from tests.ir.handmade import Sketch, nasbench201


def residual() -> Graph:
    """x -> conv -> bn -> relu, plus x; then pooled and classified."""
    sketch = Sketch()
    x = sketch.input(8, 4, 4, name="image")
    y = sketch.relu(sketch.batch_norm(sketch.conv2d(x, 8, address="unit[0]/conv"), address="unit[0]/bn"))
    pooled = sketch.global_avg_pool(sketch.add(x, y))
    return sketch.graph(sketch.linear(pooled, 10, address="head/linear"), blocks={"unit[0]": "unit", "head": "head"})


def test_by_hand() -> None:
    found = cost(residual())
    conv, bn, linear = 8 * 8 * 9, 8 + 8, 8 * 10 + 10
    assert found.params == conv + bn + linear
    assert found.macs == 16 * 8 * 8 * 9 + 80
    assert found.matmul_macs == 0
    assert found.activations == 4 * 128 + 8 + 10
    assert found.peak_memory == 3 * 128 * 4
    assert found.depth == 2
    assert found.weight_bytes == 4 * (conv + bn + linear + 16)


def test_rows_blocks_and_ops() -> None:
    found = cost(residual())
    assert found.rows[0] == Row("unit[0]/conv", "conv2d", 576, 9216, 0, 128)
    assert [row.op for row in found.rows] == ["conv2d", "batch_norm", "relu", "add", "global_avg_pool", "linear"]
    assert found.blocks == {
        "unit[0]": Totals(2, 592, 9216, 0, 256, 4 * (592 + 16)),
        "head": Totals(1, 90, 80, 0, 10, 360),
    }
    assert found.ops["add"] == Totals(1, 0, 0, 0, 128, 0)
    assert sum(total.params for total in found.ops.values()) == found.params


def test_as_dict_is_plain_data() -> None:
    data = cost(residual()).as_dict()
    assert json.loads(json.dumps(data)) == data
    assert list(data) == [*METRICS, "nodes", "blocks", "ops"]
    assert data["nodes"][0]["address"] == "unit[0]/conv"


def test_tied_weights_count_once() -> None:
    sketch = Sketch()
    value = sketch.input(8)
    for place in range(3):
        value = sketch.linear(value, 8, address=f"step[{place}]/linear", weights_at="step[0]/linear")
    graph = sketch.graph(value, blocks={f"step[{place}]": "step" for place in range(3)})
    found = cost(graph)
    assert (found.params, found.macs, found.weight_bytes, found.depth) == (72, 192, 288, 3)
    assert [row.params for row in found.rows] == [72, 0, 0]
    assert [total.params for total in found.blocks.values()] == [72, 72, 72]
    assert price(graph.nodes[1:]).params == 72


def test_nested_blocks_and_alternatives() -> None:
    sketch = Sketch()
    value = sketch.linear(sketch.input(4), 4, address="cell[0]/edge#2:conv/linear")
    value = sketch.apply("relu", value, address="cell[0]/relu")
    graph = sketch.graph(value, blocks={"cell[0]": "cell", "cell[0]/edge#2": "edge", "cell[0]/edge#2:conv": "project"})
    assert {address: total.nodes for address, total in cost(graph).blocks.items()} == {
        "cell[0]": 2,
        "cell[0]/edge#2": 1,
        "cell[0]/edge#2:conv": 1,
    }


def test_products_of_activations_are_told_apart() -> None:
    sketch = Sketch()
    x = sketch.input(4, 4)
    graph = sketch.graph(sketch.apply("matmul", x, x, costs={"matmul_macs": 64}))
    assert (cost(graph).macs, cost(graph).matmul_macs, cost(graph).depth) == (0, 64, 0)


def test_a_network_without_nodes() -> None:
    sketch = Sketch()
    found = cost(sketch.graph(sketch.input(3)))
    assert found.totals() == dict.fromkeys(METRICS, 0) | {"peak_memory": 12}
    assert cost(Graph("nothing", (), (), ())).totals() == dict.fromkeys(METRICS, 0)


@pytest.mark.parametrize(
    ("ops", "params", "flops"),
    [
        # NAS-Bench-201's own figures for CIFAR-10, whose "FLOPs" are MACs and the classifier's biases.
        ("333333", 1_531_546, 220.11969),
        ("433333", 1_288_506, 184.73025),
        ("131313", 802_426, 113.95137),
        ("421211", 129_306, 15.64737),
    ],
)
def test_published_figures(ops: str, params: int, flops: float) -> None:
    found = cost(nasbench201(ops))
    assert found.params == params
    assert found.macs + 10 == round(flops * 1e6)


@given(st.text("01234", min_size=6, max_size=6))
def test_parts_add_up(ops: str) -> None:
    graph = nasbench201(ops, channels=4, repeats=1)
    found = cost(graph)
    for metric in ("params", "macs", "matmul_macs", "activations"):
        assert sum(getattr(row, metric) for row in found.rows) == getattr(found, metric)
        assert sum(getattr(total, metric) for total in found.ops.values()) == getattr(found, metric)
    assert found.params == sum(weight.elements for weight in graph.weights.values() if weight.trained)
    assert found.weight_bytes == 4 * sum(weight.elements for weight in graph.weights.values())
