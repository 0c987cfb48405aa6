"""Training and running networks on numpy arrays, as the PyTorch backend does it, step by step."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from archlang.backend import Progress, TrainingSettings
from archlang.diagnostics import ArchError, error
from archlang.lowering.running import in_batches
from archlang.lowering.training import EVALUATION_BATCH, Plan, only_output, outcome
from archlang_tensorflow.optimizers import optimizer

Array = NDArray[Any]


def fit(
    network: keras.Model,
    train: tuple[Array, Array],
    validation: tuple[Array, Array],
    settings: TrainingSettings,
    on_epoch: Callable[[Progress], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> dict[str, Any]:
    """Train a network with one input and one output, and evaluate it on the validation pair.

    The same network, data and settings give the same result on one machine. Training ends early
    when the loss is not finite (`diverged` is then among the metrics) or when `should_stop` says so
    after an epoch. Returns `loss` and, for classification, `accuracy` (a fraction) on the validation
    pair in evaluation mode, `train_loss` (mean of the last epoch), `epochs` (done), and `seconds`.
    `settings.threads` holds when TensorFlow has not computed anything before.
    """
    started = time.perf_counter()
    use_threads(settings.threads)
    with tf.device(device_named(settings.device)):
        x, y = _tensor(train[0]), _target(train[1], settings)
        held = _tensor(validation[0]), _target(validation[1], settings)
        plan = Plan(len(train[0]), settings)
        step = _training_step(network, x, y, settings)
        measure = _measure(network, settings)
        _seed_dropout(network, settings.seed)
        train_loss = math.nan
        metrics: dict[str, float] = {}
        steps = epochs = 0
        for epoch in range(1, settings.epochs + 1):
            total = 0.0
            for positions in plan.epoch():
                loss = step(tf.constant(positions), tf.constant(plan.rate(steps), tf.float32))
                total += float(loss) * len(positions)
                steps += 1
                if not math.isfinite(total):
                    break
            train_loss = total / plan.samples
            epochs = epoch
            if not math.isfinite(train_loss):
                return outcome(settings, {}, train_loss, epochs, time.perf_counter() - started)
            if on_epoch is not None or epoch == settings.epochs:
                metrics = measure(*held)
            if on_epoch is not None:
                on_epoch(Progress(epoch, settings.epochs, train_loss, metrics, time.perf_counter() - started))
            if should_stop is not None and should_stop():
                break
        metrics = metrics or measure(*held)
    return outcome(settings, metrics, train_loss, epochs, time.perf_counter() - started)


def run(network: keras.Model, *inputs: Array) -> Any:
    """The outputs in evaluation mode for arrays, computed in batches: an array, or a dictionary of
    arrays by name where the network has named outputs."""

    def call(*arrays: Array) -> Any:
        given = [_tensor(array) for array in arrays]
        found = network(given if len(given) > 1 else given[0], training=False)
        return {name: as_array(y) for name, y in found.items()} if isinstance(found, dict) else as_array(found)

    batched = all(given.shape[:1] == (None,) for given in network.inputs)
    return in_batches(call, inputs, EVALUATION_BATCH, batched)


def as_array(tensor: Any) -> Array:
    """A tensor as an array, in single precision where NumPy has no such type."""
    return np.asarray(tf.cast(tensor, tf.float32) if tensor.dtype == tf.bfloat16 else tensor)


def use_threads(count: int) -> None:
    """Let the CPU have so many threads; 0 leaves it to TensorFlow."""
    # TensorFlow settles on its threads with the first computation, and then refuses to be told.
    with suppress(RuntimeError):
        if count:
            tf.config.threading.set_intra_op_parallelism_threads(count)
            tf.config.threading.set_inter_op_parallelism_threads(count)


def device_named(name: str) -> str:
    """The device of that name as TensorFlow writes it; ArchError (E0805) when this machine has none."""
    kind, _, number = name.partition(":")
    kind = "GPU" if kind in ("cuda", "gpu") else kind.upper()
    devices = [device.name for device in tf.config.list_logical_devices(kind)]
    if (not number.isdigit() and number) or int(number or 0) >= len(devices):
        raise ArchError(error("E0805", f"there is no device `{name}`", hints=('use `device="cpu"`',)))
    return str(devices[int(number or 0)])


def _tensor(array: Array) -> Any:
    return tf.constant(np.ascontiguousarray(array))


def _target(array: Array, settings: TrainingSettings) -> Any:
    target = _tensor(array)
    return tf.cast(target, tf.int64) if settings.loss == "cross_entropy" else target


def _seed_dropout(network: keras.Model, seed: int) -> None:
    """Set the generators of all layers that draw: Keras seeds them with what it happens to have."""
    for number, layer in enumerate(network.layers):
        generator = getattr(layer, "seed_generator", None)
        if generator is not None:
            generator.state.assign([seed, number])


def _training_step(network: keras.Model, x: Any, y: Any, settings: TrainingSettings) -> Any:
    """One step on the samples at some positions, at a learning rate; gives the loss."""
    variables = network.trainable_variables
    weights = [variable.value for variable in variables]
    update = optimizer(weights, settings)

    @tf.function(reduce_retracing=True)
    def step(positions: Any, rate: Any) -> Any:
        with tf.GradientTape() as tape:
            output = only_output(network(tf.gather(x, positions), training=True))
            loss = loss_of(output, tf.gather(y, positions), settings.loss, settings.label_smoothing)
        gradients = tape.gradient(loss, weights) if weights else []
        if settings.clip is not None:
            gradients, _ = tf.clip_by_global_norm(gradients, settings.clip)
        update(gradients, rate)
        return loss

    return step


def _measure(network: keras.Model, settings: TrainingSettings) -> Callable[[Any, Any], dict[str, float]]:
    """The mean loss and, for classification, the accuracy in evaluation mode."""

    @tf.function(reduce_retracing=True)
    def batch(x: Any, y: Any) -> Any:
        output = only_output(network(x, training=False))
        hits = hits_of(output, y) if settings.loss == "cross_entropy" else tf.constant(0.0)
        return loss_of(output, y, settings.loss, 0.0), hits

    def measure(x: Any, y: Any) -> dict[str, float]:
        loss = correct = 0.0
        for first in range(0, len(x), EVALUATION_BATCH):
            target = y[first : first + EVALUATION_BATCH]
            mean, hits = batch(x[first : first + EVALUATION_BATCH], target)
            loss += float(mean) * len(target)
            correct += float(hits) * len(target)
        found = {"loss": loss / max(len(x), 1)}
        if settings.loss == "cross_entropy":
            found["accuracy"] = correct / max(len(x), 1)
        return found

    return measure


def hits_of(output: Any, labels: Any) -> Any:
    """The share of the labels that have the largest score."""
    return tf.reduce_mean(tf.cast(tf.argmax(output, axis=-1) == labels, tf.float32))


def loss_of(output: Any, target: Any, kind: str, smoothing: float) -> Any:
    """The mean loss of a batch, of a kind that `TrainingSettings.loss` has."""
    if kind == "cross_entropy":
        classes = output.shape[-1]
        right = tf.one_hot(tf.reshape(target, (-1,)), classes, dtype=output.dtype)
        return cross_entropy(output, right * (1 - smoothing) + smoothing / classes)
    return tf.reduce_mean(tf.square(output - tf.cast(tf.reshape(target, tf.shape(output)), output.dtype)))


def cross_entropy(output: Any, probabilities: Any) -> Any:
    """The mean cross entropy of scores against the probabilities of the classes."""
    scores = tf.nn.log_softmax(tf.reshape(output, (-1, output.shape[-1])))
    return -tf.reduce_mean(tf.reduce_sum(scores * probabilities, axis=-1))
