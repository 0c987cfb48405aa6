"""From a graph to a Keras model with weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import keras

from archlang.ir.graph import Graph, Operation
from archlang.ir.types import SymbolicDim, TensorType
from archlang.lowering.declared import Layer
from archlang.lowering.initial import Drawing
from archlang.lowering.names import plain
from archlang_tensorflow.externs import Extern
from archlang_tensorflow.lowering import LOWERINGS, lowered
from archlang_tensorflow.places import held_by, layer_key, layer_names

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


def build(
    graph: Graph,
    seed: int = 0,
    data_format: str = "channels_first",
    externs: Mapping[str, keras.Layer] | None = None,
) -> keras.Model:
    """The graph as a functional model with weights drawn from `seed` and their addresses.

    Inputs and outputs have the program's layout; see `layout.arranged` for "channels_last". `externs` are
    the layers that stand for the ops of these names; the network has copies of them.
    Raises ArchError (E0803) that names every op that cannot be lowered.
    """
    own = {name: Extern(layer, name) for name, layer in (externs or {}).items()}
    made = lowered(graph, data_format, own)
    names = layer_names(made)
    values: list[Any] = [
        keras.Input(batch_shape=batch_shape(given.type), dtype=DTYPES[given.type.dtype], name=given.name)
        for given in made.inputs
    ]
    inputs = tuple(values)
    layers: dict[str, keras.layers.Layer] = {}
    with channels_last():
        for node in made.nodes:
            given = [values[value] for value in node.inputs]
            kind = LOWERINGS.get(node.operation.name)
            if node.operation.name in own:
                values.append(own[node.operation.name](*given))
            elif isinstance(kind, Layer):
                name = names[layer_key(node)]
                if name not in layers:
                    layers[name] = new_layer(kind, node.operation, name)
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
    for address, held in held_by(made, layers).items():
        held.assign(drawing.draw(address, held.spec))
    return model


def new_layer(kind: Layer, operation: Operation, name: str) -> keras.layers.Layer:
    """A new layer for an operation, of its name and dtype; single precision is the dtype policy that
    Keras has, which may be a mixed one."""
    made = kind.factory(**kind.config(operation))
    dtype = FLOATS.get(operation.output.dtype, "float32")
    if dtype != "float32":
        # Made anew, as a layer may have handed its dtype on to layers of its own.
        made = type(made).from_config({**made.get_config(), "dtype": dtype})
    made.name = name
    return made


@contextmanager
def channels_last() -> Iterator[None]:
    """Layers are made for channels last, whatever Keras is set to."""
    before = keras.config.image_data_format()
    keras.config.set_image_data_format("channels_last")
    try:
        yield
    finally:
        keras.config.set_image_data_format(before)


def batch_shape(given: TensorType) -> tuple[int | None, ...]:
    """A type's shape as Keras writes it: None where it is known only when data comes."""
    return tuple([None if isinstance(dim, SymbolicDim) else dim for dim in given.shape])
