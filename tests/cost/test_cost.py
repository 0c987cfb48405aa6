"""Costs against numbers worked out by hand and the published figures of NAS-Bench-201."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archlang.cost import ADDITIVE, METRICS, Row, Totals, cost, price
from archlang.cost.analytic import alpha_flops
from archlang.ir.graph import Graph
from archlang.ir.types import TensorType
from tests.ir.handmade import BATCH, Sketch, nasbench201


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
    values = {"conv": 2 * 128, "bn": 2 * 128, "relu": 2 * 128, "add": 3 * 128, "pool": 128 + 8, "linear": 18}
    assert found.memory_traffic == 4 * sum(values.values()) + found.weight_bytes
    assert found.bit_operations == found.macs * 32 * 32
    assert found.arithmetic_intensity == 2 * found.macs / found.memory_traffic


def test_rows_blocks_and_ops() -> None:
    found = cost(residual())
    assert found.rows[0] == Row(
        "unit[0]/conv", "conv2d", 576, 9216, 0, 128, 2304, 4 * 256 + 2304, found.alpha_flops - 80, 9216 * 1024
    )
    assert [row.op for row in found.rows] == ["conv2d", "batch_norm", "relu", "add", "global_avg_pool", "linear"]
    assert found.blocks == {
        "unit[0]": Totals(2, 592, 9216, 0, 256, 2432, 4 * 512 + 2432, found.alpha_flops - 80, 9216 * 1024),
        "head": Totals(1, 90, 80, 0, 10, 360, 72 + 360, 80, 80 * 1024),
    }
    assert found.ops["add"] == Totals(1, 0, 0, 0, 128, 0, 3 * 512, 0, 0)
    assert sum(total.params for total in found.ops.values()) == found.params


def test_as_dict_is_plain_data() -> None:
    data = cost(residual()).as_dict()
    assert json.loads(json.dumps(data)) == data
    assert list(data) == [*METRICS, "arithmetic_intensity", "nodes", "blocks", "ops"]
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
    assert found.memory_traffic == 3 * (288 + 2 * 32)  # tied weights are read at each use
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


def published_alpha(side: int, channels: int, out: int, kernel: int) -> float:
    """Alpha-FLOPs of a convolution as its authors' script computes it, by logarithms."""
    places, positions = side * side, kernel * kernel
    beta, gamma = (0.02, 0.99) if positions == 1 else (0.001, 0.56)
    alone = math.log(positions) + 1
    alpha = math.exp(gamma * math.log((alone + beta * (places - alone)) / places))
    return channels * out * positions * places * alpha


@pytest.mark.parametrize(("side", "channels", "out", "kernel"), [(32, 16, 16, 3), (8, 64, 32, 1), (224, 3, 64, 7)])
def test_alpha_flops_of_convolutions(side: int, channels: int, out: int, kernel: int) -> None:
    sketch = Sketch()
    found = cost(sketch.graph(sketch.conv2d(sketch.input(channels, side, side), out, kernel)))
    assert found.alpha_flops == pytest.approx(published_alpha(side, channels, out, kernel), abs=1)
    assert found.alpha_flops < found.macs


def test_alpha_flops_where_nothing_is_spread() -> None:
    """A weight that is used once costs its multiply-adds; values of one's own change what is spread."""
    assert alpha_flops(80, (10, 8)) == alpha_flops(9 * 80, (10, 8, 3, 3)) // 9 == 80
    assert alpha_flops(100, ()) == 100
    assert alpha_flops(0, (10, 8)) == 0
    assert alpha_flops(80 * 50, (10, 8), point=(1.0, 0.5)) == 80 * 50
    assert alpha_flops(80 * 50, (10, 8), point=(0.0, 1.0)) == 80


def test_declared_bit_operations_go_before_those_of_the_dtypes() -> None:
    sketch = Sketch()
    x = sketch.input(8)
    y = sketch.apply("quantized_linear", x, costs={"macs": 64, "bops": 64 * 4 * 8})
    half = sketch.apply("linear", y, output=TensorType("f16", (BATCH, 8)), costs={"macs": 64})
    assert [row.bit_operations for row in cost(sketch.graph(half)).rows] == [64 * 32, 64 * 32 * 16]


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
    for metric in ADDITIVE:
        assert sum(getattr(row, metric) for row in found.rows) == getattr(found, metric)
        assert sum(getattr(total, metric) for total in found.ops.values()) == getattr(found, metric)
    assert found.params == sum(weight.elements for weight in graph.weights.values() if weight.trained)
    assert found.weight_bytes == 4 * sum(weight.elements for weight in graph.weights.values())
