"""Making a data set fit a network: the input's type, the labels, the outputs, or an error that says why not."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np

from archlang.diagnostics import ArchError, error
from archlang.evaluate.data import Array, Data, Pair
from archlang.ir.graph import Graph
from archlang.ir.types import TensorType

NUMPY = {"f16": "float16", "bf16": "float32", "f32": "float32", "f64": "float64"} | {
    "i8": "int8", "i16": "int16", "i32": "int32", "i64": "int64", "u8": "uint8", "bool": "bool"
}  # fmt: skip


def fit_data(data: Data, graph: Graph, loss: str) -> Data:
    """The data set as the graph takes it.

    Inputs are cast to the input's dtype, bytes (u8) to floats in 0..1; a channel dimension of size 1 is
    put in where the network has one and the data has not. ArchError: E0708 the graph has not one input and
    one output, E0704 shape or dtype do not fit, E0705 labels do not fit.
    """
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        raise ArchError(
            error(
                "E0708",
                f"`{graph.name}` has {len(graph.inputs)} inputs and {len(graph.outputs)} outputs, "
                "training takes networks with one of each",
                hints=("evaluate it with a function of your own",),
            )
        )
    wanted, given = graph.inputs[0], graph.type_of(graph.outputs[0].value)
    pairs: dict[str, Pair] = {}
    for part in ("train", "validation", "test"):
        pair: Pair | None = getattr(data, part)
        if pair is not None:
            x = _inputs(data.name, pair[0], wanted.name, wanted.type)
            y = _labels(data, pair[1], given) if loss == "cross_entropy" else _targets(data.name, pair[1], given)
            pairs[part] = (x, y)
    return attrs.evolve(data, train=pairs["train"], validation=pairs["validation"], test=pairs.get("test"))


def _inputs(name: str, x: Array, input_name: str, wanted: TensorType) -> Array:
    sizes = tuple(dim if isinstance(dim, int) else None for dim in wanted.shape)
    shape = x.shape
    if x.ndim == len(sizes) - 1 and sizes[1] == 1:
        shape = (shape[0], 1, *shape[1:])
    if len(shape) != len(sizes) or any(size not in (None, found) for size, found in zip(sizes, shape, strict=True)):
        raise _misfit(name, x, input_name, wanted, _shape_hints(x, sizes))
    kind = np.dtype(NUMPY[wanted.dtype])
    if kind.kind == "f":
        with np.errstate(over="ignore"):
            scaled = x.astype(kind) / kind.type(255) if x.dtype == np.uint8 else x.astype(kind)
        if not np.isfinite(scaled).all():
            raise _misfit(name, x, input_name, wanted, (f"its values go from {x.min()} to {x.max()}: scale them",))
        return scaled.reshape(shape)
    if x.dtype.kind == "f" or (kind.kind == "b") != (x.dtype.kind == "b"):
        raise _misfit(name, x, input_name, wanted, (f"cast the data to {kind}, if that is what it means",))
    if kind.kind != "b":
        limits = np.iinfo(kind)
        if int(x.min()) < limits.min or int(x.max()) > limits.max:
            raise _misfit(name, x, input_name, wanted, (f"its values go from {x.min()} to {x.max()}",))
    return x.astype(kind).reshape(shape)


def _misfit(name: str, x: Array, input_name: str, wanted: TensorType, hints: tuple[str, ...]) -> ArchError:
    return ArchError(
        error(
            "E0704",
            f"the data `{name}` does not fit the input `{input_name}`: "
            f"it is {x.dtype}[n{''.join(f', {size}' for size in x.shape[1:])}], the network takes {wanted}",
            hints=hints,
        )
    )


def _shape_hints(x: Array, sizes: tuple[int | None, ...]) -> tuple[str, ...]:
    channels_first = (x.shape[0], x.shape[-1], *x.shape[1:-1])
    if x.ndim == len(sizes) >= 3 and all(
        size in (None, found) for size, found in zip(sizes, channels_first, strict=True)
    ):
        return ("the data has its channels last: `np.moveaxis(x, -1, 1)` puts them first",)
    return ("change the type of the space's input, or prepare the data so that they agree",)


def _labels(data: Data, y: Array, given: TensorType) -> Array:
    """Integer labels for scores over the last dimension of the output."""
    classes = given.shape[-1]
    if y.dtype.kind not in "iub":
        raise ArchError(
            error(
                "E0705",
                f"the targets of `{data.name}` are {y.dtype}, not labels",
                hints=('for a regression set `loss="mse"`',),
            )
        )
    if y.ndim == len(given.shape) and y.shape[-1] == 1:
        y = y.reshape(y.shape[:-1])
    if y.ndim != len(given.shape) - 1:
        raise ArchError(
            error(
                "E0705",
                f"the labels of `{data.name}` have the shape {list(y.shape)}, and the network gives {given}",
                hints=("classification takes scores [n, classes] and labels [n]",),
            )
        )
    low, high = int(y.min()), int(y.max())
    if low < 0 or (isinstance(classes, int) and high >= classes):
        hints = [f"give the space {high + 1} classes"] if low >= 0 else ["labels count from 0"]
        if low == 1 and high == classes:
            hints = ["labels count from 0: subtract 1"]
        raise ArchError(
            error(
                "E0705",
                f"the labels of `{data.name}` go from {low} to {high}, "
                f"but the network gives {classes} scores ({given})",
                hints=hints,
            )
        )
    return y.astype(np.int64)


def _targets(name: str, y: Array, given: TensorType) -> Array:
    """Float targets of the output's own shape."""
    shape: tuple[Any, ...] = y.shape
    if y.ndim == len(given.shape) - 1 and given.shape[-1] == 1:
        shape = (*shape, 1)
    if len(shape) != len(given.shape) or any(
        isinstance(size, int) and size != found for size, found in zip(given.shape[1:], shape[1:], strict=True)
    ):
        raise ArchError(
            error("E0705", f"the targets of `{name}` have the shape {list(y.shape)}, and the network gives {given}")
        )
    return y.astype(np.float32).reshape(shape)
