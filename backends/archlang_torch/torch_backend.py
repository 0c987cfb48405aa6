"""The backend object that the entry point names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from archlang.backend import Array, Capturer, Meter, Progress, TrainingSettings
from archlang.conversion.captured import Captured
from archlang.ir.graph import Graph
from archlang.ir.weights import check_weights
from archlang.lowering.emitting import emit
from archlang.relax.settings import ArchitectureSettings, WeightSettings
from archlang.relax.varied import Varied
from archlang.space.space import Space
from archlang_torch.building import build, parameter_names
from archlang_torch.dialect import TORCH
from archlang_torch.gradients import gradients
from archlang_torch.lowering import LOWERINGS
from archlang_torch.profiling import meter
from archlang_torch.supernet.engine import TorchEngine
from archlang_torch.supernet.network import Supernet
from archlang_torch.training import array_of, device_named, fit, run


class TorchBackend:
    """PyTorch: see `archlang.backend.Backend` for what the methods do."""

    name = "torch"

    def build(self, graph: Graph, seed: int = 0, externs: Mapping[str, nn.Module] | None = None) -> nn.Module:
        return build(graph, seed, externs)

    def emit(self, graph: Graph, header: Sequence[str] = ()) -> str:
        return emit(TORCH, graph, header)

    @property
    def matrix(self) -> Mapping[str, str]:
        return LOWERINGS.matrix

    def unsupported(self, graph: Graph) -> tuple[str, ...]:
        return tuple(LOWERINGS.refusals(graph))

    def weights(self, graph: Graph, network: nn.Module) -> dict[str, Array]:
        state = network.state_dict()
        found = {}
        for address, name in parameter_names(graph).items():
            tensor = state[name].detach().cpu()
            found[address] = (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy().copy()
        return found

    def set_weights(self, graph: Graph, network: nn.Module, weights: Mapping[str, Array]) -> None:
        check_weights(graph, weights)
        state = network.state_dict(keep_vars=True)
        with torch.no_grad():
            for address, name in parameter_names(graph).items():
                state[name].copy_(torch.tensor(weights[address]))

    def export_onnx(self, graph: Graph, network: nn.Module, path: Path | str) -> None:
        from archlang_torch.onnx_export import export_onnx  # what it needs is slow to import

        export_onnx(graph, self.weights(graph, network), path)

    def fit(
        self,
        network: nn.Module,
        train: tuple[Array, Array],
        validation: tuple[Array, Array],
        settings: TrainingSettings,
        on_epoch: Callable[[Progress], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> dict[str, Any]:
        return fit(network, train, validation, settings, on_epoch, should_stop)

    def gradients(
        self, graph: Graph, network: nn.Module, inputs: Sequence[Array], cotangents: Mapping[str, Array]
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
    ) -> TorchEngine:
        return TorchEngine(supernet.to(device_named(device)), parameters, weights, architecture, loss, seed)

    def meter(self, device: str, threads: int, batch: int) -> AbstractContextManager[Meter]:
        return meter(device, threads, batch)

    def is_model(self, thing: Any) -> bool:
        return isinstance(thing, nn.Module)

    def arrays(self, inputs: Any) -> list[Array]:
        given = inputs if isinstance(inputs, list | tuple) else [inputs]
        return [array_of(x.detach()) if isinstance(x, torch.Tensor) else np.asarray(x) for x in given]

    def capture(self, model: nn.Module, inputs: Sequence[Array], name: str, told: Callable[[str], None]) -> Captured:
        from archlang_torch.capture import capture  # what it needs is slow to import

        return capture(model, [torch.from_numpy(x.copy()) for x in inputs], name, told)

    def onnx_file(self, path: Path) -> Capturer:
        from archlang_torch.onnx_export import require

        require("reading ONNX files", "onnx")
        from archlang_torch.capture.onnx import OnnxFrontend

        return OnnxFrontend(path)

    def outputs(self, model: nn.Module, inputs: Sequence[Array]) -> Mapping[str, Array]:
        from archlang_torch.capture import outputs

        found = outputs(model, [torch.from_numpy(x.copy()) for x in inputs])
        return {name: array_of(x) for name, x in found.items()}

    def parameter_count(self, model: nn.Module) -> int:
        return sum(weight.numel() for weight in model.parameters())

    def macs(self, model: nn.Module, inputs: Sequence[Array]) -> int | None:
        from archlang_torch.capture import macs

        return macs(model, [torch.from_numpy(x[:1].copy()) for x in inputs])

    def run(self, network: nn.Module, *inputs: Array) -> Any:
        return run(network, *inputs)


backend = TorchBackend()
