"""The block-keeping text of a program; that it evaluates to the same network is tested on whole programs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archlang.ir.graph import Graph, Operation
from archlang.ir.source import program_source
from archlang.ir.units import Default
from archlang.syntax.format import format_module
from archlang.syntax.parser import parse_text
from tests.graphs import nasbench201
from tests.ir.handmade import Sketch

KNOWN = {
    "kernel": 3,
    "stride": 1,
    "dilation": 1,
    "groups": 1,
    "bias": False,
    "momentum": 0.1,
    "eps": 1e-5,
    "affine": True,
    "count_padding": False,
}


def defaults(operation: Operation) -> Mapping[str, Default]:
    """The standard library's defaults, as far as the programs here need them."""
    found = {name: Default(value) for name, value in KNOWN.items()}
    if operation.name in ("conv2d", "avg_pool2d"):
        found["padding"] = Default((operation.attribute("kernel") - 1) // 2, derived=True)
    if operation.name == "linear":
        found["bias"] = Default(True)
    return found


def source(graph: Graph, **given: Any) -> str:
    return format_module(parse_text(program_source(graph, **given)))


def test_blocks_with_parameters_and_repeats() -> None:
    assert source(nasbench201(), defaults=defaults) == (
        """\
use std.nn

block relu_conv_bn(out: int, kernel: int = 3, stride: int = 1)(x: [n, c, h, w]) {
  x |> relu >> conv2d(out=out, kernel=kernel, stride=stride) >> batch_norm
}

block cell(x: [n, c, h, w]) {
  edge = x |> relu_conv_bn(c)
  y = (x |> relu_conv_bn(c, kernel=1)) + (edge |> identity) |> relu_conv_bn(c)
  (x |> avg_pool2d) + (edge |> zero) + y
}

block resnet_basic(x: [n, c, h, w]) {
  second = x |> relu_conv_bn(2 * c, stride=2) >> relu_conv_bn(2 * c)
  shortcut = x |> avg_pool2d(kernel=2, stride=2) >> conv2d(out=2 * c, kernel=1)
  second + shortcut
}

space nasbench201(image: f32[n, 3, 32, 32]) -> [n, 10] {
  image
    |> conv2d(out=16) >> batch_norm
    |> repeat(5, cell)
    |> resnet_basic
    |> repeat(5, cell)
    |> resnet_basic
    |> repeat(5, cell) >> batch_norm >> relu >> global_avg_pool
    |> linear(out=10)
}
"""
    )


def tied_blocks() -> Graph:
    """A block applied three times with one set of weights, and a tied operation."""
    sketch = Sketch("tied")
    x = sketch.input(8, name="x")
    for place in range(3):
        x = sketch.linear(x, 8, address=f"f[{place}]/linear", weights_at="f[0]/linear")
        x = sketch.apply("relu", x, address=f"f[{place}]/relu")
    y = sketch.linear(x, 4, address="head/a")
    z = sketch.linear(sketch.apply("relu", x, address="r"), 4, address="head/b", weights_at="head/a")
    return sketch.graph(sketch.sub(y, z), blocks={f"f[{place}]": "step" for place in range(3)})


def test_tied_weights() -> None:
    assert source(tied_blocks()) == (
        """\
use std.nn

block step(x: [n, d]) {
  x |> linear(out=d) >> relu
}

space tied(x: f32[n, 8]) -> [n, 4] {
  tied2 = tie step
  y = x |> repeat(3, tied2)
  tied3 = tie linear(out=4)
  (y |> tied3) - (y |> relu >> tied3)
}
"""
    )


def test_several_inputs_and_results() -> None:
    sketch = Sketch("two")
    a, b = sketch.input(4, name="a"), sketch.input(4, name="b")
    first = sketch.apply("linear", a, address="pair/left", out=4)
    second = sketch.apply("max", first, b, address="pair/right", weights=())
    third = sketch.linear(second, 4, address="pair/linear")
    merged = sketch.concat(first, third)
    graph = sketch.graph({"main": merged, "aux": third}, blocks={"pair": "pair"})
    assert source(graph, values={"lr": 0.1}, notes=["Two of everything."]) == (
        """\
# Two of everything.
use std.nn

block pair(a: [n, d], b: [_, _]) {
  left = a |> linear(out=4)
  (left, [left, b] |> max >> linear(out=4))
}

space two(a: f32[n, 4], b: f32[n, 4]) {
  (y, y2) = (a, b) |> pair
  y3 = [y, y2] |> concat(axis=1)
  { main: y3, aux: y2, lr: 0.1 }
}
"""
    )


def test_parameters_keep_clear_of_ops() -> None:
    """A parameter may have the name of an attribute that is also an op called in the block."""
    sketch = Sketch("names")
    x = sketch.input(4, name="x")
    for place, scale in enumerate((0.5, 2.0)):
        x = sketch.linear(x, 4, address=f"f[{place}]/linear")
        x = sketch.apply("scale", x, address=f"f[{place}]/scale", scale=scale)
        x = sketch.apply("relu", x, address=f"f[{place}]/relu")
    graph = sketch.graph(x, blocks={"f[0]": "f", "f[1]": "f"})
    text = source(graph)
    assert "block f(scale_2: float)(x: [n, d]) {\n  x |> linear(out=4) >> scale(scale=scale_2) >> relu\n}" in text
    assert "x |> f(0.5) >> f(2.0)" in text
