"""The same graph with the same weights and inputs, in numpy and in PyTorch."""

from __future__ import annotations

from typing import Any

import archlang_numpy
import archlang_torch
import numpy as np
import torch

from archlang.backend import Array
from archlang.ir.graph import Graph

DTYPES = {"f32": np.float32, "f64": np.float64, "i64": np.int64}


def arrays(graph: Graph, samples: int = 2, below: int = 2) -> list[Array]:
    """Inputs that the graph takes; integers are from 0 to `below` - 1."""
    draw = np.random.default_rng(0)
    found: list[Array] = []
    for given in graph.inputs:
        shape = [dim if isinstance(dim, int) else samples for dim in given.type.shape]
        whole = given.type.dtype == "i64"
        drawn = draw.integers(0, below, shape) if whole else draw.normal(size=shape)
        found.append(drawn.astype(DTYPES[given.type.dtype]))
    return found


def random_weights(graph: Graph, seed: int = 0) -> dict[str, Array]:
    """Weights that no op has by default; variances are positive, and sums over them stay small."""
    draw = np.random.default_rng(seed)
    found = {}
    for address, spec in graph.weights.items():
        drawn = draw.uniform(0.5, 1.5, spec.shape)
        if not address.endswith((".variance", ".scale")):
            drawn = (drawn - 1) * 2 / max(spec.fan_in, 1) ** 0.5
        found[address] = drawn
    return found


def in_torch(graph: Graph, weights: dict[str, Array], *inputs: Array) -> list[Array]:
    """The outputs of the network that PyTorch builds."""
    network = archlang_torch.backend.build(graph)
    archlang_torch.backend.set_weights(graph, network, weights)
    with torch.no_grad():
        return outputs(network.eval()(*map(torch.from_numpy, inputs)))


def in_numpy(graph: Graph, weights: dict[str, Array], *inputs: Array) -> list[Array]:
    """The outputs of the network that numpy builds."""
    network = archlang_numpy.backend.build(graph)
    archlang_numpy.backend.set_weights(graph, network, weights)
    return outputs(network(*inputs))


def outputs(found: Any) -> list[Array]:
    """A network's outputs in order, as arrays."""
    return [np.asarray(value) for value in (found.values() if isinstance(found, dict) else [found])]
