"""Keras models converted: the program is the model, in numbers, parameters and structure."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import torch
from keras import Input, layers, ops
from torch import nn

import archlang as al
from tests.cli.conftest import Run, run  # noqa: F401
from tests.conversion.keras_models import (
    FAMILIES,
    branches,
    images,
    mnist,
    randomised,
    residual,
    texts,
    tokens,
    transformer,
    unet,
    vit,
)

torch.set_num_threads(1)


def kinds(conversion: al.Conversion) -> list[str]:
    return [node.operation.name for node in conversion.program.graph.nodes]


def as_arrays(found: Any) -> list[np.ndarray[Any, Any]]:
    return [np.asarray(x) for x in keras.tree.flatten(found)]


@pytest.mark.parametrize("family", FAMILIES)
def test_families(family: str) -> None:
    make, x = FAMILIES[family]
    model = make()
    model(x)
    found = al.convert(randomised(model), x)
    assert found.params == found.model_params == sum(weight.numpy().size for weight in model.trainable_weights)
    assert not found.opaque
    assert found.relative <= 1e-5
    assert al.loads(found.text).program().canonical_hash == found.program.canonical_hash
    again = np.concatenate([x, x[:, ::-1], x])
    expected = as_arrays(model(again, training=False))
    network = found.program.build("torch").eval()
    with torch.no_grad():
        made = keras.tree.flatten(network(torch.from_numpy(np.ascontiguousarray(again))))
    for ours, theirs in zip(made, expected, strict=True):
        np.testing.assert_allclose(ours.numpy(), theirs, rtol=1e-4, atol=1e-5)


def test_recurrent_layers() -> None:
    found = al.convert(texts(), tokens(2, 7))
    assert found.relative <= 1e-5
    assert (kinds(found).count("lstm"), kinds(found).count("gru")) == (3, 1)
    # The second bias of each `lstm`, which Keras does not have.
    assert found.params - found.model_params == 4 * (4 + 4 + 3)
    assert "two biases" in found.notes[0]


def test_names_of_layers_are_modules() -> None:
    text = al.convert(randomised(residual()), images(1, 16, 16, 3)).text
    assert "repeat(2, unit_2)" in text
    assert "space residual(x: f32[n, 16, 16, 3]) -> [n, 5] {" in text
    assert text.count("block ") == 2
    assert text.count("permute") == 1


def test_branches_without_names_are_modules() -> None:
    text = al.convert(branches(), images(1, 9, 9, 3)).text
    assert text.count("concat\n") == 1
    assert "channel_bias" in text


def test_ends_of_names_are_modules_too() -> None:
    given = x = Input((6,))
    for number in range(4):
        y = layers.Dense(6, activation="relu", name=f"wide_dense_{number}")(x)
        y = layers.Dense(6, name=f"narrow_dense_{number}")(layers.LayerNormalization(name=f"norm_{number}")(y))
        x = layers.Add(name=f"sum_{number}")([x, y])
    text = al.convert(keras.Model(given, x, name="cells"), images(1, 6)).text
    assert text.count("linear(") == 2
    assert "repeat(4, unit)" in text


def test_layers_that_are_called_twice_are_one_block() -> None:
    encoder = keras.Sequential([Input((8,)), layers.Dense(6, "relu"), layers.Dense(4)], name="encoder")
    a, b = Input((8,), name="a"), Input((8,), name="b")
    found = al.convert(keras.Model([a, b], ops.abs(encoder(a) - encoder(b))), [images(1, 8), images(1, 8)])
    assert found.params == found.model_params == 54 + 28
    assert "tie encoder" in found.text


def test_a_model_within_a_model() -> None:
    inner = residual()
    inner.trainable = False
    given = Input((16, 16, 3))
    x = layers.RandomFlip("horizontal")(given)
    x = inner(layers.Rescaling(1 / 127.5, -1.0)(x), training=False)
    found = al.convert(randomised(keras.Model(given, layers.Dense(2)(x))), images(1, 16, 16, 3))
    assert found.params == found.model_params
    assert found.relative <= 1e-5
    assert "repeat(2, " in found.text


def test_the_unet_has_its_skips() -> None:
    found = al.convert(unet(), images(1, 16, 16, 3))
    assert kinds(found).count("concat") == 2
    assert kinds(found).count("permute") == 2
    assert "softmax(axis=1)" in found.text


def test_the_library_is_found_again() -> None:
    assert "transformer_encoder(2, " in al.convert(transformer(), tokens(1, 6)).text
    found = al.convert(vit(), images(1, 8, 8, 3))
    assert {"class_token", "position_embedding", "attention", "feature_scale"} <= set(kinds(found))
    assert "use std.blocks: mlp, self_attention" in found.text


def test_a_table_of_more_places_than_tokens() -> None:
    (made,) = [
        node.operation
        for node in al.convert(transformer(), tokens(1, 6)).program.graph.nodes
        if node.operation.name == "position_embedding"
    ]
    assert made.attribute("length") == 8


def test_rearranged_weights_are_told() -> None:
    model = mnist()
    found = al.convert(model, images(1, 8, 8, 1))
    assert "permute" not in kinds(found)
    (note,) = found.notes
    assert note.startswith("the rows of the kernel of `dense")


def test_shared_layers_stay_shared() -> None:
    given = Input((4,))
    shared = layers.Dense(4, activation="relu")
    model = keras.Model(given, layers.Dense(2)(shared(shared(given))))
    found = al.convert(model, images(2, 4))
    assert found.params == found.model_params == 20 + 10
    assert len(found.program.weights) == 4


def test_the_model_stays_as_it_was() -> None:
    model = vit()
    x = images(2, 8, 8, 3)
    before = [np.asarray(weight).copy() for weight in model.weights]
    nodes = [(len(layer._inbound_nodes), len(layer._outbound_nodes)) for layer in model._flatten_layers()]
    variables = {layer.name: dict(vars(layer)) for layer in model._flatten_layers()}
    al.convert(model, x)
    assert all(np.array_equal(old, new) for old, new in zip(before, model.weights, strict=True))
    assert nodes == [(len(layer._inbound_nodes), len(layer._outbound_nodes)) for layer in model._flatten_layers()]
    patches = next(layer for layer in model.layers if type(layer).__name__ == "Patches")
    assert patches.token is variables[patches.name]["token"]
    assert "__call__" not in vars(layers.Embedding)


def test_frozen_layers_have_parameters() -> None:
    model = residual()
    model.trainable = False
    found = al.convert(model, images(1, 16, 16, 3))
    assert found.params == found.model_params > 0


def test_files(tmp_path: Path) -> None:
    model = randomised(residual())
    x = images(2, 16, 16, 3)
    al.convert(model, x).save(tmp_path / "net.arch", tmp_path / "net.safetensors")
    program = al.load(str(tmp_path / "net.arch")).program()
    network = program.build("numpy")
    program.load_weights(network, tmp_path / "net.safetensors", "numpy")
    np.testing.assert_allclose(network(x), np.asarray(model(x)), atol=1e-5)


class Told(layers.Layer):
    """Calls layers in all the ways that there are."""

    def __init__(self) -> None:
        super().__init__()
        self.dropout, self.norm = layers.Dropout(0.5), layers.BatchNormalization()
        self.dense, self.attention = layers.Dense(4), layers.MultiHeadAttention(2, 2)

    def call(self, x: Any, training: bool | None = None) -> Any:
        x = self.norm(self.dropout(x, training=training), training=training)
        x = self.dense(inputs=x)
        x = x + np.ones((1, 6, 4), np.float32)
        return self.attention(query=x, value=x, training=training)


def test_ways_to_call_layers() -> None:
    given = Input((6, 4))
    found = al.convert(randomised(keras.Model(given, Told()(given))), images(2, 6, 4))
    assert found.params == found.model_params
    assert not found.opaque
    assert found.relative <= 1e-5


def test_several_inputs_and_results() -> None:
    a, b = Input((4,), name="left"), Input((6,), name="right")
    h = layers.Concatenate()([layers.Dense(3)(a), b])
    model = keras.Model({"left": a, "right": b}, {"sum": layers.Dense(2)(h), "h": [h, layers.Dense(1)(a)]})
    found = al.convert(model, [images(1, 4), images(1, 6)])
    assert [given.name for given in found.program.graph.inputs] == ["left", "right"]
    assert sorted(output.name for output in found.program.graph.outputs) == ["h[0]", "h[1]", "sum"]
    assert found.relative <= 1e-5


# ------------------------------------------------------------------ single layers

IMAGE, ODD, SERIES, ROW = (8, 6, 4), (9, 11, 4), (6, 4), (6,)
LAYERS: dict[str, tuple[Callable[[], Any], tuple[int, ...], set[str]]] = {
    "same, stride 2": (lambda: layers.Conv2D(3, 3, strides=2, padding="same"), IMAGE, {"pad", "conv2d"}),
    "same, odd sizes": (lambda: layers.Conv2D(3, 3, strides=2, padding="same"), ODD, {"conv2d"}),
    "even kernel": (lambda: layers.Conv2D(3, 4, padding="same"), ODD, {"pad", "conv2d"}),
    "dilation": (lambda: layers.Conv2D(3, 3, dilation_rate=2, padding="same"), ODD, {"conv2d"}),
    "rectangle": (lambda: layers.Conv2D(3, (1, 5), strides=(2, 1), padding="valid"), ODD, {"conv2d_rect"}),
    "groups": (lambda: layers.Conv2D(4, 3, groups=2, padding="same"), IMAGE, {"conv2d"}),
    "causal": (lambda: layers.Conv1D(3, 3, dilation_rate=2, padding="causal"), SERIES, {"pad", "conv1d"}),
    "volume": (lambda: layers.Conv3D(3, 3, padding="same"), (4, 5, 4, 2), {"conv3d"}),
    "depthwise": (lambda: layers.DepthwiseConv2D(3, depth_multiplier=2), IMAGE, {"depthwise_conv2d"}),
    "depthwise series": (lambda: layers.DepthwiseConv1D(3, depth_multiplier=2), SERIES, {"conv1d"}),
    "separable": (
        lambda: layers.SeparableConv2D(3, 3, strides=2, padding="same", activation="silu"),
        ODD,
        {"depthwise_conv2d", "conv2d", "silu"},
    ),
    "separable series": (lambda: layers.SeparableConv1D(3, 3), SERIES, {"conv1d"}),
    **{
        f"transposed {kernel}/{stride} {padding}": (
            lambda kernel=kernel, stride=stride, padding=padding: layers.Conv2DTranspose(
                3, kernel, strides=stride, padding=padding
            ),
            (4, 5, 2),
            {"conv_transpose2d"}
            | ({"slice"} if padding == "same" and kernel > stride and (kernel - stride) % 2 else set()),
        )
        for kernel, stride in ((2, 2), (3, 2), (4, 2), (6, 2), (2, 3), (3, 1))
        for padding in ("same", "valid")
    },
    "transposed series": (
        lambda: layers.Conv1DTranspose(3, 4, strides=2, padding="same"),
        SERIES,
        {"conv_transpose1d"},
    ),
    **{
        f"{kind.__name__} {kernel}/{stride} {padding}": (
            lambda kind=kind, kernel=kernel, stride=stride, padding=padding: kind(kernel, stride, padding=padding),
            shape,
            {"pad", op} if op == "max_pool2d" and uneven else {op},
        )
        for kind, op in ((layers.MaxPooling2D, "max_pool2d"), (layers.AveragePooling2D, "avg_pool2d"))
        for kernel, stride, padding, shape, uneven in (
            (2, 2, "valid", ODD, False),
            (3, 2, "valid", ODD, False),
            (3, 1, "same", IMAGE, False),
            (3, 2, "same", ODD, False),
            (3, 2, "same", IMAGE, False),
        )
    },
    "max, uneven": (lambda: layers.MaxPooling2D(2, 1, padding="same"), IMAGE, {"pad", "max_pool2d"}),
    "global mean": (layers.GlobalAveragePooling2D, IMAGE, {"global_avg_pool"}),
    "global mean kept": (lambda: layers.GlobalAveragePooling2D(keepdims=True), IMAGE, {"adaptive_avg_pool2d"}),
    "global greatest": (lambda: layers.GlobalMaxPooling2D(keepdims=True), IMAGE, {"global_max_pool"}),
    "mean of a series": (layers.GlobalAveragePooling1D, SERIES, {"mean"}),
    "batch norm": (layers.BatchNormalization, IMAGE, {"batch_norm"}),
    "batch norm of rows": (layers.BatchNormalization, ROW, {"batch_norm"}),
    "no scale": (lambda: layers.BatchNormalization(scale=False), IMAGE, {"batch_norm", "channel_bias"}),
    "no bias": (lambda: layers.BatchNormalization(center=False), IMAGE, {"batch_norm", "channel_scale"}),
    "layer norm": (layers.LayerNormalization, SERIES, {"layer_norm"}),
    "layer norm, no bias": (lambda: layers.LayerNormalization(center=False), SERIES, {"layer_norm", "feature_scale"}),
    "rms norm": (layers.RMSNormalization, SERIES, {"rms_norm"}),
    "group norm": (lambda: layers.GroupNormalization(2), IMAGE, {"group_norm"}),
    "relu 6": (lambda: layers.ReLU(6.0), IMAGE, {"relu6"}),
    "relu 3": (lambda: layers.ReLU(3.0), IMAGE, {"hard_tanh"}),
    "relu with a slope": (lambda: layers.ReLU(negative_slope=0.1), IMAGE, {"leaky_relu"}),
    "leaky relu": (layers.LeakyReLU, IMAGE, {"leaky_relu"}),
    "elu": (lambda: layers.ELU(0.5), IMAGE, {"elu"}),
    "prelu": (lambda: layers.PReLU("random_normal"), ROW, {"prelu"}),
    "prelu of channels": (lambda: layers.PReLU("random_normal", shared_axes=[1, 2]), IMAGE, {"prelu"}),
    "prelu of places": (lambda: layers.PReLU("random_normal"), SERIES, {"scale", "relu", "parameter", "mul", "sub"}),
    "softmax": (layers.Softmax, IMAGE, {"softmax"}),
    **{
        name: (lambda name=name: layers.Activation(name), IMAGE, {op})
        for name, op in {
            "swish": "silu",
            "gelu": "gelu",
            "hard_silu": "hswish",
            "hard_sigmoid": "hsigmoid",
            "leaky_relu": "leaky_relu",
            "softplus": "softplus",
            "mish": "mish",
            "log_softmax": "log_softmax",
        }.items()
    },
    "padding": (lambda: layers.ZeroPadding2D(((1, 2), (0, 3))), IMAGE, {"pad"}),
    "cropping": (lambda: layers.Cropping2D(((1, 2), (0, 3))), IMAGE, {"slice"}),
    "nearest": (lambda: layers.UpSampling2D(2), IMAGE, {"upsample"}),
    "bilinear": (lambda: layers.UpSampling2D(3, interpolation="bilinear"), IMAGE, {"upsample"}),
    "resizing": (lambda: layers.Resizing(16, 12), IMAGE, {"upsample"}),
    "repeated": (lambda: layers.RepeatVector(3), ROW, {"upsample"}),
    "reshape": (lambda: layers.Reshape((-1, 2)), IMAGE, {"reshape"}),
    "permute": (lambda: layers.Permute((2, 1)), SERIES, set()),
    "rescaling": (lambda: layers.Rescaling(1 / 128, -1.0), IMAGE, {"scale", "shift"}),
    "normalization": (
        lambda: layers.Normalization(mean=[0.1, 0.2, 0.3, 0.4], variance=[1.0, 2.0, 3.0, 4.0]),
        IMAGE,
        {"constant", "sub", "div"},
    ),
    "gru": (lambda: layers.GRU(3, return_sequences=True), SERIES, {"gru"}),
    "last state backwards": (lambda: layers.GRU(3, go_backwards=True), SERIES, {"gru", "slice"}),
    "both directions": (
        lambda: layers.Bidirectional(layers.GRU(3), merge_mode="ave"),
        SERIES,
        {"gru", "slice", "add", "scale"},
    ),
    "einsum": (lambda: layers.EinsumDense("abc,cde->abde", (None, 2, 3), bias_axes="de"), SERIES, {"linear"}),
    "lambda": (lambda: layers.Lambda(lambda x: ops.square(x) - 1.0), SERIES, {"square", "shift"}),
}


@pytest.mark.parametrize("name", LAYERS)
def test_layers(name: str) -> None:
    make, shape, expected = LAYERS[name]
    given = Input(shape)
    model = randomised(keras.Model(given, make()(given)))
    found = al.convert(model, images(1, *shape))
    moving = {"permute", "reshape", "flatten"}
    assert set(kinds(found)) - moving == expected - moving
    assert not found.opaque
    assert found.params == found.model_params
    assert found.relative <= 1e-5


def heads_of(x: Any) -> Any:
    return ops.transpose(ops.reshape(x, (-1, 6, 2, 2)), (0, 2, 1, 3))


def written_attention(x: Any, axis: int = -1) -> Any:
    q, k, v = heads_of(x), heads_of(2 * x), heads_of(x + 1)
    scores = ops.matmul(q, ops.transpose(k, (0, 1, 3, 2))) / np.sqrt(2.0)
    y = ops.matmul(layers.Dropout(0.1)(ops.softmax(scores, axis=axis)), v)
    return ops.reshape(ops.transpose(y, (0, 2, 1, 3)), (-1, 6, 4))


CALLS: dict[str, tuple[Callable[[Any], Any], tuple[int, ...], set[str]]] = {
    "arithmetic": (lambda x: (x + 2) * 3 - x / 4, SERIES, {"shift", "scale", "sub"}),
    "one minus": (lambda x: 1 - x, SERIES, {"scale", "shift"}),
    "hard sigmoid": (lambda x: layers.ReLU(6.0)(x + 3.0) * (1.0 / 6.0), IMAGE, {"hsigmoid"}),
    "hard swish": (lambda x: x * (layers.ReLU(6.0)(x + 3.0) * (1.0 / 6.0)), IMAGE, {"hswish"}),
    "silu": (lambda x: x * ops.sigmoid(x), IMAGE, {"silu"}),
    "least": (lambda x: ops.minimum(x, 2 * x), SERIES, {"scale", "maximum"}),
    "average": (lambda x: layers.Average()([x, ops.abs(x)]), IMAGE, {"absolute", "add", "scale"}),
    "merged": (lambda x: layers.Maximum()([layers.Subtract()([x, 2 * x]), x]), IMAGE, {"scale", "sub", "maximum"}),
    "gates": (lambda x: x * layers.GlobalAveragePooling2D(keepdims=True)(x), IMAGE, {"adaptive_avg_pool2d", "mul"}),
    "spread": (lambda x: x - ops.mean(x, axis=-1, keepdims=True), IMAGE, {"mean", "sub"}),
    "sums": (lambda x: ops.sum(x, axis=1) + ops.max(x, axis=1), SERIES, {"mean", "scale", "max_reduce", "add"}),
    "chunks": (lambda x: ops.concatenate(ops.split(x, 2, axis=-1)[::-1], axis=-1), SERIES, {"slice", "concat"}),
    "parts": (lambda x: x[:, 1:5:2, 0], SERIES, {"slice"}),
    "stack": (lambda x: ops.stack([x, 2 * x], axis=1), SERIES, {"scale", "concat"}),
    "turned": (lambda x: ops.transpose(x, (0, 2, 1)) * 2, SERIES, {"scale"}),
    "squeezed": (lambda x: ops.squeeze(ops.expand_dims(x, 1) + 1, 1), SERIES, {"shift"}),
    "borders": (lambda x: ops.pad(x, ((0, 0), (1, 2), (0, 1))), SERIES, {"pad"}),
    "clipped": (lambda x: ops.clip(x, -0.5, 0.5), SERIES, {"hard_tanh"}),
    "root": (lambda x: ops.sqrt(ops.square(x) + 1.0), SERIES, {"square", "shift", "power"}),
    "constant": (lambda x: x * np.arange(4, dtype=np.float32), SERIES, {"constant", "mul"}),
    "rolled": (lambda x: ops.roll(x, 2, axis=1), SERIES, {"roll"}),
    "products": (lambda x: ops.matmul(x, ops.transpose(x, (0, 2, 1))), SERIES, {"matmul"}),
    "dot": (lambda x: layers.Dot(axes=(2, 1))([layers.Dot(axes=2)([x, x]), x]), SERIES, {"matmul"}),
    "dot of rows": (lambda x: layers.Dot(axes=1)([x, 2 * x]), ROW, {"scale", "mul", "mean"}),
    "attention": (lambda x: layers.Attention()([x, 2 * x]), SERIES, {"scale", "matmul", "softmax"}),
    "causal": (
        lambda x: layers.MultiHeadAttention(2, 3, value_dim=2)(x, x, use_causal_mask=True),
        SERIES,
        {"linear", "attention"},
    ),
    "mask": (
        lambda x: layers.MultiHeadAttention(2, 3)(x, x, attention_mask=np.tril(np.ones((1, 6, 6), bool))),
        SERIES,
        {"linear", "attention"},
    ),
    "groups of queries": (
        lambda x: layers.GroupQueryAttention(3, 4, 2)(x, x),
        SERIES,
        {"linear", "attention"},
    ),
    "attention of heads": (
        lambda x: ops.dot_product_attention(
            *[ops.reshape(y, (-1, 6, 2, 2)) for y in (x, 2 * x, x + 1)], is_causal=True
        ),
        SERIES,
        {"scale", "shift", "attention"},
    ),
    "written attention": (written_attention, SERIES, {"scale", "shift", "attention"}),
    "not quite attention": (
        lambda x: written_attention(x, axis=-2),
        SERIES,
        {"scale", "shift", "matmul", "softmax"},
    ),
    "zeros around": (
        lambda x: layers.MaxPooling2D(3, 2)(layers.ZeroPadding2D(1)(ops.relu(x))),
        IMAGE,
        {"relu", "max_pool2d"},
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_calls(name: str) -> None:
    call, shape, expected = CALLS[name]
    given = Input(shape)
    found = al.convert(randomised(keras.Model(given, call(given))), images(1, *shape))
    moving = {"permute", "reshape", "flatten"}
    assert set(kinds(found)) - moving == expected - moving
    assert found.params == found.model_params
    assert found.relative <= 1e-5


# ------------------------------------------------------------------ what has no op


class Odd(layers.Layer):
    """What archlang has no op for."""

    def __init__(self, width: int):
        super().__init__(name="odd")
        self.width = width
        self.mix = layers.Dense(width)

    def call(self, x: Any, y: Any) -> Any:
        return ops.cumsum(self.mix(x), 1) + ops.sin(y)


def partly_odd() -> Any:
    given = Input((3, 4))
    h = layers.Dense(4, activation="relu")(given)
    return keras.Model(given, layers.Dense(2)(Odd(4)(h, given)), name="partly")


def test_what_has_no_op_stays_a_layer() -> None:
    model = partly_odd()
    x = images(2, 3, 4)
    found = al.convert(model, x)
    (opaque,) = found.opaque
    assert (opaque.name, opaque.path, opaque.params) == ("odd", "odd", 20)
    assert opaque.reason == "`cumsum`, for which there is no op"
    assert found.params == found.model_params
    program = al.loads(found.text, externs={"odd": model.get_layer("odd")}).program()
    network = program.with_weights(found.program.weights).build("tensorflow")
    np.testing.assert_allclose(network(x), model(x), atol=1e-6)
    with pytest.raises(al.ArchError, match="takes no modules"):
        found.program.build("numpy")


def test_networks_have_layers_of_their_own() -> None:
    model = partly_odd()
    found = al.convert(model, images(2, 3, 4))
    one, other = found.program.build("tensorflow"), found.program.build("tensorflow")
    one.get_layer("externs.odd").mix.kernel.assign(np.zeros((4, 4)))
    assert np.abs(np.asarray(other.get_layer("externs.odd").mix.kernel)).sum() > 0
    assert np.abs(np.asarray(model.get_layer("odd").mix.kernel)).sum() > 0


def test_a_layer_of_the_library_may_stay() -> None:
    given = Input((6, 4))
    found = al.convert(keras.Model(given, layers.SimpleRNN(3)(given)), images(2, 6, 4))
    assert [opaque.name for opaque in found.opaque] == ["simple_rnn"]
    assert found.params == found.model_params


def sorting() -> Any:
    given = Input((4,))
    return keras.Model(given, ops.sort(given), name="sorting")


def masking() -> Any:
    return keras.Sequential([Input((5,)), layers.Embedding(20, 4, mask_zero=True), layers.LSTM(3)], name="masking")


def marking() -> Any:
    return keras.Sequential([Input((5, 4)), layers.Masking(), layers.LSTM(3)], name="marking")


def half() -> Any:
    return keras.Sequential([Input((4,)), layers.Dense(3, dtype="mixed_float16", name="small")])


class Foreign(keras.Model):
    def call(self, x: Any) -> Any:
        return tf.nn.softsign(x)


def endless() -> Any:
    given = Input((4,))
    return keras.Model(given, given * 1e30 * 1e30)


@pytest.mark.parametrize(
    ("make", "example", "code", "message"),
    [
        (sorting, images(2, 4), "E0811", "`sort`, for which there is no op"),
        (masking, tokens(2, 5), "E0811", "`masking` holds a mask of tokens"),
        (marking, images(2, 5, 4), "E0811", "`marking` holds a mask of tokens"),
        (half, images(2, 4), "E0811", "`small` holds numbers in half precision"),
        (Foreign, images(2, 4), "E0810", "cannot be followed"),
        (endless, images(2, 4), "E0812", "not finite"),
        (mnist, images(2, 12, 8, 1), "E0810", "does not take"),
        (mnist, [images(2, 8, 8, 1)] * 2, "E0810", "does not take"),
        (lambda: 3, images(2, 4), "E0809", "an? int, which is no model"),
    ],
)
def test_what_cannot_be_converted(make: Callable[[], Any], example: Any, code: str, message: str) -> None:
    with pytest.raises(al.ArchError, match=message) as caught:
        al.convert(make(), example)
    assert [found.code for found in caught.value.diagnostics] == [code]


def test_unused_parameters_are_told() -> None:
    class Unused(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.extra = layers.Dense(3), layers.Dense(3)
            self.extra.build((None, 3))

        def call(self, x: Any) -> Any:
            return self.used(x)

    found = al.convert(Unused(), images(2, 4))
    assert found.model_params - found.params == 12
    assert "does not use" in found.notes[0]


# ------------------------------------------------------------------ which framework it is


def test_the_backend_is_that_of_the_model() -> None:
    assert al.convert(nn.Linear(4, 2), torch.randn(1, 4)).relative <= 1e-6
    assert al.convert(mnist(), images(1, 8, 8, 1)).relative <= 1e-6
    with pytest.raises(al.ArchError, match="converts models"):
        al.convert(mnist(), images(1, 8, 8, 1), backend="numpy")


def test_no_framework_is_imported_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from archlang import backend

    loaded: list[str] = []
    monkeypatch.setattr(backend, "backend", loaded.append)
    for name in list(sys.modules):
        if name.partition(".")[0] in ("tensorflow", "archlang_tensorflow", "torch", "archlang_torch"):
            monkeypatch.delitem(sys.modules, name)
    assert backend.capturer_of(3) is None
    assert not {"torch", "tensorflow"} & set(loaded)


MODELS = """
import keras


def small(width=8, kernel=3, name="small"):
    pooled = keras.layers.GlobalAveragePooling2D()
    return keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(width, kernel), pooled], name=name)
"""


def test_the_command(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    monkeypatch.chdir(tmp_path)
    Path("models_of_keras.py").write_text(MODELS, encoding="utf-8")
    given = "models_of_keras:small", "--set", "width=5", "--set", "name=None", "--input", "1,8,8,3", "-o", "net.arch"
    found = json.loads(run("convert", *given, "--weights", "net.safetensors", "--json").stdout)
    assert found["params"] == found["model_params"] == 5 * 28
    program = al.load("net.arch").program()
    program.load_weights(program.build("torch"), "net.safetensors")
