"""Layers that stand for opaque parts of a network."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import keras


class Extern:
    """A copy of a layer, made when it is first called: before, nobody knows what it is given."""

    def __init__(self, layer: keras.Layer, name: str) -> None:
        self._layer = layer
        self._name = f"externs.{name}"
        self._copied = False

    def __call__(self, *inputs: Any) -> Any:
        if not self._copied:
            self._copied = True
            self._copy(inputs)
        return self._layer(*arguments(self._layer, inputs))

    def _copy(self, inputs: Sequence[Any]) -> None:
        """Have the layer made anew from its config, with its weights; itself where it has no config."""
        copy = anew(self._layer)
        if copy is not None:
            copy.name = self._name
            copy(*arguments(copy, inputs))
            copy.set_weights(self._layer.get_weights())
            self._layer = copy


def anew(layer: keras.Layer) -> keras.Layer | None:
    """A layer of the same config; None where that cannot be had."""
    try:
        config = layer.get_config()
        kinds = inspect.signature(type(layer).__init__).parameters
        if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in kinds.values()):
            # What Keras adds itself is for those that hand it on.
            config = {name: value for name, value in config.items() if name in kinds}
        return type(layer).from_config(config)
    except (NotImplementedError, TypeError, ValueError):
        return None


def arguments(layer: keras.Layer, tensors: Sequence[Any]) -> tuple[Any, ...]:
    """Tensors as the positional arguments of a layer; for what takes one argument, several are a list, which is
    nested as a functional model wants it."""
    struct = getattr(getattr(layer, "_functional", None) or layer, "_inputs_struct", None)
    if struct is not None:
        return (keras.tree.pack_sequence_as(struct, list(tensors)),)
    taken = [
        parameter
        for name, parameter in inspect.signature(layer.call).parameters.items()
        if name not in ("training", "mask") and parameter.kind not in (parameter.KEYWORD_ONLY, parameter.VAR_KEYWORD)
    ]
    several = len(taken) > 1 or any(parameter.kind is parameter.VAR_POSITIONAL for parameter in taken)
    return tuple(tensors) if several or len(tensors) == 1 else (list(tensors),)
