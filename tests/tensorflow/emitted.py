"""Emitted Keras source as a network with given weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from archlang_tensorflow import LOWERINGS, backend
from archlang_tensorflow.building import lowered, weight_places
from archlang_tensorflow.dialect import RESERVED

from archlang.ir.graph import Graph
from archlang.lowering.children import weight_paths
from tests.torch.emitted import namespace_of


def emitted_network(graph: Graph, weights: Mapping[str, np.ndarray[Any, Any]], header: tuple[str, ...] = ()) -> Any:
    """The network that the emitted file builds, with the weights by address."""
    network = namespace_of(backend.emit(graph, header))["build"]()
    top = network.layers[-1]
    places = weight_places(graph)
    for address, path in weight_paths(lowered(graph), LOWERINGS, RESERVED).items():
        holder = top
        for name in path[:-1]:
            if isinstance(holder, keras.layers.Layer):
                holder = getattr(holder, name)
            else:
                holder = holder[int(name) if isinstance(holder, list) else name]
        places[address].assign(getattr(holder, path[-1]), weights[address])
    return network
