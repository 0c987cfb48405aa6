"""Rounding to few bits, with gradients as if there were none; layers that round their kernels."""

from typing import Any

from archlang.lowering.formulas import largest_number
from keras import initializers, ops, saving

from archlang_tensorflow.lowering import function, layer
from archlang_tensorflow.ops.conv import INIT, GroupedConv
from archlang_tensorflow.ops.weighted import Weighted


@function("fake_quantize")
def fake_quantize(
    x: Any,
    *,
    bits: int = 8,
    signed: bool = True,
    axes: tuple[int, ...] = (),
    exponent: int = 0,
) -> Any:
    """Rounds to numbers of few bits, scaled to the largest magnitude for each index of `axes`."""
    x = x if signed else ops.maximum(x, 0.0)
    # Narrow floats would round on the way to where rounding changes.
    given = ops.cast(ops.stop_gradient(x), "float64" if x.dtype == "float64" else "float32")
    rank = len(x.shape)
    kept = [axis % rank for axis in axes]
    others = [axis for axis in range(rank) if axis not in kept]
    largest = ops.max(ops.abs(given), axis=others, keepdims=True)
    top = largest_number(bits, signed, exponent)
    scale = ops.where(largest > 0, largest / top, 1.0)
    y = given / scale
    if exponent > 0:
        # Floats are `step` apart from a power of two to the next; below the least normal one too.
        power = ops.maximum(ops.floor(ops.log2(ops.abs(y))), 2.0 - (1 << (exponent - 1)))
        step = 2.0 ** (power - (bits - 1 - exponent))
        rounded = ops.round(y / step) * step
    else:
        rounded = ops.round(y)
    # Straight through: the difference is a constant to the gradient.
    return x + ops.stop_gradient(ops.cast(ops.clip(rounded, -top, top) * scale - given, x.dtype))


@layer("quantized_linear", init=INIT, axes={"kernel": (1, 0)})
@saving.register_keras_serializable("archlang")
class QuantizedLinear(Weighted):
    """A linear layer that rounds its kernel."""

    def __init__(
        self,
        out: int,
        bias: bool = True,
        weight_bits: int = 8,
        weight_exponent: int = 0,
        per_channel: bool = True,
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        self.out, self.use_bias = out, bias
        self.weight_bits, self.weight_exponent = weight_bits, weight_exponent
        self.per_channel = per_channel

    def build(self, shape: Any) -> None:
        start = initializers.VarianceScaling(1 / 3, "fan_in", "uniform")
        self.kernel = self.weight("kernel", (shape[-1], self.out), start)
        self.bias = self.weight("bias", (self.out,), "zeros") if self.use_bias else None

    def call(self, x: Any) -> Any:
        kernel = fake_quantize(
            self.kernel,
            bits=self.weight_bits,
            axes=(1,) if self.per_channel else (),
            exponent=self.weight_exponent,
        )
        y = ops.matmul(x, kernel)
        return y if self.bias is None else y + self.bias

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "out": self.out,
            "bias": self.use_bias,
            "weight_bits": self.weight_bits,
            "weight_exponent": self.weight_exponent,
            "per_channel": self.per_channel,
        }


@layer("quantized_conv2d", init=INIT, axes={"kernel": (2, 3, 1, 0)})
@saving.register_keras_serializable("archlang")
class QuantizedConv2D(GroupedConv):
    """A 2-D convolution that rounds its kernel."""

    def __init__(
        self,
        out: int,
        kernel: int,
        stride: int = 1,
        dilation: int = 1,
        groups: int = 1,
        bias: bool = False,
        padding: str = "valid",
        weight_bits: int = 8,
        weight_exponent: int = 0,
        per_channel: bool = True,
        **settings: Any,
    ) -> None:
        super().__init__(out, kernel, groups, stride, dilation, bias, padding, **settings)
        self.weight_bits, self.weight_exponent = weight_bits, weight_exponent
        self.per_channel = per_channel

    def call(self, x: Any) -> Any:
        kernel = fake_quantize(
            self.kernel,
            bits=self.weight_bits,
            axes=(3,) if self.per_channel else (),
            exponent=self.weight_exponent,
        )
        return self.convolved(x, kernel)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "weight_bits": self.weight_bits,
            "weight_exponent": self.weight_exponent,
            "per_channel": self.per_channel,
        }
