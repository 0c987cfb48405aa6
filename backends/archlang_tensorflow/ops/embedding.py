"""Tokens: learned tables and positions."""

from typing import Any

from keras import initializers, layers, ops, saving

from archlang_tensorflow.lowering import layer
from archlang_tensorflow.ops.weighted import Weighted


@layer("embedding", names={"table": "embeddings"}, init={"table": ("normal", 0.0, 1.0)})
def embedding(vocabulary: int, dim: int) -> layers.Embedding:
    return layers.Embedding(vocabulary, dim, initializers.RandomNormal(0.0, 1.0))


@layer("position_embedding", init={"table": ("trunc_normal", 0.0, 0.02)})
@saving.register_keras_serializable("archlang")
class PositionEmbedding(Weighted):
    """Adds to each token the row of a learned table [length, dim] for its place."""

    def __init__(self, length: int, **settings: Any) -> None:
        super().__init__(**settings)
        self.length = length

    def build(self, shape: Any) -> None:
        start = initializers.TruncatedNormal(0.0, 0.02)
        self.table = self.weight("table", (self.length, shape[-1]), start)

    def call(self, x: Any) -> Any:
        return x + self.table[: x.shape[1]]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "length": self.length}


@layer("class_token", init={"token": ("trunc_normal", 0.0, 0.02)})
@saving.register_keras_serializable("archlang")
class ClassToken(Weighted):
    """Puts a learned token [dim] before the others."""

    def build(self, shape: Any) -> None:
        start = initializers.TruncatedNormal(0.0, 0.02)
        self.token = self.weight("token", (shape[-1],), start)

    def call(self, x: Any) -> Any:
        return ops.concatenate([ops.zeros_like(x[:, :1]) + self.token, x], axis=1)
