"""One stage of the language applied to inputs of given shapes, and the same in PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import attrs
import torch
from archlang_torch import backend, build
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

import archlang as al

Array = NDArray[Any]
Shape = tuple[int, ...] | str  # sizes, the first of which is the batch, or a type such as "i64[2, 9]"
MODULES = ("nn", "blocks", "attention", "feedforward", "graphs", "recurrent")


@attrs.frozen
class Facts:
    """What both sides must agree on; `macs` are all multiply-adds, those of attention included."""

    shape: tuple[int, ...]
    params: int
    macs: int


def applied(stage: str, *types: str) -> al.Program:
    """The program that applies a stage to inputs of the given types."""
    names = [f"x{position}" for position in range(len(types))]
    inputs = ", ".join(f"{name}: {kind}" for name, kind in zip(names, types, strict=True))
    value = names[0] if len(names) == 1 else f"({', '.join(names)})"
    uses = "\n".join(f"use std.{module}" for module in MODULES)
    return al.loads(f"{uses}\nspace applied({inputs}) {{ {value} |> {stage} }}").program({})


def declared(stage: str, *shapes: Shape) -> Facts:
    """What archlang says of `inputs |> stage`."""
    program = applied(stage, *[shape if isinstance(shape, str) else _type("f32", shape) for shape in shapes])
    cost = program.cost()
    (output,) = program.graph.outputs
    dims = program.graph.type_of(output.value).shape
    shape = tuple(dim if isinstance(dim, int) else dim.factor for dim in dims)
    return Facts(shape, cost.params, cost.macs + cost.matmul_macs)


def executed(function: Callable[..., Tensor], shapes: Sequence[Shape], params: int = 0) -> Facts:
    """What PyTorch does for one sample. A module's parameters are counted, a function's are given."""
    inputs = [_zeros(shape) for shape in shapes]
    if isinstance(function, torch.nn.Module):
        params = sum(weight.numel() for weight in function.parameters())
        function.eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        output = function(*inputs)
    return Facts(tuple(output.shape), params, counter.get_total_flops() // 2)


def computed(stage: str, *inputs: Array, batch: bool = True) -> tuple[Array, dict[str, Array]]:
    """The result of `inputs |> stage` in PyTorch, and its weights by the ends of their addresses.

    Without `batch` the first dimension of every input has its size in the program.
    """
    kinds = ["i64" if x.dtype.kind == "i" else "f64" for x in inputs]
    types = [_type(kind, x.shape, "n" if batch else None) for kind, x in zip(kinds, inputs, strict=True)]
    graph = applied(stage, *types).graph
    network = build(graph, seed=1).eval()
    with torch.no_grad():
        result = network(*map(torch.from_numpy, inputs)).numpy()
    weights = {address.split("/", 1)[1]: value for address, value in backend.weights(graph, network).items()}
    return result, weights


def _type(kind: str, shape: tuple[int, ...], first: str | None = "n") -> str:
    return f"{kind}[{', '.join([first or str(shape[0]), *map(str, shape[1:])])}]"


def _zeros(shape: Shape) -> Tensor:
    if isinstance(shape, str):
        kind, sizes = shape.rstrip("]").split("[")
        return torch.zeros([int(size) for size in sizes.split(",")], dtype=torch.int64 if kind == "i64" else None)
    return torch.zeros(1, *shape[1:])
