"""Rounding to few bits, with gradients as if there were none; layers that round what they take."""

import torch
import torch.nn.functional as F
from archlang.lowering.formulas import largest_number
from torch import Tensor, nn

from archlang_torch.lowering import function, layer
from archlang_torch.ops.conv import NAMES, UNIFORM


@function("fake_quantize")
def fake_quantize(
    x: Tensor,
    *,
    bits: int = 8,
    signed: bool = True,
    axes: tuple[int, ...] = (),
    exponent: int = 0,
) -> Tensor:
    """Rounds to numbers of few bits, scaled to the largest magnitude for each index of `axes`."""
    x = x if signed else x.clamp(min=0)
    # Narrow floats would round on the way to where rounding changes.
    given = x.detach().to(torch.promote_types(x.dtype, torch.float32))
    kept = [axis % x.ndim for axis in axes]
    largest = given.abs().amax([axis for axis in range(x.ndim) if axis not in kept], keepdim=True)
    top = largest_number(bits, signed, exponent)
    scale = torch.where(largest > 0, largest / top, 1.0)
    y = given / scale
    if exponent > 0:
        # Floats are `step` apart from a power of two to the next; below the least normal one too.
        power = y.abs().log2().floor().clamp(min=2 - (1 << (exponent - 1)))
        step = torch.exp2(power - (bits - 1 - exponent))
        rounded = (y / step).round() * step
    else:
        rounded = y.round()
    # Straight through: the difference is a constant to the gradient.
    return x + (rounded.clamp(-top, top) * scale - given).to(x.dtype)


@layer("quantized_linear", channels=-1, names=NAMES, init=UNIFORM)
class QuantizedLinear(nn.Linear):
    """A linear layer that rounds its input and its kernel."""

    def __init__(
        self,
        channels: int,
        out: int,
        *,
        bias: bool = True,
        weight_bits: int = 8,
        input_bits: int = 8,
        weight_exponent: int = 0,
        input_exponent: int = 0,
        input_signed: bool = True,
        per_channel: bool = True,
    ) -> None:
        super().__init__(channels, out, bias=bias)
        self.weight_bits, self.weight_exponent = weight_bits, weight_exponent
        self.input_bits, self.input_exponent = input_bits, input_exponent
        self.input_signed, self.axes = input_signed, (0,) if per_channel else ()

    def forward(self, input: Tensor) -> Tensor:
        x = fake_quantize(
            input, bits=self.input_bits, signed=self.input_signed, exponent=self.input_exponent
        )
        kernel = fake_quantize(
            self.weight, bits=self.weight_bits, axes=self.axes, exponent=self.weight_exponent
        )
        return F.linear(x, kernel, self.bias)


@layer("quantized_conv2d", channels=1, names=NAMES, init=UNIFORM)
class QuantizedConv2d(nn.Conv2d):
    """A 2-D convolution that rounds its input and its kernel."""

    def __init__(
        self,
        channels: int,
        out: int,
        kernel: int,
        *,
        padding: int,
        stride: int = 1,
        dilation: int = 1,
        groups: int = 1,
        bias: bool = False,
        weight_bits: int = 8,
        input_bits: int = 8,
        weight_exponent: int = 0,
        input_exponent: int = 0,
        input_signed: bool = True,
        per_channel: bool = True,
    ) -> None:
        super().__init__(
            channels,
            out,
            kernel,
            stride=stride,
            padding=padding,
            dilation=dilation,
            groups=groups,
            bias=bias,
        )
        self.weight_bits, self.weight_exponent = weight_bits, weight_exponent
        self.input_bits, self.input_exponent = input_bits, input_exponent
        self.input_signed, self.axes = input_signed, (0,) if per_channel else ()

    def forward(self, input: Tensor) -> Tensor:
        x = fake_quantize(
            input, bits=self.input_bits, signed=self.input_signed, exponent=self.input_exponent
        )
        kernel = fake_quantize(
            self.weight, bits=self.weight_bits, axes=self.axes, exponent=self.weight_exponent
        )
        return F.conv2d(x, kernel, self.bias, self.stride, self.padding, self.dilation, self.groups)
