"""From a graph to a Keras model with weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
import keras
import numpy as np
from numpy.typing import NDArray

from archlang.backend import unsupported_error
from archlang.ir.graph import Graph, Node, Operation, WeightSpec
from archlang.ir.types import SymbolicDim, TensorType
from archlang.lowering.declared import Layer
from archlang.lowering.initial import Drawing
from archlang.lowering.names import module_paths, plain
from archlang_tensorflow.expanding import expanded
from archlang_tensorflow.layout import arranged
from archlang_tensorflow.lowering import LOWERINGS

Array = NDArray[Any]

FLOATS = {"f16": "float16", "bf16": "bfloat16", "f32": "float32", "f64": "float64"}
DTYPES = {
    **FLOATS,
    "i8": "int8",
    "i16": "int16",
    "i32": "int32",
    "i64": "int64",
    "u8": "uint8",
    "bool": "bool",
}


def lowered(graph: Graph, data_format: str = "channels_first") -> Graph:
    """The graph as Keras can do it: channels last, paddings written out.

    Raises ArchError (E0803) that names every op that cannot be lowered.
    """
    made = expanded(arranged(graph, data_format))
    LOWERINGS.check(made)
    return made


def build(graph: Graph, seed: int = 0, data_format: str = "channels_first") -> keras.Model:
    """The graph as a functional model with weights drawn from `seed` and their addresses.

    Inputs and outputs have the program's layout; see `layout.arranged` for "channels_last".
    Raises ArchError (E0803) that names every op that cannot be lowered.
    """
    made = lowered(graph, data_format)
    names = layer_names(made)
    values: list[Any] = [
        keras.Input(batch_shape=batch_shape(given.type), dtype=DTYPES[given.type.dtype], name=given.name)
        for given in made.inputs
    ]
    inputs = tuple(values)
    layers: dict[str, keras.layers.Layer] = {}
    for node in made.nodes:
        given = [values[value] for value in node.inputs]
        kind = LOWERINGS.get(node.operation.name)
        if isinstance(kind, Layer):
            name = names[layer_key(node)]
            if name not in layers:
                layers[name] = _layer(kind, node.operation, name)
            values.append(layers[name](*given))
        else:
            assert kind is not None
            values.append(kind.call(node.operation)(*given))
    results = {output.name: values[output.value] for output in made.outputs}
    model = keras.Model(
        inputs if len(inputs) != 1 else inputs[0],
        results[""] if list(results) == [""] else results,
        name=plain(graph.name) or "network",
    )
    drawing = Drawing(seed)
    for address, place in _places(made, names).items():
        place.assign(place.variable_of(layers), drawing.draw(address, place.spec))
    return model


def _layer(kind: Layer, operation: Operation, name: str) -> keras.layers.Layer:
    """A new layer for an operation, of its name and dtype."""
    made = kind.factory(**kind.config(operation))
    dtype = FLOATS.get(operation.output.dtype, "float32")
    if made.dtype_policy.name != dtype:
        # Made anew, as a layer may have handed its dtype on to layers of its own.
        made = type(made).from_config({**made.get_config(), "dtype": dtype})
    made.name = name
    return made


def batch_shape(given: TensorType) -> tuple[int | None, ...]:
    """A type's shape as Keras writes it: None where it is known only when data comes."""
    return tuple([None if isinstance(dim, SymbolicDim) else dim for dim in given.shape])


# ---------------------------------------------------------------- weights


@attrs.frozen
class Place:
    """Where a model keeps a weight: a variable of a layer, its dimensions in another order."""

    layer: str
    variable: str
    spec: WeightSpec
    axes: tuple[int, ...] | None

    def variable_of(self, layers: Mapping[str, keras.layers.Layer]) -> Any:
        """The variable, in a built model's layers by name."""
        return getattr(layers[self.layer], self.variable)

    def assign(self, variable: Any, value: Array) -> None:
        """Give the variable of such a layer a value of the weight's shape."""
        moved = value if self.axes is None else value.transpose(self.axes)
        variable.assign(moved.reshape(variable.shape))

    def portable(self, found: Array) -> Array:
        """An array of the variable's shape in the weight's own."""
        if self.axes is None:
            return found.reshape(self.spec.shape)
        shape = [self.spec.shape[axis] for axis in self.axes]
        return np.ascontiguousarray(found.reshape(shape).transpose(np.argsort(self.axes)))


def layers_by_name(model: keras.Model) -> dict[str, keras.layers.Layer]:
    """A built model's layers. (Its own `get_layer` goes through all of them each time.)"""
    return {layer.name: layer for layer in model.layers}


def weight_places(graph: Graph) -> dict[str, Place]:
    """Where a built model keeps every weight and state, by address."""
    made = lowered(graph)
    return _places(made, layer_names(made))


def _places(made: Graph, names: Mapping[str, str]) -> dict[str, Place]:
    found: dict[str, Place] = {}
    for node in made.nodes:
        operation = node.operation
        for spec in operation.weights:
            kind = LOWERINGS.get(operation.name)
            assert isinstance(kind, Layer)
            found.setdefault(
                f"{node.weights_at}.{spec.name}",
                Place(
                    names[layer_key(node)],
                    kind.name(spec.name),
                    spec,
                    kind.axes.get(spec.name),
                ),
            )
    return found


def layer_key(node: Node) -> str:
    """What the calls of one layer have in common: where its weights are, or that it has none."""
    return node.weights_at if node.operation.weights else f"{node.address}~"


def layer_names(graph: Graph) -> dict[str, str]:
    """The name of every layer, by its key: the address, with dots between its steps.

    Raises ArchError (E0803) where operations with different attributes share weights.
    """
    first: dict[str, Node] = {}
    for node in graph.nodes:
        if LOWERINGS.is_layer(node.operation.name):
            other = first.setdefault(layer_key(node), node)
            if not _alike(other.operation, node.operation):
                reason = "cannot tie weights between operations with different attributes"
                raise unsupported_error("tensorflow", {node.operation.name: (reason, [node.address])})
    return {key: ".".join(path) for key, path in module_paths(first).items()}


def _alike(one: Operation, other: Operation) -> bool:
    return one is other or (one.name, one.attributes) == (other.name, other.attributes)
