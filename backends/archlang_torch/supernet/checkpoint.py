"""What the training of a supernet goes on from, as arrays by name: a file of them needs no pickle."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.optim import Optimizer

from archlang.relax.state import check_state
from archlang_torch.supernet.network import Supernet
from archlang_torch.supernet.tensors import TorchTensors

Array = NDArray[Any]

HELD = ("supernet/", "parameters/")  # what names of weights and parameters begin with
DRAWS, TORCH, CUDA = "random/engine", "random/torch", "random/cuda"


def to_arrays(
    supernet: Supernet, parameters: Mapping[str, Tensor], sgd: Optimizer, adam: Optimizer, tensors: TorchTensors
) -> dict[str, Array]:
    """Weights and states of the supernet, parameters of the mixture, what the optimizers keep of each, and the
    states of the generators: the engine's own, and torch's, which dropout draws from."""
    found = {f"supernet/{name}": tensor for name, tensor in supernet.state_dict().items()}
    found |= {f"parameters/{name}": tensor for name, tensor in parameters.items()}
    for kind, optimizer, name, tensor in _optimized(supernet, parameters, sgd, adam):
        kept = optimizer.state.get(tensor, {})
        found |= {f"{kind}/{key}/{name}": value for key, value in kept.items() if value is not None}
    found |= {DRAWS: tensors.generator.get_state(), TORCH: torch.get_rng_state()}
    if tensors.device.type == "cuda":
        found[CUDA] = torch.cuda.get_rng_state(tensors.device)
    return {name: _array(tensor) for name, tensor in found.items()}


def from_arrays(
    state: Mapping[str, Array],
    supernet: Supernet,
    parameters: Mapping[str, Tensor],
    sgd: Optimizer,
    adam: Optimizer,
    tensors: TorchTensors,
) -> None:
    """Go on from arrays that `to_arrays` gave; ArchError (E0807) when they are those of another supernet or
    mixture."""
    held = {f"supernet/{name}": tensor for name, tensor in supernet.state_dict().items()}
    held |= {f"parameters/{name}": tensor for name, tensor in parameters.items()}
    needed = {**held, DRAWS: tensors.generator.get_state(), TORCH: torch.get_rng_state()}
    given = {
        name: array for name, array in state.items() if name.startswith(("supernet/", "parameters/", DRAWS, TORCH))
    }
    check_state(given, {name: tuple(tensor.shape) for name, tensor in needed.items()})
    with torch.no_grad():
        for name, tensor in held.items():
            tensor.copy_(torch.tensor(state[name]))
    kept: dict[tuple[str, str], dict[str, Array]] = {}
    for address, value in state.items():
        kind, _, rest = address.partition("/")
        key, _, name = rest.partition("/")
        kept.setdefault((kind, name), {})[key] = value
    for kind, optimizer, name, tensor in _optimized(supernet, parameters, sgd, adam):
        optimizer.state.pop(tensor, None)
        if (kind, name) in kept:
            optimizer.state[tensor] = {key: _like(tensor, value) for key, value in kept[kind, name].items()}
    tensors.generator.set_state(torch.tensor(state[DRAWS]))
    torch.set_rng_state(torch.tensor(state[TORCH]))
    if tensors.device.type == "cuda" and CUDA in state:  # a state may come from another device
        torch.cuda.set_rng_state(torch.tensor(state[CUDA]), tensors.device)


def _optimized(
    supernet: Supernet, parameters: Mapping[str, Tensor], sgd: Optimizer, adam: Optimizer
) -> Iterator[tuple[str, Optimizer, str, Tensor]]:
    for name, weight in supernet.named_parameters():
        yield "sgd", sgd, name, weight
    for name, parameter in parameters.items():
        yield "adam", adam, name, parameter


def _like(weight: Tensor, value: Array) -> Tensor:
    """What an optimizer keeps of a weight: beside it if it is like it, else (a count of steps) as it was."""
    kept = torch.tensor(value)
    return kept.to(weight) if kept.shape == weight.shape and kept.dim() else kept


def _array(tensor: Tensor) -> Array:
    tensor = tensor.detach().cpu()
    found: Array = (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy().copy()
    return found
