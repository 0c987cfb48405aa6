"""Weight files: arrays by address in the safetensors format, which every backend reads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archlang.diagnostics import ArchError, error
from archlang.ir.graph import Graph

Array = NDArray[Any]

_TYPES: dict[str, np.dtype[Any]] = {
    "F64": np.dtype("<f8"),
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "I64": np.dtype("<i8"),
    "I32": np.dtype("<i4"),
    "I16": np.dtype("<i2"),
    "I8": np.dtype("i1"),
    "U8": np.dtype("u1"),
    "BOOL": np.dtype("?"),
}
_NAMES = {dtype: name for name, dtype in _TYPES.items()}


def write_weights(path: Path | str, weights: Mapping[str, Array]) -> None:
    """Write arrays by name; ArchError (E0806) when the file cannot be written."""
    head: dict[str, Any] = {}
    chunks: list[bytes] = []
    offset = 0
    for name, array in weights.items():
        dtype = array.dtype.newbyteorder("<")
        data = np.ascontiguousarray(array, dtype).tobytes()
        offsets = [offset, offset + len(data)]
        head[name] = {"dtype": _NAMES[dtype], "shape": list(array.shape), "data_offsets": offsets}
        chunks.append(data)
        offset += len(data)
    text = json.dumps(head, ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    try:
        Path(path).write_bytes(b"".join([len(text).to_bytes(8, "little"), text, *chunks]))
    except OSError as failure:
        raise ArchError(error("E0806", f"cannot write weights to `{path}`: {failure.strerror}")) from failure


def read_weights(path: Path | str) -> dict[str, Array]:
    """The arrays of a file by name; ArchError (E0806) when it is no readable weight file."""
    try:
        data = Path(path).read_bytes()
    except OSError as failure:
        raise ArchError(error("E0806", f"cannot read weights from `{path}`: {failure.strerror}")) from failure
    try:
        start = 8 + int.from_bytes(data[:8], "little")
        if len(data) < 8 or start > len(data):
            raise ValueError("its header is cut off")
        found: dict[str, Array] = {}
        for name, entry in json.loads(data[8:start]).items():
            if name == "__metadata__":
                continue
            dtype, shape = _TYPES[entry["dtype"]], tuple(entry["shape"])
            first, last = entry["data_offsets"]
            if not 0 <= first <= last <= len(data) - start or last - first != prod(shape) * dtype.itemsize:
                raise ValueError(f"the data of `{name}` is cut off")
            found[name] = np.frombuffer(data, dtype, prod(shape), start + first).reshape(shape)
        return found
    except (ValueError, KeyError, TypeError, AttributeError) as failure:
        raise ArchError(error("E0806", f"`{path}` is not a weight file: {failure}")) from failure


def check_weights(graph: Graph, weights: Mapping[str, Array]) -> None:
    """ArchError (E0807) that names every weight of the graph that is missing, has another shape,
    or is not the graph's."""
    found = []
    for address, spec in graph.weights.items():
        if address not in weights:
            found.append(error("E0807", f"the weight `{address}` is missing"))
        elif weights[address].shape != spec.shape:
            shape = list(weights[address].shape)
            found.append(error("E0807", f"the weight `{address}` has the shape {shape}, not {list(spec.shape)}"))
    found += [
        error("E0807", f"the network has no weight `{address}`") for address in weights if address not in graph.weights
    ]
    if found:
        raise ArchError(found)
