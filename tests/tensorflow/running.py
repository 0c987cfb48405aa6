"""One program on both frameworks, with the same weights."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np
import torch
from archlang_tensorflow import backend as tensorflow
from archlang_torch import backend as pytorch

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
        draw = np.random.default_rng(0)
        cotangents = {name: draw.normal(size=y.shape).astype(y.dtype) for name, y in self.results()[1].items()}
        found, expected = (
            framework.gradients(self.graph, network, self.inputs, cotangents)
            for framework, network in ((tensorflow, self.model), (pytorch, self.module))
        )
        assert found[1].keys() == expected[1].keys()
        pairs = [*zip(found[0], expected[0], range(len(self.inputs)), strict=True)]
        pairs += [(found[1][address], expected[1][address], address) for address in found[1]]
        for one, other, place in pairs:
            assert (one is None) == (other is None)
            if one is not None and other is not None:
                scale = max(1e-2, float(np.abs(other).max(initial=0.0)))
                np.testing.assert_allclose(one, other, rtol=0, atol=tolerance * scale, err_msg=str(place))


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
