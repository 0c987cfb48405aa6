"""Graph layers against dense adjacency matrices with numpy, on small graphs and on Cora."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from archlang_torch import backend, build

import archlang as al
from tests.conftest import DataFile
from tests.stdlib.applied import Array, Facts, computed, declared

NODES, WIDTH = 6, 5
# With a node that nothing reaches (5), one that reaches itself (4), and an edge that is there twice.
EDGES = np.array([[0, 1, 2, 3, 0, 4, 5, 1, 1], [1, 0, 1, 2, 2, 4, 3, 3, 3]])
Weights = dict[str, Array]


def adjacency(edges: Array, nodes: int, loops: bool = False) -> Array:
    """How many edges lead to a node (rows) from another (columns)."""
    counts = np.eye(nodes) if loops else np.zeros((nodes, nodes))
    np.add.at(counts, (edges[1], edges[0]), 1)
    return counts


def convolved(x: Array, edges: Array, weights: Weights) -> Array:
    a = adjacency(edges, len(x), loops=True)
    degrees = a.sum(1)
    y: Array = a / np.sqrt(np.outer(degrees, degrees)) @ x @ weights["linear.kernel"].T
    return y + weights.get("feature_bias.bias", 0)


def attended(x: Array, edges: Array, weights: Weights, heads: int, slope: float = 0.2) -> list[Array]:
    """The results of all heads."""
    a = adjacency(edges, len(x), loops=True)
    found = []
    for head, kernel in enumerate(np.split(weights["linear.kernel"], heads)):
        h = x @ kernel.T
        logits = (h @ weights["target.kernel"][head, :, 0])[:, None] + h @ weights["source.kernel"][head, :, 0]
        powers = a * np.exp(np.where(logits > 0, logits, slope * logits))
        found.append(powers / powers.sum(1, keepdims=True) @ h)
    return found


def averaged(x: Array, edges: Array, weights: Weights) -> Array:
    a = adjacency(edges, len(x))
    neighbours = a @ x / np.maximum(a.sum(1, keepdims=True), 1)
    y: Array = x @ weights["own.kernel"].T + neighbours @ weights["others.kernel"].T
    return y + weights.get("own.bias", 0)


def summed(x: Array, edges: Array, weights: Weights, eps: float) -> Array:
    total = (1 + eps) * x + adjacency(edges, len(x)) @ x
    hidden = np.maximum(total @ weights["mlp/linear#1.kernel"].T + weights["mlp/linear#1.bias"], 0)
    y: Array = hidden @ weights["mlp/linear#2.kernel"].T + weights["mlp/linear#2.bias"]
    return y


def normalized(edges: Array, nodes: int) -> Array:
    a = adjacency(edges, nodes)
    degrees = np.maximum(a.sum(1), 1)
    return np.asarray(a / np.sqrt(np.outer(degrees, degrees)))


def chebyshev(x: Array, edges: Array, weights: Weights, order: int) -> Array:
    """By the powers of the matrix, with the polynomials' coefficients from numpy."""
    powers = [np.linalg.matrix_power(-normalized(edges, len(x)), k) for k in range(order)]
    y = np.zeros((len(x), 3))
    for k in range(order):
        coefficients = np.polynomial.chebyshev.cheb2poly(np.eye(order)[k])
        kernel = weights[f"linear[{k}].kernel"]
        y += sum(c * power for c, power in zip(coefficients, powers, strict=False)) @ x @ kernel.T
    return y + weights.get("feature_bias.bias", 0)


def moved(x: Array, edges: Array, weights: Weights) -> Array:
    y = normalized(edges, len(x)) @ x @ weights["others.kernel"].T + x @ weights["own.kernel"].T
    return np.asarray(np.maximum(y + weights.get("own.bias", 0), 0))


def joined(x: Array, edges: Array, weights: Weights) -> Array:
    y: Array = x @ weights["own.kernel"].T + adjacency(edges, len(x)) @ x @ weights["others.kernel"].T
    return y + weights.get("own.bias", 0)


