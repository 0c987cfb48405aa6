"""Where a Keras model keeps the weights of a program."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import attrs
import keras
import numpy as np
from numpy.typing import NDArray

from archlang.backend import unsupported_error
from archlang.ir.graph import Graph, Node, Operation, WeightSpec
from archlang.lowering.children import weight_paths
from archlang.lowering.declared import Layer
from archlang.lowering.names import module_paths
from archlang_tensorflow.lowering import LOWERINGS, lowered

Array = NDArray[Any]

# A child of one of these names would hide an attribute of the layer.
RESERVED = frozenset({*dir(keras.layers.Layer), *vars(keras.layers.Layer())})


@attrs.frozen(eq=False)
class Held:
    """A weight that a layer holds in a variable, with its dimensions in the order of `axes`."""

    variable: Any
    spec: WeightSpec
    axes: tuple[int, ...] | None

    def assign(self, value: Array) -> None:
        """Give the variable a value of the weight's shape."""
        moved = value if self.axes is None else value.transpose(self.axes)
        self.variable.assign(moved.reshape(self.variable.shape))

    @property
    def value(self) -> Array:
        """The value in the weight's shape."""
        return self.portable(self.variable.value.numpy())

    def portable(self, found: Array) -> Array:
        """An array of the variable's shape in the weight's own."""
        if self.axes is None:
            return found.reshape(self.spec.shape)
        return in_order(found.reshape([self.spec.shape[axis] for axis in self.axes]), self.axes)


def in_order(found: Array, axes: tuple[int, ...]) -> Array:
    """An array whose dimensions a layer keeps in the order of `axes`, with them in the weight's own."""
    return np.ascontiguousarray(found.transpose(np.argsort(axes)))


def held_weights(graph: Graph, model: keras.Model) -> dict[str, Held]:
    """The weights and states by address of a model that was built for the graph, or that the emitted
    file makes."""
    opaque = {node.operation.name for node in graph.nodes if "extern" in node.operation.traits}
    made = lowered(graph, given=opaque)
    layers = {layer.name: layer for layer in model.layers}
    if layers.keys() >= set(layer_names(made).values()):
        return held_by(made, layers)
    paths = weight_paths(made, LOWERINGS, RESERVED)
    return {
        address: Held(_below(model.layers[-1], paths[address]), spec, kind.axes.get(spec.name))
        for address, _, spec, kind in _weights(made)
    }


def held_by(made: Graph, layers: Mapping[str, keras.layers.Layer]) -> dict[str, Held]:
    """The same for a lowered graph and its layers by name."""
    names = layer_names(made)
    return {
        address: Held(getattr(layers[names[layer_key(node)]], kind.name(spec.name)), spec, kind.axes.get(spec.name))
        for address, node, spec, kind in _weights(made)
    }


def _weights(made: Graph) -> Iterator[tuple[str, Node, WeightSpec, Layer]]:
    """Every weight once, with its address and the node and lowering that first use it."""
    seen: set[str] = set()
    for node in made.nodes:
        for spec in node.operation.weights:
            address = f"{node.weights_at}.{spec.name}"
            if address not in seen:
                seen.add(address)
                kind = LOWERINGS.get(node.operation.name)
                assert isinstance(kind, Layer)
                yield address, node, spec, kind


def _below(holder: Any, path: tuple[str, ...]) -> Any:
    """What is at a path of attributes, keys and positions."""
    for name in path:
        if isinstance(holder, list):
            holder = holder[int(name)]
        elif isinstance(holder, dict):
            holder = holder[name]
        else:
            holder = getattr(holder, name)
    return holder


def layer_key(node: Node) -> str:
    """What the calls of one layer have in common: where its weights are, or that it has none."""
    return node.weights_at if node.operation.weights else f"{node.address}~"


def layer_names(made: Graph) -> dict[str, str]:
    """The name of every layer of a built model, by its key: the address, with dots between its steps.

    Raises ArchError (E0803) where operations with different attributes share weights.
    """
    first: dict[str, Node] = {}
    for node in made.nodes:
        if LOWERINGS.is_layer(node.operation.name):
            other = first.setdefault(layer_key(node), node)
            if not _alike(other.operation, node.operation):
                reason = "cannot tie weights between operations with different attributes"
                raise unsupported_error("tensorflow", {node.operation.name: (reason, [node.address])})
    return {key: ".".join(path) for key, path in module_paths(first).items()}


def _alike(one: Operation, other: Operation) -> bool:
    return one is other or (one.name, one.attributes) == (other.name, other.attributes)
