"""Layers with a state that goes from token to token, from zeros; data is [n, t, d]."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from archlang_torch.lowering import layer

GATES = {
    "recurrent_kernel": ("fan_in_uniform",),
    "input_kernel": ("fan_in_uniform",),
    "input_bias": ("fan_in_uniform",),
    "recurrent_bias": ("fan_in_uniform",),
}


@layer("lstm", channels=2, init=GATES)
class LSTM(nn.Module):
    """Long short-term memory with the weights of nn.LSTM; gives the hidden state of every token."""

    def __init__(self, channels: int, units: int, *, reverse: bool = False) -> None:
        super().__init__()
        self.units, self.reverse = units, reverse
        self.recurrent_kernel = gate_weight(units, 4 * units, units)
        self.input_kernel = gate_weight(units, 4 * units, channels)
        self.input_bias = gate_weight(units, 4 * units)
        self.recurrent_bias = gate_weight(units, 4 * units)

    def forward(self, x: Tensor) -> Tensor:
        x = x.flip(1) if self.reverse else x
        start = x.new_zeros(1, x.shape[0], self.units)
        # What torch.compile makes of torch.lstm on a CPU cannot be trained.
        y = self.compiled(x, start[0]) if torch.compiler.is_compiling() else self.fused(x, start)
        return y.flip(1) if self.reverse else y

    def fused(self, x: Tensor, start: Tensor) -> Tensor:
        kernels = self.input_kernel, self.recurrent_kernel
        weights = (*kernels, self.input_bias, self.recurrent_bias)
        return torch.lstm(x, (start, start), weights, True, 1, 0.0, self.training, False, True)[0]

    def compiled(self, x: Tensor, hidden: Tensor) -> Tensor:
        cell, found = hidden, []
        for given in F.linear(x, self.input_kernel, self.input_bias).unbind(1):
            gates = given + F.linear(hidden, self.recurrent_kernel, self.recurrent_bias)
            i, f, g, o = gates.chunk(4, 1)
            cell = f.sigmoid() * cell + i.sigmoid() * g.tanh()
            hidden = o.sigmoid() * cell.tanh()
            found.append(hidden)
        return torch.stack(found, 1)


@layer("gru", channels=2, init=GATES)
class GRU(nn.Module):
    """Gated recurrent units with the weights of nn.GRU; gives the hidden state of every token."""

    def __init__(self, channels: int, units: int, *, reverse: bool = False) -> None:
        super().__init__()
        self.units, self.reverse = units, reverse
        self.recurrent_kernel = gate_weight(units, 3 * units, units)
        self.input_kernel = gate_weight(units, 3 * units, channels)
        self.input_bias = gate_weight(units, 3 * units)
        self.recurrent_bias = gate_weight(units, 3 * units)

    def forward(self, x: Tensor) -> Tensor:
        x = x.flip(1) if self.reverse else x
        start = x.new_zeros(1, x.shape[0], self.units)
        kernels = self.input_kernel, self.recurrent_kernel
        weights = (*kernels, self.input_bias, self.recurrent_bias)
        y = torch.gru(x, start, weights, True, 1, 0.0, self.training, False, True)[0]
        return y.flip(1) if self.reverse else y


def gate_weight(units: int, *shape: int) -> nn.Parameter:
    """A weight of recurrent gates, uniform within 1 / sqrt(units)."""
    return nn.Parameter(torch.empty(shape).uniform_(-(units**-0.5), units**-0.5))


@layer("selective_scan", channels=2, init={"a_log": ("zeros",), "skip": ("ones",)})
class SelectiveScan(nn.Module):
    """h = exp(delta * a) * h + delta * b * x along the tokens; gives the sum of c * h + skip * x.

    x and delta are [n, t, d], b and c [n, t, state]. Prefixes of 1, 2, 4, ... tokens are joined
    for all tokens at once, so that the number of steps grows with the logarithm of t.
    """

    def __init__(self, channels: int, state: int) -> None:
        super().__init__()
        self.a_log = nn.Parameter(torch.zeros(channels, state))
        self.skip = nn.Parameter(torch.ones(channels))

    def forward(self, x: Tensor, delta: Tensor, b: Tensor, c: Tensor) -> Tensor:
        numbers = torch.arange(1, b.shape[2] + 1, device=x.device)
        kept = torch.exp(-delta[..., None] * (numbers * self.a_log.exp()))
        h = (delta * x)[..., None] * b[:, :, None]
        step = 1
        while step < x.shape[1]:
            before = (0, 0, 0, 0, step, 0)  # zeros for `step` tokens before the first
            h = h + kept * F.pad(h[:, :-step], before)
            kept = kept * F.pad(kept[:, :-step], before)
            step *= 2
        return (h * c[:, :, None]).sum(-1) + self.skip * x
