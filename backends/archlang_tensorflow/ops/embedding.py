"""Tokens: learned tables and positions."""

import math
from typing import Any

from keras import initializers, layers, ops, saving

from archlang_tensorflow.lowering import function, layer
from archlang_tensorflow.ops.weighted import Weighted


@layer("embedding", names={"table": "embeddings"}, init={"table": ("normal", 0.0, 1.0)})
def embedding(vocabulary: int, dim: int) -> layers.Embedding:
    return layers.Embedding(vocabulary, dim, initializers.RandomNormal(0.0, 1.0))


@function("token_places")
def token_places(tokens: Any, *, padding: int = 1) -> Any:
    """The place of each token among those that are no padding, from `padding` + 1 on."""
    counted = ops.cast(ops.not_equal(tokens, padding), tokens.dtype)
    return ops.cumsum(counted, axis=1) * counted + padding


@layer("unembedding", init={"table": ("normal", 0.0, 1.0)})
@saving.register_keras_serializable("archlang")
class Unembedding(Weighted):
    """The product of each token with every row of a table [vocabulary, dim]."""

    def __init__(self, vocabulary: int, **settings: Any) -> None:
        super().__init__(**settings)
        self.vocabulary = vocabulary

    def build(self, shape: Any) -> None:
        start = initializers.RandomNormal(0.0, 1.0)
        self.table = self.weight("table", (self.vocabulary, shape[-1]), start)

    def call(self, x: Any) -> Any:
        return ops.matmul(x, ops.transpose(self.table))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "vocabulary": self.vocabulary}


@layer("parameter", init={"value": ("trunc_normal", 0.0, 0.02)})
@saving.register_keras_serializable("archlang")
class Parameter(Weighted):
    """A learned tensor, the same for each sample."""

    def __init__(self, shape: tuple[int, ...], **settings: Any) -> None:
        super().__init__(**settings)
        self.shape = tuple(shape)

    def build(self, shape: Any) -> None:
        start = initializers.TruncatedNormal(0.0, 0.02)
        self.value = self.weight("value", (math.prod(self.shape),), start)

    def call(self, x: Any) -> Any:
        return for_each_sample(self.value, self.shape, x)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "shape": self.shape}


@layer("constant", init={"value": ("zeros",)})
@saving.register_keras_serializable("archlang")
class Constant(Weighted):
    """A tensor that is not trained, the same for each sample."""

    def __init__(self, shape: tuple[int, ...], **settings: Any) -> None:
        super().__init__(**settings)
        self.shape = tuple(shape)

    def build(self, shape: Any) -> None:
        self.value = self.weight("value", (math.prod(self.shape),), "zeros", trained=False)

    def call(self, x: Any) -> Any:
        return for_each_sample(self.value, self.shape, x)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "shape": self.shape}


@layer("indexed_parameter", init={"table": ("trunc_normal", 0.0, 0.02), "places": ("zeros",)})
@saving.register_keras_serializable("archlang")
class IndexedParameter(Weighted):
    """Elements of a learned table, the same for each sample."""

    def __init__(self, size: int, shape: tuple[int, ...], **settings: Any) -> None:
        super().__init__(**settings)
        self.size = size
        self.shape = tuple(shape)

    def build(self, shape: Any) -> None:
        self.table = self.weight("table", (self.size,), initializers.TruncatedNormal(0.0, 0.02))
        self.places = self.weight("places", (math.prod(self.shape),), "zeros", trained=False)

    def call(self, x: Any) -> Any:
        return for_each_sample(ops.take(self.table, ops.cast(self.places, "int32")), self.shape, x)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "size": self.size, "shape": self.shape}


@layer("take", init={"places": ("zeros",)})
@saving.register_keras_serializable("archlang")
class Take(Weighted):
    """What is at known places along an axis."""

    def __init__(self, axis: int, count: int, **settings: Any) -> None:
        super().__init__(**settings)
        self.axis = axis
        self.count = count

    def build(self, shape: Any) -> None:
        self.places = self.weight("places", (self.count,), "zeros", trained=False)

    def call(self, x: Any) -> Any:
        return ops.take(x, ops.cast(self.places, "int32"), axis=self.axis)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis, "count": self.count}


def for_each_sample(value: Any, shape: tuple[int, ...], x: Any) -> Any:
    """The value in its shape, as often as x has samples."""
    whole = ops.reshape(value, (1, *shape))
    return ops.broadcast_to(whole, (ops.shape(x)[0], *shape))


@layer("position_embedding", init={"table": ("trunc_normal", 0.0, 0.02)})
@saving.register_keras_serializable("archlang")
class PositionEmbedding(Weighted):
    """Adds to each token the row of a learned table [length, dim] for its place."""

    def __init__(self, length: int, start: int = 0, **settings: Any) -> None:
        super().__init__(**settings)
        self.length = length
        self.start = start

    def build(self, shape: Any) -> None:
        start = initializers.TruncatedNormal(0.0, 0.02)
        self.table = self.weight("table", (self.length, shape[-1]), start)

    def call(self, x: Any) -> Any:
        return x + self.table[self.start : self.start + x.shape[1]]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "length": self.length, "start": self.start}


@layer("class_token", init={"token": ("trunc_normal", 0.0, 0.02)})
@saving.register_keras_serializable("archlang")
class ClassToken(Weighted):
    """Puts a learned token [dim] before the others."""

    def build(self, shape: Any) -> None:
        start = initializers.TruncatedNormal(0.0, 0.02)
        self.token = self.weight("token", (shape[-1],), start)

    def call(self, x: Any) -> Any:
        return ops.concatenate([ops.zeros_like(x[:, :1]) + self.token, x], axis=1)
