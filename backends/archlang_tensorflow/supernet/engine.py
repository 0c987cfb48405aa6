"""The training of a supernet: see `archlang.relax.engine.Engine`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import attrs
import tensorflow as tf
from numpy.typing import NDArray

from archlang.relax.engine import Way
from archlang.relax.settings import ArchitectureSettings, WeightSettings
from archlang.relax.state import check_state
from archlang_tensorflow.optimizers import Adam, Sgd
from archlang_tensorflow.supernet.network import Supernet
from archlang_tensorflow.supernet.passes import Found, Passes
from archlang_tensorflow.supernet.sharing import traced
from archlang_tensorflow.supernet.statistics import BatchStatistics
from archlang_tensorflow.supernet.tensors import TensorFlowTensors
from archlang_tensorflow.training import as_array, device_named, hits_of, loss_of

Array = NDArray[Any]
Tensor = Any
Batch = tuple[Tensor, Tensor]
Direction = list[Tensor | None]

SECOND = "second/"  # of the names of what is exchanged


@attrs.define(eq=False)
class _Recording:
    """What an `add_gradients` is for: the losses on batches that it met, of which each has gradients of its own.
    Its tape knows what is done before and after these."""

    tape: Any
    weights: bool
    parameters: bool
    found: list[Found] = attrs.field(factory=list)


class TensorFlowEngine:
    """A supernet, SGD for its weights, and Adam for the parameters of its mixture, as PyTorch has them."""

    def __init__(
        self,
        supernet: Supernet,
        parameters: Mapping[str, Array],
        weights: WeightSettings,
        architecture: ArchitectureSettings,
        loss: str = "cross_entropy",
        seed: int = 0,
        device: str = "cpu",
    ) -> None:
        self._device = device_named(device)
        self.supernet = supernet
        self.tensors = TensorFlowTensors(seed)
        self.parameters = {name: tf.Variable(tf.constant(first, tf.float32)) for name, first in parameters.items()}
        self._passes = Passes(supernet, loss, weights.smoothing)
        self._settings = weights
        self._rate = architecture.lr
        self._seed = seed
        self._kind = loss
        named = {address: variable.value for address, variable in supernet.named_variables.items()}
        self._addresses = [address for address, variable in named.items() if variable.trainable]
        self._weights = [named[address] for address in self._addresses]
        self._states = [variable for variable in named.values() if not variable.trainable]
        self._sgd = Sgd(self._weights, weights.momentum, weights.decay, weights.nesterov)
        # What there are two of: see `exchange`.
        self._set = {f"supernet/{address}": variable for address, variable in named.items()}
        moments = zip(self._addresses, self._sgd.velocities, strict=False)  # there are none without momentum
        self._set |= {f"momentum/{address}": velocity for address, velocity in moments}
        self._other: dict[str, Any] | None = None
        # One for each: its steps are those in which there were gradients for it.
        self._adam = {
            name: Adam([parameter], architecture.decay, architecture.betas)
            for name, parameter in self.parameters.items()
        }
        self._of_weights: Direction = [None] * len(self._weights)
        self._of_parameters: dict[str, Tensor | None] = dict.fromkeys(self.parameters)
        self._recording: _Recording | None = None
        self._traced_step = traced(self._step)

    # ----------------------------------------------------------------- losses

    @contextmanager
    def running(self, threads: int) -> Iterator[None]:
        # The threads stay as they are: TensorFlow settled on them when it made the weights.
        with tf.device(self._device):
            self.supernet.draws.assign([self._seed, 0])
            yield

    def batch(self, x: Array, y: Array) -> Batch:
        target = tf.constant(y)
        return tf.constant(x), tf.cast(target, tf.int64) if self._kind == "cross_entropy" else target

    def loss(self, batch: Batch, way: Way, teacher: Tensor | None = None, labels: float = 0.0) -> Tensor:
        return self._pass(batch, way, teacher, labels).loss

    def loss_and_outputs(self, batch: Batch, way: Way) -> tuple[Tensor, Tensor]:
        found = self._pass(batch, way)
        return found.loss, found.output

    def _pass(self, batch: Batch, way: Way, teacher: Tensor | None = None, labels: float = 0.0) -> Found:
        recording = self._recording
        if recording is None:
            return self._passes.loss(batch, way, teacher, labels)
        wanted = {"weights": recording.weights, "mixture": recording.parameters}
        with recording.tape.stop_recording():
            found = self._passes.loss(batch, way, teacher, labels, **wanted)
        recording.tape.watch(found.loss)
        recording.found.append(found)
        return found

    def outputs(self, batch: Batch, way: Way) -> Tensor:
        return self._passes.output(batch[0], way, training=True)

    def measure(self, batches: Sequence[Batch], way: Way, *, by_batch: bool = False) -> dict[str, float]:
        loss = correct = count = 0.0
        for x, y in batches:
            output = self._passes.output(x, way, by_batch=by_batch)
            loss += float(loss_of(output, y, self._kind, 0.0)) * len(y)
            if self._kind == "cross_entropy":
                correct += float(hits_of(output, y)) * len(y)
            count += len(y)
        found = {"loss": loss / max(count, 1)}
        return {**found, "accuracy": correct / max(count, 1)} if self._kind == "cross_entropy" else found

    def recalibrate(self, batches: Sequence[Batch], way: Way) -> None:
        statistics = BatchStatistics()
        for x, _ in batches:
            self._passes.add_statistics(x, way, statistics)
        statistics.write()

    # -------------------------------------------------------------- gradients

    def add_gradients(self, loss: Callable[[], Tensor], *, weights: bool = False, parameters: bool = False) -> float:
        wanted = [*self.parameters.values()] if parameters else []
        with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
            tape.watch(wanted)
            recording = self._recording = _Recording(tape, weights, parameters)
            try:
                value = loss()
            finally:
                self._recording = None
        ends, factors = [value], [tf.ones_like(value)]
        scales: Any = tape.gradient(value, [found.loss for found in recording.found])
        for found, factor in zip(recording.found, scales, strict=True):
            if factor is None:
                continue
            for place, gradient in enumerate(found.of_weights):
                self._of_weights[place] = _sum(self._of_weights[place], _times(float(factor), gradient))
            for vector, gradient in found.of_mixture:
                if gradient is not None:
                    ends.append(vector)
                    factors.append(factor * gradient)
        if wanted:
            gradients = tape.gradient(ends, wanted, factors)
            for name, gradient in zip(self.parameters, gradients, strict=True):
                self._of_parameters[name] = _sum(self._of_parameters[name], gradient)
        return float(value)

    def clear(self, *, weights: bool = False, parameters: bool = False) -> None:
        if weights:
            self._of_weights = [None] * len(self._weights)
        if parameters:
            self._of_parameters = dict.fromkeys(self.parameters)

    def step_weights(self, rate: float) -> None:
        # Where some have no gradient these are others in each step: too many functions to be traced.
        step = self._step if any(gradient is None for gradient in self._of_weights) else self._traced_step
        step(self._of_weights, tf.constant(rate, tf.float32))

    def _step(self, gradients: Direction, rate: Tensor) -> None:
        clip = self._settings.clip
        if clip is not None and self._settings.clip_values:
            gradients = [None if part is None else tf.clip_by_value(part, -clip, clip) for part in gradients]
        elif clip is not None:
            # As PyTorch has it, with a little added to the norm.
            factor = tf.minimum(clip / (_norm(gradients) + 1e-6), 1.0)
            gradients = [None if part is None else part * tf.cast(factor, part.dtype) for part in gradients]
        self._sgd.step(gradients, rate)

    def step_parameters(self) -> None:
        for name, gradient in self._of_parameters.items():
            if gradient is not None:
                self._adam[name].step([gradient], self._rate)

    def restart_optimizer(self) -> None:
        for velocity in self._sgd.velocities:
            velocity.assign(tf.zeros_like(velocity))

    def set_parameters(self, values: Mapping[str, Tensor]) -> None:
        for name, value in values.items():
            self.parameters[name].assign(value)

    def weight_gradients(self) -> Direction:
        return [*self._of_weights]

    def parameter_gradients(self) -> dict[str, Tensor | None]:
        return {**self._of_parameters}

    def set_parameter_gradients(self, gradients: Mapping[str, Tensor | None]) -> None:
        self._of_parameters.update(gradients)

    def norm(self, direction: Direction) -> float:
        return float(_norm(direction))

    def move_weights(self, direction: Direction, scale: float) -> None:
        for weight, part in zip(self._weights, direction, strict=True):
            if part is not None:
                weight.assign_add(scale * part)

    def look_ahead(self, rate: float) -> None:
        momentum, decay = self._settings.momentum, self._settings.decay
        for place, (weight, gradient) in enumerate(zip(self._weights, self._of_weights, strict=True)):
            if gradient is not None:
                step = gradient + decay * weight
                weight.assign_sub(rate * (step + momentum * self._sgd.velocities[place] if momentum else step))

    # ------------------------------------------------------------- second set

    def exchange(self) -> None:
        for name, variable in self._second().items():
            own = self._set[name]
            value = tf.identity(own)
            own.assign(variable)
            variable.assign(value)

    def pull(self, strength: float) -> None:
        second = self._second()
        for place, (address, weight) in enumerate(zip(self._addresses, self._weights, strict=True)):
            away = strength * (weight - second[f"supernet/{address}"])
            self._of_weights[place] = _sum(self._of_weights[place], away)

    def _second(self) -> dict[str, Any]:
        if self._other is None:
            self._other = self._copied()
        return self._other

    def _copied(self) -> dict[str, Any]:
        return {name: tf.Variable(own, trainable=False) for name, own in self._set.items()}

    # ------------------------------------------------------------------ state

    def snapshot(self) -> list[Tensor]:
        return _copies([*self._weights, *self._states])

    def restore(self, snapshot: list[Tensor]) -> None:
        _assign([*self._weights, *self._states], snapshot)

    def state(self) -> dict[str, Array]:
        return {name: as_array(variable) for name, variable in self._kept(self._other).items()}

    def set_state(self, state: Mapping[str, Array]) -> None:
        other = self._copied() if any(name.startswith(SECOND) for name in state) else None
        kept = self._kept(other)
        check_state(state, {name: tuple(variable.shape) for name, variable in kept.items()})
        self._other = other
        for name, variable in kept.items():
            variable.assign(state[name])

    def _kept(self, other: Mapping[str, Any] | None) -> dict[str, Any]:
        """All variables by name, with those of a second set."""
        found = {**self._set, **{f"{SECOND}{name}": variable for name, variable in (other or {}).items()}}
        for name, parameter in self.parameters.items():
            adam = self._adam[name]
            found[f"parameters/{name}"] = parameter
            (found[f"adam/mean/{name}"],), (found[f"adam/square/{name}"],) = adam.means, adam.squares
            found[f"adam/steps/{name}"] = adam.steps
        return {**found, "random/engine": self.tensors.generator.state, "random/layers": self.supernet.draws.value}


def _copies(variables: Sequence[Any]) -> list[Tensor]:
    return [tf.identity(variable) for variable in variables]


def _assign(variables: Sequence[Any], values: Sequence[Tensor]) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def _sum(one: Tensor | None, other: Tensor | None) -> Tensor | None:
    if one is None or other is None:
        return other if one is None else one
    return one + other


def _times(factor: float, gradient: Tensor | None) -> Tensor | None:
    return gradient if gradient is None or factor == 1 else factor * gradient


def _norm(direction: Direction) -> Tensor:
    parts = [part for part in direction if part is not None]
    return tf.linalg.global_norm(parts) if parts else tf.constant(0.0)
