"""The flat form as text; that it parses back to an equal graph is tested on whole programs."""

from __future__ import annotations

import pytest

from archlang.ir.flat import flat_text
from archlang.ir.graph import Graph, Input
from archlang.ir.text import literal, result_text
from archlang.ir.types import TensorType
from tests.ir.handmade import Sketch


def test_one_operation_a_line() -> None:
    sketch = Sketch("small")
    image = sketch.input(3, 8, 8, name="image")
    a = sketch.conv2d(image, 4, address="cell[0]/edge#1:conv/conv2d")
    b = sketch.conv2d(image, 4, address="cell[1]/edge#1:conv/conv2d", weights_at="cell[0]/edge#1:conv/conv2d")
    graph = sketch.graph(sketch.concat(sketch.relu(a), b))
    assert flat_text(graph, notes=["A program of small.", "", "edge = conv"]) == (
        """\
# A program of small.
#
# edge = conv
use std.nn

space small(image: f32[n, 3, 8, 8]) -> [n, 8, 8, 8] {
  v1 = image |> conv2d(out=4, kernel=3, stride=1) at "cell[0]/edge#1:conv/conv2d"
  v2 = image |> conv2d(out=4, kernel=3, stride=1) at "cell[1]/edge#1:conv/conv2d" tied "cell[0]/edge#1:conv/conv2d"
  v3 = v1 |> relu at "relu#3"
  v4 = [v3, v2] |> concat(axis=1) at "concat#4"
  v4
}
"""
    )


def test_further_declarations_and_modules() -> None:
    sketch = Sketch("own")
    graph = sketch.graph(sketch.apply("double", sketch.input(3), address="d"))
    text = flat_text(graph, uses=["std.nn", "./ops.arch"], items=["op double(x: [...d]) -> [...d]\n  elementwise\n"])
    assert text.startswith(
        'use std.nn\nuse "./ops.arch"\n\nop double(x: [...d]) -> [...d]\n  elementwise\n\nspace own('
    )


def test_names_of_values_avoid_those_of_inputs() -> None:
    sketch = Sketch("clash")
    graph = sketch.graph(sketch.relu(sketch.input(3, name="v1")))
    assert '  v_1 = v1 |> relu at "relu#1"\n  v_1\n' in flat_text(graph)


def test_recipes() -> None:
    sketch = Sketch("recipe")
    x = sketch.input(3, name="x")
    y = sketch.relu(x)
    graph = sketch.graph({"model.main": y, "model.heads[0]": x, "model.heads[2]": y})
    values = {"lr": 0.1, "model": {"heads": [3], "temperature": 2.0}, "opt": {"sgd": {"nesterov": True}}}
    assert flat_text(graph, values=values).splitlines()[-2] == (
        "  { model: { main: v1, heads: [x, 3, v1], temperature: 2.0 }, lr: 0.1, opt: { sgd: { nesterov: true } } }"
    )


def test_a_program_of_values_alone() -> None:
    assert result_text([], [], {"lr": 1e-3}) == "{ lr: 0.001 }"
    assert result_text([], [], {"": [1, 2]}) == "[1, 2]"
    assert "space values {\n  0.5\n}" in flat_text(Graph("values", (), (), ()), values={"": 0.5})


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (-3, "-3"),
        (1e-5, "1e-05"),
        (2.0, "2.0"),
        ("same", '"same"'),
        ('a"b\\', '"a\\"b\\\\"'),
        ((1, (2.5, False)), "[1, [2.5, false]]"),
        ({"a": 1, "b": {}}, "{ a: 1, b: {} }"),
    ],
)
def test_literals(value: object, text: str) -> None:
    assert literal(value) == text


@pytest.mark.parametrize("value", [float("inf"), float("nan"), None, object()])
def test_what_cannot_be_written(value: object) -> None:
    with pytest.raises(ValueError, match="cannot be written"):
        literal(value)


def test_inputs_of_other_types() -> None:
    graph = Graph("tokens", (Input("tokens", TensorType("i64", (2, 16))),), (), ())
    assert "space tokens(tokens: i64[2, 16]) {" in flat_text(graph)
