"""Published networks rebuilt in `.arch` have exactly their published parameters and MACs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

import archlang as al
from tests.conftest import DataFile
from tests.stdlib.networks import NETWORKS, darts, darts_choices, fixed


@pytest.fixture(scope="module")
def entries(data_file: DataFile) -> dict[str, Mapping[str, Any]]:
    """The published figures by the name of the network."""
    found = json.loads(data_file("reference_networks.json").read_text(encoding="utf-8"))
    return {entry["name"]: entry for entry in found}


def test_every_reference_network_is_rebuilt(entries: dict[str, Mapping[str, Any]]) -> None:
    assert set(NETWORKS) == set(entries)


@pytest.mark.parametrize("name", NETWORKS)
def test_parameters_and_macs(entries: dict[str, Mapping[str, Any]], name: str) -> None:
    entry = entries[name]
    cost = NETWORKS[name](entry).cost()
    assert cost.params == entry["params"]
    if entry["macs"] is not None:
        assert cost.macs == entry["macs"]


def test_attention_products_are_counted_apart(entries: dict[str, Mapping[str, Any]]) -> None:
    entry = entries["timm/vit_base_patch16_224"]
    assert NETWORKS[entry["name"]](entry).cost().matmul_macs == entry["attention_matmul_macs_analytic"]


@pytest.mark.parametrize("name", [name for name in NETWORKS if name.startswith(("DARTS", "PC_DARTS"))])
def test_derived_networks_are_programs_of_the_search_space(entries: dict[str, Mapping[str, Any]], name: str) -> None:
    entry = entries[name]
    description = entry["description"]
    space = al.load("std.spaces.darts", channels=description["C"], layers=description["layers"])
    cost = space.program(darts_choices(description["genotype"])).cost()
    assert (cost.params, cost.macs) == (entry["params"], entry["macs"])


@pytest.mark.parametrize(
    ("target", "params"),
    [
        ("std.models.resnet:resnet34", 21_797_672),  # torchvision
        ("std.models.resnet:resnet101", 44_549_160),
        ("std.models.vit:vit_s_16", 22_050_664),  # timm
        ("std.models.vit:vit_ti_16", 5_717_416),
        ("std.models.bert:bert_base", 109_482_240),  # transformers
        ("std.models.darts:darts_imagenet", 4_718_752),  # quark0/darts
    ],
)
def test_parameters_of_other_models(target: str, params: int) -> None:
    assert fixed(target).cost().params == params


def test_genotype_and_choices_are_one_network(entries: dict[str, Mapping[str, Any]]) -> None:
    entry = entries["DARTS_V1-cifar-C8-L5-aux0"]
    space = al.load("std.spaces.darts", channels=8, layers=5)
    chosen = space.program(darts_choices(entry["description"]["genotype"]))
    assert chosen.canonical_hash == darts(entry).canonical_hash
