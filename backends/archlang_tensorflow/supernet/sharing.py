"""The weights that all programs of a space share, and layers that take their part of them.

Shared weights have the shape that the op declares, whatever layer holds them in a network: one op may
be several kinds of layer, such as a grouped convolution that is depthwise for one of its widths.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import attrs
import keras
import numpy as np
import tensorflow as tf

from archlang.ir.graph import Operation, WeightSpec
from archlang.lowering.declared import Layer
from archlang.lowering.initial import Drawing
from archlang.relax.varied import Shared, Taken
from archlang_tensorflow.building import DTYPES, FLOATS, batch_shape, channels_last, new_layer
from archlang_tensorflow.supernet.statistics import Take


def shared_variables(weights: Mapping[str, Shared], seed: int) -> dict[str, keras.Variable]:
    """A variable for each weight and state by its address, with first values as of the same address in
    a program."""
    drawing = Drawing(seed)
    found = {}
    for at, shared in weights.items():
        dtype = FLOATS.get(shared.operations[0].output.dtype, "float32")
        for name, spec in shared.specs.items():
            address = f"{at}.{name}"
            found[address] = keras.Variable(
                drawing.draw(address, spec), dtype=dtype, trainable=spec.trained, name=address.replace("/", ".")
            )
    return found


def traced(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function that is traced when it is first called with tensors of some shapes."""
    # A partial has no code: TensorFlow warns where functions of one code are traced often.
    made: Callable[..., Any] = tf.function(partial(function), autograph=False, reduce_retracing=True)
    return made


class Pattern:
    """A layer that is called with weights from elsewhere, for all ops that are one operation.

    Calls are traced, once for all these ops: eager ones take several times as long, and a path through a
    supernet, of which there are too many to trace each, consists of them.
    """

    def __init__(self, kind: Layer, operation: Operation) -> None:
        self.layer = layer = new_layer(kind, operation, operation.name)
        # Variables that are made in such a scope take no memory.
        with channels_last(), keras.StatelessScope(initialize_variables=False):
            layer(*[keras.KerasTensor(batch_shape(given), DTYPES[given.dtype]) for given in operation.inputs])
        self.held = {spec.name: getattr(layer, kind.name(spec.name)) for spec in operation.weights}
        self._states = [self.held[spec.name] for spec in operation.weights if not spec.trained]
        self._call = traced(self._stateless)

    @property
    def is_batch_norm(self) -> bool:
        """Whether the layer keeps statistics of batches."""
        return isinstance(self.layer, keras.layers.BatchNormalization)

    def __call__(self, inputs: Sequence[Any], values: Sequence[Any], training: bool) -> tuple[Any, list[Any]]:
        """What the layer computes with values of its weights and states, and the states after that."""
        found: tuple[Any, list[Any]] = self._call([*inputs], [*values], training)
        return found

    def _stateless(self, inputs: list[Any], values: list[Any], training: bool) -> tuple[Any, list[Any]]:
        given = [*zip(self.held.values(), values, strict=True)]
        with keras.StatelessScope(given, initialize_variables=False) as scope:
            result = self.layer(*inputs, training=training)
        return result, [scope.get_current_value(state) for state in self._states] if training else []


@attrs.frozen(eq=False)
class Part:
    """What a form of an op takes of a shared weight, by which matrices, and how its layer holds it."""

    shared: keras.Variable
    taken: Taken
    matrices: tuple[keras.Variable, ...]
    spec: WeightSpec
    held: tuple[int, ...]  # the shape there
    axes: tuple[int, ...] | None  # see `Layer.axes`

    def value(self) -> Any:
        """The part as a tensor in the layer's shape."""
        whole, where = self.shared.value, self.taken.where
        part: Any = tf.convert_to_tensor(whole) if where is None else whole[where]
        for step, matrix in zip(self.taken.steps, self.matrices, strict=True):
            centre = part[(*[slice(None)] * (len(part.shape) - 2), step.centre, step.centre)]
            flat = tf.reshape(centre, (-1, step.size**2))
            part = tf.reshape(tf.matmul(flat, matrix.value, transpose_b=True), centre.shape)
        return _shaped(part if self.axes is None else tf.transpose(part, self.axes), self.held)

    def assign(self, value: Any) -> None:
        """Give the part a value of the layer's shape."""
        shape = self.spec.shape
        if self.axes is None:
            value = _shaped(value, shape)
        else:
            value = _shaped(value, [shape[axis] for axis in self.axes])
            value = tf.transpose(value, np.argsort(self.axes))
        whole, where = self.shared.value, self.taken.where
        (whole if where is None else whole[where]).assign(value)


def _shaped(tensor: Any, shape: Sequence[int]) -> Any:
    """The tensor in a shape; graphs are large enough without reshapes that do nothing."""
    return tensor if tensor.shape == shape else tf.reshape(tensor, shape)


class Sliced:
    """A layer for one form of an op, whose weights are parts of shared ones."""

    def __init__(
        self,
        pattern: Pattern,
        kind: Layer,
        operation: Operation,
        at: str,
        shared: Shared,
        variables: Mapping[str, keras.Variable],
    ) -> None:
        self._pattern = pattern
        self._parts = []
        for spec in operation.weights:
            taken = shared.taken(spec)
            matrices = tuple([variables[f"{at}.{step.matrix}"] for step in taken.steps])
            held = tuple(pattern.held[spec.name].shape)
            whole = variables[f"{at}.{spec.name}"]
            self._parts.append(Part(whole, taken, matrices, spec, held, kind.axes.get(spec.name)))
        self._states = [part for part in self._parts if not part.spec.trained]

    def __call__(self, *inputs: Any, training: bool, statistics: Take | None = None) -> Any:
        values = {part.spec.name: part.value() for part in self._parts}
        if statistics is not None and self._pattern.is_batch_norm:
            (x,) = inputs
            values |= statistics(x, {part.spec.name: (part.shared, part.taken.where) for part in self._states})
        result, states = self._pattern(inputs, [*values.values()], training)
        if training:
            for part, value in zip(self._states, states, strict=True):
                part.assign(value)
        return result
