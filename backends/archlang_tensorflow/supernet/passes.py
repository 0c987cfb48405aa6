"""Passes through a supernet, forward and back.

The mixture of all alternatives runs in every step of a training: its passes are traced, once. Paths and
other parts are many, and tracing takes as long as some hundred passes: they run eagerly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import attrs
import tensorflow as tf

from archlang.lowering.training import only_output
from archlang.relax.engine import Draw, Way
from archlang.space.choices import Choices
from archlang_tensorflow.supernet.network import Supernet
from archlang_tensorflow.supernet.sharing import traced
from archlang_tensorflow.supernet.statistics import BatchStatistics, of_batch
from archlang_tensorflow.training import cross_entropy, loss_of

Tensor = Any
Key = tuple[int, bool]  # of weights of a mixture: see `Draw.weights`


@attrs.frozen(eq=False)
class Found:
    """What a pass gives: the loss, the output, and the gradients of the loss that were asked for: of the shared
    weights (None where there is none), and of the weights of the mixture beside these."""

    loss: Tensor
    output: Tensor
    of_weights: Sequence[Tensor | None]
    of_mixture: Sequence[tuple[Tensor, Tensor | None]]


@attrs.frozen
class _Form:
    """A way without its tensors: choices, or the keys of the weights, of those that are all one, and the rest
    of a draw."""

    choices: Choices | None = None
    keys: tuple[Key, ...] = ()
    ones: tuple[Key, ...] = ()
    active: tuple[tuple[int, tuple[int, ...]], ...] = ()
    ghosts: bool = False

    @property
    def is_whole(self) -> bool:
        """Whether it is that of all alternatives."""
        return self.choices is None and not self.active

    def output(self, supernet: Supernet, x: Tensor, weights: Sequence[Tensor], **mode: Any) -> Tensor:
        """What the supernet gives for it with the weights of the mixture."""
        if self.choices is not None:
            return only_output(supernet.path(self.choices, x, **mode))
        all_weights = {**dict.fromkeys(self.ones), **dict(zip(self.keys, weights, strict=True))}
        return only_output(supernet.mixed(all_weights, x, active=dict(self.active), ghosts=self.ghosts, **mode))


class Passes:
    """Passes of batches, for a kind of loss."""

    def __init__(self, supernet: Supernet, kind: str, smoothing: float) -> None:
        self._supernet, self._kind, self._smoothing = supernet, kind, smoothing
        self._weights = [variable.value for variable in supernet.trainable_variables]
        self._traced: dict[Any, Callable[..., Any]] = {}

    def output(self, x: Tensor, way: Way, *, training: bool = False, by_batch: bool = False) -> Tensor:
        """What the supernet gives, in evaluation mode with the statistics of the batch where it says so."""
        form, mixture = _apart(way)
        mode = {"training": training, "statistics": of_batch if by_batch else None}

        def run(x: Tensor, mixture: Sequence[Tensor]) -> Tensor:
            return form.output(self._supernet, x, mixture, **mode)

        return self._ready(run, form, training, by_batch)(x, mixture)

    def add_statistics(self, x: Tensor, way: Way, statistics: BatchStatistics) -> None:
        """Add those of a batch, in evaluation mode with these."""
        form, mixture = _apart(way)
        form.output(self._supernet, x, mixture, statistics=statistics.take)

    def loss(
        self,
        batch: tuple[Tensor, Tensor],
        way: Way,
        teacher: Tensor | None = None,
        labels: float = 0.0,
        *,
        weights: bool = False,
        mixture: bool = False,
    ) -> Found:
        """A pass in training mode, with gradients of the shared weights, and of those of the mixture."""
        form, of_mixture = _apart(way)

        def run(x: Tensor, y: Tensor, teacher: Tensor | None, of_mixture: Sequence[Tensor]) -> Any:
            wanted = [*(self._weights if weights else ()), *(of_mixture if mixture else ())]
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(wanted)
                output = form.output(self._supernet, x, of_mixture, training=True)
                loss = self._loss(output, y, teacher, labels)
            found = tape.gradient(loss, wanted) if wanted else []
            # Losses have the type of what is computed from the parameters.
            dense = [None if gradient is None else tf.convert_to_tensor(gradient) for gradient in found]
            return tf.cast(loss, tf.float32), output, dense

        loss, output, gradients = self._ready(run, form, weights, mixture, labels)(*batch, teacher, of_mixture)
        count = len(self._weights) if weights else 0
        return Found(loss, output, gradients[:count], [*zip(of_mixture, gradients[count:], strict=mixture)])

    def _loss(self, output: Tensor, target: Tensor, teacher: Tensor | None, labels: float) -> Tensor:
        if teacher is None:
            return loss_of(output, target, self._kind, self._smoothing)
        if self._kind == "cross_entropy":
            distance = cross_entropy(output, tf.nn.softmax(tf.reshape(teacher, (-1, teacher.shape[-1]))))
        else:
            distance = tf.reduce_mean(tf.square(output - teacher))
        return distance + labels * self._loss(output, target, None, 0.0) if labels else distance

    def _ready(self, run: Callable[..., Any], form: _Form, *settings: float) -> Callable[..., Any]:
        if not form.is_whole:
            return run
        key = form, settings
        if key not in self._traced:
            self._traced[key] = traced(run)
        return self._traced[key]


def _apart(way: Way) -> tuple[_Form, list[Tensor]]:
    if not isinstance(way, Draw):
        return _Form(way), []
    given = {key: weights for key, weights in way.weights.items() if weights is not None}
    ones = tuple([key for key, weights in way.weights.items() if weights is None])
    active = tuple([(variable, tuple(positions)) for variable, positions in way.active.items()])
    return _Form(None, (*given,), ones, active, way.ghosts), [*given.values()]
