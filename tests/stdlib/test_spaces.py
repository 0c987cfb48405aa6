"""The library's spaces have the published numbers of programs, and their programs the published costs."""

from __future__ import annotations

import csv
import gzip
import math
from collections.abc import Iterator
from itertools import combinations
from math import comb
from pathlib import Path

import numpy as np
import pytest

import archlang as al
from archlang.semantics.decision import OneOf
from tests.conftest import DataFile
from tests.stdlib.networks import nasbench201_choices, nasbench_macro_choices

DARTS_CELL = math.prod(comb(states, 2) for states in range(2, 6)) * 7**8
GRAPH_LINKS = ("0000", "0001", "0011", "0012", "0013", "0111", "0112", "0122", "0123")
# Stem; five cells a stage, of six edges with a 1x1 and a 3x3 convolution, biases and no scales; residual
# blocks with scales; norm and classifier.
NB201_ONE_SHOT = (
    (27 * 16 + 2 * 16)
    + sum(5 * 6 * (10 * width**2 + 2 * width) for width in (16, 32, 64))
    + sum(width**2 * 9 // 2 + width**2 * 9 + width**2 // 2 + 4 * width for width in (32, 64))
    + (2 * 64 + 65 * 10)
)
NB201_OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")


@pytest.mark.parametrize(
    ("target", "size"),
    [
        ("std.spaces.nasbench201", 5**6),
        ("std.spaces.darts_cell", DARTS_CELL),
        ("std.spaces.darts", DARTS_CELL**2),
        ("std.spaces.nasbench_macro", 3**8),
        ("std.spaces.nasbench_graph", 9 * 9**4 - 9),
        ("std.spaces.nats_sss", 8**5),
        ("std.spaces.ofa_mobilenetv3", sum(9**depth for depth in (2, 3, 4)) ** 5),
        ("std.spaces.proxylessnas", 6**6 * 7**15),
        ("std.spaces.mobile", math.inf),
    ],
)
def test_size(target: str, size: float) -> None:
    assert al.load(target).size == size


def test_a_cell_has_the_number_of_programs_that_darts_reports() -> None:
    assert DARTS_CELL == 1_037_664_180


def test_decisions_of_a_cell_are_shared_over_the_network() -> None:
    decisions = al.load("std.spaces.nasbench201").all_decisions()
    assert sorted(decision.address for decision in decisions) == [f"shared/edge#{edge}" for edge in range(1, 7)]


@pytest.mark.parametrize(
    ("target", "config", "parameters"),
    [
        ("std.spaces.darts", {"channels": 16, "layers": 8}, 1_930_618),
        ("std.spaces.nasbench201", {}, NB201_ONE_SHOT),
    ],
)
def test_one_shot_networks(target: str, config: dict[str, int], parameters: int) -> None:
    """As the papers search with them; what is found there is a program of the space without more ado."""
    space, one_shot = al.load(target, config), al.load(target, {**config, "supernet": True})
    assert one_shot.all_decisions() == space.all_decisions()
    assert space.program(one_shot.sample(1).choices).choices == one_shot.sample(1).choices
    assert sum(parameter.numel() for parameter in one_shot.supernet("torch").parameters()) == parameters


def test_pools_are_normalised_in_the_one_shot_network_of_darts() -> None:
    space = al.load("std.spaces.darts", channels=8, layers=1, supernet=True)
    picks: dict[str, object] = {f"reduce.inputs[{node}]": (0, 1) for node in range(4)}
    picks |= {f"reduce/candidate[{node}][{edge}]": "max_pool_3x3" for node in range(4) for edge in range(2)}
    program = space.program(picks)
    norms = [node.operation for node in program.graph.nodes if node.operation.name == "batch_norm"]
    assert [norm.attribute("affine") for norm in norms] == [True, *10 * [False]]


def test_mobile_programs_keep_the_budget() -> None:
    space = al.load("std.spaces.mobile")
    for seed in range(3):
        program = space.sample(seed)
        cost = program.cost()
        assert cost.params <= 7_000_000
        assert cost.macs <= 600_000_000
        assert 1e-3 <= program.values["lr"] <= 1e-1


def test_the_published_network_is_in_the_space_of_proxylessnas() -> None:
    """ProxylessNAS-mobile: kernel and expansion of the layers of each stage; the others are left out."""
    stages = [
        [(5, 3), (3, 3)],
        [(7, 3), (3, 3), (5, 3), (5, 3)],
        [(7, 6), (5, 3), (5, 3), (5, 3)],
        [(5, 6), (5, 3), (5, 3), (5, 3)],
        [(7, 6), (7, 6), (7, 3), (7, 3)],
        [(7, 6)],
    ]
    choices = {}
    for stage, (first, *rest) in enumerate(stages):
        choices[f"layer[{stage}].mixed"] = f"mb{first[1]}_k{first[0]}"
        for place in range(3 if stage < 5 else 0):
            label = f"mb{rest[place][1]}_k{rest[place][0]}" if place < len(rest) else "zero"
            choices[f"skippable[{stage}][{place}]"] = label
    cost = al.load("std.spaces.proxylessnas").program(choices).cost()
    assert (cost.params, cost.macs) == (4_080_512, 320_427_584)


def test_counts_of_nasbench101() -> None:
    """Flat, a cell is 21 edges and five operations; a program makes those decisions that matter."""
    space = al.load("std.spaces.nasbench101")
    assert math.prod(int(decision.domain.size) for decision in space.all_decisions()) == 509_607_936
    matrices = np.arange(2**21)
    edge = {pair: matrices >> bit & 1 for bit, pair in enumerate(combinations(range(7), 2))}
    reached, reaching = np.eye(7, 1, dtype=int) + 0 * matrices, np.eye(7, 1, -6, dtype=int) + 0 * matrices
    for low, high in sorted(edge, key=lambda pair: pair[1]):
        reached[high] |= reached[low] & edge[low, high]
    for low, high in sorted(edge, reverse=True):
        reaching[low] |= reaching[high] & edge[low, high]
    edges = sum(edge[low, high] & reached[low] & reaching[high] for low, high in edge)
    operations = 3 ** (reached & reaching)[1:6].sum(axis=0)
    assert space.size == operations[(reached[6] == 1) & (edges <= 9)].sum() == 33_534_501


def rows(path: Path, every: int) -> Iterator[dict[str, str]]:
    """Some rows of a table, evenly."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for place, row in enumerate(csv.DictReader(file)):
            if place % every == 0:
                yield row


def test_costs_of_nasbench201(data_file: DataFile) -> None:
    """The published figures are in millions, with the classifier's biases among the multiply-adds."""
    spaces = {
        data: al.load("std.spaces.nasbench201", classes=classes) for data, classes in (("c10", 10), ("c100", 100))
    }
    for row in rows(data_file("nb201_tss.csv.gz"), every=521):
        choices = nasbench201_choices([NB201_OPERATIONS[int(digit)] for digit in row["ops"]])
        cost = spaces["c10"].program(choices).cost()
        assert cost.params == round(float(row["c10_params_m"]) * 1e6)
        assert cost.macs + 10 == round(float(row["c10_flops_m"]) * 1e6)
        assert spaces["c100"].program(choices).cost().macs + 100 == round(float(row["c100_flops_m"]) * 1e6)


def test_costs_of_nasbench_macro(data_file: DataFile) -> None:
    space = al.load("std.spaces.nasbench_macro")
    for row in rows(data_file("nasbench_macro_c10.csv.gz"), every=211):
        cost = space.program(nasbench_macro_choices(row["arch"])).cost()
        assert (cost.params, cost.macs) == (int(row["params"]), int(row["flops"]))


def test_parameters_of_nasbench_graph(data_file: DataFile) -> None:
    """Published with five digits, for Cora. The benchmark also counts what computes nothing: the norms of
    skips, and the weight between steps of an ARMA layer of one step."""
    space = al.load("std.spaces.nasbench_graph")
    domain = space.all_decisions()[0].domain
    assert isinstance(domain, OneOf)
    links = dict(zip(GRAPH_LINKS, domain.labels, strict=True))
    for row in rows(data_file("nasbench_graph.csv.gz"), every=313):
        operations = row["ops"].split("-")
        picks = {f"operation[{i}]": operation for i, operation in enumerate(operations)}
        params = space.program({"link": links[row["link"]], **picks}).cost().params
        params += 512 * operations.count("skip") + 256**2 * operations.count("arma")
        assert f"{params / 1e6:.5g}" == f"{float(row['cora_params_m']):.5g}"
