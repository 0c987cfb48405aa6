"""Optimizers that step as PyTorch's do.

Keras's own differ: momentum is scaled by the learning rate of each step, weight decay is always
decoupled, and Adam's epsilon is another one at another place. A search should not depend on it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from archlang.backend import TrainingSettings

Update = Callable[[Sequence[Any], Any], None]  # gradients and learning rate


def optimizer(weights: Sequence[Any], settings: TrainingSettings) -> Update:
    """The update of some `tf.Variable`s; those without a gradient stay as they are."""
    return _sgd(weights, settings) if settings.optimizer == "sgd" else _adam(weights, settings)


def _slots(weights: Sequence[Any]) -> list[Any]:
    return [tf.Variable(tf.zeros_like(weight), trainable=False) for weight in weights]


def _sgd(weights: Sequence[Any], settings: TrainingSettings) -> Update:
    """Stochastic gradient descent with (Nesterov) momentum and L2 decay: torch.optim.SGD."""
    momentum, decay = settings.momentum, settings.weight_decay
    velocities = _slots(weights) if momentum else []

    def update(gradients: Sequence[Any], rate: Any) -> None:
        for number, (weight, found) in enumerate(zip(weights, gradients, strict=True)):
            if found is None:
                continue
            gradient = found + decay * weight
            if momentum:
                velocity = velocities[number].assign(momentum * velocities[number] + gradient)
                gradient = gradient + momentum * velocity if settings.nesterov else velocity
            weight.assign_sub(tf.cast(rate, weight.dtype) * gradient)

    return update


def _adam(weights: Sequence[Any], settings: TrainingSettings) -> Update:
    """Adam with L2 decay, or AdamW with decoupled decay: torch.optim.Adam and AdamW."""
    first, second, epsilon = 0.9, 0.999, 1e-8
    decay, decoupled = settings.weight_decay, settings.optimizer == "adamw"
    means, squares = _slots(weights), _slots(weights)
    steps = tf.Variable(tf.zeros((), tf.float64), trainable=False)

    def update(gradients: Sequence[Any], rate: Any) -> None:
        count = steps.assign_add(1.0)
        for weight, found, mean, square in zip(weights, gradients, means, squares, strict=True):
            if found is None:
                continue
            dtype = weight.dtype
            speed = tf.cast(rate, dtype)
            if decoupled:
                weight.assign_sub(speed * decay * weight)
            gradient = found if decoupled else found + decay * weight
            m = mean.assign(first * mean + (1 - first) * gradient)
            v = square.assign(second * square + (1 - second) * tf.square(gradient))
            scale = tf.cast(1 - first**count, dtype)
            root = tf.sqrt(v) / tf.cast(tf.sqrt(1 - second**count), dtype)
            weight.assign_sub(speed / scale * m / (root + epsilon))

    return update
