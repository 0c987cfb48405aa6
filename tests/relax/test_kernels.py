"""Transformed kernels, derived for any space: of that of Once-for-All they make its supernet."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from random import Random
from typing import Any

import numpy as np
import pytest
import torch
from archlang_torch.supernet.network import Supernet
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import archlang as al
from archlang.relax.kernels import Chain, transformed
from benchmarks.oneshot.ofa import OnceForAll
from tests.relax.spaces import SPACES
from tests.relax.test_paths import check_inherits, image_for

Array = np.ndarray[Any, np.dtype[Any]]


def space_of(body: str, given: str = "f32[n, 3, 9, 9]") -> al.Space:
    return al.loads(f"use std.nn\nspace s(x: {given}) {{ {body} }}")


def shaken(supernet: Supernet, seed: int = 0) -> Supernet:
    """With matrices that are none of their first values."""
    random = np.random.default_rng(seed)
    arrays = supernet.arrays()
    matrices = {name: array for name, array in arrays.items() if ".transform_" in name}
    noise = {name: (array + 0.3 * random.normal(size=array.shape)).astype("f4") for name, array in matrices.items()}
    supernet.set_arrays(arrays | noise)
    return supernet


# ----------------------------------------------------------- as the network by hand

LAYERS = {
    "expand": "conv_bn/conv2d",
    "expand_norm": "conv_bn/batch_norm",
    "depthwise.conv": "depthwise_bn/depthwise_conv2d",
    "depthwise": "depthwise_bn/depthwise_conv2d",
    "depthwise_norm": "depthwise_bn/batch_norm",
    "excitation.reduce": "squeeze_excite/conv2d#1",
    "excitation.expand": "squeeze_excite/conv2d#2",
    "project": "conv2d",
    "project_norm": "batch_norm",
    "layers.0": "depthwise_bn/depthwise_conv2d",
    "layers.1": "depthwise_bn/batch_norm",
    "layers.3": "conv2d",
    "layers.4": "batch_norm",
}
OTHERS = {
    "stem.0": "conv_bn#1/conv2d",
    "stem.1": "conv_bn#1/batch_norm",
    "last.0": "conv_bn#2/conv2d",
    "last.1": "conv_bn#2/batch_norm",
    "mix.0": "linear#1",
    "classifier": "linear#2",
}


def by_address(network: OnceForAll) -> Iterator[tuple[str, Tensor]]:
    """The weights of the network by hand, by the addresses of the same in the space."""
    for name, weight in network.named_parameters():
        layer, _, kind = name.rpartition(".")
        if layer.startswith("blocks."):
            _, block, layer = layer.split(".", 2)
            at = f"stage[{int(block) // 4}]/layer[{int(block) % 4}]/mbconv/{LAYERS[layer]}"
        else:
            at = f"mbconv/{LAYERS[layer.removeprefix('first.')]}" if layer.startswith("first.") else OTHERS[layer]
        names = {"to5": "transform_5", "to3": "transform_3", "bias": "bias"}
        yield f"{at}.{names.get(kind, 'scale' if 'batch_norm' in at else 'kernel')}", weight


def test_parameters_of_once_for_all() -> None:
    space = al.load("std.spaces.ofa_mobilenetv3")
    for transform, parameters in ((True, 7_678_880), (False, 7_664_760)):
        supernet = space.supernet("torch", kernel_transform=transform)
        assert sum(parameter.numel() for parameter in supernet.parameters()) == parameters
        assert sum(parameter.numel() for parameter in OnceForAll(transform=transform).parameters()) == parameters


def test_the_derived_network_is_that_by_hand() -> None:
    """Outputs, and the gradients of weights and matrices, in double precision: norms of four numbers magnify
    what is rounded."""
    torch.manual_seed(0)
    by_hand = OnceForAll(width=0.25, classes=3, dropout=0.0).double()
    for name, weight in by_hand.named_parameters():
        if name.endswith((".to5", ".to3")):
            weight.data += 0.3 * torch.randn(weight.shape)
    space = al.load("std.spaces.ofa_mobilenetv3", width=0.25, classes=3, size=32)
    derived = space.supernet("torch", kernel_transform=True).double()
    arrays = derived.arrays()
    weights = {name: weight.detach().numpy() for name, weight in by_address(by_hand)}
    assert {*weights} == {name for name in arrays if not name.endswith((".mean", ".variance"))}
    derived.set_arrays(arrays | {name: weight.reshape(arrays[name].shape) for name, weight in weights.items()})
    image = torch.randn(4, 3, 32, 32, dtype=torch.float64)
    random = Random(0)
    for _ in range(3):
        kernels, expands = ([random.choice(sizes) for _ in range(20)] for sizes in ((3, 5, 7), (3, 4, 6)))
        depths = [random.choice((2, 3, 4)) for _ in range(5)]
        picks: dict[str, int] = {}
        for stage, depth in enumerate(depths):
            picks[f"stage[{stage}].depth"] = depth
            for layer in range(depth):
                at = f"stage[{stage}]/layer[{layer}]"
                picks |= {f"{at}.kernel": kernels[4 * stage + layer], f"{at}.expand": expands[4 * stage + layer]}
        results = derived.path(space.choices(picks), image), by_hand(image, kernels, expands, depths)
        torch.testing.assert_close(*results, rtol=1e-9, atol=1e-9)
        for result in results:
            result.square().mean().backward()
    found = dict(derived.named_parameters())
    for name, weight in by_address(by_hand):
        at, _, kind = name.rpartition(".")
        own = found[f"{at}.{ {'kernel': 'weight', 'scale': 'weight'}.get(kind, kind) }"].grad
        assert (own is None) is (weight.grad is None), name
        if own is not None and weight.grad is not None:
            torch.testing.assert_close(own, weight.grad.reshape(own.shape), rtol=1e-7, atol=1e-9)


# ------------------------------------------------------------------- inheritance

KERNELS = {
    "grouped": "x |> conv2d(choose [8, 12] as width, kernel=choose [1, 3, 7] as size) >> batch_norm\n"
    "  |> conv2d(8, kernel=choose [3, 5] as other, groups=4, bias=true)\n"
    "  |> depthwise_conv2d(kernel=choose [2, 4] as even)",
    "transposed": "x |> conv_transpose2d(4, kernel=choose [2, 4, 6] as size, padding=1) >> global_avg_pool",
    "dilated": "x |> depthwise_conv2d(kernel=choose [3, 5] as size, dilation=choose [1, 2] as apart, multiplier=2)",
}


@pytest.mark.parametrize("name", [*KERNELS, "elastic", "nested"])
def test_programs_inherit_their_transformed_kernels(name: str) -> None:
    space = space_of(KERNELS[name]) if name in KERNELS else al.loads(SPACES[name])
    supernet = shaken(space.supernet("torch", kernel_transform=True))
    for seed in range(8):
        check_inherits(space, supernet, seed)


@given(
    sizes=st.lists(st.integers(1, 7), min_size=2, max_size=4, unique=True),
    widths=st.lists(st.integers(1, 6), min_size=1, max_size=2, unique=True),
    seed=st.integers(0, 100),
)
@settings(max_examples=25, deadline=None)
def test_programs_inherit_kernels_of_any_sizes(sizes: list[int], widths: list[int], seed: int) -> None:
    space = space_of(f"x |> conv2d(choose {widths} as width, kernel=choose {sizes} as size)")
    supernet = shaken(space.supernet("torch", kernel_transform=True), seed)
    assert {name.partition(".")[2] for name in supernet.arrays()} == {
        "kernel",
        *(f"transform_{size}" for size in sorted(sizes)[:-1]),
    }
    check_inherits(space, supernet, seed)


def test_a_kernel_is_made_of_the_next_larger_one() -> None:
    """By hand, and with numbers twice as long."""
    space = space_of("x |> depthwise_conv2d(kernel=choose [3, 5, 7] as size)")
    supernet = shaken(space.supernet("torch", kernel_transform=True))
    arrays = {name.partition(".")[2]: array.astype(np.float64) for name, array in supernet.arrays().items()}
    wanted = {7: arrays["kernel"]}
    for larger, smaller in ((7, 5), (5, 3)):
        wanted[smaller] = np.empty((3, 1, smaller, smaller))
        for channel in range(3):
            centre = wanted[larger][channel, 0, 1:-1, 1:-1].ravel()
            made = [arrays[f"transform_{smaller}"][place] @ centre for place in range(smaller**2)]
            wanted[smaller][channel, 0] = np.array(made).reshape(smaller, smaller)
    for size, kernel in wanted.items():
        found = supernet.program({"size": size}).weights["depthwise_conv2d.kernel"]
        np.testing.assert_allclose(found, kernel, rtol=1e-5, atol=1e-6)
        x = torch.randn(2, 3, 9, 9)
        convolved = nn.functional.conv2d(x.double(), torch.from_numpy(kernel), padding=size // 2, groups=3)
        torch.testing.assert_close(
            supernet.path(space.choices({"size": size}), x).double(), convolved, rtol=1e-4, atol=1e-5
        )


def test_matrices_begin_as_identities() -> None:
    space = al.loads(SPACES["elastic"])
    plain, supernet = space.supernet("torch"), space.supernet("torch", kernel_transform=True)
    image = image_for(supernet)
    for seed in range(4):
        choices = space.sample(seed=seed).choices
        torch.testing.assert_close(supernet.path(choices, image), plain.path(choices, image), rtol=0, atol=1e-6)


def test_mixtures_transform_kernels() -> None:
    space = space_of("x |> conv2d(4, kernel=choose [1, 3, 5] as size)")
    supernet = shaken(space.supernet("torch", kernel_transform=True))
    x, weights = torch.randn(2, 3, 9, 9), torch.tensor([0.2, 0.3, 0.5])
    paths = [supernet.path(space.choices({"size": size}), x) for size in (1, 3, 5)]
    wanted = sum(weight * path for weight, path in zip(weights, paths, strict=True))
    torch.testing.assert_close(supernet.mixed({(0, False): weights}, x), wanted)


def test_gradients_reach_the_matrices_on_the_way() -> None:
    space = space_of("x |> conv2d(4, kernel=choose [3, 5, 7] as size)")
    supernet = space.supernet("torch", kernel_transform=True)
    trained = {7: {"weight"}, 5: {"weight", "transform_5"}, 3: {"weight", "transform_5", "transform_3"}}
    for size, names in trained.items():
        supernet.zero_grad()
        supernet.path(space.choices({"size": size}), torch.randn(2, 3, 9, 9)).square().sum().backward()
        moved = {name for name, weight in supernet.named_parameters() if weight.grad is not None and weight.grad.any()}
        assert moved == {f"conv2d.{name}" for name in names}


def test_matrices_are_kept_with_the_weights() -> None:
    space = al.loads(SPACES["elastic"])
    supernet = shaken(space.supernet("torch", kernel_transform=True))
    other = space.supernet("torch", seed=5, kernel_transform=True)
    other.set_arrays(supernet.arrays())
    copied = copy.deepcopy(supernet)
    loaded = space.supernet("torch", seed=6, kernel_transform=True)
    loaded.load_state_dict(supernet.state_dict())
    image = image_for(supernet)
    choices = space.choices({"width": 4, "depth": 1, "layer[0].inner": 9, "layer[0].size": 1})
    for same in (other, copied, loaded):
        assert torch.equal(same.path(choices, image), supernet.path(choices, image))
    assert supernet.arrays()["layer[0]/conv2d#1.transform_3"].shape == (9, 9)


# ------------------------------------------------------------------ where it is so


@pytest.mark.parametrize(
    ("body", "given"),
    [
        ("x |> conv2d(choose [4, 8] as width, kernel=3)", "f32[n, 3, 9, 9]"),
        ("x |> conv1d(4, kernel=choose [1, 3])", "f32[n, 3, 9]"),
        ("x |> conv3d(4, kernel=choose [1, 3])", "f32[n, 3, 9, 9, 9]"),
        ("x |> conv2d_rect(4, kernel=choose [(1, 3), (3, 3), (5, 5)])", "f32[n, 3, 9, 9]"),
        ("x |> linear(choose [4, 8] as width)", "f32[n, 9]"),
    ],
)
def test_other_weights_are_not_transformed(body: str, given: str) -> None:
    space = space_of(body, given)
    plain, supernet = space.supernet("torch"), space.supernet("torch", kernel_transform=True)
    assert supernet.arrays().keys() == plain.arrays().keys()
    check_inherits(space, supernet, seed=1)


def test_forms_with_weights_of_their_own_have_nothing_to_transform() -> None:
    space = al.loads(SPACES["elastic"])
    supernet = space.supernet("torch", apart=True, kernel_transform=True)
    assert supernet.arrays().keys() == space.supernet("torch", apart=True).arrays().keys()


def test_a_chain_goes_through_all_sizes_between() -> None:
    chain = Chain("kernel", (7, 5, 3, 1))
    assert [step.matrix for step in chain.steps(1)] == ["transform_5", "transform_3", "transform_1"]
    assert [(step.centre.start, step.centre.stop) for step in chain.steps(3)] == [(1, 6), (1, 4)]
    assert chain.steps(7) == ()
    assert {name: spec.shape for name, spec in chain.matrices.items()} == {
        "transform_5": (25, 25),
        "transform_3": (9, 9),
        "transform_1": (1, 1),
    }


def test_arrays_and_tensors_are_transformed_alike() -> None:
    random = np.random.default_rng(0)
    chain = Chain("kernel", (6, 4, 3))
    kernel = random.normal(size=(5, 2, 6, 6))
    matrices = {name: random.normal(size=spec.shape) for name, spec in chain.matrices.items()}
    found: Array = transformed(kernel, chain.steps(3), matrices.__getitem__)
    tensors = {name: torch.from_numpy(matrix) for name, matrix in matrices.items()}
    other = transformed(torch.from_numpy(kernel), chain.steps(3), tensors.__getitem__)
    assert found.shape == (5, 2, 3, 3)
    np.testing.assert_allclose(found, other.numpy())
