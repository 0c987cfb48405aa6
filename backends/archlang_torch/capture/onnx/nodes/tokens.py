"""Rows of tables, and tensors put together."""

from __future__ import annotations

from typing import Any

import attrs

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
    if len(tensors) == 2:
        first, second = tensors
        if isinstance(first, Data) and isinstance(second, Data):
            whole = _exchanged(first, second, axis)
            if whole is not None:
                return lo.call("roll", whole, -second.shape[axis], axis)
    rank = len(tensors[0].shape)
    return lo.call("cat", tensors, -1 if axis == rank - 1 else axis)


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
