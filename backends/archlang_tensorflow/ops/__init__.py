"""What every op is in Keras, one family a file. Channels are the last axis."""

from archlang_tensorflow.ops import (
    activation,
    arithmetic,
    attention,
    conv,
    embedding,
    graph,
    norm,
    pool,
    quantised,
    recurrent,
    regularisation,
    shape,
)

__all__ = [
    "activation",
    "arithmetic",
    "attention",
    "conv",
    "embedding",
    "graph",
    "norm",
    "pool",
    "quantised",
    "recurrent",
    "regularisation",
    "shape",
]
