"""Convolutions and linear layers. Data is [n, space..., c], kernels [space..., c / groups, out]."""

from typing import Any

from keras import initializers, layers, ops, saving

from archlang_tensorflow.lowering import layer
from archlang_tensorflow.ops.weighted import Weighted


def kaiming_uniform() -> initializers.Initializer:
    """Uniform values within 1 / sqrt(fan-in)."""
    return initializers.VarianceScaling(1 / 3, "fan_in", "uniform")


INIT = {"kernel": ("kaiming_uniform",), "bias": ("zeros",)}
UNKNOWN = {"bias": ("zeros",)}


@layer("linear", init=INIT, axes={"kernel": (1, 0)})
def linear(out: int, bias: bool) -> layers.Dense:
    return layers.Dense(out, use_bias=bias, kernel_initializer=kaiming_uniform())


@layer("conv1d", init=INIT, axes={"kernel": (2, 1, 0)})
def conv1d(
    out: int, kernel: int, stride: int, dilation: int, bias: bool, padding: str
) -> layers.Conv1D:
    return layers.Conv1D(
        out,
        kernel,
        strides=stride,
        padding=padding,
        dilation_rate=dilation,
        use_bias=bias,
        kernel_initializer=kaiming_uniform(),
    )


@layer("conv2d", init=INIT, axes={"kernel": (2, 3, 1, 0)})
def conv2d(
    out: int, kernel: int, stride: int, dilation: int, bias: bool, padding: str
) -> layers.Conv2D:
    return layers.Conv2D(
        out,
        kernel,
        strides=stride,
        padding=padding,
        dilation_rate=dilation,
        use_bias=bias,
        kernel_initializer=kaiming_uniform(),
    )


@layer("conv3d", init=INIT, axes={"kernel": (2, 3, 4, 1, 0)})
def conv3d(
    out: int, kernel: int, stride: int, dilation: int, bias: bool, padding: str
) -> layers.Conv3D:
    return layers.Conv3D(
        out,
        kernel,
        strides=stride,
        padding=padding,
        dilation_rate=dilation,
        use_bias=bias,
        kernel_initializer=kaiming_uniform(),
    )


@layer("depthwise_conv1d", init=UNKNOWN, axes={"kernel": (2, 0, 1)})
def depthwise_conv1d(
    kernel: int, stride: int, dilation: int, multiplier: int, bias: bool, padding: str
) -> layers.DepthwiseConv1D:
    return layers.DepthwiseConv1D(
        kernel,
        strides=stride,
        padding=padding,
        depth_multiplier=multiplier,
        dilation_rate=dilation,
        use_bias=bias,
    )


@layer("depthwise_conv2d", init=UNKNOWN, axes={"kernel": (2, 3, 0, 1)})
def depthwise_conv2d(
    kernel: int, stride: int, dilation: int, multiplier: int, bias: bool, padding: str
) -> layers.DepthwiseConv2D:
    return layers.DepthwiseConv2D(
        kernel,
        strides=stride,
        padding=padding,
        depth_multiplier=multiplier,
        dilation_rate=dilation,
        use_bias=bias,
    )


