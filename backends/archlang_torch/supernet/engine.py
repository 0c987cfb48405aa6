"""The training of a supernet: see `archlang.relax.engine.Engine`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from copy import deepcopy
from typing import Any

import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from archlang.lowering.training import only_output
from archlang.relax.engine import Draw, Way
from archlang.relax.settings import ArchitectureSettings, WeightSettings
from archlang_torch.supernet.checkpoint import from_arrays, to_arrays
from archlang_torch.supernet.network import Supernet
from archlang_torch.supernet.statistics import BatchStatistics
from archlang_torch.supernet.tensors import TorchTensors
from archlang_torch.training import with_threads

Array = NDArray[Any]
Batch = tuple[Tensor, Tensor]
Direction = list[Tensor | None]

SECOND = "second/"  # of the names of what is exchanged


class TorchEngine:
    """A supernet, SGD for its weights, and Adam for the parameters of its mixture."""

    def __init__(
        self,
        supernet: Supernet,
        parameters: Mapping[str, Array],
        weights: WeightSettings,
        architecture: ArchitectureSettings,
        loss: str = "cross_entropy",
        seed: int = 0,
    ) -> None:
        self.supernet = supernet
        self._weights = list(supernet.parameters())
        device = self._weights[0].device if self._weights else torch.device("cpu")
        self.tensors = TorchTensors(device, seed)
        self.parameters = {
            name: torch.tensor(first, dtype=torch.float32, device=device, requires_grad=True)
            for name, first in parameters.items()
        }
        self._settings = weights
        self._seed = seed
        self._kind = loss
        self._sgd = torch.optim.SGD(
            self._weights or [nn.Parameter(torch.zeros(0))],
            lr=weights.lr,
            momentum=weights.momentum,
            weight_decay=weights.decay,
            nesterov=weights.nesterov and weights.momentum > 0,
        )
        self._other: tuple[list[Tensor], list[dict[str, Any]]] | None = None  # see `exchange`
        self._adam = torch.optim.Adam(
            [*self.parameters.values()] or [nn.Parameter(torch.zeros(0))],
            lr=architecture.lr,
            betas=architecture.betas,
            weight_decay=architecture.decay,
        )

    # ----------------------------------------------------------------- losses

    @contextmanager
    def running(self, threads: int) -> Iterator[None]:
        devices = [self.tensors.device] if self.tensors.device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices), with_threads(threads):
            torch.manual_seed(self._seed)  # for dropout
            yield

    def batch(self, x: Array, y: Array) -> Batch:
        target = torch.from_numpy(y).to(self.tensors.device)
        image = torch.from_numpy(x).to(self.tensors.device)
        return image, target.long() if self._kind == "cross_entropy" else target

    def loss(self, batch: Batch, way: Way, teacher: Tensor | None = None, labels: float = 0.0) -> Tensor:
        self.supernet.train()
        output = self._forward(batch[0], way)
        if teacher is None:
            return self._loss(output, batch)
        distance = _distance(output, teacher, self._kind)
        return distance + labels * self._loss(output, batch) if labels else distance

    def loss_and_outputs(self, batch: Batch, way: Way) -> tuple[Tensor, Tensor]:
        self.supernet.train()
        output = self._forward(batch[0], way)
        return self._loss(output, batch), output.detach()

    def _loss(self, output: Tensor, batch: Batch) -> Tensor:
        return _loss(output, batch[1], self._kind, self._settings.smoothing)

    def outputs(self, batch: Batch, way: Way) -> Tensor:
        self.supernet.train()
        with torch.no_grad():
            return self._forward(batch[0], way)

    def _forward(self, x: Tensor, way: Way) -> Tensor:
        if isinstance(way, Draw):
            found = self.supernet.mixed(way.weights, x, active=way.active, ghosts=way.ghosts)
        else:
            found = self.supernet.path(way, x)
        result: Tensor = only_output(found)
        return result

    def measure(self, batches: Sequence[Batch], way: Way, *, by_batch: bool = False) -> dict[str, float]:
        self.supernet.eval()
        loss = correct = count = 0.0
        with torch.no_grad(), BatchStatistics() if by_batch else nullcontext():
            for x, y in batches:
                output = self._forward(x, way)
                loss += float(_loss(output, y, self._kind, 0.0)) * len(y)
                if self._kind == "cross_entropy":
                    correct += float((output.argmax(-1) == y).float().mean()) * len(y)
                count += len(y)
        found = {"loss": loss / max(count, 1)}
        return {**found, "accuracy": correct / max(count, 1)} if self._kind == "cross_entropy" else found

    def recalibrate(self, batches: Sequence[Batch], way: Way) -> None:
        self.supernet.eval()
        with torch.no_grad(), BatchStatistics() as seen:
            for x, _ in batches:
                self._forward(x, way)
        seen.write(self.supernet.buffers())

    # -------------------------------------------------------------- gradients

    def add_gradients(self, loss: Callable[[], Tensor], *, weights: bool = False, parameters: bool = False) -> float:
        self._train(weights, parameters)  # what is not trained need not be kept for it
        try:
            value = loss()
            wanted = [*(self._weights if weights else ()), *(self.parameters.values() if parameters else ())]
            if value.requires_grad and wanted:
                for tensor, gradient in zip(wanted, torch.autograd.grad(value, wanted, allow_unused=True), strict=True):
                    if gradient is not None:
                        tensor.grad = gradient if tensor.grad is None else tensor.grad + gradient
            return float(value.detach())
        finally:
            self._train(True, True)

    def _train(self, weights: bool, parameters: bool) -> None:
        for weight in self._weights:
            weight.requires_grad_(weights)
        for parameter in self.parameters.values():
            parameter.requires_grad_(parameters)

    def clear(self, *, weights: bool = False, parameters: bool = False) -> None:
        for tensor in [*(self._weights if weights else ()), *(self.parameters.values() if parameters else ())]:
            tensor.grad = None

    def step_weights(self, rate: float) -> None:
        clip = self._settings.clip
        if clip is not None and self._settings.clip_values:
            nn.utils.clip_grad_value_(self._weights, clip)
        elif clip is not None:
            nn.utils.clip_grad_norm_(self._weights, clip)
        for group in self._sgd.param_groups:
            group["lr"] = rate
        self._sgd.step()

    def step_parameters(self) -> None:
        self._adam.step()

    def restart_optimizer(self) -> None:
        self._sgd.state.clear()

    @torch.no_grad()
    def set_parameters(self, values: Mapping[str, Tensor]) -> None:
        for name, value in values.items():
            self.parameters[name].copy_(value)

    def weight_gradients(self) -> Direction:
        return [None if weight.grad is None else weight.grad.clone() for weight in self._weights]

    def parameter_gradients(self) -> dict[str, Tensor | None]:
        return {name: tensor.grad for name, tensor in self.parameters.items()}

    def set_parameter_gradients(self, gradients: Mapping[str, Tensor | None]) -> None:
        for name, gradient in gradients.items():
            self.parameters[name].grad = gradient

    def norm(self, direction: Direction) -> float:
        parts = [part.norm() for part in direction if part is not None]
        return float(torch.stack(parts).norm()) if parts else 0.0

    @torch.no_grad()
    def move_weights(self, direction: Direction, scale: float) -> None:
        for weight, part in zip(self._weights, direction, strict=True):
            if part is not None:
                weight.add_(part, alpha=scale)

    @torch.no_grad()
    def look_ahead(self, rate: float) -> None:
        for weight in self._weights:
            if weight.grad is None:
                continue
            moment = self._sgd.state[weight].get("momentum_buffer")
            step = weight.grad.add(weight, alpha=self._settings.decay)
            if moment is not None:
                step.add_(moment, alpha=self._settings.momentum)
            weight.sub_(step, alpha=rate)

    # ------------------------------------------------------------- second set

    @torch.no_grad()
    def exchange(self) -> None:
        values, memories = self._second()
        for place, tensor in enumerate([*self._weights, *self.supernet.buffers()]):
            values[place], tensor.data = tensor.data, values[place]
        for place, weight in enumerate(self._weights):
            memories[place], self._sgd.state[weight] = self._sgd.state[weight], memories[place]

    @torch.no_grad()
    def pull(self, strength: float) -> None:
        values, _ = self._second()
        for weight, other in zip(self._weights, values, strict=False):  # after these come states
            away = (weight - other).mul_(strength)
            weight.grad = away if weight.grad is None else weight.grad + away

    def _second(self) -> tuple[list[Tensor], list[dict[str, Any]]]:
        if self._other is None:
            memories = [deepcopy(self._sgd.state[weight]) for weight in self._weights]
            self._other = self.snapshot(), memories
        return self._other

    # ------------------------------------------------------------------ state

    @torch.no_grad()
    def snapshot(self) -> list[Tensor]:
        return [tensor.clone() for tensor in [*self._weights, *self.supernet.buffers()]]

    @torch.no_grad()
    def restore(self, snapshot: list[Tensor]) -> None:
        for tensor, kept in zip([*self._weights, *self.supernet.buffers()], snapshot, strict=True):
            tensor.copy_(kept)

    def state(self) -> dict[str, Array]:
        found = self._arrays()
        if self._other is not None:
            self.exchange()
            found |= {f"{SECOND}{name}": array for name, array in self._arrays().items()}
            self.exchange()
        return found

    def _arrays(self) -> dict[str, Array]:
        return to_arrays(self.supernet, self.parameters, self._sgd, self._adam, self.tensors)

    def set_state(self, state: Mapping[str, Array]) -> None:
        second = {name.removeprefix(SECOND): array for name, array in state.items() if name.startswith(SECOND)}
        if second:
            self.exchange()
            self._go_on(second)
            self.exchange()
        self._go_on({name: array for name, array in state.items() if not name.startswith(SECOND)})

    def _go_on(self, state: Mapping[str, Array]) -> None:
        from_arrays(state, self.supernet, self.parameters, self._sgd, self._adam, self.tensors)


def _loss(output: Tensor, target: Tensor, kind: str, smoothing: float) -> Tensor:
    if kind == "cross_entropy":
        scores = output.reshape(-1, output.shape[-1])
        return F.cross_entropy(scores, target.reshape(-1), label_smoothing=smoothing)
    return F.mse_loss(output, target.reshape(output.shape).to(output.dtype))


def _distance(output: Tensor, teacher: Tensor, kind: str) -> Tensor:
    """The cross entropy of the teacher's probabilities, or the squared distance of regressions."""
    if kind == "cross_entropy":
        return F.cross_entropy(output.reshape(-1, output.shape[-1]), teacher.reshape(-1, teacher.shape[-1]).softmax(-1))
    return F.mse_loss(output, teacher)
