"""Gradients as arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from archlang.ir.graph import Graph
from archlang_torch.building import parameter_names
from archlang_torch.training import array_of, input_of

Array = NDArray[Any]


def gradients(
    graph: Graph, network: nn.Module, inputs: Sequence[Array], cotangents: Mapping[str, Array]
) -> tuple[Sequence[Array | None], dict[str, Array]]:
    """The gradients of the outputs' sum, each multiplied by its cotangent, in evaluation mode.

    For each input, None where it holds no floats; for each trained weight by address. What the
    outputs do not depend on has zeros.
    """
    network.eval()
    given = [input_of(network, array, torch.device("cpu")).clone() for array in inputs]
    for tensor in given:
        tensor.requires_grad_(tensor.is_floating_point())
    found = network(*given)
    outputs = found if isinstance(found, dict) else {"": found}
    products = [(outputs[name] * torch.from_numpy(value)).sum() for name, value in cotangents.items()]
    total = torch.stack(products).sum()
    names = parameter_names(graph)
    state = network.state_dict(keep_vars=True)
    trained = {address: state[names[address]] for address, spec in graph.weights.items() if spec.trained}
    wanted = [*[tensor for tensor in given if tensor.requires_grad], *trained.values()]
    computed: list[torch.Tensor | None] = [None] * len(wanted)
    if total.requires_grad:
        computed = list(torch.autograd.grad(total, wanted, allow_unused=True))
    arrays = iter(
        [
            np.zeros(tuple(at.shape)) if gradient is None else array_of(gradient)
            for at, gradient in zip(wanted, computed, strict=True)
        ]
    )
    by_input = [next(arrays) if tensor.requires_grad else None for tensor in given]
    return by_input, dict(zip(trained, arrays, strict=True))
