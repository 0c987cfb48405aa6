"""Calls of models with arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from archlang.diagnostics import ArchError, error
from archlang_tensorflow.externs import arguments
from archlang_tensorflow.training import Array, as_array


def called(model: Any, inputs: Sequence[Array]) -> Any:
    """What a model gives for arrays in evaluation mode; ArchError (E0810) when it does not take them."""
    try:
        given = arguments(model, [keras.ops.convert_to_tensor(x) for x in inputs])
        extra = {"training": False} if getattr(model, "_call_has_training_arg", True) else {}
        return model(*given, **extra)
    except Exception as failure:
        kinds = [(str(x.dtype), ", ".join(map(str, ["n", *x.shape[1:]]))) for x in inputs]
        shapes = " and ".join(f"{dtype}[{sizes}]" for dtype, sizes in kinds)
        first = f"{type(failure).__name__}: {str(failure).strip().partition(chr(10))[0]}"
        raise ArchError(
            error(
                "E0810",
                f"the model does not take {shapes}: {first}",
                hints=("give the shapes that it takes, the batch first, such as 1,224,224,3 or i64:1,128",),
            )
        ) from failure


def outputs(model: Any, inputs: Sequence[Array]) -> Mapping[str, Array]:
    """What a model gives in evaluation mode, by the path of each result."""
    found = called(model, inputs)
    flat = keras.tree.flatten(found)
    return {
        name: as_array(tensor)
        for name, tensor in zip(result_names(model, found), flat, strict=True)
        if keras.ops.is_tensor(tensor)
    }


def result_names(model: Any, results: Any) -> list[str]:
    """The names of results, which may be nested: what a model calls them, or where they are."""
    paths = [path for path, _ in keras.tree.flatten_with_path(results)]
    own = getattr(model, "output_names", None)
    listed = all(len(path) == 1 and isinstance(path[0], int) for path in paths)
    if listed and own and len(set(own)) == len(paths):
        return list(own)
    return ["".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path).lstrip(".") for path in paths]


def as_arrays(inputs: Any) -> list[Array]:
    """Example inputs, one or several, as arrays: floats as Keras has them, whole numbers of 64 bits."""
    several = isinstance(inputs, list | tuple)
    found = [np.asarray(x) for x in (inputs if several else [inputs])]
    kinds = {np.floating: keras.config.floatx(), np.integer: "int64"}
    return [x.astype(next((kinds[kind] for kind in kinds if np.issubdtype(x.dtype, kind)), x.dtype)) for x in found]
