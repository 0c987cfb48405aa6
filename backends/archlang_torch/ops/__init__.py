"""The lowerings of the standard library's ops, one file per family."""

from archlang_torch.ops import (
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
