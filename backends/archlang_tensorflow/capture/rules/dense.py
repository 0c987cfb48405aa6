"""Linear maps, and tables of rows."""

from __future__ import annotations

import re
from math import prod
from typing import Any

import numpy as np
from keras import layers

from archlang.conversion.data import Data, Unsupported
from archlang_tensorflow.capture.known import Known
from archlang_tensorflow.capture.lowerer import Lowerer, layer, rule_of
from archlang_tensorflow.capture.rules.activation import activated
from archlang_tensorflow.capture.rules.shapes import reshaped


@layer(layers.Dense)
def dense(lo: Lowerer, of: layers.Dense, x: Data) -> Data:
    kernel, bias = lo.variable(of, "kernel"), lo.variable(of, "bias")
    assert kernel is not None
    rows = _rows(lo, x)
    if rows is not None:
        kernel = kernel.apply(lambda a: a[np.argsort(rows)], ("rows", rows.tobytes()))
        x = lo.data(lo.builder.add("flatten", x.value, at=lo.around))
        lo.builder.notes.append(
            f"the rows of the kernel of `{of.name}` are in another order: channels come first in what it is given"
        )
    return activated(lo, linear(lo, x, kernel, bias), of.activation)


def linear(lo: Lowerer, x: Data, kernel: Known, bias: Known | None) -> Data:
    """A map of the last dimension with a kernel [d, out]."""
    weights = {"kernel": kernel.transposed((1, 0)), "bias": bias}
    return lo.last("linear", x, weights, out=kernel.shape[1], bias=bias is not None)


def _rows(lo: Lowerer, x: Data) -> Any:
    """Where each feature is in the value that a tensor [n, d] flattens, when that has another order; else None."""
    sizes = lo.builder.sizes(x.value)
    if x.rank != 2 or len(sizes) < 2 or lo.steps(x) < 2 or x.layout.offset or x.shape[1] != prod(sizes):
        return None
    places: Any = np.zeros((1,), np.int64)
    for size, stride in x.layout.dims[1]:
        places = (places[:, None] + np.arange(size) * stride).reshape(-1)
    return places if np.array_equal(np.sort(places), np.arange(prod(sizes))) else None


@layer(layers.EinsumDense)
def einsum_dense(lo: Lowerer, of: layers.EinsumDense, x: Data) -> Data:
    """A map of the last dimensions to others: "abc,cde->abde"."""
    found = re.fullmatch(r"([a-zA-Z]+|\.\.\.[a-zA-Z]+),([a-zA-Z]+)->([a-zA-Z]+|\.\.\.[a-zA-Z]+)", of.equation)
    kernel, bias = lo.variable(of, "kernel"), lo.variable(of, "bias")
    if found is None or kernel is None:
        raise Unsupported(f"the equation `{of.equation}`")
    given, inner, result = found.groups()
    summed = next((count for count in range(1, len(inner)) if given.endswith(inner[:count])), 0)
    lead = given.removesuffix(inner[:summed])
    if not summed or result != lead + inner[summed:] or set(lead) & set(inner):
        raise Unsupported(f"the equation `{of.equation}`")
    sizes = kernel.shape[summed:]
    if bias is not None and bias.shape != sizes:
        raise Unsupported("a bias that is not of all features")
    flat = kernel.reshaped((prod(kernel.shape[:summed]), prod(sizes)))
    ahead = x.shape[: x.rank - summed]
    y = linear(lo, reshaped(lo, x, (*ahead, flat.shape[0])), flat, bias and bias.reshaped((flat.shape[1],)))
    return activated(lo, reshaped(lo, y, (*ahead, *sizes)), of.activation)


@layer(layers.Embedding)
def embedding(lo: Lowerer, of: layers.Embedding, tokens: Data | Known) -> Data | Known:
    table = lo.variable(of, "embeddings")
    assert table is not None
    if isinstance(tokens, Known):
        rows = tokens.array.astype(np.int64)
        return table.apply(lambda a: a[rows], ("rows", rows.shape, rows.tobytes()))
    settled = lo.settle(tokens)
    made = lo.add("embedding", settled.value, weights={"table": table}, vocabulary=table.shape[0], dim=table.shape[1])
    return lo.data(made)


# Layers of the last dimension, for which it is nothing to be applied to each of several tensors.
_OF_THE_LAST = (layers.Dense, layers.Activation, layers.ReLU, layers.LayerNormalization, layers.Dropout)


@layer(layers.TimeDistributed)
def time_distributed(lo: Lowerer, of: layers.TimeDistributed, x: Data) -> Data:
    rule = rule_of(of.layer)
    if rule is None or not isinstance(of.layer, _OF_THE_LAST):
        raise Unsupported(f"`{of.layer.name}` for each of several tensors")
    made: Data = rule(lo, of.layer, x)
    return made
