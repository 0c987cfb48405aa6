"""What Keras's layers and operations are in archlang, one family a file."""

from archlang_tensorflow.capture.rules import (
    activation,
    arithmetic,
    attention,
    convolution,
    dense,
    merging,
    normalisation,
    pooling,
    recurrent,
    shapes,
)

__all__ = [
    "activation",
    "arithmetic",
    "attention",
    "convolution",
    "dense",
    "merging",
    "normalisation",
    "pooling",
    "recurrent",
    "shapes",
]
