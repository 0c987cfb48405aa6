"""Data against a network's input and output: what is adapted, and what is refused with which words."""

from typing import Any

import numpy as np
import pytest

from archlang.diagnostics import ArchError
from archlang.evaluate.data import Data
from archlang.evaluate.fitting import fit_data
from archlang.ir.graph import Graph, Input, Node, Operation, Output
from archlang.ir.types import SymbolicDim, TensorType

N = SymbolicDim("n")


def network(taken: TensorType, given: TensorType, outputs: int = 1) -> Graph:
    operation = Operation("net", (), (taken,), given)
    nodes = (Node("net", operation, (0,), "net"),)
    return Graph("model", (Input("image", taken),), nodes, tuple(Output(str(n), 1) for n in range(outputs)))


def image(*shape: int, dtype: str = "f32", classes: int = 10) -> Graph:
    return network(TensorType(dtype, (N, *shape)), TensorType("f32", (N, classes)))


def data(x: Any, y: Any) -> Data:
    return Data("some data", (np.asarray(x), np.asarray(y)), (np.asarray(x), np.asarray(y)))


def refused(given: Data, graph: Graph, loss: str = "cross_entropy") -> str:
    with pytest.raises(ArchError) as found:
        fit_data(given, graph, loss)
    return str(found.value)


LABELS = np.arange(6) % 3


def test_bytes_become_floats_between_0_and_1_with_a_channel() -> None:
    bright = data(np.full((6, 28, 28), 255, np.uint8), LABELS.astype(np.uint8))
    x, y = fit_data(bright, image(1, 28, 28), "cross_entropy").train
    assert x.shape == (6, 1, 28, 28)
    assert x.dtype == np.float32
    assert (x == 1).all()
    assert y.dtype == np.int64


def test_casts() -> None:
    assert fit_data(data(np.ones((6, 4), np.float64), LABELS), image(4), "cross_entropy").train[0].dtype == np.float32
    x = fit_data(data(np.full((6, 4), 7, np.uint8), LABELS), image(4, dtype="i64"), "cross_entropy").train[0]
    assert x.dtype == np.int64
    assert (x == 7).all(), "bytes for an input of integers stay as they are"


def test_shape_that_does_not_fit() -> None:
    assert refused(data(np.zeros((6, 28, 28), np.uint8), LABELS), image(1, 32, 32)) == (
        "error[E0704]: the data `some data` does not fit the input `image`: it is uint8[n, 28, 28], "
        "the network takes f32[n, 1, 32, 32]\n"
        "  = help: change the type of the space's input, or prepare the data so that they agree"
    )


def test_channels_last() -> None:
    message = refused(data(np.zeros((6, 32, 32, 3), np.float32), LABELS), image(3, 32, 32))
    assert "`np.moveaxis(x, -1, 1)` puts them first" in message


def test_floats_for_an_input_of_integers() -> None:
    assert "it is float32[n, 4], the network takes i64[n, 4]" in refused(
        data(np.zeros((6, 4), np.float32), LABELS), image(4, dtype="i64")
    )
    message = refused(data(np.full((6, 4), 300), LABELS), image(4, dtype="u8"))
    assert "its values go from 300 to 300" in message


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (LABELS + 8, "from 8 to 10, but the network gives 10 scores (f32[n, 10])\n  = help: give the space 11 classes"),
        (LABELS - 1, "go from -1 to 1"),
        (np.arange(1, 11), "= help: labels count from 0: subtract 1"),
        (LABELS + 0.5, 'are float64, not labels\n  = help: for a regression set `loss="mse"`'),
        (np.zeros((6, 4), int), "have the shape [6, 4], and the network gives f32[n, 10]"),
    ],
)
def test_labels_that_do_not_fit(labels: Any, message: str) -> None:
    found = refused(data(np.zeros((len(labels), 4), np.float32), labels), image(4))
    assert found.startswith("error[E0705]: the ")
    assert message in found


def test_regression() -> None:
    x, y = np.zeros((6, 4), np.float32), np.linspace(0, 1, 6)
    fitted = fit_data(data(x, y), image(4, classes=1), "mse").train[1]
    assert fitted.shape == (6, 1)
    assert fitted.dtype == np.float32
    assert "have the shape [6], and the network gives f32[n, 3]" in refused(data(x, y), image(4, classes=3), "mse")


def test_network_of_two_outputs() -> None:
    graph = network(TensorType("f32", (N, 4)), TensorType("f32", (N, 10)), outputs=2)
    assert "E0708" in refused(data(np.zeros((6, 4)), LABELS), graph)
