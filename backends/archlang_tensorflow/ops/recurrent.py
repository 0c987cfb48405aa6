"""Layers with a state that goes from token to token, from zeros; data is [n, t, d].

Keras's own LSTM and GRU have one bias where the ops have two, so the steps are written out. They
run in `ops.scan`, a loop whose graph does not grow with the number of tokens: it has gradients and
can be saved, but XLA cannot compile its gradients, nor those of Keras's own recurrent layers.
"""

from typing import Any

from keras import initializers, ops, saving

from archlang_tensorflow.lowering import layer
from archlang_tensorflow.ops.weighted import Weighted

GATES = {
    "recurrent_kernel": ("fan_in_uniform",),
    "input_kernel": ("fan_in_uniform",),
    "input_bias": ("fan_in_uniform",),
    "recurrent_bias": ("fan_in_uniform",),
}
TURNED = {"recurrent_kernel": (1, 0), "input_kernel": (1, 0)}


class Recurrent(Weighted):
    """A layer with `gates` kernels side by side, for the tokens and for the state before."""

    gates: int

    def __init__(self, units: int, reverse: bool = False, **settings: Any) -> None:
        super().__init__(**settings)
        self.units, self.reverse = units, reverse
        self.supports_jit = False  # XLA has no gradient of loops with tensor arrays

    def build(self, shape: Any) -> None:
        wide = self.gates * self.units
        self.recurrent_kernel = self.gate_weight("recurrent_kernel", self.units, wide)
        self.input_kernel = self.gate_weight("input_kernel", shape[-1], wide)
        self.input_bias = self.gate_weight("input_bias", wide)
        self.recurrent_bias = self.gate_weight("recurrent_bias", wide)

    def gate_weight(self, name: str, *shape: int) -> Any:
        """A weight that starts uniform within 1 / sqrt(units)."""
        bound = self.units**-0.5
        return self.weight(name, shape, initializers.RandomUniform(-bound, bound))

    def scan(self, step: Any, states: int, x: Any) -> Any:
        """The first of the states after each token; `step` takes the states and a token's gates."""
        given = ops.swapaxes(ops.matmul(x, self.input_kernel) + self.input_bias, 0, 1)
        start = ops.zeros_like(given[0, :, : self.units])
        _, found = ops.scan(step, (start,) * states, given, reverse=self.reverse)
        return ops.swapaxes(found[0], 0, 1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units, "reverse": self.reverse}


@layer("lstm", init=GATES, axes=TURNED)
@saving.register_keras_serializable("archlang")
class LSTM(Recurrent):
    """Long short-term memory; gives the hidden state of every token."""

    gates = 4

    def call(self, x: Any) -> Any:
        return self.scan(self.step, 2, x)

    def step(self, states: Any, given: Any) -> Any:
        hidden, cell = states
        gates = given + ops.matmul(hidden, self.recurrent_kernel) + self.recurrent_bias
        i, f, g, o = ops.split(gates, 4, axis=-1)
        cell = ops.sigmoid(f) * cell + ops.sigmoid(i) * ops.tanh(g)
        states = (ops.sigmoid(o) * ops.tanh(cell), cell)
        return states, states


@layer("gru", init=GATES, axes=TURNED)
@saving.register_keras_serializable("archlang")
class GRU(Recurrent):
    """Gated recurrent units; gives the hidden state of every token."""

    gates = 3

    def call(self, x: Any) -> Any:
        return self.scan(self.step, 1, x)

    def step(self, states: Any, given: Any) -> Any:
        (hidden,) = states
        kept = ops.matmul(hidden, self.recurrent_kernel) + self.recurrent_bias
        r, z, n = ops.split(given, 3, axis=-1)
        hr, hz, hn = ops.split(kept, 3, axis=-1)
        update = ops.sigmoid(z + hz)
        new = ops.tanh(n + ops.sigmoid(r + hr) * hn)
        states = (new + update * (hidden - new),)
        return states, states


@layer("selective_scan", init={"a_log": ("zeros",), "skip": ("ones",)})
@saving.register_keras_serializable("archlang")
class SelectiveScan(Weighted):
    """h = exp(delta * a) * h + delta * b * x along the tokens; gives the sum of c * h + skip * x.

    x and delta are [n, t, d], b and c [n, t, state]. Prefixes of 1, 2, 4, ... tokens are joined
    for all tokens at once, so that the number of steps grows with the logarithm of t.
    """

    def __init__(self, state: int, **settings: Any) -> None:
        super().__init__(**settings)
        self.state = state

    def build(self, x_shape: Any) -> None:
        self.a_log = self.weight("a_log", (x_shape[-1], self.state), "zeros")
        self.skip = self.weight("skip", (x_shape[-1],), "ones")

    def call(self, x: Any, delta: Any, b: Any, c: Any) -> Any:
        numbers = ops.cast(ops.arange(1, self.state + 1), x.dtype)
        kept = ops.exp(-delta[..., None] * numbers * ops.exp(self.a_log))
        h = (delta * x)[..., None] * b[:, :, None]
        step = 1
        while step < x.shape[1]:
            before = [(0, 0), (step, 0), (0, 0), (0, 0)]  # zeros for the tokens before the first
            h = h + kept * ops.pad(h[:, :-step], before)
            kept = kept * ops.pad(kept[:, :-step], before)
            step *= 2
        return ops.sum(h * c[:, :, None], axis=-1) + self.skip * x

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "state": self.state}
