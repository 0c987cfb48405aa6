"""Recurrent layers. Keras's LSTM has one bias where the op has two; the second is then zeros."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers

from archlang.conversion.data import Data, Unsupported
from archlang_tensorflow.capture.known import Known
from archlang_tensorflow.capture.lowerer import Lowerer, layer
from archlang_tensorflow.capture.rules.arithmetic import combined
from archlang_tensorflow.capture.rules.shapes import sliced, with_dims

_UNBIASED = "a recurrent layer without biases has zeros for them, which are not among the model's parameters"
_NOTE = "`lstm` has two biases where Keras's has one: the second is zeros, and not among the model's parameters"


@layer(layers.LSTM, layers.GRU)
def recurrent(lo: Lowerer, of: Any, x: Data, initial_state: Any = None) -> Any:
    if of.go_backwards and of.return_sequences:
        raise Unsupported("a sequence that is turned round")
    if initial_state is not None:
        raise Unsupported("a recurrent layer that does not start at zeros")
    y = _states(lo, of, x)
    last = _last(lo, y, of.go_backwards)
    result = y if of.return_sequences else last
    if not of.return_state:
        return result
    if isinstance(of, layers.LSTM):
        raise Unsupported("the state of the cell of an `LSTM`")
    return [result, last]


@layer(layers.Bidirectional)
def bidirectional(lo: Lowerer, of: layers.Bidirectional, x: Data, initial_state: Any = None) -> Any:
    ahead, back = of.forward_layer, of.backward_layer
    if of.return_state or initial_state is not None or ahead.go_backwards or not back.go_backwards:
        raise Unsupported("states of a layer of both directions")
    with lo.within("forward"):
        one = _states(lo, ahead, x)
    with lo.within("backward"):
        other = _states(lo, back, x)
    if not of.return_sequences:
        one, other = _last(lo, one, False), _last(lo, other, True)
    if of.merge_mode is None:
        return [one, other]
    if of.merge_mode == "concat":
        return lo.along("concat", -1, one, other)
    y = combined(lo, "mul" if of.merge_mode == "mul" else "add", one, other)
    return lo.each("scale", y, factor=0.5) if of.merge_mode == "ave" else y


def _last(lo: Lowerer, y: Data, reverse: bool) -> Data:
    at = 0 if reverse else y.shape[1] - 1
    part = sliced(lo, y, 1, at, at + 1)
    dims = part.layout.dims
    return with_dims(part, (dims[0], dims[2]))


def _states(lo: Lowerer, of: Any, x: Data) -> Data:
    """The state after each token; `go_backwards` starts at the last."""
    lstm = isinstance(of, layers.LSTM)
    if not lstm and not isinstance(of, layers.GRU):
        raise Unsupported(f"a layer of the kind {type(of).__name__}")
    cell = of.cell
    usual = (cell.activation, cell.recurrent_activation) == (keras.activations.tanh, keras.activations.sigmoid)
    if not usual or of.stateful:
        raise Unsupported("a recurrent layer with other activations, or that keeps its state")
    if not lstm and not cell.reset_after:
        raise Unsupported("a `GRU` whose reset gate acts before the kernel")
    kernels = [lo.variable(cell, name) for name in ("kernel", "recurrent_kernel")]
    biases = _biases(lo, cell, lstm)
    gates = [_gates(known, cell.units, lstm) for known in (*kernels, *biases)]
    names = ("input_kernel", "recurrent_kernel", "input_bias", "recurrent_bias")
    weights: dict[str, Known | None] = {
        name: gate.transposed((1, 0)) if len(gate.shape) == 2 else gate for name, gate in zip(names, gates, strict=True)
    }
    op = "lstm" if lstm else "gru"
    made = lo.add(op, lo.plain(x, 3), weights=weights, units=cell.units, reverse=bool(of.go_backwards))
    return lo.data(made)


def _biases(lo: Lowerer, cell: Any, lstm: bool) -> list[Known | None]:
    bias = lo.variable(cell, "bias")
    zeros = Known(np.zeros(((4 if lstm else 3) * cell.units,), np.float32))
    if bias is None:
        lo.builder.notes.append(_UNBIASED)
        return [zeros, zeros]
    if lstm:
        lo.builder.notes.append(_NOTE)
        return [bias, zeros]
    return [bias.apply(lambda a: a[0], "input"), bias.apply(lambda a: a[1], "recurrent")]


def _gates(known: Known | None, units: int, lstm: bool) -> Known:
    """The gates, along the last dimension, in the op's order: Keras's GRU has the update before the reset gate."""
    assert known is not None
    if lstm:
        return known
    order = np.concatenate([np.arange(units, 2 * units), np.arange(units), np.arange(2 * units, 3 * units)])
    return known.apply(lambda a: a[..., order], "gates")
