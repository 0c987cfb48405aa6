"""Keras models of every family, as their users write them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import archlang_tensorflow  # noqa: F401  # imports TensorFlow without what it prints
import keras
import numpy as np
from archlang_tensorflow.training import use_threads
from keras import Input, layers, ops

use_threads(1)

Array = np.ndarray[Any, Any]


def randomised(model: Any, seed: int = 0) -> Any:
    """The model with moving statistics, scales and biases that are not what they start as."""
    random = np.random.default_rng(seed)
    for variable in model.weights:
        kind = variable.path.rpartition("/")[2]
        if kind == "moving_variance":
            variable.assign(random.uniform(0.5, 1.5, variable.shape))
        elif len(variable.shape) == 1 and "float" in str(variable.dtype):
            variable.assign(np.asarray(variable) + 0.1 * random.standard_normal(variable.shape))
    return model


def images(*shape: int) -> Array:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def tokens(*shape: int) -> Array:
    return np.random.default_rng(0).integers(0, 20, shape)


def mnist() -> Any:
    return keras.Sequential(
        [
            Input((8, 8, 1)),
            layers.Conv2D(16, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dropout(0.2),
            layers.Dense(10),
        ],
        name="mnist",
    )


def residual() -> Any:
    """A flat network whose layers have the names of keras.applications."""

    def unit(x: Any, out: int, stride: int, name: str) -> Any:
        shortcut = x
        if stride > 1 or x.shape[-1] != out:
            shortcut = layers.Conv2D(out, 1, strides=stride, name=f"{name}_0_conv")(x)
            shortcut = layers.BatchNormalization(name=f"{name}_0_bn")(shortcut)
        x = layers.ZeroPadding2D(1, name=f"{name}_1_pad")(x)
        x = layers.Conv2D(out, 3, strides=stride, name=f"{name}_1_conv")(x)
        x = layers.BatchNormalization(name=f"{name}_1_bn")(x)
        x = layers.Activation("relu", name=f"{name}_1_relu")(x)
        x = layers.Conv2D(out, 3, padding="same", name=f"{name}_2_conv")(x)
        x = layers.BatchNormalization(name=f"{name}_2_bn")(x)
        x = layers.Add(name=f"{name}_add")([shortcut, x])
        return layers.Activation("relu", name=f"{name}_out")(x)

    given = x = Input((16, 16, 3))
    x = layers.Conv2D(8, 7, strides=2, padding="same", name="conv1_conv")(x)
    for stage, out in enumerate((8, 16), 2):
        for block in (1, 2, 3):
            x = unit(x, out, 2 if stage > 2 and block == 1 else 1, f"conv{stage}_block{block}")
    x = layers.GlobalAveragePooling2D(name="avg_pool")(x)
    return keras.Model(given, layers.Dense(5, activation="softmax", name="predictions")(x), name="residual")


def branches() -> Any:
    """A flat network whose layers have no names."""

    def conv(x: Any, out: int, kernel: Any, **given: Any) -> Any:
        x = layers.Conv2D(out, kernel, padding="same", use_bias=False, **given)(x)
        return layers.Activation("relu")(layers.BatchNormalization(scale=False)(x))

    given = x = Input((9, 9, 3))
    x = conv(x, 8, 3, strides=2)
    for width in (4, 6, 8):
        parts = [
            conv(x, width, 1),
            conv(conv(x, 4, 1), width, (1, 3)),
            conv(layers.AveragePooling2D(3, 1, "same")(x), 4, 1),
        ]
        x = layers.Concatenate()(parts)
    x = layers.GlobalMaxPooling2D()(x)
    return keras.Model(given, layers.Dense(3)(x), name="branches")


def unet() -> Any:
    def convolved(x: Any, out: int) -> Any:
        for _ in range(2):
            x = layers.Conv2D(out, 3, padding="same", use_bias=False)(x)
            x = layers.Activation("relu")(layers.BatchNormalization()(x))
        return x

    given = x = Input((16, 16, 3))
    skips = []
    for out in (4, 8):
        x = convolved(x, out)
        skips.append(x)
        x = layers.MaxPooling2D()(x)
    x = convolved(x, 16)
    for out, skip in zip((8, 4), skips[::-1], strict=True):
        x = layers.Conv2DTranspose(out, 3, strides=2, padding="same")(x)
        x = convolved(layers.Concatenate()([x, skip]), out)
    return keras.Model(given, layers.Conv2D(4, 1, activation="softmax")(x), name="unet")


def texts() -> Any:
    return keras.Sequential(
        [
            Input((None,), dtype="int32"),
            layers.Embedding(20, 6),
            layers.Bidirectional(layers.LSTM(4, return_sequences=True)),
            layers.GRU(5, return_sequences=True),
            layers.TimeDistributed(layers.Dense(4, activation="tanh")),
            layers.LSTM(3),
            layers.Dense(1, activation="sigmoid"),
        ],
        name="texts",
    )


class Places(layers.Layer):
    """Tokens and places, each with a table."""

    def __init__(self, length: int, vocabulary: int, width: int, **settings: Any):
        super().__init__(**settings)
        self.token = layers.Embedding(vocabulary, width)
        self.place = layers.Embedding(length, width)

    def call(self, x: Any) -> Any:
        return self.token(x) + self.place(ops.arange(0, ops.shape(x)[-1], 1))


class Encoder(layers.Layer):
    def __init__(self, width: int, heads: int, hidden: int, **settings: Any):
        super().__init__(**settings)
        self.att = layers.MultiHeadAttention(heads, width // heads)
        self.ffn = keras.Sequential([layers.Dense(hidden, activation="relu"), layers.Dense(width)])
        self.norms = [layers.LayerNormalization(epsilon=1e-6) for _ in range(2)]
        self.dropout = layers.Dropout(0.1)

    def call(self, x: Any, training: bool | None = None) -> Any:
        x = self.norms[0](x + self.dropout(self.att(x, x), training=training))
        return self.norms[1](x + self.dropout(self.ffn(x), training=training))


def transformer() -> Any:
    given = x = Input((6,), dtype="int32")
    x = Places(8, 20, 8)(x)
    for _ in range(2):
        x = Encoder(8, 2, 16)(x)
    return keras.Model(given, layers.Dense(2)(layers.GlobalAveragePooling1D()(x)), name="transformer")


class Patches(layers.Layer):
    """Patches of an image with a learned token before them and learned places."""

    def __init__(self, width: int, **settings: Any):
        super().__init__(**settings)
        self.width = width
        self.cut = layers.Conv2D(width, 4, strides=4)

    def build(self, shape: Any) -> None:
        self.token = self.add_weight(shape=(1, 1, self.width), initializer="random_normal", name="token")
        self.places = self.add_weight(shape=(1, 5, self.width), initializer="random_normal", name="places")
        self.cut.build(shape)

    def call(self, x: Any) -> Any:
        count = ops.shape(x)[0]
        x = ops.reshape(self.cut(x), (count, -1, self.width))
        return ops.concatenate([ops.broadcast_to(self.token, (count, 1, self.width)), x], axis=1) + self.places


class Scale(layers.Layer):
    def build(self, shape: Any) -> None:
        self.factor = self.add_weight(shape=(shape[-1],), initializer="random_normal", name="factor")

    def call(self, x: Any) -> Any:
        return x * self.factor


def vit() -> Any:
    given = x = Input((8, 8, 3))
    x = Patches(8)(x)
    y = layers.LayerNormalization(epsilon=1e-6)(x)
    x = x + Scale()(layers.MultiHeadAttention(2, 4)(y, y))
    y = layers.LayerNormalization(epsilon=1e-6)(x)
    x = layers.Add()([x, layers.Dense(8)(layers.Dense(16, activation=keras.activations.gelu)(y))])
    return keras.Model(given, layers.Dense(3)(x[:, 0]), name="vit")


class Subclassed(keras.Model):
    def __init__(self) -> None:
        super().__init__()
        self.first = layers.Conv2D(4, 3, activation="relu")
        self.second = layers.Conv2D(4, 3, padding="same")
        self.head = keras.Sequential([layers.Flatten(), layers.Dense(5)])

    def call(self, x: Any, training: bool = False) -> Any:
        x = self.first(x)
        x = x + ops.relu(self.second(x))
        return {"classes": self.head(x), "means": ops.mean(x, axis=(1, 2)) * 2 + 1}


FAMILIES: dict[str, tuple[Callable[[], Any], Array]] = {
    "mnist": (mnist, images(1, 8, 8, 1)),
    "residual": (residual, images(1, 16, 16, 3)),
    "branches": (branches, images(1, 9, 9, 3)),
    "unet": (unet, images(2, 16, 16, 3)),
    "transformer": (transformer, tokens(1, 6)),
    "vit": (vit, images(2, 8, 8, 3)),
    "subclassed": (Subclassed, images(2, 8, 8, 3)),
}
