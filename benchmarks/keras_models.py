"""The TensorFlow backend: models that it builds against the same models written by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import archlang as al
from benchmarks.genes import EDGES
from benchmarks.measure import Figure, compared


def keras_models(repetitions: int) -> Iterator[Figure]:
    """Building and running as compiled functions.

    One thread, where TensorFlow has not computed anything before; more rounds than asked for, as what
    is compared differs by little.
    """
    from archlang_tensorflow.training import use_threads

    use_threads(1)
    import tensorflow as tf

    from benchmarks.by_hand_keras import darts_v2, nas_bench_201

    bench = al.load("std.spaces.nasbench201").program({f"shared/edge#{k}": edge for k, edge in enumerate(EDGES, 1)})
    darts = al.load("std.models.darts:darts_cifar").program()
    image, batch = tf.random.normal((1, 32, 32, 3)), tf.random.normal((16, 32, 32, 3))
    networks: tuple[tuple[str, al.Program, Callable[[], Any]], ...] = (
        ("nasbench201", bench, lambda: nas_bench_201(EDGES)),
        ("DARTS V2", darts, darts_v2),
    )
    for name, program, by_hand in networks:

        def built(data_format: str = "channels_last", program: al.Program = program) -> Any:
            return program.build("tensorflow", data_format=data_format)

        yield compared(f"build {name}", built, by_hand, repetitions, aim=1.10)
        ours, hand = built(), by_hand()
        hand.set_weights(ours.get_weights())
        assert _parameters(ours) == _parameters(hand) == program.cost().params
        np.testing.assert_array_equal(ours(batch), hand(batch))
        forward, other = _forward(ours, image), _forward(hand, image)
        yield compared(f"forward, one image, {name}", forward, other, 20 * repetitions, aim=1.02)
    hand = nas_bench_201(EDGES)
    for data_format, aim in (("channels_last", 1.02), ("channels_first", None)):
        ours = bench.build("tensorflow", data_format=data_format)
        given = batch if data_format == "channels_last" else tf.transpose(batch, (0, 3, 1, 2))
        actions = _training_step(ours, given), _training_step(hand, batch)
        yield compared(f"training step, {data_format}", *actions, 5 * repetitions, aim=aim)
    forward, other = _forward(ours, given[:1]), _forward(hand, image)
    yield compared("forward, one image, channels_first", forward, other, 20 * repetitions)


def _parameters(model: Any) -> int:
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


def _forward(model: Any, given: Any) -> Callable[[], Any]:
    """Evaluation, compiled as `predict` does it."""
    import tensorflow as tf

    compiled = tf.function(lambda x: model(x, training=False))
    return lambda: compiled(given).numpy()


def _training_step(model: Any, given: Any) -> Callable[[], Any]:
    """A step of gradient descent, compiled as `fit` does it."""
    import tensorflow as tf

    weights = [variable.value for variable in model.trainable_variables]

    @tf.function
    def step(x: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(model(x, training=True)))
        for weight, gradient in zip(weights, tape.gradient(loss, weights), strict=True):
            weight.assign_sub(1e-3 * gradient)
        return loss

    return lambda: step(given).numpy()
