"""The derived supernet on TensorFlow computes what that on PyTorch does, with the same numbers as weights."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import torch
from archlang_tensorflow.supernet.network import Supernet
from archlang_torch.supernet.network import Supernet as TorchSupernet
from hypothesis import HealthCheck, assume, given, settings
from numpy.typing import NDArray

import archlang as al
from archlang.backend import Supernets, backend
from archlang.space.choices import Choices
from tests.relax.spaces import SPACES
from tests.space.random_spaces import network_spaces

Array = NDArray[Any]
Key = tuple[int, bool]
ZERO = tf.UnconnectedGradients.ZERO

# An op that is another kind of layer in each of its forms, paddings and strides that are written out, and
# weights whose dimensions Keras keeps in another order.
FORMS = {
    "forms": """
use std.nn
space forms(image: f32[n, 3, 9, 9]) {
  x = image |> conv2d(choose [4, 8] as width, stride=2) >> prelu
  y = x |> conv2d(8, groups=4, kernel=choose [3, 5] as size, dilation=choose [1, 2] as apart) >> channel_scale
  y |> depthwise_conv2d(kernel=choose [3, 5] as deep, stride=2, bias=true) >> batch_norm
    |> choose { max: max_pool2d(3, stride=2), avg: avg_pool2d(3, stride=2), none: zero(stride=2) } as pool
    >> flatten >> linear(5)
}
""",
    "steps": """
use std.nn
space steps(tokens: f32[n, 6, 4]) {
  x = tokens |> position_embedding(6) >> choose { up: lstm(choose [4, 8] as units), same: identity } as first
  x |> gru(choose [3, 6] as width, reverse=true) >> rms_norm >> transpose(1, 2)
    |> conv1d(4, kernel=choose [1, 3] as size) >> global_max_pool >> linear(5)
}
""",
}
# Without rounding, backends agree where batch norms take differences of equal numbers too.
ALL_SPACES = {name: text.replace("f32[", "f64[") for name, text in (SPACES | FORMS).items()}


def pair(name: str) -> tuple[TorchSupernet, Supernet, Array]:
    """The supernets of both backends, and inputs for them."""
    space = al.loads(ALL_SPACES[name])
    one, other = space.supernet("torch", seed=3), space.supernet("tensorflow", seed=3)
    (given,) = other.varied.inputs
    x = np.random.default_rng(0).normal(size=(4, *given.type.shape[1:]))
    return one, other, x


def close(found: Any, expected: Any, what: str = "") -> None:
    expected = expected.detach().numpy() if isinstance(expected, torch.Tensor) else expected
    assert np.asarray(found).dtype == expected.dtype
    tolerance = 1e-7 if expected.dtype == np.float64 else 1e-5
    np.testing.assert_allclose(np.asarray(found), expected, tolerance, tolerance, err_msg=what)


def mixture(supernet: Supernet, seed: int = 0) -> dict[Key, Array]:
    """Weights of all decisions' picks and elements that sum to one."""
    draw = np.random.default_rng(seed)
    found = {}
    for variable, decision in supernet.varied.decisions.items():
        found[variable, False] = draw.dirichlet(np.ones(int(decision.domain.size)))
        if hasattr(decision.domain, "of"):
            found[variable, True] = draw.random(decision.domain.of)
    return found


def as_torch(weights: Mapping[Key, Array | None]) -> dict[Key, torch.Tensor | None]:
    return {key: value if value is None else torch.from_numpy(value) for key, value in weights.items()}


def check_gradients(name: str, training: bool, **how: Any) -> None:
    """Outputs, and gradients of shared weights and of a mixture's, of a mixture."""
    one, other, x = pair(name)
    one.train(training)
    weights = mixture(other)
    theirs = {key: torch.from_numpy(value).requires_grad_() for key, value in weights.items()}
    expected = one.mixed(theirs, torch.from_numpy(x), **how)
    expected.square().sum().backward()
    ours = {key: tf.Variable(value) for key, value in weights.items()}
    with tf.GradientTape() as tape:
        found = other.mixed(ours, x, training=training, **how)
        total = tf.reduce_sum(tf.square(found))
    close(found, expected)
    tensors = {f"{at}.{name}": tensor for at, name, tensor in one._tensors()}
    assert list(tensors) == list(other.arrays())
    trained = [address for address, tensor in tensors.items() if isinstance(tensor, torch.nn.Parameter)]
    assert len(trained) == len(other.trainable_variables)
    of_weights, of_mixture = tape.gradient(total, [other.trainable_variables, ours], unconnected_gradients=ZERO)
    for address, gradient in zip(trained, of_weights, strict=True):
        wanted = tensors[address].grad
        close(gradient, torch.zeros_like(tensors[address]) if wanted is None else wanted, address)
    for key, tensor in theirs.items():
        close(of_mixture[key], torch.zeros_like(tensor) if tensor.grad is None else tensor.grad, str(key))
    assert any(tensor.grad is not None and tensor.grad.abs().max() > 0 for tensor in theirs.values())


