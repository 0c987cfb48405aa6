"""Rows of tables, and tensors put together."""

from __future__ import annotations

from math import prod
from typing import Any

import attrs
import torch

from archlang.conversion.data import Data, Unsupported
from archlang_torch.capture.onnx.lowerer import Call, OnnxLowerer, data, known, node
from archlang_torch.capture.values import Known


@node("Gather")
def gather(lo: OnnxLowerer, call: Call, x: Any, places: Any) -> Any:
    axis = call.get("axis", 0)
    if isinstance(x, Known):
        if axis != 0 or len(x.shape) != 2:
            raise Unsupported("`Gather` from other than the rows of a table")
        return lo.call("embedding", x, places)
    tensor = known(places, "a place").tensor
    axis %= data(x).rank
    if x.rank == 1 and torch.equal(tensor.reshape(-1), torch.arange(prod(lo.shape(x)))):
        return lo.reshaped(x, tensor.shape)  # all elements in order, as strides over them are exported
    parts = stacked(x)
    if tensor.ndim == 0 and parts is not None and parts[1] == axis:
        return parts[0][int(tensor)]
    if x.shape[axis] != lo.shape(x)[axis] or x.layout.batch == axis:
        raise Unsupported("`Gather` along the batch")
    indices = [int(index) % x.shape[axis] for index in tensor.reshape(-1).tolist()]
    if tensor.ndim == 0:
        return lo.view("select", x, axis, indices[0])
    if tensor.ndim == 1 and indices == list(range(indices[0], indices[0] + len(indices))):
        return lo.view("slice", x, axis, indices[0], indices[-1] + 1)
    raise Unsupported("`Gather` of places that do not follow one another")


@node("GatherElements")
def gather_elements(lo: OnnxLowerer, call: Call, x: Any, places: Any) -> Any:
    return lo.call("gather", x, call.get("axis", 0), places)


@node("Concat")
def concat(lo: OnnxLowerer, call: Call, *parts: Any) -> Any:
    tensors = [part if isinstance(part, Known) else data(part) for part in parts]
    axis = call.get("axis") % len(tensors[0].shape)
    stacks = [stacked(x) for x in tensors]
    if all(stack is not None and stack[1] == axis for stack in stacks):
        return lo.call("stack", [x for stack in stacks if stack is not None for x in stack[0]], axis)
    if len(tensors) == 2:
        first, second = tensors
        if isinstance(first, Data) and isinstance(second, Data):
            whole = _exchanged(first, second, axis)
            if whole is not None:
                ahead, behind = first.shape[axis], second.shape[axis]
                return lo.call("roll", whole, ahead if ahead < behind else -behind, axis)
    rank = len(tensors[0].shape)
    return lo.call("cat", tensors, -1 if axis == rank - 1 else axis)


def stacked(x: Any) -> tuple[list[Any], int] | None:
    """What a tensor is a stack of, and along which dimension."""
    made = x.made if isinstance(x, Data) else None
    return (list(made[1][0]), made[1][1]) if made is not None and made[0] == "stack" else None


def _exchanged(first: Data, second: Data, axis: int) -> Data | None:
    """The tensor of which these are the end and the beginning; None where they are not."""
    a, b = first.layout, second.layout
    others = [i for i in range(len(a.dims)) if i != axis]
    if first.value != second.value or len(a.dims[axis]) != 1 or len(b.dims[axis]) != 1:
        return None
    ((count, stride),), ((before, apart),) = a.dims[axis], b.dims[axis]
    same = all(a.dims[i] == b.dims[i] for i in others) and stride == apart and stride > 0
    if not same or a.offset != b.offset + before * stride or a.batch is None or a.batch == axis:
        return None
    dims = (*b.dims[:axis], ((before + count, stride),), *b.dims[axis + 1 :])
    return Data(first.value, attrs.evolve(b, dims=dims))
