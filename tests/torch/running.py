"""A graph run node by node with the weights of a built network."""

from __future__ import annotations

from typing import Any

import torch
from archlang_torch import parameter_names
from archlang_torch.building import DTYPES
from archlang_torch.lowering import LOWERINGS
from torch import nn

from archlang.ir.graph import Graph
from archlang.lowering.declared import Function, Layer


def values_of(graph: Graph, network: nn.Module, inputs: list[torch.Tensor]) -> list[torch.Tensor]:
    """All values of the graph in evaluation mode, by their numbers."""
    state = network.state_dict()
    names = parameter_names(graph)
    values = list(inputs)
    for node in graph.nodes:
        operation = node.operation
        arguments = [values[i] for i in node.inputs]
        lowered = LOWERINGS.get(operation.name)
        if isinstance(lowered, Layer):
            module = lowered.factory(**lowered.config(operation)).eval()
            given = {lowered.name(w.name): state[names[f"{node.weights_at}.{w.name}"]] for w in operation.weights}
            module.load_state_dict({**module.state_dict(), **given})
            values.append(module(*arguments))
        else:
            assert lowered is not None
            more: dict[str, Any] = {"training": False} if isinstance(lowered, Function) and lowered.training else {}
            values.append(lowered.call(operation)(*arguments, **more))
    return values


def samples_for(graph: Graph, samples: int = 2) -> list[torch.Tensor]:
    """Inputs that the graph takes, with so many samples where that is free; integers are 0 or 1."""
    generator = torch.Generator().manual_seed(0)
    found = []
    for given in graph.inputs:
        first, *rest = given.type.shape
        shape = [first if isinstance(first, int) else samples, *(dim for dim in rest if isinstance(dim, int))]
        dtype = DTYPES[given.type.dtype]
        if dtype.is_floating_point:
            found.append(torch.randn(shape, dtype=dtype, generator=generator))
        else:
            found.append(torch.randint(0, 2, shape, dtype=dtype, generator=generator))
    return found


def results_of(network: nn.Module, inputs: list[torch.Tensor]) -> list[torch.Tensor]:
    """The network's outputs in order."""
    found = network(*inputs)
    return list(found.values()) if isinstance(found, dict) else [found]