@pytest.mark.parametrize("name", ALL_SPACES)
def test_paths_are_those_of_the_other_backend(name: str) -> None:
    """In training too, after which the statistics of both agree: Keras's variances are biased."""
    one, other, x = pair(name)
    for address, value in one.arrays().items():
        np.testing.assert_array_equal(other.arrays()[address], value)
    for seed in range(5):
        choices = one.varied.space.sample(seed=seed).choices
        for training in (True, False):
            one.train(training)
            if not training:
                other.set_arrays(one.arrays())
            close(other.path(choices, x, training=training), one.path(choices, torch.from_numpy(x)))
            for address, value in one.arrays().items():
                tolerance = 1e-2 if address.endswith("variance") else 1e-7
                np.testing.assert_allclose(other.arrays()[address], value, tolerance, tolerance, err_msg=address)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", ALL_SPACES)
def test_mixtures_and_their_gradients_are_those_of_the_other_backend(name: str, training: bool) -> None:
    check_gradients(name, training)


@given(network_spaces())
@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
def test_random_spaces(text: str) -> None:
    try:
        space = al.loads(text.replace("f32[", "f64["))
        one, other = space.supernet("torch").eval(), space.supernet("tensorflow")
    except al.ArchError:
        assume(False)
        return
    x = np.random.default_rng(0).normal(size=(2, 4, 8, 8))
    for seed in range(2):
        choices = space.sample(seed=seed).choices
        close(other.path(choices, x), one.path(choices, torch.from_numpy(x)))
    weights = mixture(other)
    close(other.mixed(weights, x), one.mixed(as_torch(weights), torch.from_numpy(x)))


def test_a_part_of_the_alternatives_with_ghosts() -> None:
    one, _, _ = pair("nested")
    kept = {variable: (0, 1) for variable, d in one.varied.decisions.items() if d.domain.size == 3}
    assert kept
    check_gradients("nested", True, active=kept, ghosts=True)


def test_a_subset_whose_elements_all_count_once() -> None:
    one, other, x = pair("subsets")
    weights = {key: None if key[1] else value for key, value in mixture(other).items()}
    close(other.mixed(weights, x), one.eval().mixed(as_torch(weights), torch.from_numpy(x)))


def test_statistics_of_a_path_are_kept_in_its_part_of_the_shared_ones() -> None:
    _, other, x = pair("elastic")
    choices = other.varied.space.choices({"width": 4, "depth": 0})
    before = other.arrays()
    other.path(choices, x, training=False)
    assert all((before[address] == value).all() for address, value in other.arrays().items())
    other.path(choices, x, training=True)
    mean = other.arrays()["batch_norm.mean"]
    assert np.abs(mean[:4]).min() > 0
    assert np.abs(mean[4:]).max() == 0


@pytest.mark.parametrize("name", ["elastic", "forms"])
def test_programs_inherit_the_weights_of_their_path(name: str) -> None:
    _, other, x = pair(name)
    for seed in range(2):
        program = other.program(other.varied.space.sample(seed=seed).choices)
        for framework in ("tensorflow", "torch"):
            found = backend(framework).run(program.build(framework), x)
            close(other.path(program.choices, x), found)


