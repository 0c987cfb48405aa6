"""Tokens: learned tables and positions."""

import numpy as np

from archlang_numpy.lowering import Array, function


@function("embedding", weights=("table",), unused=("vocabulary", "dim"))
def embedding(tokens: Array, *, table: Array) -> Array:
    return table[tokens]


@function("token_places")
def token_places(tokens: Array, *, padding: int = 1) -> Array:
    """The place of each token among those that are no padding, from `padding` + 1 on."""
    counted = tokens != padding
    return counted.cumsum(1) * counted + padding


@function("unembedding", weights=("table",), unused=("vocabulary",))
def unembedding(x: Array, *, table: Array) -> Array:
    return x @ table.T


@function("parameter", "constant", weights=("value",))
def for_each_sample(x: Array, *, shape: tuple[int, ...], value: Array) -> Array:
    """A tensor [product of the shape], in its shape and the same for each sample."""
    return np.broadcast_to(value.reshape(shape), (x.shape[0], *shape))


@function("indexed_parameter", weights=("table", "places"), unused=("size",))
def indexed_parameter(x: Array, *, shape: tuple[int, ...], table: Array, places: Array) -> Array:
    """Elements of a table [size] at places [product of the shape], in that shape."""
    return np.broadcast_to(table[places.astype(int)].reshape(shape), (x.shape[0], *shape))


@function("position_embedding", weights=("table",), unused=("length",))
def position_embedding(x: Array, *, start: int = 0, table: Array) -> Array:
    """Adds to each token the row of a learned table [length, d] for its place."""
    tokens = x.shape[1]
    return x + table[start : start + tokens]


@function("class_token", weights=("token",))
def class_token(x: Array, *, token: Array) -> Array:
    """Puts a learned token [d] before the others."""
    first = np.broadcast_to(token, (x.shape[0], 1, x.shape[2]))
    return np.concatenate([first, x], axis=1)
