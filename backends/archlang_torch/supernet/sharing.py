"""The weights that all programs of a space share, and layers that take their part of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from archlang.ir.graph import Operation
from archlang.lowering.declared import Layer
from archlang.lowering.initial import Drawing
from archlang.relax.kernels import transformed
from archlang.relax.varied import Shared
from archlang_torch.building import DTYPES
from archlang_torch.lowering import LOWERINGS
from archlang_torch.prototypes import prototype
from archlang_torch.supernet.convolution import convolution
from archlang_torch.supernet.norms import batch_norm


class Elastic(nn.Module):
    """The weights of an op that has several forms, each in its largest size."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self._kind = kind

    def _get_name(self) -> str:
        return f"Elastic{self._kind}"


class Sliced:
    """A layer for one form of an op, whose weights are slices of shared ones, kernels perhaps transformed."""

    def __init__(self, holder: nn.Module, shared: Shared, operation: Operation) -> None:
        lowered = layer_of(operation)
        self._holder = holder
        self._layer = prototype(lowered, operation, dtype_of(operation)).make()
        self._run = run_by(self._layer)
        self._parts = []
        for weight in operation.weights:
            name = lowered.name(weight.name)
            whole = holder._parameters if weight.trained else holder._buffers
            own = self._layer._parameters if weight.trained else self._layer._buffers
            self._parts.append((own, whole, name, shared.taken(weight)))

    def __call__(self, *inputs: Any) -> Any:
        layer = self._layer
        layer.training = self._holder.training
        for own, whole, name, taken in self._parts:
            part = whole[name]
            assert part is not None
            part = part if taken.where is None else part[taken.where]
            own[name] = transformed(part, taken.steps, self._holder._parameters.__getitem__)
        result = self._run(*inputs)
        for own, _, name, _ in self._parts:
            own[name] = None  # slices hang on the graph of this call
        return result


def run_by(layer: nn.Module) -> Callable[..., Any]:
    """What computes a layer: it, or a function that does so with less."""
    faster: dict[type, Callable[..., Any]] = {nn.Conv2d: convolution, nn.BatchNorm2d: batch_norm}
    found = faster.get(type(layer))
    return layer if found is None else partial(found, layer)


def layer_of(operation: Operation) -> Layer:
    """The lowering of an op with weights."""
    lowered = LOWERINGS.get(operation.name)
    if not isinstance(lowered, Layer):
        raise TypeError(f"op `{operation.name}` has weights: its lowering must be a layer")
    return lowered


def dtype_of(operation: Operation) -> torch.dtype:
    """The type of an operation's weights."""
    dtype = DTYPES[operation.output.dtype]
    return dtype if dtype.is_floating_point else torch.float32


def holders(weights: Mapping[str, Shared], seed: int) -> dict[str, nn.Module]:
    """A module for the weights at each address, with first values as of the same address in a program: a
    layer that can be called where the op has one form."""
    drawing = Drawing(seed)
    found = {}
    for at, shared in weights.items():
        operation = shared.operations[0]
        lowered = layer_of(operation)
        holder: nn.Module
        if len(shared.operations) == 1:
            holder = prototype(lowered, operation, dtype_of(operation)).make()
        else:
            holder = Elastic(type(prototype(lowered, operation, dtype_of(operation)).make()).__name__)
        for name, spec in shared.specs.items():
            tensor: Tensor = torch.from_numpy(drawing.draw(f"{at}.{name}", spec)).to(dtype_of(operation))
            if spec.trained:
                holder._parameters[lowered.name(name)] = nn.Parameter(tensor)
            else:
                holder._buffers[lowered.name(name)] = tensor
        found[at] = holder
    return found
