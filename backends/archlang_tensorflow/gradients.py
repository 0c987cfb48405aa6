"""Gradients as arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from archlang.ir.graph import Graph
from archlang_tensorflow.places import held_weights

Array = NDArray[Any]


def gradients(
    graph: Graph, network: keras.Model, inputs: Sequence[Array], cotangents: Mapping[str, Array]
) -> tuple[Sequence[Array | None], dict[str, Array]]:
    """The gradients of the outputs' sum, each multiplied by its cotangent, in evaluation mode.

    For each input, None where it holds no floats; for each trained weight by address. What the
    outputs do not depend on has zeros.
    """
    trained = {address: held for address, held in held_weights(graph, network).items() if held.spec.trained}
    variables = [held.variable.value for held in trained.values()]
    given = [tf.constant(array) for array in inputs]
    floats = [tensor for tensor in given if tensor.dtype.is_floating]
    with tf.GradientTape() as tape:
        tape.watch(floats)
        found = network(given if len(given) > 1 else given[0], training=False)
        outputs = found if isinstance(found, dict) else {"": found}
        products = [tf.reduce_sum(outputs[name] * value) for name, value in cotangents.items()]
        total = tf.add_n(products)
    computed = tape.gradient(total, [*floats, *variables], unconnected_gradients=tf.UnconnectedGradients.ZERO)
    arrays = iter([tf.convert_to_tensor(gradient).numpy() for gradient in computed])
    by_input = [next(arrays) if tensor.dtype.is_floating else None for tensor in given]
    return by_input, {
        address: held.portable(np.asarray(gradient))
        for (address, held), gradient in zip(trained.items(), arrays, strict=True)
    }
