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
    if settings.optimizer == "sgd":
        return Sgd(weights, settings.momentum, settings.weight_decay, settings.nesterov).step
    return Adam(weights, settings.weight_decay, decoupled=settings.optimizer == "adamw").step


def _slots(weights: Sequence[Any]) -> list[Any]:
    return [tf.Variable(tf.zeros_like(weight), trainable=False) for weight in weights]


class Sgd:
    """Stochastic gradient descent with (Nesterov) momentum and L2 decay: torch.optim.SGD."""

    def __init__(self, weights: Sequence[Any], momentum: float, decay: float, nesterov: bool = False) -> None:
        self._weights, self._momentum, self._decay, self._nesterov = weights, momentum, decay, nesterov
        self.velocities = _slots(weights) if momentum else []

    def step(self, gradients: Sequence[Any], rate: Any) -> None:
        """Go down the gradients; weights with None stay as they are."""
        for number, (weight, found) in enumerate(zip(self._weights, gradients, strict=True)):
            if found is None:
                continue
            gradient = found + self._decay * weight
            if self._momentum:
                velocity = self.velocities[number]
                velocity = velocity.assign(self._momentum * velocity + gradient)
                gradient = gradient + self._momentum * velocity if self._nesterov else velocity
            weight.assign_sub(tf.cast(rate, weight.dtype) * gradient)


class Adam:
    """Adam with L2 decay, or AdamW with decoupled decay: torch.optim.Adam and AdamW. Steps are counted for all
    weights together."""

    def __init__(
        self,
        weights: Sequence[Any],
        decay: float,
        betas: tuple[float, float] = (0.9, 0.999),
        *,
        decoupled: bool = False,
    ) -> None:
        self._weights, self._decay, self._betas, self._decoupled = weights, decay, betas, decoupled
        self.means, self.squares = _slots(weights), _slots(weights)
        self.steps = tf.Variable(tf.zeros((), tf.float64), trainable=False)

    def step(self, gradients: Sequence[Any], rate: Any) -> None:
        """Go down the gradients; weights with None stay as they are."""
        (first, second), epsilon, decay = self._betas, 1e-8, self._decay
        count = self.steps.assign_add(1.0)
        for weight, found, mean, square in zip(self._weights, gradients, self.means, self.squares, strict=True):
            if found is None:
                continue
            dtype = weight.dtype
            speed = tf.cast(rate, dtype)
            if self._decoupled:
                weight.assign_sub(speed * decay * weight)
            gradient = found if self._decoupled else found + decay * weight
            m = mean.assign(first * mean + (1 - first) * gradient)
            v = square.assign(second * square + (1 - second) * tf.square(gradient))
            scale = tf.cast(1 - first**count, dtype)
            root = tf.sqrt(v) / tf.cast(tf.sqrt(1 - second**count), dtype)
            weight.assign_sub(speed / scale * m / (root + epsilon))
