"""What a backend does for the training of a supernet.

The parts of a method (mixtures, updates, penalties, …) are written once, with these two interfaces; a tensor
is the framework's own, with its arithmetic operators and slices.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import attrs

from archlang.backend import Array
from archlang.relax.plan import ALL, Active
from archlang.space.choices import Choices

Tensor = Any
Batch = Any  # inputs and targets, as the engine keeps them


@attrs.frozen(eq=False)
class Draw:
    """The weights of a mixture for one forward pass: by variable those of its picks or (True) of its elements,
    None for ones. Only `active` alternatives are computed. With `ghosts` the weights of the others are added
    to the sum as numbers (of value zero: they carry gradients, as in GDAS)."""

    weights: Mapping[tuple[int, bool], Tensor | None]
    active: Active = ALL
    ghosts: bool = False


@attrs.frozen
class Moment:
    """When a draw is made: what share of the training is done, and whether it is to train the weights (else
    the parameters of the mixture)."""

    progress: float
    of_weights: bool


Way = Draw | Choices  # through the supernet: all of a mixture, or one path


class Tensors(Protocol):
    """Functions on tensors; random ones draw from the engine's generator."""

    def constant(self, values: Any) -> Tensor: ...
    def softmax(self, x: Tensor) -> Tensor:
        """Over the last dimension."""

    def log_softmax(self, x: Tensor) -> Tensor: ...
    def sigmoid(self, x: Tensor) -> Tensor: ...
    def elu(self, x: Tensor) -> Tensor: ...
    def log(self, x: Tensor) -> Tensor: ...
    def lgamma(self, x: Tensor) -> Tensor:
        """The logarithm of the gamma function of positive numbers."""

    def digamma(self, x: Tensor) -> Tensor: ...
    def sum(self, x: Tensor) -> Tensor: ...
    def stack(self, xs: Sequence[Tensor]) -> Tensor: ...
    def stop(self, x: Tensor) -> Tensor:
        """The same values, through which no gradient passes."""

    def exponential(self, size: int) -> Tensor:
        """Draws from the exponential distribution of rate one."""

    def dirichlet(self, concentration: Tensor) -> Tensor:
        """A draw that gradients pass through to the concentration."""

    def numbers(self, x: Tensor) -> list[float]: ...


class Engine(Protocol):
    """A supernet in training: its weights, and the parameters of its mixture, with an optimizer for each."""

    supernet: Any
    tensors: Tensors
    parameters: Mapping[str, Tensor]  # of the mixture, by name

    def running(self, threads: int) -> AbstractContextManager[None]:
        """A context to train in: so many threads on the CPU (0: as they are), and what was set before afterwards."""
        ...

    def batch(self, x: Array, y: Array) -> Batch: ...

    def loss(self, batch: Batch, way: Way, teacher: Tensor | None = None) -> Tensor:
        """The mean loss of a batch in training mode; with a teacher's outputs, against these."""
        ...

    def outputs(self, batch: Batch, way: Way) -> Tensor:
        """What the supernet gives for a batch in training mode, without gradients."""
        ...

    def add_gradients(self, loss: Callable[[], Tensor], *, weights: bool = False, parameters: bool = False) -> float:
        """Add the gradients of a loss, which is computed here, to those that are kept; its value."""
        ...

    def clear(self, *, weights: bool = False, parameters: bool = False) -> None:
        """Forget gradients that are kept."""

    def step_weights(self, rate: float) -> None:
        """A step of the weights' optimizer at a learning rate, gradients clipped as the settings say."""

    def step_parameters(self) -> None:
        """A step of the parameters' optimizer."""

    def restart_optimizer(self) -> None:
        """Forget what the weights' optimizer has kept of the steps before: their momentum."""

    def set_parameters(self, values: Mapping[str, Tensor]) -> None:
        """Give some parameters of the mixture other values; their optimizer does not notice."""

    def weight_gradients(self) -> Any:
        """A copy of the gradients kept for the weights."""
        ...

    def move_weights(self, direction: Any, scale: float) -> None:
        """Add so much of a direction, such as `weight_gradients`, to the weights."""

    def norm(self, direction: Any) -> float:
        """The Euclidean norm over all weights."""
        ...

    def look_ahead(self, rate: float) -> None:
        """Move the weights as an SGD step with the kept gradients would, without changing the optimizer:
        w - rate * (momentum * buffer + gradient + decay * w)."""

    def exchange(self) -> None:
        """Put a second set of weights, with states and the optimizer's memory of its own, in the place of the
        first, and that in its place. It begins as a copy of the first."""

    def pull(self, strength: float) -> None:
        """Add to the gradients of the weights that of strength / 2 times the squared distance of the two sets."""

    def parameter_gradients(self) -> dict[str, Tensor]:
        """The gradients kept for the parameters, None for those without; see `set_parameter_gradients`."""
        ...

    def set_parameter_gradients(self, gradients: Mapping[str, Tensor]) -> None: ...

    def snapshot(self) -> Any:
        """A copy of the weights and states."""
        ...

    def restore(self, snapshot: Any) -> None: ...

    def measure(self, batches: Sequence[Batch], way: Way, *, by_batch: bool = False) -> dict[str, float]:
        """`loss` and, for classification, `accuracy` over batches in evaluation mode; or (`by_batch`) in training
        mode, where batch norms go by each batch, and keep the statistics that they have."""
        ...

    def recalibrate(self, batches: Sequence[Batch], way: Way) -> None:
        """Set the statistics of batch norms to what the batches have, each weighted by its size."""

    def state(self) -> dict[str, Array]:
        """Everything that training goes on from: weights, parameters, optimizers, generators."""
        ...

    def set_state(self, state: Mapping[str, Array]) -> None: ...
