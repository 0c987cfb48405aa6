"""What the parts of methods compute with: see `archlang.relax.engine.Tensors`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

Tensor = Any


class TensorFlowTensors:
    """Functions on tensors, random ones with a generator of their own."""

    def __init__(self, seed: int) -> None:
        self.generator = tf.random.Generator.from_seed(seed, alg="philox")

    def constant(self, values: Any) -> Tensor:
        return tf.constant(values, tf.float32)

    def softmax(self, x: Tensor) -> Tensor:
        return tf.nn.softmax(x)

    def log_softmax(self, x: Tensor) -> Tensor:
        return tf.nn.log_softmax(x)

    def sigmoid(self, x: Tensor) -> Tensor:
        return tf.sigmoid(x)

    def elu(self, x: Tensor) -> Tensor:
        return tf.nn.elu(x)

    def log(self, x: Tensor) -> Tensor:
        return tf.math.log(x)

    def lgamma(self, x: Tensor) -> Tensor:
        return tf.math.lgamma(x)

    def digamma(self, x: Tensor) -> Tensor:
        return tf.math.digamma(x)

    def sum(self, x: Tensor) -> Tensor:
        return tf.reduce_sum(x)

    def stack(self, xs: Sequence[Tensor]) -> Tensor:
        return tf.stack(xs)

    def stop(self, x: Tensor) -> Tensor:
        return tf.stop_gradient(x)

    def exponential(self, size: int) -> Tensor:
        # In double precision: the logarithm of what is near one would be zero too often.
        uniform = self.generator.uniform([size], dtype=tf.float64)
        return tf.cast(-tf.math.log1p(-uniform), tf.float32)

    def dirichlet(self, concentration: Tensor) -> Tensor:
        # A gamma draw for c is one for c + 1 times u ^ (1 / c), of which logarithms do not vanish where c is small.
        seed = self.generator.make_seeds()[:, 0]
        larger = tf.random.stateless_gamma(concentration.shape, seed, concentration + 1)
        return tf.nn.softmax(tf.math.log(larger) - self.exponential(concentration.shape[0]) / concentration)

    def numbers(self, x: Tensor) -> list[float]:
        found: list[float] = x.numpy().tolist()
        return found
