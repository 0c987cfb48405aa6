"""The backend object that the entry point names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

import numpy as np

from archlang.backend import Progress, TrainingSettings
from archlang.diagnostics import ArchError, error
from archlang.ir.graph import Graph
from archlang.ir.weights import check_weights
from archlang.lowering.emitting import emit
from archlang.lowering.running import in_batches, is_batched
from archlang_numpy.dialect import NUMPY
from archlang_numpy.function_source import FunctionSource
from archlang_numpy.lowering import LOWERINGS, Array
from archlang_numpy.network import Network, build

# The windows of a convolution take a multiple of its input's memory.
BATCH = 32


class NumpyBackend:
    """numpy: see `archlang.backend.Backend` for what the methods do."""

    name = "numpy"

    def build(self, graph: Graph, seed: int = 0) -> Network:
        return build(graph, seed)

    def emit(self, graph: Graph, header: Sequence[str] = ()) -> str:
        return emit(NUMPY, graph, header, FunctionSource)

    @property
    def matrix(self) -> Mapping[str, str]:
        return LOWERINGS.matrix

    def unsupported(self, graph: Graph) -> tuple[str, ...]:
        return tuple(LOWERINGS.refusals(graph))

    def weights(self, graph: Graph, network: Network) -> dict[str, Array]:
        return {address: network.weights[address].copy() for address in graph.weights}

    def set_weights(self, graph: Graph, network: Network, weights: Mapping[str, Array]) -> None:
        check_weights(graph, weights)
        for address in graph.weights:
            network.weights[address] = np.array(weights[address], network.weights[address].dtype)

    def fit(
        self,
        network: Network,
        train: tuple[Array, Array],
        validation: tuple[Array, Array],
        settings: TrainingSettings,
        on_epoch: Callable[[Progress], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> NoReturn:
        raise _inference_only("train")

    def gradients(
        self, graph: Graph, network: Network, inputs: Sequence[Array], cotangents: Mapping[str, Array]
    ) -> NoReturn:
        raise _inference_only("work out gradients")

    def run(self, network: Network, *inputs: Array) -> Any:
        return in_batches(network, inputs, BATCH, is_batched(network.graph))


def _inference_only(what: str) -> ArchError:
    return ArchError(
        error(
            "E0808",
            f"the numpy backend cannot {what}: it runs networks at inference only",
            hints=("train with another backend, e.g. `torch`, and load the weights that it saves",),
        )
    )


backend = NumpyBackend()