def test_training_in_a_function_is_that_of_the_other_backend() -> None:
    """Steps of gradient descent on paths and mixtures in turn, then the weights handed over."""
    one, other, x = pair("elastic")
    one.train()
    weights = mixture(other)
    choices = other.varied.space.choices({"width": 4, "depth": 1, "layer[0].inner": 9, "layer[0].size": 3})
    descent = torch.optim.SGD(one.parameters(), 0.1)

    trained = [variable.value for variable in other.trainable_variables]

    def step(way: Choices | None, x: Any) -> None:
        with tf.GradientTape() as tape:
            output = other.mixed(weights, x, training=True) if way is None else other.path(way, x, training=True)
            loss = tf.reduce_mean(tf.square(output))
        gradients = tape.gradient(loss, trained, unconnected_gradients=ZERO)
        for variable, gradient in zip(trained, gradients, strict=True):
            variable.assign_sub(0.1 * gradient)

    steps = {way: tf.function(partial(step, way)) for way in (choices, None)}
    for way in (choices, None, choices, None):
        steps[way](tf.constant(x))
        image = torch.from_numpy(x)
        descent.zero_grad()
        (one.mixed(as_torch(weights), image) if way is None else one.path(way, image)).square().mean().backward()
        descent.step()
    found = other.arrays()
    for address, value in one.arrays().items():
        if not address.endswith("variance"):
            close(found[address], value, address)
    one.set_arrays(found)
    close(other.mixed(weights, x), one.eval().mixed(as_torch(weights), torch.from_numpy(x)))


def test_what_draws_numbers_does_so_for_each_alternative_and_by_the_seed() -> None:
    space = al.loads("use std.nn\nspace s(x: f32[n, 8]) { x |> choose { a: dropout(0.5), b: dropout(0.5) } }")
    one, same, other = (space.supernet("tensorflow", seed=seed) for seed in (1, 1, 2))
    (variable,) = one.varied.decisions
    x = np.ones((50, 8), np.float32)

    def difference(supernet: Supernet, training: bool) -> Array:
        found: Array = supernet.mixed({(variable, False): np.array([1, -1])}, x, training=training).numpy()
        return found

    drawn = difference(one, True)
    assert set(np.unique(drawn)) == {-2, 0, 2}
    np.testing.assert_array_equal(difference(same, True), drawn)
    assert (difference(one, True) != drawn).any()
    assert (difference(other, True) != drawn).any()
    assert (difference(one, False) == 0).all()


def test_a_copy_has_weights_of_its_own() -> None:
    _, other, x = pair("nested")
    choices = other.varied.space.sample(seed=0).choices
    before = other.path(choices, x)
    copied = copy.deepcopy(other)
    for variable in other.variables:
        variable.assign(variable * 0)
    np.testing.assert_array_equal(copied.path(choices, x), before)
    assert np.abs(other.path(choices, x)).max() == 0


def test_weights_apart_for_each_form() -> None:
    space = al.loads(SPACES["elastic"])
    one, other = space.supernet("torch", apart=["width"]), space.supernet("tensorflow", apart=["width"])
    x = np.random.default_rng(0).normal(size=(2, 3, 8, 8)).astype(np.float32)
    assert one.arrays().keys() == other.arrays().keys()
    assert any("@" in address for address in other.arrays())
    for seed in range(2):
        choices = space.sample(seed=seed).choices
        close(other.path(choices, x), one.eval().path(choices, torch.from_numpy(x)))


def test_an_op_that_the_backend_does_not_know_is_named() -> None:
    text = """
    use std.nn
    op odd()(x: [...dims]) -> [...dims]
    space s(x: f32[n, 4]) { x |> linear(4) |> choose { a: odd, b: relu } as act }
    """
    space = al.loads(text)
    supernet = space.supernet("tensorflow")
    x = np.ones((2, 4), np.float32)
    assert supernet.path(space.choices({"act": "b"}), x).shape == (2, 4)
    with pytest.raises(al.ArchError, match=r"E0803.*the tensorflow backend has no lowering for op `odd`"):
        supernet.mixed({}, x)


def test_the_backend_makes_supernets() -> None:
    assert isinstance(backend("tensorflow"), Supernets)


def test_transformed_kernels() -> None:
    space = al.loads(FORMS["forms"].replace("f32[", "f64["))
    one, other = (space.supernet(name, kernel_transform=True) for name in ("torch", "tensorflow"))
    random = np.random.default_rng(0)
    arrays = {
        name: array + random.normal(size=array.shape) if ".transform_" in name else array
        for name, array in one.arrays().items()
    }
    assert sum(".transform_" in name for name in arrays) == 2
    one.set_arrays(arrays)
    other.set_arrays(arrays)
    x = random.normal(size=(4, 3, 9, 9))
    for seed in range(6):
        choices = space.sample(seed).choices
        close(other.path(choices, x), one.eval().path(choices, torch.from_numpy(x)))
        close(other.program(choices).build("tensorflow")(x, training=False), other.path(choices, x))
