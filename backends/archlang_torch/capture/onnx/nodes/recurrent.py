"""Recurrent layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from archlang.conversion.data import Unsupported
from archlang_torch.capture.onnx.lowerer import Call, OnnxLowerer, data, known, node
from archlang_torch.capture.values import Known

_ORDER = {"lstm": (0, 2, 3, 1), "gru": (1, 0, 2)}  # where ONNX has the gates that archlang has in this order
_ACTIVATIONS = {"lstm": ["sigmoid", "tanh", "tanh"], "gru": ["sigmoid", "tanh"]}


@node("LSTM", "GRU")
def recurrent(
    lo: OnnxLowerer, call: Call, x: Any, kernels: Any, states: Any, biases: Any = None, lengths: Any = None, *rest: Any
) -> list[Any]:
    """The states at all tokens, and the last one; of both directions where there are."""
    op = call.op.lower()
    _refuse_odd(call, op, rest)
    first_batch = bool(call.get("layout", 0))
    value = lo.plain(data(x) if first_batch else lo.view("transpose", x, 0, 1), 3)
    if lengths is not None and known(lengths, "lengths").number() != lo.builder.sizes(value)[0]:
        raise Unsupported(f"`{call.op}` of sequences of different lengths")
    directions = {"forward": [False], "reverse": [True], "bidirectional": [False, True]}
    found, last = [], []
    for i, reverse in enumerate(directions[call.get("direction", "forward")]):
        weights = _weights(op, i, known(kernels, "a kernel"), known(states, "a kernel"), biases)
        made = lo.add(op, value, weights=weights, units=weights["recurrent_kernel"].shape[1], reverse=reverse)
        found.append(lo.data(made))
        last.append(lo.view("select", found[-1], 1, 0 if reverse else -1))
    units = found[0].shape[2]
    every = found[0] if len(found) == 1 else lo.data(lo.add("concat", *[y.value for y in found], axis=2))
    n, tokens, _ = every.shape
    split = lo.view("reshape", every, (n, tokens, len(found), units))
    # With the batch first: [n, tokens, directions, units], else [tokens, directions, n, units].
    whole = split if first_batch else lo.view("permute", split, (1, 2, 0, 3))
    ends = lo.call("stack", last, 1 if first_batch else 0)
    return [whole, ends, None]


def _refuse_odd(call: Call, op: str, rest: Sequence[Any]) -> None:
    given = [name.lower() for name in call.get("activations", [])]
    usual = _ACTIVATIONS[op]
    if any(name != usual[i % len(usual)] for i, name in enumerate(given)) or call.get("clip") is not None:
        raise Unsupported(f"`{call.op}` with other activations, or with bounds")
    if call.get("input_forget", 0) or (op == "gru" and not call.get("linear_before_reset", 0)):
        raise Unsupported(f"`{call.op}` with coupled gates, or a reset before the product")
    starts = [x for x in rest[:2] if x is not None]
    if any(not isinstance(x, Known) or bool(x.tensor.any()) for x in starts):
        raise Unsupported(f"`{call.op}` that does not start at zeros")
    if any(x is not None and bool(known(x, "a peephole").tensor.any()) for x in rest[2:]):
        raise Unsupported(f"`{call.op}` with peepholes")
    if op == "lstm" and call.outputs == 3:
        raise Unsupported("`LSTM` whose last cell state is used")


def _weights(op: str, direction: int, kernels: Known, states: Known, biases: Any) -> dict[str, Known]:
    """The weights of one direction with the gates in archlang's order."""
    gates = _ORDER[op]
    units = states.shape[2]
    places = torch.cat([torch.arange(gate * units, (gate + 1) * units) for gate in gates])
    zeros = Known(torch.zeros(kernels.shape[0], 2 * len(gates) * units))
    bias = zeros if biases is None else known(biases, "a bias")
    second = places + len(gates) * units
    return {
        "input_kernel": kernels.apply(lambda t: t[direction][places]),
        "recurrent_kernel": states.apply(lambda t: t[direction][places]),
        "input_bias": bias.apply(lambda t: t[direction][places]),
        "recurrent_bias": bias.apply(lambda t: t[direction][second]),
    }