LAYERS: list[tuple[str, Callable[[Array, Array, Weights], Array]]] = [
    ("gcn(3)", convolved),
    ("gcn(3, bias=false)", convolved),
    ("gat(3)", lambda x, edges, weights: attended(x, edges, weights, 1)[0]),
    (
        "gat(3, heads=4)",
        lambda x, edges, weights: np.concatenate(attended(x, edges, weights, 4), 1) + weights["feature_bias.bias"],
    ),
    (
        'gat(3, heads=4, merge="mean", slope=0.1, bias=false)',
        lambda x, edges, weights: np.mean(attended(x, edges, weights, 4, 0.1), 0),
    ),
    ("sage(3)", averaged),
    ("sage(3, bias=false)", averaged),
    ("gin(3)", lambda x, edges, weights: summed(x, edges, weights, 0.0)),
    ("gin(3, hidden=8, eps=0.5)", lambda x, edges, weights: summed(x, edges, weights, 0.5)),
    ("cheb(3)", lambda x, edges, weights: chebyshev(x, edges, weights, 2)),
    ("cheb(3, order=4, bias=false)", lambda x, edges, weights: chebyshev(x, edges, weights, 4)),
    ("arma(3)", moved),
    ("arma(3, bias=false)", moved),
    ("graph_conv(3)", joined),
    ("graph_conv(3, bias=false)", joined),
]


@pytest.mark.parametrize(("stage", "reference"), LAYERS, ids=[stage for stage, _ in LAYERS])
def test_layer_computes_what_dense_matrices_do(stage: str, reference: Callable[..., Array]) -> None:
    x = np.random.default_rng(0).normal(size=(NODES, WIDTH))
    found, weights = computed(stage, x, EDGES, batch=False)
    np.testing.assert_allclose(found, reference(x, EDGES, weights), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(
    ("stage", "out", "params", "macs"),
    [
        ("gcn(3)", 3, 5 * 3 + 3, 6 * 5 * 3),
        ("gat(3, heads=4)", 12, 5 * 12 + 2 * 12 + 12, 6 * (5 * 12 + 2 * 12)),
        ('gat(3, heads=4, merge="mean", bias=false)', 3, 5 * 12 + 2 * 12, 6 * (5 * 12 + 2 * 12)),
        ("sage(3)", 3, 2 * 5 * 3 + 3, 6 * 2 * 5 * 3),
        ("cheb(3, order=3)", 3, 3 * 5 * 3 + 3, 6 * 3 * 5 * 3),
        ("arma(3)", 3, 2 * 5 * 3 + 3, 6 * 2 * 5 * 3),
        ("graph_conv(3)", 3, 2 * 5 * 3 + 3, 6 * 2 * 5 * 3),
        ("gin(3, hidden=8)", 3, 5 * 8 + 8 + 8 * 3 + 3, 6 * (5 * 8 + 8 * 3)),
    ],
)
def test_costs_are_those_of_the_whole_graph(stage: str, out: int, params: int, macs: int) -> None:
    assert declared(stage, "f32[6, 5]", "i64[2, 9]") == Facts((6, out), params, macs)


def test_heads_are_merged_in_two_ways() -> None:
    with pytest.raises(al.ArchError, match="heads are merged by concat or mean"):
        declared('gat(3, merge="sum")', "f32[6, 5]", "i64[2, 9]")


CORA = """
use std.nn
use std.graphs
space citations(x: f64[2708, 1433], edges: i64[2, 10556]) {
  hidden = (x, edges) |> choose { gcn: gcn(16), gat: gat(8, heads=2), sage: sage(16), gin: gin(16) }
  (hidden |> relu, edges) |> gcn(7)
}
"""
HIDDEN: dict[str, Callable[[Array, Array, Weights], Array]] = {
    "gcn": convolved,
    "gat": lambda x, edges, weights: np.concatenate(attended(x, edges, weights, 2), 1) + weights["feature_bias.bias"],
    "sage": averaged,
    "gin": lambda x, edges, weights: summed(x, edges, weights, 0.0),
}


def test_citation_graph(data_file: DataFile) -> None:
    """A choice of layers on the published graph, whose edges are listed once and go both ways."""
    with np.load(data_file("cora.npz")) as data:
        x = np.zeros((int(data["n_nodes"]), int(data["n_features"])))
        x[data["feat_row"], data["feat_col"]] = 1
        once = data["edges"].T.astype(np.int64)
    edges = np.concatenate([once, once[::-1]], 1)
    space = al.loads(CORA)
    assert space.size == len(HIDDEN)
    for choices, (name, layer) in zip(space.enumerate(), HIDDEN.items(), strict=True):
        graph = space.program(choices).graph
        network = build(graph).eval()
        with torch.no_grad():
            found = network(torch.from_numpy(x), torch.from_numpy(edges)).numpy()
        weights = backend.weights(graph, network)
        first = {at.split(f":{name}/")[1]: value for at, value in weights.items() if f":{name}/" in at}
        last = {at.removeprefix("gcn/"): value for at, value in weights.items() if at.startswith("gcn/")}
        hidden = np.maximum(layer(x, edges, first), 0)
        np.testing.assert_allclose(found, convolved(hidden, edges, last), rtol=1e-9, atol=1e-12)
