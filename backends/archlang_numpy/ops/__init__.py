"""The standard library's ops as functions of arrays, one file per family: their references."""

from archlang_numpy.ops import (
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
