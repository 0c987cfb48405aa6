"""One stage of the language applied to inputs of given shapes, and the same in PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import attrs
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

import archlang as al

Shape = tuple[int, ...]


@attrs.frozen
class Facts:
    """What both sides must agree on; `macs` are all multiply-adds, those of attention included."""

    shape: Shape
    params: int
    macs: int


def declared(stage: str, *shapes: Shape) -> Facts:
    """What archlang says of `inputs |> stage`, for shapes whose first dimension is the batch."""
    names = [f"x{position}" for position in range(len(shapes))]
    inputs = ", ".join(
        f"{name}: f32[{', '.join(['n', *map(str, shape[1:])])}]" for name, shape in zip(names, shapes, strict=True)
    )
    value = names[0] if len(names) == 1 else f"({', '.join(names)})"
    text = f"use std.nn\nuse std.blocks\nspace applied({inputs}) {{ {value} |> {stage} }}"
    program = al.loads(text).program({})
    cost = program.cost()
    (output,) = program.graph.outputs
    dims = program.graph.type_of(output.value).shape
    shape = tuple(dim if isinstance(dim, int) else dim.factor for dim in dims)
    return Facts(shape, cost.params, cost.macs + cost.matmul_macs)


def executed(function: Callable[..., Tensor], shapes: Sequence[Shape], params: int = 0) -> Facts:
    """What PyTorch does for one sample. A module's parameters are counted, a function's are given."""
    inputs = [torch.zeros(1, *shape[1:]) for shape in shapes]
    if isinstance(function, torch.nn.Module):
        params = sum(weight.numel() for weight in function.parameters())
        function.eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        output = function(*inputs)
    return Facts(tuple(output.shape), params, counter.get_total_flops() // 2)
