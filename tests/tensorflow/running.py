"""One program on both frameworks, with the same weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs
import numpy as np
import tensorflow as tf
import torch
from archlang_tensorflow import backend as tensorflow
from archlang_tensorflow.building import layers_by_name, weight_places
from archlang_torch import backend as pytorch
from archlang_torch import parameter_names

from archlang.ir.graph import Graph
from tests.torch.running import samples_for

Array = np.ndarray[Any, Any]


@attrs.frozen
class Both:
    """The network of a graph in Keras and in PyTorch, and inputs for it."""

    graph: Graph
    model: Any
    module: torch.nn.Module
    weights: dict[str, Array]
    inputs: list[Array]

    def results(self) -> tuple[dict[str, Array], dict[str, Array]]:
        """The outputs in evaluation mode: Keras's and PyTorch's."""
        found = tensorflow.run(self.model, *self.inputs), pytorch.run(self.module, *self.inputs)
        one, other = (result if isinstance(result, dict) else {"": result} for result in found)
        return one, other

    def assert_equal(self, tolerance: float = 1e-5) -> None:
        """Both give the same, relative to the largest value."""
        one, other = self.results()
        assert one.keys() == other.keys()
        for name in one:
            assert one[name].shape == other[name].shape
            scale = max(1.0, float(np.abs(other[name]).max()))
            np.testing.assert_allclose(one[name], other[name], rtol=0, atol=tolerance * scale)

    def assert_equal_gradients(self, tolerance: float) -> None:
        """Both have the same gradients for weights and inputs, relative to the largest value of each."""
        found, expected = self.keras_gradients(), self.pytorch_gradients()
        assert found.keys() == expected.keys()
        for name, gradient in found.items():
            scale = max(1e-2, float(np.abs(expected[name]).max()))
            np.testing.assert_allclose(gradient, expected[name], rtol=0, atol=tolerance * scale, err_msg=name)

    def keras_gradients(self) -> dict[str, Array]:
        """Those of `_shares` of the outputs' squares in evaluation mode, by address, and by `<number>` of an input."""
        places = {address: place for address, place in weight_places(self.graph).items() if place.spec.trained}
        given = [tf.constant(x) for x in self.inputs]
        floats = {f"<{i}>": x for i, x in enumerate(given) if x.dtype.is_floating}
        layers = layers_by_name(self.model)
        variables = [place.variable_of(layers).value for place in places.values()]
        with tf.GradientTape() as tape:
            tape.watch(list(floats.values()))
            found = self.model(given if len(given) > 1 else given[0], training=False)
            results = found.values() if isinstance(found, dict) else [found]
            total = sum(tf.reduce_sum(tf.square(y) * tf.cast(_shares(y.shape), y.dtype)) for y in results)
        gradients = tape.gradient(total, [*variables, *floats.values()], unconnected_gradients="zero")
        arrays = [np.asarray(tf.convert_to_tensor(gradient)) for gradient in gradients]
        portable = [place.portable(array) for place, array in zip(places.values(), arrays, strict=False)]
        return dict(zip([*places, *floats], [*portable, *arrays[len(places) :]], strict=True))

    def pytorch_gradients(self) -> dict[str, Array]:
        """The same in PyTorch."""
        self.module.eval()
        given = [torch.tensor(x) for x in self.inputs]
        sought = {f"<{i}>": x.requires_grad_() for i, x in enumerate(given) if x.is_floating_point()}
        state = self.module.state_dict(keep_vars=True)
        trained = {address for address, spec in self.graph.weights.items() if spec.trained}
        names = {address: name for address, name in parameter_names(self.graph).items() if address in trained}
        sought = {address: state[name] for address, name in names.items()} | sought
        found = self.module(*given)
        results = found.values() if isinstance(found, dict) else [found]
        total = sum((y**2 * torch.from_numpy(_shares(y.shape)).to(y.dtype)).sum() for y in results)
        if not total.requires_grad:  # as of constants
            return {name: np.zeros(tuple(value.shape)) for name, value in sought.items()}
        gradients = torch.autograd.grad(total, list(sought.values()), allow_unused=True, materialize_grads=True)
        return {name: gradient.numpy() for name, gradient in zip(sought, gradients, strict=True)}


def _shares(shape: Sequence[int]) -> Array:
    """How much each element counts; the sum of squares alone is all but constant after a normalisation."""
    return np.random.default_rng(0).uniform(0.5, 1.5, tuple(shape))


def both(graph: Graph, seed: int = 0, samples: int = 2) -> Both:
    """The graph on both frameworks; running statistics are drawn, so that they count."""
    model, module = tensorflow.build(graph, seed), pytorch.build(graph, seed)
    draw = np.random.default_rng(seed)
    weights = pytorch.weights(graph, module)
    for address, spec in graph.weights.items():
        if not spec.trained:
            weights[address] = draw.uniform(0.5, 1.5, spec.shape).astype(weights[address].dtype)
    tensorflow.set_weights(graph, model, weights)
    pytorch.set_weights(graph, module, weights)
    return Both(graph, model, module, weights, [tensor.numpy() for tensor in samples_for(graph, samples)])
