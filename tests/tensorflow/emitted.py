"""Emitted Keras source as a network with given weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from archlang_tensorflow import backend

from archlang.ir.graph import Graph
from tests.torch.emitted import namespace_of


def emitted_network(graph: Graph, weights: Mapping[str, np.ndarray[Any, Any]], header: tuple[str, ...] = ()) -> Any:
    """The network that the emitted file builds, with the weights by address."""
    network = namespace_of(backend.emit(graph, header))["build"]()
    backend.set_weights(graph, network, weights)
    return network
