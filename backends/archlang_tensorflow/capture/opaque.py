"""Layers that stay what they are: calls of them as ops of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from archlang.conversion.builder import identifier
from archlang.conversion.captured import Opaque
from archlang.conversion.data import Data, Unsupported
from archlang_tensorflow.building import DTYPES
from archlang_tensorflow.capture.lowerer import Lowerer
from archlang_tensorflow.capture.names import kind_name
from archlang_tensorflow.externs import arguments

NAMES = {dtype: name for name, dtype in DTYPES.items()}


class Opaques:
    """The layers of a model that stay, and the ops that stand for them."""

    def __init__(self) -> None:
        self._names: dict[tuple[int, tuple[str, ...]], str] = {}
        self.layers: dict[str, Any] = {}

    def apply(self, lo: Lowerer, layer: Any, args: Sequence[Any], kwargs: Mapping[str, Any], reason: str) -> Data:
        """The op of a layer applied; Unsupported when the layer is no function of tensors with one result."""
        flat = [x for x in keras.tree.flatten((list(args), dict(kwargs))) if x is not None and not isinstance(x, bool)]
        if not flat or not all(isinstance(x, Data) for x in flat):
            raise Unsupported(f"`{layer.name}`, which is not called with tensors alone")
        values = [lo.plain(x) for x in flat]
        result = _result(lo, layer, flat)
        types = tuple([str(lo.builder.type(value)) for value in values])
        key = id(layer), types
        name = self._names.get(key)
        if name is None:
            name = base = identifier(kind_name(layer))
            count = 1
            while name in self.layers or name in lo.builder.taken:
                count += 1
                name = f"{base}_{count}"
            self._names[key] = name
            self.layers[name] = layer
        inputs = ", ".join(f"x{i}: {kind}" for i, kind in enumerate(types, 1))
        kind = f"{type(layer).__module__}.{type(layer).__qualname__}"
        sizes = ", ".join(["n", *map(str, result.shape[1:])])
        declaration = (
            f"## The layer `{layer.name}` of the model, a {kind}.\n"
            f"op {name}({inputs}) -> {NAMES[keras.backend.standardize_dtype(result.dtype)]}[{sizes}]\n  extern\n"
        )
        opaque = Opaque(name, layer.name, kind, reason, trained_count(layer), declaration)
        return lo.data(lo.builder.extern(opaque, *values, at=lo.at))


def _result(lo: Lowerer, layer: Any, given: Sequence[Data]) -> Any:
    """What a layer gives for zeros of these shapes."""
    zeros = [keras.ops.zeros(x.shape, DTYPES[lo.builder.type(x.value).dtype]) for x in given]
    training = {"training": False} if getattr(layer, "_call_has_training_arg", False) else {}
    try:
        found = layer(*arguments(layer, zeros), **training)
    except Exception as failure:
        raise Unsupported(f"`{layer.name}`, which is not called with tensors alone") from failure
    if not keras.ops.is_tensor(found) or found.shape[:1] != (lo.batch,):
        raise Unsupported(f"`{layer.name}`, which does not give one tensor with a batch")
    return found


def trained(layer: Any) -> list[Any]:
    """The variables of a layer that are trained, also where it is frozen."""
    parts = layer._flatten_layers()
    found = {id(v): v for part in parts for v in getattr(part, "_trainable_variables", part.trainable_variables)}
    return list(found.values())


def trained_count(layer: Any) -> int:
    """How many trained numbers a layer or model has."""
    return sum(int(keras.ops.size(variable)) for variable in trained(layer))
