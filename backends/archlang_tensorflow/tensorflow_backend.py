"""The backend object that the entry point names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import keras
import numpy as np

from archlang.backend import Array, Meter, Progress, TrainingSettings
from archlang.conversion.captured import Captured
from archlang.ir.graph import Graph
from archlang.ir.weights import check_weights
from archlang.lowering.emitting import emit
from archlang.relax.settings import ArchitectureSettings, WeightSettings
from archlang.relax.varied import Varied
from archlang.space.space import Space
from archlang_tensorflow.building import build
from archlang_tensorflow.dialect import KERAS
from archlang_tensorflow.gradients import gradients
from archlang_tensorflow.layout import arranged
from archlang_tensorflow.lowering import LOWERINGS, lowered
from archlang_tensorflow.places import held_weights
from archlang_tensorflow.profiling import meter
from archlang_tensorflow.supernet.engine import TensorFlowEngine
from archlang_tensorflow.supernet.network import Supernet
from archlang_tensorflow.training import fit, run


class TensorFlowBackend:
    """TensorFlow, by Keras: see `archlang.backend.Backend` for what the methods do."""

    name = "tensorflow"

    def build(
        self,
        graph: Graph,
        seed: int = 0,
        data_format: str = "channels_first",
        externs: Mapping[str, keras.Layer] | None = None,
    ) -> keras.Model:
        return build(graph, seed, data_format, externs)

    def emit(self, graph: Graph, header: Sequence[str] = ()) -> str:
        return emit(KERAS, lowered(graph), header)

    @property
    def matrix(self) -> Mapping[str, str]:
        return LOWERINGS.matrix

    def unsupported(self, graph: Graph) -> tuple[str, ...]:
        return tuple(LOWERINGS.refusals(LOWERINGS.decomposed(arranged(graph))))

    def weights(self, graph: Graph, network: keras.Model) -> dict[str, Array]:
        found = {address: held.value for address, held in held_weights(graph, network).items()}
        return {
            address: value.astype(np.float32) if value.dtype.name == "bfloat16" else value
            for address, value in found.items()
        }

    def set_weights(self, graph: Graph, network: keras.Model, weights: Mapping[str, Array]) -> None:
        check_weights(graph, weights)
        for address, held in held_weights(graph, network).items():
            held.assign(weights[address])

    def fit(
        self,
        network: keras.Model,
        train: tuple[Array, Array],
        validation: tuple[Array, Array],
        settings: TrainingSettings,
        on_epoch: Callable[[Progress], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> dict[str, Any]:
        return fit(network, train, validation, settings, on_epoch, should_stop)

    def gradients(
        self, graph: Graph, network: keras.Model, inputs: Sequence[Array], cotangents: Mapping[str, Array]
    ) -> tuple[Sequence[Array | None], dict[str, Array]]:
        return gradients(graph, network, inputs, cotangents)

    def supernet(
        self, space: Space, seed: int = 0, apart: bool | Sequence[str] = False, kernel_transform: bool = False
    ) -> Supernet:
        return Supernet(Varied(space, apart, kernel_transform), seed)

    def engine(
        self,
        supernet: Supernet,
        parameters: Mapping[str, Array],
        weights: WeightSettings,
        architecture: ArchitectureSettings,
        loss: str = "cross_entropy",
        seed: int = 0,
        device: str = "cpu",
    ) -> TensorFlowEngine:
        return TensorFlowEngine(supernet, parameters, weights, architecture, loss, seed, device)

    def meter(self, device: str, threads: int, batch: int) -> AbstractContextManager[Meter]:
        return meter(device, threads, batch)

    def run(self, network: keras.Model, *inputs: Array) -> Any:
        return run(network, *inputs)

    def is_model(self, thing: Any) -> bool:
        return isinstance(thing, keras.Layer)

    def arrays(self, inputs: Any) -> list[Array]:
        from archlang_tensorflow.capture.calling import as_arrays

        return as_arrays(inputs)

    def capture(self, model: keras.Layer, inputs: Sequence[Array], name: str, told: Callable[[str], None]) -> Captured:
        from archlang_tensorflow.capture import capture

        return capture(model, inputs, name, told)

    def outputs(self, model: keras.Layer, inputs: Sequence[Array]) -> Mapping[str, Array]:
        from archlang_tensorflow.capture import outputs

        return outputs(model, inputs)

    def parameter_count(self, model: keras.Layer) -> int:
        from archlang_tensorflow.capture.opaque import trained_count

        return trained_count(model)

    def macs(self, model: keras.Layer, inputs: Sequence[Array]) -> int | None:
        return None


backend = TensorFlowBackend()
