"""Networks of `std.models` have their published costs, and PyTorch does what is predicted of them."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from archlang_torch import build

import archlang as al
from tests.stdlib.applied import Facts, executed


@attrs.frozen
class Published:
    """Parameters and, in 10^9 to three digits, multiply-adds of a network, as torchvision publishes them."""

    params: int
    giga_macs: float


NETWORKS = {
    "alexnet": Published(61_100_840, 0.714),
    "squeezenet:squeezenet1_0": Published(1_248_424, 0.819),
    "squeezenet:squeezenet1_1": Published(1_235_496, 0.349),
    "googlenet": Published(6_624_904, 1.498),
    # The published 27,161,264 include the auxiliary classifier: a convolution of 1x1 and one of 5x5, each with
    # normalisation, and a linear layer.
    "inception_v3": Published(
        27_161_264 - (768 * 128 + 2 * 128) - (128 * 768 * 25 + 2 * 768) - (768 + 1) * 1000, 5.713
    ),
    "densenet:densenet121": Published(7_978_856, 2.834),
    "densenet:densenet161": Published(28_681_000, 7.728),
    "densenet:densenet169": Published(14_149_480, 3.36),
    "densenet:densenet201": Published(20_013_928, 4.291),
    "shufflenet_v2:shufflenet_v2_x0_5": Published(1_366_792, 0.04),
    "shufflenet_v2:shufflenet_v2_x1_0": Published(2_278_604, 0.145),
    "mobilenet_v3:mobilenet_v3_large": Published(5_483_032, 0.217),
    "mobilenet_v3:mobilenet_v3_small": Published(2_542_856, 0.057),
    "efficientnet:efficientnet_b0": Published(5_288_548, 0.386),
    "efficientnet:efficientnet_b1": Published(7_794_184, 0.687),
    "efficientnet:efficientnet_b4": Published(19_341_616, 4.394),
    "convnext:convnext_tiny": Published(28_589_128, 4.456),
    "convnext:convnext_small": Published(50_223_688, 8.684),
}
# The smallest sizes that are not a multiple of all strides, where a network takes them.
SMALL: dict[str, dict[str, Any]] = {
    "alexnet": {"size": 67},
    "squeezenet:squeezenet1_0": {"size": 50},
    "squeezenet:squeezenet1_1": {"size": 50},
    "googlenet": {"size": 50},
    "inception_v3": {"size": 79},
    "densenet:densenet121": {"size": 38},
    "shufflenet_v2:shufflenet_v2_x1_0": {"size": 41},
    "mobilenet_v3:mobilenet_v3_large": {"size": 41},
    "efficientnet:efficientnet_b0": {"size": 41},
    "convnext:convnext_tiny": {"size": 42},
}


@pytest.mark.parametrize("name", NETWORKS)
def test_published_costs(name: str) -> None:
    cost = al.load(f"std.models.{name}").program({}).cost()
    assert cost.params == NETWORKS[name].params
    assert round(cost.macs / 1e9, 3) == NETWORKS[name].giga_macs


@pytest.mark.parametrize("name", SMALL)
def test_pytorch_does_what_is_predicted(name: str) -> None:
    program = al.load(f"std.models.{name}", classes=10, **SMALL[name]).program({})
    cost = program.cost()
    size = SMALL[name]["size"]
    assert executed(build(program.graph), [(1, 3, size, size)]) == Facts((1, 10), cost.params, cost.macs)


@pytest.mark.parametrize(
    ("name", "momentum", "eps"),
    [
        ("googlenet", 0.1, 1e-3),
        ("inception_v3", 0.1, 1e-3),
        ("mobilenet_v3:mobilenet_v3_large", 0.01, 1e-3),
        ("efficientnet:efficientnet_b0", 0.1, 1e-5),
    ],
)
def test_settings_of_normalisation(name: str, momentum: float, eps: float) -> None:
    graph = al.load(f"std.models.{name}").program({}).graph
    found = [dict(node.operation.attributes) for node in graph.nodes if node.operation.name == "batch_norm"]
    assert len(found) > 30
    assert {(norm["momentum"], norm["eps"]) for norm in found} == {(momentum, eps)}


def test_blocks_are_left_out_ever_more_often() -> None:
    graph = al.load("std.models.convnext:convnext_tiny", path_rate=0.17).program({}).graph
    rates = [dict(node.operation.attributes)["rate"] for node in graph.nodes if node.operation.name == "drop_path"]
    assert rates == pytest.approx([0.01 * place for place in range(18)])


AMOEBA_NORMAL = [
    *[("avg_pool_3x3", 0), ("max_pool_3x3", 1), ("sep_conv_3x3", 0), ("sep_conv_5x5", 2), ("sep_conv_3x3", 0)],
    *[("avg_pool_3x3", 3), ("sep_conv_3x3", 1), ("skip_connect", 1), ("skip_connect", 0), ("avg_pool_3x3", 1)],
]
AMOEBA_REDUCE = [
    *[("avg_pool_3x3", 0), ("sep_conv_3x3", 1), ("max_pool_3x3", 0), ("sep_conv_7x7", 2), ("sep_conv_7x7", 0)],
    *[("avg_pool_3x3", 1), ("max_pool_3x3", 0), ("max_pool_3x3", 1), ("conv_7x1_1x7", 0), ("sep_conv_3x3", 5)],
]


def separable(c: int, kernel: int) -> int:
    """The parameters of a separable convolution of DARTS that keeps the channels."""
    return 2 * (kernel**2 * c + c * c + 2 * c)


def test_amoebanet() -> None:
    """The genotype of AmoebaNet-A as DARTS has it; parameters counted cell by cell."""
    c = 8
    program = al.load(
        "std.models.darts:darts_cifar",
        normal=AMOEBA_NORMAL,
        reduce=AMOEBA_REDUCE,
        normal_joined=[4, 5, 6],
        reduce_joined=[3, 4, 6],
        channels=c,
        layers=3,
    ).program({})
    # Cells 0 (normal, width c), 1 and 2 (reducing, 2 c and 4 c); every cell gives three times its width.
    stem = 27 * 3 * c + 2 * 3 * c
    inputs = [(3 * c, 3 * c, c), (3 * c, 3 * c, 2 * c), (3 * c, 6 * c, 4 * c)]
    projections = sum((first + second) * width + 4 * width for first, second, width in inputs)
    normal = 3 * separable(c, 3) + separable(c, 5)
    reducing = sum(
        2 * separable(width, 3) + 2 * separable(width, 7) + 2 * 7 * width**2 + 2 * width for width in (2 * c, 4 * c)
    )
    cost = program.cost()
    assert cost.params == stem + projections + normal + reducing + (12 * c + 1) * 10
    assert executed(build(program.graph), [(1, 3, 32, 32)]) == Facts((1, 10), cost.params, cost.macs)