@layer("grouped_conv1d", init=INIT, axes={"kernel": (2, 1, 0)})
@layer("grouped_conv2d", init=INIT, axes={"kernel": (2, 3, 1, 0)})
@layer("grouped_conv3d", init=INIT, axes={"kernel": (2, 3, 4, 1, 0)})
@saving.register_keras_serializable("archlang")
class GroupedConv(Weighted):
    """A convolution of each group of channels by itself: TensorFlow has no gradient of its own."""

    def __init__(
        self,
        out: int,
        kernel: int | tuple[int, ...],
        groups: int,
        stride: int | tuple[int, ...] = 1,
        dilation: int | tuple[int, ...] = 1,
        bias: bool = False,
        padding: str = "valid",
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        self.out, self.kernel_size, self.groups = out, kernel, groups
        self.stride, self.dilation, self.padding = stride, dilation, padding
        self.use_bias = bias

    def build(self, shape: Any) -> None:
        size = self.kernel_size  # a list in a layer that was loaded
        sizes = (size,) * (len(shape) - 2) if isinstance(size, int) else size
        start = initializers.VarianceScaling(1 / 3, "fan_in", "uniform")
        self.kernel = self.weight("kernel", (*sizes, shape[-1] // self.groups, self.out), start)
        self.bias = self.weight("bias", (self.out,), "zeros") if self.use_bias else None

    def call(self, x: Any) -> Any:
        return self.convolved(x, self.kernel)

    def convolved(self, x: Any, kernel: Any) -> Any:
        if self.groups == x.shape[-1] and len(x.shape) == 4:
            depthwise = (*kernel.shape[:2], self.groups, self.out // self.groups)
            kernel = ops.reshape(kernel, depthwise)
            y = ops.depthwise_conv(x, kernel, self.stride, self.padding, None, self.dilation)
        else:
            xs = ops.split(x, self.groups, axis=-1)
            kernels = ops.split(kernel, self.groups, axis=-1)
            parts = [
                ops.conv(part, inner, self.stride, self.padding, dilation_rate=self.dilation)
                for part, inner in zip(xs, kernels, strict=True)
            ]
            y = ops.concatenate(parts, axis=-1)
        return y if self.bias is None else y + self.bias

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "out": self.out,
            "kernel": self.kernel_size,
            "groups": self.groups,
            "stride": self.stride,
            "dilation": self.dilation,
            "bias": self.use_bias,
            "padding": self.padding,
        }


@layer("conv_transpose1d", init=UNKNOWN, axes={"kernel": (2, 1, 0)})
def conv_transpose1d(out: int, kernel: int, stride: int, bias: bool) -> layers.Conv1DTranspose:
    return layers.Conv1DTranspose(out, kernel, strides=stride, use_bias=bias)


@layer("conv_transpose2d", init=UNKNOWN, axes={"kernel": (2, 3, 1, 0)})
def conv_transpose2d(out: int, kernel: int, stride: int, bias: bool) -> layers.Conv2DTranspose:
    return layers.Conv2DTranspose(out, kernel, strides=stride, use_bias=bias)


@layer("cut_conv_transpose1d", init=UNKNOWN, axes={"kernel": (2, 1, 0)})
@layer("cut_conv_transpose2d", init=UNKNOWN, axes={"kernel": (2, 3, 1, 0)})
@saving.register_keras_serializable("archlang")
class CutConvTranspose(Weighted):
    """A transposed convolution of groups of channels, its result cut by a padding."""

    def __init__(
        self,
        out: int,
        kernel: int = 2,
        stride: int = 2,
        padding: int = 0,
        output_padding: int = 0,
        groups: int = 1,
        bias: bool = False,
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        self.out, self.kernel_size, self.stride, self.groups = out, kernel, stride, groups
        self.padding, self.output_padding, self.use_bias = padding, output_padding, bias

    def build(self, shape: Any) -> None:
        sizes = (self.kernel_size,) * (len(shape) - 2)
        channels = (self.out // self.groups, shape[-1])
        self.kernel = self.weight("kernel", (*sizes, *channels), "glorot_uniform")
        self.bias = self.weight("bias", (self.out,), "zeros") if self.use_bias else None

    def call(self, x: Any) -> Any:
        parts = [
            ops.conv_transpose(part, kernel, self.stride)
            for part, kernel in zip(
                ops.split(x, self.groups, axis=-1),
                ops.split(self.kernel, self.groups, axis=-1),
                strict=True,
            )
        ]
        y = ops.concatenate(parts, axis=-1)
        # The full result may be shorter than what the extra padding asks for: that part is empty.
        full = [
            (size - 1) * self.stride + self.kernel_size + self.output_padding
            for size in x.shape[1:-1]
        ]
        beyond = [(0, max(want - have, 0)) for want, have in zip(full, y.shape[1:-1], strict=True)]
        y = ops.pad(y, [(0, 0), *beyond, (0, 0)])
        y = y[(slice(None), *(slice(self.padding, size - self.padding) for size in full))]
        return y if self.bias is None else y + self.bias

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "out": self.out,
            "kernel": self.kernel_size,
            "stride": self.stride,
            "padding": self.padding,
            "output_padding": self.output_padding,
            "groups": self.groups,
            "bias": self.use_bias,
        }
