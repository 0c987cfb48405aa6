"""Published networks as one writes them in Keras, to compare with what archlang builds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf
from typing import Any

import keras
from keras import layers, ops

from benchmarks.genes import NORMAL, REDUCE


def batch_norm() -> layers.BatchNormalization:
    """With PyTorch's momentum and epsilon, as in the published networks."""
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5)


def relu_conv_bn(x: Any, out: int, kernel: int, stride: int = 1) -> Any:
    x = layers.ReLU()(x)
    if stride > 1:  # PyTorch's padding, which `same` is not with strides
        x = layers.ZeroPadding2D(kernel // 2)(x)
    padding = "same" if stride == 1 else "valid"
    return batch_norm()(layers.Conv2D(out, kernel, strides=stride, padding=padding, use_bias=False)(x))


EDGES: dict[str, Callable[[Any], Any]] = {
    "none": ops.zeros_like,
    "skip": lambda x: x,
    "conv1": lambda x: relu_conv_bn(x, x.shape[-1], 1),
    "conv3": lambda x: relu_conv_bn(x, x.shape[-1], 3),
    "pool3": layers.AveragePooling2D(3, 1, "same"),
}


def bench_cell(x: Any, edges: Sequence[str]) -> Any:
    first, second, third, fourth, fifth, sixth = [EDGES[edge] for edge in edges]
    a = first(x)
    b = second(x) + third(a)
    return fourth(x) + fifth(a) + sixth(b)


def bench_reduction(x: Any, out: int) -> Any:
    shortcut = layers.Conv2D(out, 1, use_bias=False)(layers.AveragePooling2D(2)(x))
    return shortcut + relu_conv_bn(relu_conv_bn(x, out, 3, 2), out, 3)


def nas_bench_201(edges: Sequence[str], channels: int = 16, repeats: int = 5, classes: int = 10) -> keras.Model:
    """A network of NAS-Bench-201 by its six edges, in the order of `std.spaces.nasbench201`."""
    image = keras.Input((32, 32, 3))
    x = batch_norm()(layers.Conv2D(channels, 3, padding="same", use_bias=False)(image))
    for stage in range(3):
        if stage:
            channels *= 2
            x = bench_reduction(x, channels)
        for _ in range(repeats):
            x = bench_cell(x, edges)
    x = layers.GlobalAveragePooling2D()(layers.ReLU()(batch_norm()(x)))
    return keras.Model(image, layers.Dense(classes)(x))


def sep_conv(x: Any, channels: int, stride: int) -> Any:
    for step in (stride, 1):
        x = layers.ReLU()(x)
        if step > 1:
            x = layers.ZeroPadding2D(1)(x)
        padding = "same" if step == 1 else "valid"
        x = layers.DepthwiseConv2D(3, strides=step, padding=padding, use_bias=False)(x)
        x = batch_norm()(layers.Conv2D(channels, 1, use_bias=False)(x))
    return x


def dil_conv(x: Any, channels: int, stride: int) -> Any:
    assert stride == 1
    x = layers.DepthwiseConv2D(3, dilation_rate=2, padding="same", use_bias=False)(layers.ReLU()(x))
    return batch_norm()(layers.Conv2D(channels, 1, use_bias=False)(x))


def max_pool(x: Any, channels: int, stride: int) -> Any:
    if stride == 1:
        return layers.MaxPooling2D(3, 1, "same")(x)
    return layers.MaxPooling2D(3, stride)(ops.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=-inf))


def factorized_reduce(x: Any, channels: int) -> Any:
    x = layers.ReLU()(x)
    halves = [layers.Conv2D(channels // 2, 1, strides=2, use_bias=False)(y) for y in (x, x[:, 1:, 1:])]
    return batch_norm()(layers.Concatenate()(halves))


DARTS: dict[str, Callable[[Any, int, int], Any]] = {
    "skip_connect": lambda x, channels, stride: x if stride == 1 else factorized_reduce(x, channels),
    "max_pool_3x3": max_pool,
    "sep_conv_3x3": sep_conv,
    "dil_conv_3x3": dil_conv,
}


def darts_cell(s0: Any, s1: Any, channels: int, reduce: bool, reduced: bool) -> Any:
    first = factorized_reduce(s0, channels) if reduced else relu_conv_bn(s0, channels, 1)
    states = [first, relu_conv_bn(s1, channels, 1)]
    results = (
        DARTS[op](states[state], channels, 2 if reduce and state < 2 else 1)
        for op, state in (REDUCE if reduce else NORMAL)
    )
    for left, right in zip(results, results, strict=True):
        states.append(left + right)
    return layers.Concatenate()(states[2:])


def darts_v2(channels: int = 36, depth: int = 20, classes: int = 10) -> keras.Model:
    """The network for small images that second-order DARTS found: 3,349,342 parameters."""
    image = keras.Input((32, 32, 3))
    s0 = s1 = batch_norm()(layers.Conv2D(3 * channels, 3, padding="same", use_bias=False)(image))
    reduced = False
    for layer in range(depth):
        reduce = layer in (depth // 3, 2 * depth // 3)
        channels *= 1 + reduce
        s0, s1 = s1, darts_cell(s0, s1, channels, reduce, reduced)
        reduced = reduce
    return keras.Model(image, layers.Dense(classes)(layers.GlobalAveragePooling2D()(s1)))
