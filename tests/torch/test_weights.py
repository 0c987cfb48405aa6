"""Weights by address, in memory and in files, for the same network and for neighbouring ones."""

from __future__ import annotations

from functools import cache
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
import torch
from archlang_torch import backend
from numpy.typing import NDArray

from archlang.diagnostics import ArchError
from archlang.ir.fitting import WeightReport
from archlang.ir.weights import read_weights, write_weights
from archlang.space import Program, Space, load
from tests.torch.emitted import module_of
from tests.torch.test_build import images, small, tied

Array = NDArray[Any]

SPACES: dict[str, dict[str, Any]] = {
    "std.spaces.nasbench201": {"channels": 4, "repeats": 1},
    "std.spaces.ofa_mobilenetv3": {"width": 0.25, "classes": 10, "size": 32},
}


@cache
def space(name: str) -> Space:
    return load(name, SPACES[name])


def test_a_file_carries_the_network(tmp_path: Path) -> None:
    graph, path = small(), tmp_path / "weights.safetensors"
    network, other = backend.build(graph, seed=1).eval(), backend.build(graph, seed=2).eval()
    write_weights(path, backend.weights(graph, network))
    found = read_weights(path)
    assert found.keys() == graph.weights.keys()
    backend.set_weights(graph, other, found)
    assert torch.equal(other(images()), network(images()))
    emitted = module_of(graph).eval()
    backend.set_weights(graph, emitted, found)
    torch.testing.assert_close(emitted(images()), network(images()))


def test_tied_weights_are_written_once() -> None:
    graph = tied(3)
    assert list(backend.weights(graph, backend.build(graph))) == [
        "t/conv2d.kernel",
        "t/batch_norm.scale",
        "t/batch_norm.bias",
        "t/batch_norm.mean",
        "t/batch_norm.variance",
    ]


def test_weights_that_do_not_fit() -> None:
    graph = tied(1)
    network = backend.build(graph)
    weights = backend.weights(graph, network)
    del weights["t/batch_norm.mean"]
    weights["t/batch_norm.bias"] = np.zeros(5, np.float32)
    weights["extra"] = np.zeros(1, np.float32)
    with pytest.raises(ArchError) as caught:
        backend.set_weights(graph, network, weights)
    assert [(found.code, found.message) for found in caught.value.diagnostics] == [
        ("E0807", "the weight `t/batch_norm.bias` has the shape [5], not [4]"),
        ("E0807", "the weight `t/batch_norm.mean` is missing"),
        ("E0807", "the network has no weight `extra`"),
    ]


# ---------------------------------------------------------------- programs


def test_a_program_loads_its_own_file(tmp_path: Path) -> None:
    path = tmp_path / "weights"
    program = space("std.spaces.nasbench201").sample(1)
    network, other = program.build(seed=1), program.build(seed=2)
    program.save_weights(network, path)
    every = WeightReport(kept=tuple(program.graph.weights))
    assert program.load_weights(other, path) == every
    for name, value in network.state_dict().items():
        assert torch.equal(other.state_dict()[name], value)
    assert program.load_weights(program.build(seed=3), path, partial=True) == every


def test_a_neighbours_file_is_refused_unless_part_of_it_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "weights"
    nasbench = space("std.spaces.nasbench201")
    picks = dict(nasbench.sample(1).choices) | {"shared/edge#1": "conv3"}
    one, other = (nasbench.program(picks | {"shared/edge#1": op}) for op in ("conv3", "conv1"))
    one.save_weights(one.build(), path)
    network = other.build()
    before = backend.weights(other.graph, network)
    with pytest.raises(ArchError) as caught:
        other.load_weights(network, path)
    strange = one.graph.weights.keys() ^ other.graph.weights.keys()
    assert len(caught.value.diagnostics) == len(strange) == 3 * 2 * 5
    assert {found.code for found in caught.value.diagnostics} == {"E0807"}
    for address in strange:
        assert f"`{address}`" in str(caught.value)
    assert str(caught.value).endswith(
        "= help: take those that fit with `program.load_weights(network, path, partial=True)`"
    )
    for address, value in backend.weights(other.graph, network).items():
        np.testing.assert_array_equal(value, before[address])


