"""Weight files: arrays by address in the safetensors format, which every backend reads."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archlang.diagnostics import ArchError, error
from archlang.ir.graph import Graph

Array = NDArray[Any]

# Those that every numpy has; a file may hold others (BF16), which numpy needs more packages for.
_TYPES = {"F64", "F32", "F16", "I64", "I32", "I16", "I8", "U64", "U32", "U16", "U8", "BOOL"}


def write_weights(path: Path | str, weights: Mapping[str, Array], notes: Mapping[str, str] | None = None) -> None:
    """Write arrays by name, and notes beside them; ArchError (E0806) when the file cannot be written.

    A file that is there already stays as it is until the new one is whole.
    """
    from safetensors import SafetensorError  # imported late: few programs read or write weights
    from safetensors.numpy import save_file

    target = Path(path).resolve()
    part = target.with_name(f"{target.name}.{os.getpid()}.part")
    try:
        part.touch()
        mode = part.stat().st_mode
        save_file(
            {name: np.asarray(array, order="C") for name, array in weights.items()}, part, dict(notes or {}) or None
        )
        part.chmod(mode)  # safetensors makes files that no one else may read
        part.replace(target)
    except (OSError, SafetensorError) as failure:
        raise ArchError(error("E0806", f"cannot write weights to `{path}`: {_reason(failure)}")) from failure
    finally:
        part.unlink(missing_ok=True)


def read_weights(path: Path | str) -> dict[str, Array]:
    """The arrays of a file by name; ArchError (E0806) when it is no readable weight file."""
    from safetensors import SafetensorError, safe_open

    found: dict[str, Array] = {}
    try:
        with Path(path).open("rb"):  # whose errors say more than those of safetensors
            pass
        with safe_open(path, framework="numpy") as file:
            for name in file.keys():  # noqa: SIM118  # it is no mapping
                kind = file.get_slice(name).get_dtype()
                if kind not in _TYPES:
                    raise ValueError(f"`{name}` holds numbers of the type {kind}: convert them, to F32 perhaps")
                found[name] = file.get_tensor(name)
    except OSError as failure:
        raise ArchError(error("E0806", f"cannot read weights from `{path}`: {_reason(failure)}")) from failure
    except (SafetensorError, ValueError) as failure:
        raise ArchError(error("E0806", f"`{path}` is not a weight file: {_reason(failure)}")) from failure
    return found


def read_notes(path: Path | str) -> dict[str, str]:
    """The notes in a file of weights; ArchError (E0806) when it is none."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            return dict(file.metadata() or {})
    except OSError as failure:
        raise ArchError(error("E0806", f"cannot read weights from `{path}`: {_reason(failure)}")) from failure
    except SafetensorError as failure:
        raise ArchError(error("E0806", f"`{path}` is not a weight file: {_reason(failure)}")) from failure


def _reason(failure: Exception) -> str:
    if isinstance(failure, OSError) and failure.strerror:
        return failure.strerror
    return str(failure).removeprefix("Error while deserializing header: ").removeprefix("Error while serializing: ")


def check_weights(graph: Graph, weights: Mapping[str, Array], hints: Sequence[str] = ()) -> None:
    """ArchError (E0807) that names every weight of the graph that is missing, has another shape,
    or is not the graph's; `hints` say what to do about it."""
    found = []
    for address, spec in graph.weights.items():
        if address not in weights:
            found.append(f"the weight `{address}` is missing")
        elif weights[address].shape != spec.shape:
            shape = list(weights[address].shape)
            found.append(f"the weight `{address}` has the shape {shape}, not {list(spec.shape)}")
    found += [f"the network has no weight `{address}`" for address in weights if address not in graph.weights]
    if found:
        *others, last = found
        raise ArchError([*(error("E0807", message) for message in others), error("E0807", last, hints=hints)])
