"""Ops with a state that goes from token to token, from zeros; data is [n, t, d]."""

import numpy as np

from archlang_numpy.lowering import Array, function
from archlang_numpy.ops.activation import sigmoid

GATES = ("recurrent_kernel", "input_kernel", "input_bias", "recurrent_bias")


@function("lstm", weights=GATES, unused=("units",))
def lstm(
    x: Array,
    *,
    recurrent_kernel: Array,
    input_kernel: Array,
    input_bias: Array,
    recurrent_bias: Array,
    reverse: bool = False,
) -> Array:
    """The hidden states of long short-term memory with a forget gate: Gers et al. (2000)."""
    cell = hidden = np.zeros((x.shape[0], recurrent_kernel.shape[1]), x.dtype)
    found = np.empty((*x.shape[:2], recurrent_kernel.shape[1]), x.dtype)
    for t in reversed(range(x.shape[1])) if reverse else range(x.shape[1]):
        given = np.matmul(x[:, t], input_kernel.T) + input_bias
        gates = given + np.matmul(hidden, recurrent_kernel.T) + recurrent_bias
        enter, forget, new, leave = np.split(gates, 4, axis=1)
        cell = sigmoid(forget) * cell + sigmoid(enter) * np.tanh(new)
        hidden = sigmoid(leave) * np.tanh(cell)
        found[:, t] = hidden
    return found


@function("gru", weights=GATES, unused=("units",))
def gru(
    x: Array,
    *,
    recurrent_kernel: Array,
    input_kernel: Array,
    input_bias: Array,
    recurrent_bias: Array,
    reverse: bool = False,
) -> Array:
    """The hidden states of gated recurrent units, whose reset gate acts after the kernel: Cho et
    al. (2014)."""
    hidden = np.zeros((x.shape[0], recurrent_kernel.shape[1]), x.dtype)
    found = np.empty((*x.shape[:2], recurrent_kernel.shape[1]), x.dtype)
    for t in reversed(range(x.shape[1])) if reverse else range(x.shape[1]):
        given = np.split(np.matmul(x[:, t], input_kernel.T) + input_bias, 3, axis=1)
        kept = np.split(np.matmul(hidden, recurrent_kernel.T) + recurrent_bias, 3, axis=1)
        reset, update = sigmoid(given[0] + kept[0]), sigmoid(given[1] + kept[1])
        new = np.tanh(given[2] + reset * kept[2])
        hidden = (1 - update) * new + update * hidden
        found[:, t] = hidden
    return found


@function("selective_scan", weights=("a_log", "skip"), unused=("state",))
def selective_scan(
    x: Array, delta: Array, b: Array, c: Array, *, a_log: Array, skip: Array
) -> Array:
    """The state-space model of Gu and Dao (2023), algorithm 2: x, delta [n, t, d], b, c [n, t, s].

    h = exp(delta * a) * h + delta * b * x for each token; gives the sum of c * h, plus skip * x.
    """
    n, t, d = x.shape
    rates = -np.exp(a_log) * np.arange(1, b.shape[2] + 1, dtype=x.dtype)
    h = np.zeros((n, d, b.shape[2]), x.dtype)
    found = np.empty_like(x)
    for i in range(t):
        entered = (delta[:, i] * x[:, i])[:, :, None] * b[:, i, None, :]
        h = np.exp(delta[:, i, :, None] * rates) * h + entered
        found[:, i] = (h * c[:, i, None, :]).sum(axis=-1) + skip * x[:, i]
    return found