def sliced(value: Array, shape: tuple[int, ...]) -> Array:
    """The part of a convolution's kernel, or of a vector, that an elastic layer takes: written for
    the shapes of MobileNetV3, whose kernels are odd."""
    value = value[: shape[0]]
    if value.ndim > 1:
        value = value[:, : shape[1]]
    if value.ndim == 4:
        border = (value.shape[2] - shape[2]) // 2
        value = value[:, :, border : value.shape[2] - border, border : value.shape[3] - border]
    return value


def check_neighbour(one: Program, other: Program, path: Path) -> WeightReport:
    """Load one program's weights into another; each address is accounted for and has its values."""
    source, network = one.build(seed=1), other.build(seed=2)
    given, fresh = backend.weights(one.graph, source), backend.weights(other.graph, network)
    one.save_weights(source, path)
    report = other.load_weights(network, path, partial=True)
    assert sorted([*report.kept, *report.sliced, *report.fresh]) == sorted(other.graph.weights)
    assert {*report.unused} == given.keys() - {*report.kept, *report.sliced}
    found = backend.weights(other.graph, network)
    for address in report.kept:
        np.testing.assert_array_equal(found[address], given[address])
    for address in report.sliced:
        assert given[address].size > found[address].size
        np.testing.assert_array_equal(found[address], sliced(given[address], found[address].shape))
    for address in report.fresh:
        np.testing.assert_array_equal(found[address], fresh[address])
        if address in given:
            assert any(np.less(given[address].shape, fresh[address].shape))
    return report


def test_neighbours_whose_labels_differ(tmp_path: Path) -> None:
    nasbench = space("std.spaces.nasbench201")
    one = nasbench.sample(1)
    neighbours = list(nasbench.neighbours(one.choices))
    for choices in Random(0).sample(neighbours, 5):
        other = nasbench.program(choices)
        report = check_neighbour(one, other, tmp_path / "weights")
        assert report.kept
        assert report.sliced == ()
        assert {*report.fresh} == other.graph.weights.keys() - one.graph.weights.keys()
        assert {*report.unused} == one.graph.weights.keys() - other.graph.weights.keys()


@pytest.mark.parametrize("decision", ["kernel", "expand", "depth"])
def test_neighbours_of_other_sizes(tmp_path: Path, decision: str) -> None:
    mobile = space("std.spaces.ofa_mobilenetv3")
    one = mobile.sample(2)
    (smaller, larger) = changed(mobile, one, decision)
    report = check_neighbour(one, smaller, tmp_path / "weights")
    assert report.fresh == ()
    assert (report.sliced == ()) == (decision == "depth")
    assert (report.unused == ()) == (decision != "depth")
    report = check_neighbour(one, larger, tmp_path / "weights")
    assert report.fresh
    assert report.sliced == ()


def changed(mobile: Space, one: Program, decision: str) -> tuple[Program, Program]:
    """Neighbours with a smaller and with a larger pick of a decision of that name."""
    for address, pick in one.choices.items():
        if address.rpartition(".")[2].rpartition("/")[2] == decision:
            near = [other for other in mobile.neighbours(one.choices) if other.get(address, pick) != pick]
            small = next((other for other in near if other[address] < pick), None)
            large = next((other for other in near if other[address] > pick), None)
            if small is not None and large is not None:
                return mobile.program(small), mobile.program(large)
    raise AssertionError(f"no `{decision}` has a smaller and a larger pick")


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", SPACES)
def test_all_neighbours(tmp_path: Path, name: str) -> None:
    one = space(name).sample(5)
    for choices in islice(space(name).neighbours(one.choices), 40):
        check_neighbour(one, space(name).program(choices), tmp_path / "weights")
