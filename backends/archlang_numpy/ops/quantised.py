"""Rounding to numbers of few bits, and ops that round their kernel and their input."""

import numpy as np

from archlang_numpy.lowering import Array, function
from archlang_numpy.ops.conv import PLAIN, conv, linear


@function("fake_quantize")
def fake_quantize(
    x: Array,
    *,
    bits: int = 8,
    signed: bool = True,
    axes: tuple[int, ...] = (),
    exponent: int = 0,
) -> Array:
    """Rounds to numbers of few bits, scaled to the largest magnitude for each index of `axes`."""
    dtype = x.dtype
    # Narrow floats would round on the way to where rounding changes.
    x = (x if signed else np.maximum(x, 0)).astype(np.promote_types(dtype, np.float32), copy=False)
    kept = [axis % x.ndim for axis in axes]
    others = tuple([axis for axis in range(x.ndim) if axis not in kept])
    largest = np.abs(x).max(axis=others, keepdims=True)
    top = largest_number(bits, signed, exponent)
    scale = np.where(largest > 0, largest / top, 1).astype(x.dtype)
    y = x / scale
    if exponent > 0:
        # Floats have as many binary places as others from one power of two to the next; those
        # below the least normal one as many as that.
        power = np.maximum(np.frexp(y)[1] - 1, 2 - 2 ** (exponent - 1))
        places = bits - 1 - exponent - power
        rounded = np.ldexp(np.rint(np.ldexp(y, places)), -places)
    else:
        rounded = np.rint(y)
    result: Array = np.clip(rounded, -top, top) * scale
    return result.astype(dtype, copy=False)


def largest_number(bits: int, signed: bool, exponent: int) -> float:
    """The largest number of a format: an integer, or a float with exponent bits.

    All exponents are for numbers but the last of 5 bits (infinities), as in the formats of the
    OCP; e4m3 has NaN for its last number.
    """
    if exponent == 0:
        return float(2 ** (bits - 1 if signed else bits) - 1)
    mantissa = bits - 1 - exponent
    power = 2 ** (exponent - 1) - (1 if exponent == 5 else 0)
    lacking = 2 if (exponent, mantissa) == (4, 3) else 1
    return float(2**power * (2 - lacking / 2**mantissa))


@function("quantized_linear", weights=PLAIN, unused=("out",))
def quantized_linear(
    x: Array,
    *,
    kernel: Array,
    bias: Array | None = None,
    weight_bits: int = 8,
    input_bits: int = 8,
    weight_exponent: int = 0,
    input_exponent: int = 0,
    input_signed: bool = True,
    per_channel: bool = True,
) -> Array:
    """A linear map of its rounded input with its rounded kernel."""
    x = fake_quantize(x, bits=input_bits, signed=input_signed, exponent=input_exponent)
    axes = (0,) if per_channel else ()
    kernel = fake_quantize(kernel, bits=weight_bits, axes=axes, exponent=weight_exponent)
    return linear(x, kernel=kernel, bias=bias)


@function("quantized_conv2d", weights=PLAIN, unused=("out",))
def quantized_conv2d(
    x: Array,
    *,
    kernel: Array,
    bias: Array | None = None,
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
    groups: int = 1,
    weight_bits: int = 8,
    input_bits: int = 8,
    weight_exponent: int = 0,
    input_exponent: int = 0,
    input_signed: bool = True,
    per_channel: bool = True,
) -> Array:
    """A 2-D convolution of its rounded input with its rounded kernel."""
    x = fake_quantize(x, bits=input_bits, signed=input_signed, exponent=input_exponent)
    axes = (0,) if per_channel else ()
    kernel = fake_quantize(kernel, bits=weight_bits, axes=axes, exponent=weight_exponent)
    return conv(
        x,
        kernel=kernel,
        bias=bias,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
    )
