"""Ops of one's own: a function, wherever it is declared."""

from __future__ import annotations

import numpy as np
import pytest
from archlang_numpy import LOWERINGS, backend, function
from archlang_numpy.lowering import Array

from archlang.ir.graph import Graph, WeightSpec
from tests.graphs import Sketch
from tests.numpy_backend.against_torch import arrays


def squashed(x: Array) -> Array:
    """Between 0 and 1."""
    return np.exp(-np.abs(x))


def gate(x: Array, *, strength: Array, offset: Array | None = None, sharp: float = 1.0) -> Array:
    """Uses a function beside it."""
    gated = x * squashed(sharp * strength)
    return gated if offset is None else gated + offset


@pytest.fixture(autouse=True)
def declared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LOWERINGS, "_lowerings", dict(LOWERINGS._lowerings))
    function("gate", weights=("strength", "offset"), unused=("name",))(gate)


def program(offset: bool, sharp: float) -> Graph:
    sketch = Sketch("gated")
    x = sketch.input("x", 4)
    weights = [WeightSpec("strength", (4,), ("normal", 0.0, 1.0))]
    weights += [WeightSpec("offset", (4,), ("ones",))] if offset else []
    given = {"offset": offset, "sharp": sharp, "name": "a"}
    return sketch.graph(sketch.apply("gate", x, output=sketch.shape(x), weights=weights, **given))


@pytest.mark.parametrize("offset", [False, True])
def test_it_is_built_and_emitted(offset: bool) -> None:
    graph = program(offset, 2.0)
    network, (x,) = backend.build(graph), arrays(graph)
    expected = x * np.exp(-2 * np.abs(network.weights["gate#1.strength"])) + offset
    np.testing.assert_allclose(network(x), expected, rtol=1e-6)
    source = backend.emit(graph)
    assert "def squashed(" in source
    names: dict[str, object] = {}
    exec(compile(source, "network.py", "exec"), names)
    np.testing.assert_array_equal(names["network"](x, network.weights), network(x))  # type: ignore[operator]


def test_the_call_names_the_weights_that_are_there() -> None:
    assert '    return gate(x, strength=w["gate#1.strength"])\n' in backend.emit(program(False, 1.0))
    expected = '    return gate(x, strength=w["gate#1.strength"], offset=w["gate#1.offset"], sharp=0.5)\n'
    assert expected in backend.emit(program(True, 0.5))
