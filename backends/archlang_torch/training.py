"""Training and running networks on numpy arrays."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from archlang.backend import Progress, TrainingSettings
from archlang.diagnostics import ArchError, error
from archlang.lowering.running import in_batches
from archlang.lowering.training import EVALUATION_BATCH, Plan, only_output, outcome

Array = NDArray[Any]


def fit(
    network: nn.Module,
    train: tuple[Array, Array],
    validation: tuple[Array, Array],
    settings: TrainingSettings,
    on_epoch: Callable[[Progress], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> dict[str, Any]:
    """Train a network with one input and one output, and evaluate it on the validation pair.

    The same network, data and settings give the same result on one machine; the global random
    state is left alone. Training ends early when the loss is not finite (`diverged` is then
    among the metrics) or when `should_stop` says so after an epoch. Returns `loss` and, for
    classification, `accuracy` (a fraction) on the validation pair in evaluation mode, `train_loss`
    (mean of the last epoch), `epochs` (done), and `seconds`.
    """
    started = time.perf_counter()
    device = device_named(settings.device)
    network.to(device)
    x, y = input_of(network, train[0], device), _target(train[1], settings, device)
    held_x, held_y = input_of(network, validation[0], device), _target(validation[1], settings, device)
    if device.type == "cpu" and x.ndim == 4:  # where convolutions are much faster so, batch norms too
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch leaves it undeclared
        x, held_x = (images.contiguous(memory_format=torch.channels_last) for images in (x, held_x))
    plan = Plan(len(x), settings)
    optimizer = _optimizer(network, settings)
    step = 0
    train_loss = math.nan
    metrics: dict[str, float] = {}
    epochs = 0
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []), with_threads(settings.threads):
        torch.manual_seed(settings.seed)
        for epoch in range(1, settings.epochs + 1):
            network.train()
            total = torch.zeros((), dtype=torch.float64, device=device)
            for positions in plan.epoch():
                picked = torch.from_numpy(positions).to(device)
                loss = _loss(only_output(network(x[picked])), y[picked], settings, settings.label_smoothing)
                optimizer.zero_grad(set_to_none=True)
                if loss.requires_grad:  # a network may have nothing to train
                    loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
                if settings.clip is not None:
                    nn.utils.clip_grad_norm_(network.parameters(), settings.clip)
                for group in optimizer.param_groups:
                    group["lr"] = plan.rate(step)
                optimizer.step()
                step += 1
                total += loss.detach() * len(positions)
                if not torch.isfinite(total):
                    break
            train_loss = float(total) / plan.samples
            epochs = epoch
            if not math.isfinite(train_loss):
                return outcome(settings, {}, train_loss, epochs, time.perf_counter() - started)
            if on_epoch is not None or epoch == settings.epochs:
                metrics = evaluate(network, held_x, held_y, settings)
            if on_epoch is not None:
                on_epoch(Progress(epoch, settings.epochs, train_loss, metrics, time.perf_counter() - started))
            if should_stop is not None and should_stop():
                break
    metrics = metrics or evaluate(network, held_x, held_y, settings)
    return outcome(settings, metrics, train_loss, epochs, time.perf_counter() - started)


@contextmanager
def with_threads(count: int) -> Iterator[None]:
    """So many threads on the CPU, and what was set before afterwards; 0 changes nothing."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def evaluate(network: nn.Module, x: Tensor, y: Tensor, settings: TrainingSettings) -> dict[str, float]:
    """The mean loss and, for classification, the accuracy in evaluation mode."""
    network.eval()
    loss = correct = 0.0
    with torch.no_grad():
        for first in range(0, len(x), EVALUATION_BATCH):
            target = y[first : first + EVALUATION_BATCH]
            output = only_output(network(x[first : first + EVALUATION_BATCH]))
            loss += float(_loss(output, target, settings, 0.0)) * len(target)
            if settings.loss == "cross_entropy":
                correct += float((output.argmax(dim=-1) == target).float().mean()) * len(target)
    found = {"loss": loss / max(len(x), 1)}
    if settings.loss == "cross_entropy":
        found["accuracy"] = correct / max(len(x), 1)
    return found


def run(network: nn.Module, *inputs: Array) -> Any:
    """The outputs in evaluation mode for arrays, computed in batches: an array, or a dictionary of
    arrays by name where the network has named outputs."""
    device = next((weight.device for weight in network.parameters()), torch.device("cpu"))
    network.eval()

    def call(*arrays: Array) -> Any:
        found = network(*[input_of(network, array, device) for array in arrays])
        return {name: array_of(y) for name, y in found.items()} if isinstance(found, dict) else array_of(found)

    with torch.no_grad():
        return in_batches(call, inputs, EVALUATION_BATCH, getattr(network, "batched", True))


def input_of(network: nn.Module, array: Array, device: torch.device) -> Tensor:
    """An array as an input of a network. NumPy has no bf16: in a network of it f32 stands for it."""
    tensor = _tensor(array, device)
    narrow = {weight.dtype for weight in network.parameters()} == {torch.bfloat16}
    return tensor.bfloat16() if narrow and tensor.dtype == torch.float32 else tensor


def array_of(found: Tensor) -> Array:
    """A tensor as an array, in f32 where it is bf16."""
    return np.asarray((found.float() if found.dtype == torch.bfloat16 else found).cpu().numpy())


def device_named(name: str) -> torch.device:
    """The device of that name; ArchError (E0805) when this machine has none."""
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as failure:
        reason = str(failure).splitlines()[0]
        hints = ('use `device="cpu"`',)
        raise ArchError(error("E0805", f"there is no device `{name}`: {reason}", hints=hints)) from failure
    return device


def _tensor(array: Array, device: torch.device) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array)).to(device)


def _target(array: Array, settings: TrainingSettings, device: torch.device) -> Tensor:
    target = _tensor(array, device)
    return target.long() if settings.loss == "cross_entropy" else target


def _loss(output: Tensor, target: Tensor, settings: TrainingSettings, smoothing: float) -> Tensor:
    if settings.loss == "cross_entropy":
        scores = output.reshape(-1, output.shape[-1])
        return F.cross_entropy(scores, target.reshape(-1), label_smoothing=smoothing)
    return F.mse_loss(output, target.reshape(output.shape).to(output.dtype))


def _optimizer(network: nn.Module, settings: TrainingSettings) -> torch.optim.Optimizer:
    parameters = list(network.parameters()) or [nn.Parameter(torch.zeros(0))]
    rate, decay = settings.lr, settings.weight_decay
    if settings.optimizer == "sgd":
        momentum = settings.momentum
        nesterov = settings.nesterov and momentum > 0
        return torch.optim.SGD(parameters, rate, momentum=momentum, weight_decay=decay, nesterov=nesterov)
    kind = torch.optim.Adam if settings.optimizer == "adam" else torch.optim.AdamW
    return kind(parameters, rate, weight_decay=decay)
